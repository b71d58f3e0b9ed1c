/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * That a collection is wanted: it begins at once, or follows lists that are made first, and none
 * begins during a pause. When to want one is said by others: the schedule, events, people.
 */

#include "core/base.h"
#include "core/ledger.h"
#include "daemon/cycle.h"
#include "daemon/pause.h"
#include "daemon/subscription.h"
#include "daemon/watch.h"

struct demand {
	/* The caller's. */
	struct watch *watch;
	struct cycle *cycle;
	struct ledger *ledger;
	const struct subscription *subscription;

	struct pause pause;
	bool follows_lists; /* a collection, those that are under way */
	enum cycle_trigger trigger; /* why that one */
	bool list_failed; /* the last one */
	void (*resumed)(void *userdata);
	void *userdata;
};

/* What is the caller's is there by then. resumed: a pause has ended, be it by demand_resume(). */
void demand_init(struct demand *demand, struct event_base *base, void (*resumed)(void *userdata),
	void *userdata);
/* What is all zero is fine. */
void demand_finish(struct demand *demand);

/* A collection now, unless paused. */
void demand_collection(struct demand *demand, enum cycle_trigger trigger);

/* Lists anew, and a collection after it. */
void demand_lists(struct demand *demand, enum cycle_trigger trigger);

/* Lists are complete: what was to follow them does. */
void demand_note_lists(struct demand *demand);

/* There were no lists. What was to follow them waits for the next ones. */
void demand_note_failure(struct demand *demand);

/* The last attempt failed, and is made again: with lists if it was them. */
void demand_retry(struct demand *demand);

/* A person wants a collection now, or as soon as the first lists are there. Logged, and why not. */
void demand_now(struct demand *demand);

/* No collection for so long; 0: until somebody resumes. */
void demand_pause(struct demand *demand, nsec_t length);

/* Ends a pause; what has come meanwhile may be collected. Without one nothing happens. */
void demand_resume(struct demand *demand);
