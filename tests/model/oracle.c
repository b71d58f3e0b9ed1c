/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold at each removal, and when all is quiet. The truth is the model's own, by its own
 * clock; of the daemon only what it knows and does is looked at. What is still on the wire excuses
 * it, what it could have read does not.
 */
#include "model.h"

#include "core/rules.h"
#include "daemon/observe.h"

/* The last plan's removals, and why. */
struct planned {
	size_t thing;
	enum reason reason;
	bool begun; /* it has lost a name by it */
};

static ARRAY(struct planned) planned;

/* Removals */

/* With what has gone after the measure, if the daemon cannot know. */
static uint64_t usage_as_known(void)
{
	const struct thing *things[1024];
	size_t count = 0;

	for (size_t i = 0; i < world.things.count && count < ARRAY_SIZE(things); i++)
		if (at(i)->present ||
			((at(i)->changed > at(i)->told || at(i)->uncounted) &&
				at(i)->changed > world.measured))
			things[count++] = at(i);
	return docker_usage_of(things, count);
}

/* Whether it is needed is asked for each image, not for each of its names. */
static void judge_size(size_t number, const struct planned *step)
{
	uint64_t usage = usage_as_known(), limit = world.policy->max_total_size.bytes;
	enum reason reason = step->reason;

	if ((reason == REASON_OVER_SIZE && limit == 0) ||
		(reason == REASON_LOW_SPACE && world.policy->min_free_space.bytes == 0))
		fail("minimal", "%s goes, and no limit is set", at(number)->id);
	if (step->begun)
		return;
	if (world.policy->has_target)
		limit = MIN(limit, world.policy->target_total_size.bytes);
	if (reason == REASON_OVER_SIZE && world.scale.graph_driver && usage <= limit)
		fail("minimal", "%s goes by size, with %llu left and a target of %llu",
			at(number)->id, (unsigned long long)usage, (unsigned long long)limit);
	if (reason == REASON_LOW_SPACE &&
		subtract_saturating(DISK, usage + world.other_bytes) >=
			world.policy->min_free_space.bytes)
		fail("minimal", "%s goes for space, with enough of it", at(number)->id);
}

static void judge_age(size_t number, enum reason reason)
{
	const struct thing *thing = at(number);
	nsec_t unused = truth_unused_at_most(thing);
	bool kept = true, unmanaged = true, within_grace = true, young = true;

	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++) {
		struct verdict verdict;

		if (!(thing->origins & 1U << origin))
			continue;
		verdict = truth_verdict(number, origin);
		kept = kept && verdict.kept;
		unmanaged = unmanaged && !verdict.managed;
		within_grace = within_grace && unused < verdict.grace;
		young = young && reason == REASON_UNUSED &&
			!(verdict.max_unused > 0 && unused > verdict.max_unused);
	}
	/* Rules go by names, and a change of these may be on its way. */
	if (thing->renamed > thing->told || thing->silent) {
		if (world.rule_count > 0)
			return;
	}
	if (kept)
		fail("kept", "%s goes", thing->id);
	if (unmanaged)
		fail("unmanaged", "%s goes, origins %x", thing->id, thing->origins);
	if (within_grace)
		fail("grace", "%s goes, unused for %lld ns", thing->id, (long long)unused);
	if (young)
		fail("max_unused", "%s goes, unused for %lld ns", thing->id, (long long)unused);
}

static bool may_be_managed(size_t number)
{
	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++)
		if (at(number)->origins & 1U << origin && truth_verdict(number, origin).managed)
			return true;
	return truth_verdict(number, ORIGIN_BUILT).managed;
}

/* Steps of its build that go along: made while we were there, or managed like anything else. */
static void judge_steps(size_t number)
{
	for (number = at(number)->parent; number != NOBODY; number = at(number)->parent) {
		const struct thing *step = at(number);

		/* What has lost its name just now is believed to end the walk. */
		if (!step->present || docker_count_names(number) > 0 || step->digests ||
			step->renamed > step->answered)
			return;
		if (step->labelled)
			fail("kept", "%s goes along", step->id);
		if ((step->named || step->changed <= world.met_change) && !may_be_managed(number))
			fail("unmanaged", "%s goes along", step->id);
	}
}

static struct planned *find_planned(size_t number)
{
	for (size_t i = 0; i < planned.count; i++)
		if (planned.items[i].thing == number)
			return &planned.items[i];
	fail("planned", "%s goes unplanned", at(number)->id);
}

/* It is needed, if it was planned; that is not asked again for its other names. */
static void begin_step(size_t number)
{
	for (size_t i = 0; i < planned.count; i++)
		if (planned.items[i].thing == number)
			planned.items[i].begun = true;
}

static void forget_answers(void)
{
	memset(world.name_answered, 0, sizeof(world.name_answered));
	for (size_t i = 0; i < world.things.count; i++)
		at(i)->asked = false;
}

/* The daemon asks whose a name is before something goes by it: has it moved since? */
static bool has_moved(const char *text)
{
	size_t name = docker_find_name(text);

	if (name == NOBODY)
		return false;
	if (world.name_answered[name] == 0)
		fail("asked", "%s goes, and it was not asked whose name that is", text);
	return world.name_moved[name] >= world.name_answered[name]; /* changes + 1 */
}

/* It asks of the image that the steps stand on, too: that may have lost its name. */
static void check_base(size_t number)
{
	const struct image *image = inventory_find_image(world.inventory, at(number)->id);

	do
		image = image && image->parent
			? inventory_find_image(world.inventory, image->parent)
			: NULL;
	while (image && image_is_intermediate(image));
	if (image && !at(thing_of(image->id))->asked)
		fail("asked", "%s may go along with %s, and it was not asked for", image->id,
			at(number)->id);
}

static void judge_removal(const char *name, size_t number, bool prune)
{
	struct planned *step;

	if (!stream_is_whole())
		fail("watching", "%s is removed, and no events come in", name);
	if (number == NOBODY)
		return; /* somebody else was faster */
	if (has_moved(name)) {
		begin_step(number);
		return;
	}
	for (size_t i = 0; i < world.boxes.count; i++) {
		const struct box *box = &world.boxes.items[i];

		if (box->state != BOX_GONE && box->thing == number && box->told >= box->created)
			fail("in use", "%s by %s goes, and %s holds it", at(number)->id, name,
				box->id);
	}
	step = find_planned(number);
	for (size_t i = 0; i < world.things.count; i++)
		if (at(i)->present && at(i)->told >= at(i)->changed && !at(i)->silent &&
			(at(i)->parent == number || docker_stands_on(at(number), at(i))))
			fail("has children", "%s goes, and %s stands on it", at(number)->id,
				at(i)->id);
	judge_age(number, step->reason);
	judge_size(number, step);
	begin_step(number);
	if (!prune)
		return;
	check_base(number);
	judge_steps(number);
}

void oracle_judge_removal(const char *name, size_t number, bool prune)
{
	trace("DELETE %s is sent", name);
	judge_removal(name, number, prune);
	forget_answers();
}

/* Plans */

void __wrap_plan_make(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct usage *usage, const struct progress *progress,
	nsec_t now, struct plan *ret)
{
	__real_plan_make(policy, inventory, ledger, usage, progress, now, ret);
	plan_check(policy, inventory, ledger, usage, progress, now, ret);
	forget_answers();
	planned.count = 0;
	for (size_t i = 0; i < ret->count; i++)
		if (reason_removes(ret->items[i].reason)) {
			*array_push(&planned) = (struct planned){
				.thing = thing_of(ret->items[i].image->id),
				.reason = ret->items[i].reason,
			};
			trace("planned: %s %s", ret->items[i].image->id,
				reason_name(ret->items[i].reason));
		}
}

/* All is quiet */

static void check_names(size_t number, const struct image *image)
{
	const struct thing *thing = at(number);

	for (size_t i = 0; i < NAMES; i++)
		if ((world.names[i] == number) !=
			strings_contain(&image->references, docker_canonical(i)))
			fail("names", "%s %s %s", thing->id,
				world.names[i] == number ? "lacks" : "has no longer",
				docker_canonical(i));
	/* On containerd names by digest come along with others, untold. */
	if (world.scale.graph_driver && !thing->missed_digest &&
		image->digests.count != (size_t)__builtin_popcount(docker_digests(number)))
		fail("names", "%s has %zu digests, not %d", thing->id, image->digests.count,
			__builtin_popcount(docker_digests(number)));
}

static void check_treatment(
	size_t number, const struct image *image, const struct ledger_entry *entry)
{
	struct treatment treatment = rules_apply(world.policy, image, entry);
	struct verdict verdict = truth_verdict(number, entry->origin);

	/* Where digests are all the names there are, see check_names(). */
	if (image->references.count == 0 &&
		(at(number)->missed_digest || !world.scale.graph_driver))
		return;
	if (treatment.managed != verdict.managed ||
		(treatment.kept_by || at(number)->labelled) != verdict.kept ||
		treatment.max_unused != verdict.max_unused || treatment.grace != verdict.grace)
		fail("rules", "%s is treated in another way than the rules say", image->id);
}

static void check_entry(
	size_t number, const struct image *image, const struct ledger_entry *entry, nsec_t now)
{
	const struct thing *thing = at(number);
	nsec_t unused = ledger_unused(world.ledger, entry, now), most = truth_unused_at_most(thing),
	       least = truth_watched_since(thing->credited);

	check_treatment(number, image, entry);
	if (!(thing->origins & 1U << entry->origin))
		fail("origin", "%s is %s, which is none of %x", thing->id,
			origin_name(entry->origin), thing->origins);
	/* What has become a step of a build is in nobody's sight. */
	if (unused > most && !image_is_intermediate(image))
		fail("last use", "%s is unused for %lld, in truth for %lld", thing->id,
			(long long)unused, (long long)most);
	/* What goes wrong may make it look younger, by a name that was in doubt, by a crash. */
	if (!world.scale.faults && unused < least - truth_slack_since(thing->credited))
		fail("last use", "%s is unused for %lld only, in truth for %lld", thing->id,
			(long long)unused, (long long)least);
}

static void check_thing(size_t number, nsec_t now)
{
	const struct thing *thing = at(number);
	const struct image *image = inventory_find_image(world.inventory, thing->id);
	const struct ledger_entry *entry = ledger_find(world.ledger, thing->id);
	size_t boxes = 0;

	if (thing->silent)
		return;
	if (!thing->present && (image || entry))
		fail("inventory", "%s is gone, and is still known", thing->id);
	if (!thing->present)
		return;
	if (!image)
		fail("inventory", "%s is there, and is not known", thing->id);
	for (size_t i = 0; i < world.boxes.count; i++)
		boxes += world.boxes.items[i].thing == number &&
			world.boxes.items[i].state != BOX_GONE;
	if (image->containers != boxes)
		fail("containers", "%s has %zu, by the inventory %u", thing->id, boxes,
			image->containers);
	if (!image->has_layers)
		fail("inventory", "the layers of %s are not known", thing->id);
	check_names(number, image);
	if (!entry && !image_is_intermediate(image))
		fail("ledger", "%s has no entry", thing->id);
	if (entry)
		check_entry(number, image, entry, now);
	at(number)->used = truth_used(thing);
}

void oracle_check_settled(void)
{
	nsec_t now = observe_now(world.ledger);
	struct container *container, *next;
	struct image *image, *next_image;

	told_forget_questions();
	HASH_ITER (hh, world.inventory->images, image, next_image)
		if (thing_of(image->id) == NOBODY)
			fail("inventory", "%s never was there", image->id);
	HASH_ITER (hh, world.inventory->containers, container, next)
		if (world.boxes.items[box_of(container->id)].state == BOX_GONE)
			fail("containers", "%s is gone, and is still known", container->id);
	for (size_t i = 0; i < world.things.count; i++)
		check_thing(i, now);
	for (size_t i = 0; i < world.boxes.count; i++)
		if (world.boxes.items[i].state != BOX_GONE &&
			!inventory_find_container(world.inventory, world.boxes.items[i].id))
			fail("containers", "%s is there, and is not known",
				world.boxes.items[i].id);
}

/* What a limit has wanted for longer than an interval has been done. */
void oracle_check_liveness(void)
{
	_cleanup_(plan_finish) struct plan plan = {};
	static const struct progress progress;
	nsec_t now = observe_now(world.ledger), late = 2 * world.scale.interval + MINUTE;
	struct policy policy = *world.policy;
	struct rule rules[RULES_MAX];
	struct usage usage = {
		.known = true,
		.images = docker_usage(),
		.space = { true, DISK,
			subtract_saturating(DISK, docker_usage() + world.other_bytes) },
	};

	/* What stood on an image that goes made it look younger. */
	if (!world.enabled || world.policy->max_removals > 0 || world.awake - world.removed < late)
		return;
	if (!world.scale.graph_driver)
		usage.known = usage.space.known = false;
	if (policy.max_unused > 0)
		policy.max_unused += late;
	policy.grace += late;
	policy.rules.items = rules;
	for (size_t i = 0; i < policy.rules.count; i++) {
		rules[i] = world.policy->rules.items[i];
		rules[i].max_unused += rules[i].max_unused > 0 ? late : 0;
		rules[i].grace += late;
	}
	__real_plan_make(&policy, world.inventory, world.ledger, &usage, &progress, now, &plan);
	for (size_t i = 0; i < plan.count; i++)
		if (reason_removes(plan.items[i].reason))
			fail("liveness", "%s has been %s for long, and is there",
				plan.items[i].image->id, reason_name(plan.items[i].reason));
}
