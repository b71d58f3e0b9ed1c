/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Takes one image out of the engine: reference by reference, never by force, the verdict taken
 * again before each step, so that a container that appears in between leaves a name to it.
 */

#include "core/base.h"
#include "core/policy.h"
#include "daemon/watch.h"
#include "io/engine.h"

enum removal_result {
	REMOVAL_DONE, /* gone, by us or before us */
	REMOVAL_KEPT, /* the verdict has changed, see reason */
	REMOVAL_REFUSED, /* the engine said no: in use or has children after all */
	REMOVAL_FAILED, /* no answer, or an error of the engine's: better stop for now */
};
#define REMOVAL_RESULT_COUNT (REMOVAL_FAILED + 1)

struct removal_outcome {
	enum removal_result result;
	enum reason reason; /* why it was kept */
	const char *message; /* the engine's word, unless done or kept */
	uint64_t gone; /* what it added to the inventory's `gone` */
};

typedef void (*removal_fn)(void *userdata, const struct removal_outcome *outcome);

struct removal_context {
	struct engine *engine;
	struct watch *watch;
	struct inventory *inventory;
	struct ledger *ledger;
	const struct policy *policy;
};

struct removing;

/* Starts; done is called from the loop or at once, once. planned is the reason it goes for. */
void removal_start(const struct removal_context *context, const char *id, enum reason planned,
	removal_fn done, void *userdata, struct removing **ret);

/* Goes on where a step waited for watch_is_settled(). */
void removal_settled(struct removing *removing);

/* Ends it between two steps, without callback. NULL is fine. */
void removal_cancel(struct removing *removing);
