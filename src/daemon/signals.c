/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/signals.h"

#include <signal.h>

#include "core/base.h"

static void on_signal(evutil_socket_t number, short what _unused_, void *userdata)
{
	struct signals *signals = userdata;

	switch ((int)number) {
	case SIGHUP:
		signals->handler.reload(signals->userdata);
		break;
	case SIGUSR1:
		signals->handler.collect(signals->userdata);
		break;
	default:
		signals->handler.stop(signals->userdata);
		break;
	}
}

void signals_init(struct signals *signals, struct event_base *base,
	const struct signals_handler *handler, void *userdata)
{
	static const int numbers[SIGNALS_COUNT] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

	*signals = (struct signals){ .handler = *handler, .userdata = userdata };
	for (size_t i = 0; i < SIGNALS_COUNT; i++) {
		signals->events[i] = evsignal_new(base, numbers[i], on_signal, signals);
		if (!signals->events[i] || event_add(signals->events[i], NULL) < 0)
			abort();
	}
	signal(SIGPIPE, SIG_IGN);
}

void signals_finish(struct signals *signals)
{
	for (size_t i = 0; i < SIGNALS_COUNT; i++)
		if (signals->events[i])
			event_free(signals->events[i]);
	*signals = (struct signals){};
}
