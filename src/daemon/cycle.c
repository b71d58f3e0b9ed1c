/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cycle.h"

#include "core/units.h"
#include "daemon/meter.h"
#include "daemon/observe.h"
#include "daemon/prune.h"
#include "daemon/report.h"
#include "daemon/round.h"
#include "io/log.h"

/* So many measures in a row without a byte freed, and the collection gives up. */
#define FRUITLESS_MAX 3

struct cycle {
	struct removal_context context;
	const struct settings *settings;
	struct cycle_handler handler;
	void *userdata;

	enum cycle_state state;
	enum cycle_trigger trigger;
	bool again;
	enum cycle_trigger again_trigger;
	struct engine_call *measure;
	struct prune *prune;
	struct meter meter;
	struct round *round;
	bool paused;
	bool warned; /* that nothing more can be removed */

	/* Of the collection under way. */
	struct collection_outcome outcome;
	struct progress progress;
	unsigned fruitless;
	int failure;
};

static bool removes_for_real(void *userdata);
static void on_decided(void *userdata, const struct image_summary *summary,
	enum removal_result result, const char *why);
static void on_round_changed(void *userdata);
static void on_round_done(void *userdata);

struct cycle *cycle_create(const struct removal_context *context, const struct settings *settings,
	const struct cycle_handler *handler, void *userdata)
{
	static const struct round_handler round_handler = {
		.goes_on = removes_for_real,
		.decided = on_decided,
		.changed = on_round_changed,
		.done = on_round_done,
	};
	struct cycle *cycle = xcalloc(1, sizeof(*cycle));

	cycle->context = *context;
	cycle->meter.engine = context->engine;
	cycle->meter.inventory = context->inventory;
	cycle->meter.policy = context->policy;
	cycle->settings = settings;
	cycle->handler = *handler;
	cycle->userdata = userdata;
	cycle->round = round_create(context, &cycle->meter, &round_handler, cycle);
	return cycle;
}

void cycle_cancel(struct cycle *cycle)
{
	engine_cancel(TAKE_PTR(cycle->measure));
	round_cancel(cycle->round);
	prune_cancel(TAKE_PTR(cycle->prune));
	cycle->state = CYCLE_IDLE;
	cycle->again = false;
	meter_reset(&cycle->meter);
}

void cycle_destroy(struct cycle *cycle)
{
	if (!cycle)
		return;
	cycle_cancel(cycle);
	round_destroy(cycle->round);
	meter_finish(&cycle->meter);
	free(cycle);
}

enum cycle_state cycle_state(const struct cycle *cycle)
{
	return cycle->state;
}

const struct usage *cycle_usage(const struct cycle *cycle)
{
	return &cycle->meter.usage;
}

const char *cycle_problem(const struct cycle *cycle)
{
	return cycle->meter.problem;
}

static void set_state(struct cycle *cycle, enum cycle_state state)
{
	cycle->state = state;
	cycle->handler.changed(cycle->userdata);
}

void cycle_set_paused(struct cycle *cycle, bool paused)
{
	cycle->paused = paused;
}

void cycle_plan(struct cycle *cycle, struct plan *ret)
{
	static const struct progress progress;

	/* Brings the usage up to date, if that is known. */
	cycle_is_within_limits(cycle);
	plan_make(cycle->context.policy, cycle->context.inventory, cycle->context.ledger,
		&cycle->meter.usage, &progress, observe_now(cycle->context.ledger), ret);
}

bool cycle_is_within_limits(struct cycle *cycle)
{
	return cycle->state == CYCLE_IDLE && meter_is_within_limits(&cycle->meter);
}

static void start(struct cycle *cycle, enum cycle_trigger trigger);

static void finish(struct cycle *cycle, int result)
{
	struct collection_outcome outcome = cycle->outcome;

	outcome.result = result;
	outcome.after = cycle->meter.usage;
	round_cancel(cycle->round);
	set_state(cycle, CYCLE_IDLE);
	cycle->handler.finished(cycle->userdata, &outcome);
	if (cycle->state == CYCLE_IDLE && cycle->again) {
		cycle->again = false;
		start(cycle, cycle->again_trigger);
	}
}

static void make_plan(struct cycle *cycle, const struct usage *usage, struct plan *ret)
{
	plan_make(cycle->context.policy, cycle->context.inventory, cycle->context.ledger, usage,
		&cycle->progress, observe_now(cycle->context.ledger), ret);
}

static bool removes_for_real(void *userdata)
{
	const struct cycle *cycle = userdata;

	return cycle->settings->enabled && !cycle->settings->dry_run && !cycle->paused;
}

/* What a person must know, once: the limit is missed, and nothing is left that could be removed. */
static void warn_if_stuck(struct cycle *cycle, const struct plan *plan)
{
	bool stuck = plan->removals == 0 && !plan->capped &&
		(plan->missing > 0 || plan->missing_space > 0);

	if (stuck && !cycle->warned)
		report_stuck(plan);
	cycle->warned = stuck;
	cycle->outcome.missing = stuck ? plan->missing : 0;
	cycle->outcome.missing_space = stuck ? plan->missing_space : 0;
}

static void on_pruned(void *userdata, int result, uint64_t freed)
{
	struct cycle *cycle = userdata;

	cycle->prune = NULL;
	cycle->outcome.pruned = freed;
	finish(cycle, result);
}

static bool measures_cache(const struct cycle *cycle)
{
	return policy_limits_cache(cycle->context.policy) &&
		engine_prunes_within_limits(cycle->context.engine);
}

/* The images are done. What they have left in the build cache is there by now. */
static void finish_images(struct cycle *cycle)
{
	struct cache_limits limits =
		policy_cache_limits(cycle->context.policy, &cycle->meter.usage.space);
	struct cache_plan plan = build_cache_plan(
		&cycle->meter.build_cache, &limits, observe_now(cycle->context.ledger));

	if (cycle->failure < 0 || !measures_cache(cycle) || !prune_is_needed(&plan)) {
		finish(cycle, cycle->failure);
		return;
	}
	if (!removes_for_real(cycle)) {
		report_cache_plan(&plan);
		finish(cycle, 0);
		return;
	}
	set_state(cycle, CYCLE_PRUNE);
	cycle->prune = prune_start(cycle->context.engine, &plan, &limits, on_pruned, cycle);
}

static void plan_and_remove(struct cycle *cycle)
{
	_cleanup_(plan_finish) struct plan plan = {};

	meter_look_at_space(&cycle->meter);
	make_plan(cycle, &cycle->meter.usage, &plan);
	cycle->progress.over_size = plan.over_size;
	warn_if_stuck(cycle, &plan);
	if (!removes_for_real(cycle)) {
		if (cycle->trigger == TRIGGER_REQUEST ||
			(cycle->settings->enabled && plan.removals))
			cycle->handler.planned(cycle->userdata, &plan);
		finish_images(cycle);
		return;
	}
	if (round_take(cycle->round, &plan) == 0) {
		finish_images(cycle);
		return;
	}
	set_state(cycle, CYCLE_REMOVE);
	round_start(cycle->round);
}

/* Was anything freed, and is there more to do? */
static void end_round(struct cycle *cycle)
{
	/* One that is slow to show it will be looked at again after the events of the removals. */
	bool low = meter_is_space_low(&cycle->meter) && round_has_freed_space(cycle->round);

	cycle->fruitless = round_has_freed_anything(cycle->round) ? 0 : cycle->fruitless + 1;
	if (cycle->failure < 0 || !(cycle->progress.over_size || low) ||
		!round_has_changed_anything(cycle->round)) {
		finish_images(cycle);
		return;
	}
	if (cycle->fruitless >= FRUITLESS_MAX) {
		log_warning("collection given up: %u measures in a row show nothing freed",
			FRUITLESS_MAX);
		finish_images(cycle);
		return;
	}
	plan_and_remove(cycle);
}

static void on_verified(void *userdata, struct engine_answer *answer)
{
	struct cycle *cycle = userdata;

	cycle->measure = NULL;
	if (answer->result != ENGINE_OK) {
		log_error("cannot tell what was freed: %s", answer->message);
		meter_take(&cycle->meter, NULL);
		finish(cycle, answer->result < 0 ? answer->result : -1);
		return;
	}
	meter_take(&cycle->meter, answer);
	round_log_prediction(cycle->round);
	end_round(cycle);
}

static void on_round_done(void *userdata)
{
	struct cycle *cycle = userdata;

	if (!cycle->meter.usage.known || !round_has_changed_anything(cycle->round)) {
		end_round(cycle);
		return;
	}
	set_state(cycle, CYCLE_VERIFY);
	cycle->measure =
		engine_measure(cycle->context.engine, measures_cache(cycle), on_verified, cycle);
}

/* What came of one that was to go. */
static void on_decided(void *userdata, const struct image_summary *summary,
	enum removal_result result, const char *why)
{
	struct cycle *cycle = userdata;

	switch (result) {
	case REMOVAL_DONE:
		cycle->outcome.removed++;
		cycle->outcome.freed = bounds_add(cycle->outcome.freed, summary->reclaims);
		cycle->progress.removed++;
		break;
	case REMOVAL_KEPT:
		break;
	case REMOVAL_REFUSED:
		cycle->outcome.refused++;
		break;
	case REMOVAL_FAILED:
		cycle->failure = -1;
		break;
	}
	cycle->handler.decided(cycle->userdata, summary, result, why);
}

static void on_round_changed(void *userdata)
{
	struct cycle *cycle = userdata;

	cycle->handler.changed(cycle->userdata);
}

static void on_measured(void *userdata, struct engine_answer *answer)
{
	struct cycle *cycle = userdata;

	cycle->measure = NULL;
	if (answer->result == ENGINE_OK) {
		meter_take(&cycle->meter, answer);
		cycle->outcome.before = answer->usage;
	} else {
		meter_take(&cycle->meter, NULL);
		/* The age rule does without; without a limit it was for people only. */
		if (amount_is_set(cycle->context.policy->max_total_size)) {
			log_error("disk usage unknown, images are not collected by size: %s",
				answer->message);
			cycle->failure = -1;
		} else {
			log_debug("disk usage unknown: %s", answer->message);
		}
	}
	plan_and_remove(cycle);
}

/* A measure can take an engine many seconds: it is asked for where somebody will look at it. */
static bool needs_measure(struct cycle *cycle)
{
	_cleanup_(plan_finish) struct plan plan = {};

	if (meter_look_at_space(&cycle->meter).max_total_size > 0 || measures_cache(cycle) ||
		cycle->trigger == TRIGGER_START || cycle->trigger == TRIGGER_REQUEST)
		return true;
	make_plan(cycle, &(struct usage){ .space = cycle->meter.usage.space }, &plan);
	return plan.removals > 0;
}

static void on_containers(void *userdata, int result, const char *why)
{
	struct cycle *cycle = userdata;

	if (result < 0) {
		log_error("nothing is collected: %s", why);
		finish(cycle, result);
		return;
	}
	if (!needs_measure(cycle)) {
		meter_take(&cycle->meter, NULL); /* too old to be shown */
		plan_and_remove(cycle);
		return;
	}
	set_state(cycle, CYCLE_MEASURE);
	cycle->measure =
		engine_measure(cycle->context.engine, measures_cache(cycle), on_measured, cycle);
}

static void look(struct cycle *cycle)
{
	struct image *image, *next;

	HASH_ITER (hh, cycle->context.inventory->images, image, next)
		image->failed = false;
	set_state(cycle, CYCLE_CONTAINERS);
	watch_list_containers(cycle->context.watch, on_containers, cycle);
}

static void start(struct cycle *cycle, enum cycle_trigger trigger)
{
	cycle->trigger = trigger;
	cycle->outcome = (struct collection_outcome){ .asked_for = trigger == TRIGGER_REQUEST };
	cycle->progress = (struct progress){};
	cycle->fruitless = 0;
	cycle->failure = 0;
	if (watch_is_settled(cycle->context.watch))
		look(cycle);
	else
		set_state(cycle, CYCLE_WAITING);
}

void cycle_trigger(struct cycle *cycle, enum cycle_trigger trigger)
{
	if (cycle->state == CYCLE_IDLE) {
		start(cycle, trigger);
		return;
	}
	/* A person's wish is not lost to a timer's. */
	if (!cycle->again || trigger == TRIGGER_REQUEST)
		cycle->again_trigger = trigger;
	cycle->again = true;
}

void cycle_settled(struct cycle *cycle)
{
	if (cycle->state == CYCLE_WAITING)
		look(cycle);
	else if (cycle->state == CYCLE_REMOVE)
		round_settled(cycle->round);
}
