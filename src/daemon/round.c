/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/round.h"

#include <inttypes.h>

#include "daemon/observe.h"
#include "io/log.h"

struct round {
	struct removal_context context;
	struct meter *meter;
	struct round_handler handler;
	void *userdata;

	ARRAY(struct image_summary) queue; /* the plan's removals */
	size_t next;
	struct removing *removing;
	uint64_t removed;
	struct usage planned; /* what the plan was made for */
	struct bounds freed; /* by us, as predicted */
	uint64_t gone; /* the inventory's `gone`, but for what others removed since the plan */
};

struct round *round_create(const struct removal_context *context, struct meter *meter,
	const struct round_handler *handler, void *userdata)
{
	struct round *round = xcalloc(1, sizeof(*round));

	round->context = *context;
	round->meter = meter;
	round->handler = *handler;
	round->userdata = userdata;
	return round;
}

static void clear_queue(struct round *round)
{
	for (size_t i = 0; i < round->queue.count; i++)
		image_summary_finish(&round->queue.items[i]);
	round->queue.count = round->next = 0;
}

void round_cancel(struct round *round)
{
	removal_cancel(TAKE_PTR(round->removing));
	clear_queue(round);
}

void round_destroy(struct round *round)
{
	if (!round)
		return;
	round_cancel(round);
	free(round->queue.items);
	free(round);
}

size_t round_take(struct round *round, const struct plan *plan)
{
	clear_queue(round);
	round->removed = 0;
	round->freed = (struct bounds){};
	round->gone = round->context.inventory->gone;
	round->planned = round->meter->usage;
	for (size_t i = 0; i < plan->count; i++)
		if (reason_removes(plan->items[i].reason))
			*array_push(&round->queue) = summary_of(&plan->items[i]);
	return round->queue.count;
}

/* Bytes at most that have gone since the plan without our doing. */
static uint64_t gone_by_others(const struct round *round)
{
	return round->context.inventory->gone - round->gone;
}

bool round_has_changed_anything(const struct round *round)
{
	return round->removed > 0 || gone_by_others(round) > 0;
}

bool round_has_freed_space(const struct round *round)
{
	const struct space *before = &round->planned.space, *after = &round->meter->usage.space;

	return before->known && after->known && after->free > before->free;
}

bool round_has_freed_anything(const struct round *round)
{
	const struct usage *before = &round->planned, *after = &round->meter->usage;

	return (before->known && after->known && after->images < before->images) ||
		round_has_freed_space(round);
}

/* Others may have pulled or removed something in the meantime. */
void round_log_prediction(const struct round *round)
{
	log_debug("%" PRIu64 " bytes freed, predicted %" PRIu64 " to %" PRIu64,
		subtract_saturating(round->planned.images, round->meter->usage.images),
		round->freed.lower, round->freed.upper);
}

static void mark_failed(struct round *round, const char *id)
{
	struct image *image = inventory_find_image(round->context.inventory, id);

	if (image)
		image->failed = true;
}

/* What came of one that was to go. */
static void decide(struct round *round, const struct image_summary *summary,
	enum removal_result result, const char *why)
{
	switch (result) {
	case REMOVAL_DONE:
		report_removed(summary);
		round->removed++;
		round->freed = bounds_add(round->freed, summary->reclaims);
		break;
	case REMOVAL_KEPT:
		report_kept(summary, why);
		break;
	case REMOVAL_REFUSED:
		report_kept(summary, why);
		mark_failed(round, summary->id);
		break;
	case REMOVAL_FAILED:
		report_failed(summary, why);
		round->next = round->queue.count;
		break;
	}
	round->handler.decided(round->userdata, summary, result, why);
}

static void decide_kept(
	struct round *round, const struct image_summary *summary, enum reason reason)
{
	_cleanup_free_ char *why = xasprintf("%s by now", reason_name(reason));

	decide(round, summary, REMOVAL_KEPT, why);
}

static void remove_next(struct round *round);

static void on_removal(void *userdata, const struct removal_outcome *outcome)
{
	struct round *round = userdata;
	const struct image_summary *summary = &round->queue.items[round->next++];

	round->removing = NULL;
	round->gone += outcome->gone;
	if (outcome->result == REMOVAL_KEPT)
		decide_kept(round, summary, outcome->reason);
	else
		decide(round, summary, outcome->result, outcome->message);
	round->handler.changed(round->userdata);
	remove_next(round);
}

/*
 * Whether images still take too much, or leave too little, for sure, whatever has gone since the
 * measure, by our hand or by another's.
 */
static bool is_surely_needed(struct round *round, enum reason reason)
{
	uint64_t freed = add_saturating(round->freed.upper, gone_by_others(round));
	struct limits limits;

	/* A file system can be slow to show what it got back: both must say that it is low. */
	if (reason == REASON_LOW_SPACE && !meter_is_space_low(round->meter))
		return false;
	limits = policy_limits(round->context.policy, &round->meter->usage.space);
	if (reason == REASON_LOW_SPACE)
		return add_saturating(round->planned.space.free, freed) < limits.min_free_space;
	return round->meter->usage.images > freed &&
		round->meter->usage.images - freed > limits.target_total_size;
}

/* Skips what is gone or may not go any more. */
static bool still_goes(struct round *round, const struct image_summary *summary)
{
	const struct removal_context *context = &round->context;
	const struct image *image = inventory_find_image(context->inventory, summary->id);
	enum reason reason;

	if (!image)
		return false;
	reason = policy_check(context->policy, context->ledger, image, summary->reason,
		observe_now(context->ledger));
	if ((reason == REASON_OVER_SIZE || reason == REASON_LOW_SPACE) &&
		!is_surely_needed(round, reason))
		return false; /* the next measure will tell */
	if (reason_removes(reason))
		return true;
	decide_kept(round, summary, reason);
	return false;
}

static void remove_next(struct round *round)
{
	/* What was read meanwhile must have its say first: round_settled() goes on. */
	if (!watch_is_settled(round->context.watch))
		return;
	if (!round->handler.goes_on(round->userdata))
		round->next = round->queue.count; /* switched off meanwhile */
	while (round->next < round->queue.count &&
		!still_goes(round, &round->queue.items[round->next]))
		round->next++;
	if (round->next == round->queue.count) {
		round->handler.done(round->userdata);
		return;
	}
	removal_start(&round->context, round->queue.items[round->next].id,
		round->queue.items[round->next].reason, on_removal, round, &round->removing);
}

void round_start(struct round *round)
{
	remove_next(round);
}

void round_settled(struct round *round)
{
	if (round->removing)
		removal_settled(round->removing);
	else
		remove_next(round);
}
