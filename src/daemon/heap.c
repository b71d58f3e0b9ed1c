/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/heap.h"

#include <event2/event.h>
#include <malloc.h>

#include "core/base.h"

void heap_trim(void)
{
#ifdef __GLIBC__ /* other libraries have no such call */
	malloc_trim(0);
#endif
}

static void on_later(evutil_socket_t fd _unused_, short what _unused_, void *userdata _unused_)
{
	heap_trim();
}

void heap_trim_later(struct event_base *base)
{
	const struct timeval now = {};

	if (event_base_once(base, -1, EV_TIMEOUT, on_later, NULL, &now) < 0)
		abort();
}
