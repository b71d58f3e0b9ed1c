/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The service manager: sd_notify(3). Without $NOTIFY_SOCKET nothing happens. Type=notify; systemd
 * before 253 has no Type=notify-reload, so a reload is told by RELOADING=1 and then READY=1.
 */

#include <event2/event.h>

#include "core/base.h"

/* Whether we were started by one. */
bool service_is_managed(void);

void service_ready(void);
void service_reloading(void);
void service_stopping(void);
/* One line for `systemctl status`. */
void service_status(const char *text);

/*
 * Kicks the watchdog from the loop, at half its time, as long as the loop turns. NULL where none is
 * asked for. Release with event_free().
 */
struct event *service_watchdog_create(struct event_base *base);
