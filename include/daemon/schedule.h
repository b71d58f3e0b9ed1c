/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * When to look and to collect without being asked: at an interval, once images that came have
 * settled, and again after a failure, less and less often.
 */

#include <event2/event.h>

#include "core/base.h"

struct schedule;

struct schedule_handler {
	/* The interval is over. */
	void (*interval)(void *userdata);
	/* Images came, and it is quiet now. */
	void (*settled)(void *userdata);
	/* The last attempt failed; it is time for another one. */
	void (*retry)(void *userdata);
};

struct schedule *schedule_create(
	struct event_base *base, const struct schedule_handler *handler, void *userdata);
void schedule_destroy(struct schedule *schedule);

/* Times of the configuration in force; the interval starts anew. */
void schedule_set(struct schedule *schedule, nsec_t interval, nsec_t settle);

/* Images came. However many follow, `settled` comes 30 s after the first at the latest. */
void schedule_grown(struct schedule *schedule, nsec_t now);

/* An attempt has failed: `retry` comes soon, later each time, and `settled` is void until then. */
void schedule_failed(struct schedule *schedule);

/* An attempt has succeeded: the next failure is the first one again. */
void schedule_succeeded(struct schedule *schedule);

/* There is no engine: only the interval goes on. */
void schedule_idle(struct schedule *schedule);

/* When the interval is over, by the wall clock. */
nsec_t schedule_next(const struct schedule *schedule);
