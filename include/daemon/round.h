/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A round of a collection: what one plan removes, one image after the other, each verdict taken
 * again right before; and what has gone since that plan, by our hand or by another's.
 */

#include "core/base.h"
#include "core/plan.h"
#include "daemon/meter.h"
#include "daemon/removal.h"
#include "daemon/report.h"

struct round_handler {
	/* Whether removals are switched on; asked before each. */
	bool (*goes_on)(void *userdata);
	/* An image went, or did not though it was to; for people why, NULL if it went. */
	void (*decided)(void *userdata, const struct image_summary *summary,
		enum removal_result result, const char *why);
	/* The engine has been asked to remove an image, and that one is done with. */
	void (*changed)(void *userdata);
	/* All images are done with, or nothing goes any more. */
	void (*done)(void *userdata);
};

struct round;

/* The meter and what the context names stay the caller's. */
struct round *round_create(const struct removal_context *context, struct meter *meter,
	const struct round_handler *handler, void *userdata);
/* NULL is fine. */
void round_destroy(struct round *round);

/* A new round: takes what the plan removes, from what the meter says now. Returns how many. */
size_t round_take(struct round *round, const struct plan *plan);

/*
 * Removes what was taken; `done` is called once, from the loop or at once, as removal_start() does.
 * A removal that failed is the last one. Waits for watch_is_settled() before each.
 */
void round_start(struct round *round);

/* Goes on where it waited for watch_is_settled(). Only between round_start() and `done`. */
void round_settled(struct round *round);

/* Ends it where it stands, without callbacks. What has gone remains known. */
void round_cancel(struct round *round);

/* Whether anything has gone since the plan, whoever removed it. */
bool round_has_changed_anything(const struct round *round);

/* Whether the meter shows more free space than it did for the plan. */
bool round_has_freed_space(const struct round *round);

/* The same, or that images take less. */
bool round_has_freed_anything(const struct round *round);

/* Logs how the prediction and the meter compare, for people who doubt it. */
void round_log_prediction(const struct round *round);
