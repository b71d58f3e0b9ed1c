/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pause.h"

#include "core/units.h"
#include "io/clock.h"
#include "io/log.h"

static void on_timer(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct pause *pause = userdata;

	pause_end(pause);
	pause->over(pause->userdata);
}

void pause_init(
	struct pause *pause, struct event_base *base, void (*over)(void *userdata), void *userdata)
{
	*pause = (struct pause){ .over = over, .userdata = userdata };
	pause->timer = evtimer_new(base, on_timer, pause);
	if (!pause->timer)
		abort();
}

void pause_finish(struct pause *pause)
{
	if (pause->timer)
		event_free(pause->timer);
	*pause = (struct pause){};
}

void pause_begin(struct pause *pause, nsec_t length, nsec_t now)
{
	char text[FORMAT_MAX];

	evtimer_del(pause->timer);
	pause->until = length > 0 ? now + length : NSEC_MAX;
	if (length > 0)
		timer_arm(pause->timer, length);
	log_info("paused%s%s: nothing is collected", length > 0 ? " for " : "",
		length > 0 ? format_duration(length, text) : "");
}

bool pause_end(struct pause *pause)
{
	if (!pause_is_on(pause))
		return false;
	evtimer_del(pause->timer);
	pause->until = 0;
	log_info("collecting again");
	return true;
}
