/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* While somebody builds, or looks into something, nothing is collected. */

#include <event2/event.h>

#include "core/base.h"

struct pause {
	struct event *timer;
	nsec_t until; /* by the wall clock; 0: not paused, NSEC_MAX: until somebody resumes */
	void (*over)(void *userdata);
	void *userdata;
};

/* over: the time has come, the pause has ended. */
void pause_init(
	struct pause *pause, struct event_base *base, void (*over)(void *userdata), void *userdata);
void pause_finish(struct pause *pause);

/* For so long from now on; 0: until somebody resumes. Replaces the one before. */
void pause_begin(struct pause *pause, nsec_t length, nsec_t now);

/* Ends it, without over(). Whether there was one. */
bool pause_end(struct pause *pause);

static inline bool pause_is_on(const struct pause *pause)
{
	return pause->until > 0;
}
