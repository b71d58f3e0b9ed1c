/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What people and the service manager want by signals. */

#include <event2/event.h>

#define SIGNALS_COUNT 4

struct signals_handler {
	/* SIGTERM, SIGINT */
	void (*stop)(void *userdata);
	/* SIGHUP */
	void (*reload)(void *userdata);
	/* SIGUSR1 */
	void (*collect)(void *userdata);
};

struct signals {
	struct event *events[SIGNALS_COUNT];
	struct signals_handler handler;
	void *userdata;
};

/* Takes these signals from the loop, and ignores SIGPIPE. */
void signals_init(struct signals *signals, struct event_base *base,
	const struct signals_handler *handler, void *userdata);
/* What is all zero is fine. */
void signals_finish(struct signals *signals);
