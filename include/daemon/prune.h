/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Has the engine prune its build cache: first what is unused, then what is too much. */

#include "core/base.h"
#include "core/build_cache.h"
#include "io/engine.h"

struct prune;

/* 0, or -errno after a failure, which has been logged; and the bytes that were freed. */
typedef void (*prune_fn)(void *userdata, int result, uint64_t freed);

/* Starts what the plan asks for, which must be something; done is called from the loop, once. */
struct prune *prune_start(struct engine *engine, const struct cache_plan *plan,
	const struct cache_limits *limits, prune_fn done, void *userdata);

/* Without callback. NULL is fine. */
void prune_cancel(struct prune *prune);

static inline bool prune_is_needed(const struct cache_plan *plan)
{
	return plan->unused > 0 || plan->excess > 0;
}
