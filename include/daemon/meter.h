/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How much is used and how much is free, as far as anybody knows: the engine's last measure, what
 * the layers tell since then, and what the kernel says of the file system.
 */

#include "core/base.h"
#include "core/build_cache.h"
#include "core/policy.h"
#include "io/engine.h"

struct meter {
	/* The caller's. */
	const struct engine *engine;
	struct inventory *inventory;
	const struct policy *policy;

	struct usage usage; /* as measured last, or as known since then; unknown at first */
	struct build_cache build_cache; /* as measured last */
	bool confirmed; /* by a measure: what layers tell is what the engine counts */
	char *problem; /* why free space is not known, for people; NULL if nothing is wrong */
};

void meter_finish(struct meter *meter);

/* Nothing is known any more: the engine is away. */
void meter_reset(struct meter *meter);

/*
 * What the engine has measured; NULL: nothing, what was known is too old. Takes contents over. The
 * inventory learns sizes that it did not have.
 */
void meter_take(struct meter *meter, struct engine_answer *answer);

/*
 * Looks at the file system, if a limit depends on it, and returns what the limits are. It asks the
 * kernel, not the engine: cheap enough for each decision.
 */
struct limits meter_look_at_space(struct meter *meter);

/* The same, and whether less is free than there should be. */
bool meter_is_space_low(struct meter *meter);

/*
 * Brings the usage up to date without asking the engine, as long as what is known of layers agreed
 * with the last measure. Returns whether usage and free space are surely within their limits: then
 * no measure is needed.
 */
bool meter_is_within_limits(struct meter *meter);
