/* SPDX-License-Identifier: Apache-2.0 */
#include "io/service.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include "core/printable.h"
#include "io/files.h"

bool service_is_managed(void)
{
	return environment_get("NOTIFY_SOCKET");
}

void service_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void service_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void service_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void service_status(const char *text)
{
	/* A newline would begin another assignment. */
	_cleanup_free_ char *line = printable_escape(text);

	(void)sd_notifyf(0, "STATUS=%s", line);
}

static void on_watchdog(evutil_socket_t fd _unused_, short what _unused_, void *userdata _unused_)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

struct event *service_watchdog_create(struct event_base *base)
{
	uint64_t usec;
	struct timeval tv;
	struct event *event;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return NULL;
	usec /= 2;
	tv = (struct timeval){ (time_t)(usec / 1000000), (suseconds_t)(usec % 1000000) };
	event = event_new(base, -1, EV_PERSIST, on_watchdog, NULL);
	if (!event || event_add(event, &tv) < 0)
		abort();
	return event;
}
