/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Lists that are compared with what is known. What they show and no event tells, not even a moment
 * later, goes to the log and is counted.
 */

#include <event2/event.h>

#include "codec/event_json.h"
#include "codec/records_json.h"
#include "core/inventory.h"
#include "daemon/differences.h"

struct comparison {
	struct inventory *inventory;
	struct event *timer;
	bool is_on; /* for the lists that are under way */
	struct differences found; /* that no event has explained so far */
	size_t told; /* in all */
};

/* The inventory stays the caller's. */
void comparison_init(
	struct comparison *comparison, struct event_base *base, struct inventory *inventory);
void comparison_finish(struct comparison *comparison);

/*
 * Compares the lists that come next, unless something is known to be unknown. Where the last ones'
 * differences still wait for an explanation they come first: with very short intervals that takes
 * turns.
 */
void comparison_begin(struct comparison *comparison, bool is_settled);
/* No comparison, and nothing will be told: it is known that something was missed. */
void comparison_forget(struct comparison *comparison);

/* Compares the lists, before they replace the inventory. Only if is_on. */
void comparison_lists(struct comparison *comparison, const struct image_records *images,
	const struct container_records *containers);
/* They have replaced it: what has not been explained by now waits for events. */
void comparison_listed(struct comparison *comparison);

/* Somebody has told of what this names, an ID or a reference in any form. */
void comparison_explain(struct comparison *comparison, const char *text);
/* Of what the event is about. */
void comparison_explain_event(struct comparison *comparison, const struct engine_event *event);
