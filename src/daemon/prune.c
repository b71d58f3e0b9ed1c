/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/prune.h"

#include <assert.h>

#include "daemon/report.h"
#include "io/log.h"

struct prune {
	struct engine *engine;
	struct engine_call *call;
	struct cache_limits limits;
	bool by_age, by_size; /* still to be done */
	enum reason reason; /* of what is under way */
	uint64_t freed;
	prune_fn done;
	void *userdata;
};

void prune_cancel(struct prune *prune)
{
	if (!prune)
		return;
	engine_cancel(prune->call);
	free(prune);
}

static void finish(struct prune *prune, int result)
{
	prune_fn done = prune->done;
	void *userdata = prune->userdata;
	uint64_t freed = prune->freed;

	free(prune);
	done(userdata, result, freed);
}

static void go_on(struct prune *prune);

static void on_pruned(void *userdata, struct engine_answer *answer)
{
	struct prune *prune = userdata;

	prune->call = NULL;
	if (answer->result == ENGINE_CONFLICT) {
		/* Somebody else is at it. */
		log_debug("build cache: %s", answer->message);
	} else if (answer->result != ENGINE_OK) {
		log_error("build cache not pruned: %s", answer->message);
		finish(prune, answer->result < 0 ? answer->result : -1);
		return;
	} else {
		report_pruned(prune->reason, &answer->pruned);
		prune->freed = add_saturating(prune->freed, answer->pruned.bytes);
	}
	go_on(prune);
}

static void go_on(struct prune *prune)
{
	if (prune->by_age) {
		prune->by_age = false;
		prune->reason = REASON_UNUSED;
		prune->call = engine_prune_unused(
			prune->engine, prune->limits.max_unused, on_pruned, prune);
	} else if (prune->by_size) {
		prune->by_size = false;
		prune->reason = REASON_OVER_SIZE;
		prune->call = engine_prune_down_to(
			prune->engine, prune->limits.max_total_size, on_pruned, prune);
	} else {
		finish(prune, 0);
	}
}

struct prune *prune_start(struct engine *engine, const struct cache_plan *plan,
	const struct cache_limits *limits, prune_fn done, void *userdata)
{
	struct prune *prune = xcalloc(1, sizeof(*prune));

	assert(prune_is_needed(plan));
	*prune = (struct prune){
		.engine = engine,
		.limits = *limits,
		.by_age = plan->unused > 0,
		.by_size = plan->excess > 0,
		.done = done,
		.userdata = userdata,
	};
	go_on(prune);
	return prune;
}
