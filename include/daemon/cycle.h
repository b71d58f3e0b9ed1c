/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A collection: look at containers, measure, plan, remove one by one, verify; again from the plan
 * on while sizes are only known between bounds and the target is not reached. One at a time.
 */

#include "codec/settings.h"
#include "core/base.h"
#include "core/plan.h"
#include "daemon/removal.h"
#include "daemon/report.h"

enum cycle_state {
	CYCLE_IDLE,
	CYCLE_WAITING, /* for events that are not settled */
	CYCLE_CONTAINERS,
	CYCLE_MEASURE,
	CYCLE_REMOVE,
	CYCLE_VERIFY,
	CYCLE_PRUNE, /* the build cache */
};

enum cycle_trigger {
	TRIGGER_START,
	TRIGGER_TIMER,
	TRIGGER_SIZE, /* images came, disk usage may have grown */
	TRIGGER_REQUEST, /* a person wants it: SIGUSR1, --once */
};

struct cycle_handler {
	/* The state or the usage has changed. */
	void (*changed)(void *userdata);
	/* An image went, or did not though it was to; for people why, NULL if it went. */
	void (*decided)(void *userdata, const struct image_summary *summary,
		enum removal_result result, const char *why);
	/* This would be done if removals were switched on, or were no dry run. */
	void (*planned)(void *userdata, const struct plan *plan);
	void (*finished)(void *userdata, const struct collection_outcome *outcome);
};

struct cycle;

/* The context and the settings stay the caller's; the settings' values may change any time. */
struct cycle *cycle_create(const struct removal_context *context, const struct settings *settings,
	const struct cycle_handler *handler, void *userdata);
void cycle_destroy(struct cycle *cycle);

/* Starts a collection; during one, another is remembered once. */
void cycle_trigger(struct cycle *cycle, enum cycle_trigger trigger);

/* Events have settled: what waits for that goes on. */
void cycle_settled(struct cycle *cycle);

/* Ends it where it stands, without telling: the engine is away. */
void cycle_cancel(struct cycle *cycle);

enum cycle_state cycle_state(const struct cycle *cycle);

/* While it is paused nothing is removed; what is under way ends after the present image. */
void cycle_set_paused(struct cycle *cycle, bool paused);

/* What a collection now would do, as far as is known without asking the engine. */
void cycle_plan(struct cycle *cycle, struct plan *ret);

/* What keeps it from collecting by space, for people; NULL if nothing does. */
const char *cycle_problem(const struct cycle *cycle);

/* As measured last, or as known since then; unknown at first. */
const struct usage *cycle_usage(const struct cycle *cycle);

/*
 * Brings the usage up to date without asking the engine, as long as what is known of layers agreed
 * with the last measure. Returns whether usage and free space are surely within their limits: then
 * no measure is needed.
 */
bool cycle_is_within_limits(struct cycle *cycle);
