/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold. The truth is the model's own, by its own clock; of the daemon only what it knows
 * and does is looked at. What is still on the wire excuses it, what it could have read does not.
 */
#include "model.h"

#include <string.h>

#include "codec/ledger_json.h"
#include "core/rules.h"
#include "daemon/observe.h"
#include "daemon/watch.h"

/* As ledger.c has it. */
#define EVENT_LAG (10 * SECOND)
/* What is created, started and removed at once lives so long. */
#define CONTAINER_LIFE 1000

/* The last plan's removals, and why. */
struct planned {
	size_t thing;
	enum reason reason;
	bool begun; /* it has lost a name by it */
};

static ARRAY(struct planned) planned;

static struct thing *at(size_t thing)
{
	return &world.things.items[thing];
}

/* Time */

void truth_disturbed(nsec_t slack)
{
	*array_push(&world.disturbances) = (struct disturbance){ world.awake,
		slack + 2 * SECOND + 3 * world.scale.delay, world.asleep };
}

void truth_gap(nsec_t begin, nsec_t end)
{
	/* Who begins again from what was saved has not watched what came later. */
	while (world.gaps.count > 0 && world.gaps.items[world.gaps.count - 1].end > begin)
		begin = MIN(begin, world.gaps.items[--world.gaps.count].begin);
	*array_push(&world.gaps) = (struct gap){ begin, end };
	truth_disturbed(0);
}

nsec_t truth_watched_since(nsec_t awake)
{
	nsec_t watched = world.awake - awake;

	for (size_t i = world.gaps.count; i-- > 0 && world.gaps.items[i].end > awake;)
		watched -= world.gaps.items[i].end - MAX(world.gaps.items[i].begin, awake);
	return watched;
}

/* It is seen when somebody looks next, at the interval at the latest. */
static nsec_t slack_since(nsec_t awake)
{
	nsec_t slack = 0;

	awake -= 2 * world.scale.interval;

	for (size_t i = world.disturbances.count;
		i-- > 0 && world.disturbances.items[i].when >= awake;)
		slack += world.disturbances.items[i].slack;
	return slack;
}

/* A use that was told by a name counts if the name has not moved since. */
nsec_t truth_used(const struct thing *thing)
{
	if (thing->name == NOBODY || world.name_moved[thing->name] > thing->by_name_change)
		return thing->used;
	return MAX(thing->used, thing->by_name);
}

static nsec_t unused_at_most(const struct thing *thing)
{
	nsec_t used = truth_used(thing);

	return truth_watched_since(used) +
		(used < world.set_back_until ? world.set_back_unseen : 0);
}

/* What the daemon is told */

static bool is_use(enum event_kind kind)
{
	return kind != EVENT_IMAGE_UNTAG && kind != EVENT_IMAGE_DELETE;
}

static void may_be_new(struct thing *thing, unsigned origin)
{
	if (ledger_find(world.ledger, thing->id))
		return;
	/* Its entry begins here. */
	thing->seen = world.awake;
	thing->origins |= origin;
	thing->credited = MAX(thing->credited, world.awake);
}

static void note_digests(struct thing *thing, uint64_t change)
{
	if (change < thing->digested)
		return;
	thing->fresh_digests = 0;
	thing->missed_digest = false;
}

static unsigned guess(size_t number)
{
	bool proven = world.scale.graph_driver && docker_digests(number) > 0;

	return 1U << (proven ? ORIGIN_PULLED : ORIGIN_BUILT);
}

/*
 * Who has a name by what the daemon knows. A pull is asked for by it, and a list that is under way
 * may answer; a name that has moved without a word is believed to be where it was.
 */
static void credit_former(const char *text, bool is_pull)
{
	const struct image *image = inventory_resolve(world.inventory, text);

	if (image && (is_pull || at(thing_of(image->id))->silent))
		at(thing_of(image->id))->credited = world.awake;
}

/* Who has been taken for what a new container holds, as its name has moved without a word. */
static size_t find_former(const struct box *box)
{
	const struct image *image = inventory_resolve(world.inventory, box->text);
	size_t number = image ? thing_of(image->id) : NOBODY;

	return number != NOBODY && number != box->thing && (at(number)->silent || box->ahead)
		? number
		: NOBODY;
}

/* Whether what was typed means what it means by what the daemon knows. */
static bool is_certain(const struct happening *happening)
{
	size_t name = docker_find_familiar(world.boxes.items[happening->box].text);
	const struct image *image = name == NOBODY
		? NULL
		: inventory_find_reference(world.inventory, docker_canonical(name));

	return name == NOBODY ||
		(image && thing_of(image->id) == happening->thing && watch_is_settled(world.watch));
}

/* An answer was ahead of events: what was typed means another image by now. */
static bool is_ahead(const struct happening *happening)
{
	size_t name = docker_find_familiar(world.boxes.items[happening->box].text);
	const struct image *image = name == NOBODY
		? NULL
		: inventory_find_reference(world.inventory, docker_canonical(name));

	return image && world.name_moved[name] > happening->change &&
		thing_of(image->id) != happening->thing && thing_of(image->id) == world.names[name];
}

/* Whether the daemon knows which image the container holds. */
static bool is_held(const struct happening *happening)
{
	const struct container *container =
		inventory_find_container(world.inventory, world.boxes.items[happening->box].id);

	return container && container->image_id &&
		thing_of(container->image_id) == happening->thing;
}

/* The name that is all that the event tells, or NOBODY. */
static size_t name_of(const struct happening *happening)
{
	if (happening->box == NOBODY)
		return happening->kind == EVENT_IMAGE_TAG ? NOBODY : happening->name;
	return is_held(happening) || is_certain(happening)
		? NOBODY
		: docker_find_familiar(world.boxes.items[happening->box].text);
}

static bool is_known(const struct box *box)
{
	const struct container *container = inventory_find_container(world.inventory, box->id);

	return container && container->image_id;
}

/* What it holds only its creation tells, and who asks comes too late. */
static bool is_unknown_end(const struct happening *happening)
{
	const struct box *box;

	if (happening->box == NOBODY || happening->kind == EVENT_CONTAINER_CREATE)
		return false;
	box = &world.boxes.items[happening->box];
	return !box->known && !is_known(box);
}

/* A container of what is known as a step of a build is nobody's use, nor is that it is saved. */
static bool is_use_of_step(const struct thing *thing, const struct happening *happening)
{
	const struct image *image = inventory_find_image(world.inventory, thing->id);

	return (happening->box != NOBODY || happening->kind == EVENT_IMAGE_SAVE) && image &&
		image_is_intermediate(image) && !ledger_find(world.ledger, thing->id);
}

/* Nobody tells that it is not what its name meant before that moved without a word. */
static bool is_use_of_former(const struct happening *happening)
{
	const struct container *container;
	const struct box *box;

	if (happening->box == NOBODY)
		return false;
	box = &world.boxes.items[happening->box];
	if (box->former == NOBODY)
		return false;
	container = inventory_find_container(world.inventory, box->id);
	return happening->kind == EVENT_CONTAINER_CREATE ||
		(container && streq(container->image_id, at(box->former)->id));
}

static void note_use(struct thing *thing, const struct happening *happening)
{
	size_t name = name_of(happening);

	if (is_unknown_end(happening) || is_use_of_step(thing, happening) ||
		is_use_of_former(happening))
		return;
	if (name == NOBODY) {
		thing->used = MAX(thing->used, happening->awake);
		return;
	}
	credit_former(docker_familiar(name), true);
	thing->name = name;
	thing->by_name = happening->awake;
	/* What was typed meant it then. */
	thing->by_name_change = happening->box == NOBODY
		? happening->change
		: world.boxes.items[happening->box].created;
}

/* How it came another time: who does not know how it came this time asks for it, and gets it. */
static void note_former_origin(struct thing *thing, unsigned origin)
{
	const struct ledger_entry *entry = ledger_find(world.ledger, thing->id);

	if (thing->present && (!entry || entry->inferred))
		thing->origins |= origin;
}

void oracle_told_event(const struct happening *happening)
{
	struct thing *thing = at(happening->thing);

	if (happening->box != NOBODY) {
		struct box *box = &world.boxes.items[happening->box];

		box->told = happening->change;
		if (happening->kind == EVENT_CONTAINER_CREATE) {
			box->ahead = is_ahead(happening);
			box->former = find_former(box);
		}
		if (box->former != NOBODY)
			at(box->former)->credited = world.awake;
		credit_former(box->text, !is_certain(happening));
	}
	thing->told = MAX(thing->told, happening->change);
	thing->open_origins |= happening->origin;
	if (is_use(happening->kind))
		thing->open_use = happening->awake;
	if (!inventory_find_image(world.inventory, thing->id))
		thing->uncounted = true;
	/* Of one that was there before, and has gone since. */
	if (happening->awake < thing->came) {
		note_former_origin(thing, happening->origin);
		return;
	}
	/* What is not known yet is asked for, and has perhaps lost that name by then. */
	if (happening->kind == EVENT_IMAGE_TAG && inventory_find_image(world.inventory, thing->id))
		thing->named = true;
	may_be_new(thing, happening->origin ? happening->origin : guess(happening->thing));
	/* As if it had brought what was seen just before, or was a step of a build. */
	if (happening->awake <= thing->seen + EVENT_LAG || docker_has_children(happening->thing))
		thing->origins |= happening->origin;
	if (is_use(happening->kind))
		note_use(thing, happening);
	if (happening->kind == EVENT_IMAGE_PULL)
		world.name_asked[happening->name] = true;
	/* The clock was set back: it cannot have been later than now. */
	if (happening->time > world_real())
		thing->credited = world.awake;
}

void oracle_told_thing(const struct image_record *record, uint64_t change, const char *asked)
{
	size_t number = thing_of(record->id), name = docker_find_name(asked);
	struct thing *thing = at(number);

	note_digests(thing, change);
	thing->named = thing->named || record->references.count > 0 || record->digests.count > 0;
	may_be_new(thing, guess(number));
	/* Nothing shows that it is not what was pulled. */
	if (name != NOBODY && (!world.scale.graph_driver || docker_digests(number) > 0))
		thing->origins |= 1U << ORIGIN_PULLED;
	thing->told = MAX(thing->told, change);
	thing->answered = MAX(thing->answered, change);
}

static void forget_questions(void)
{
	memset(world.name_asked, 0, sizeof(world.name_asked));
	for (size_t i = 0; i < world.things.count; i++) {
		at(i)->open_origins = 0;
		at(i)->open_use = 0;
	}
}

/* The same event may ask more than once. */
void oracle_answered(void)
{
	if (watch_is_settled(world.watch))
		forget_questions();
}

/* On containerd nothing shows that what has a name that was pulled is not what was pulled. */
static unsigned asked_origins(size_t number, uint64_t change)
{
	for (size_t i = 0; !world.scale.graph_driver && i < NAMES; i++)
		if (world.name_asked[i] &&
			(world.names[i] == number ||
				MIN(world.name_moved[i], at(number)->renamed) > change))
			return 1U << ORIGIN_PULLED;
	return 0;
}

/* What was asked by a name is first answered by the list, which may be older than the event. */
static void credit_listed(const size_t names[static NAMES])
{
	for (size_t i = 0; i < NAMES; i++)
		if (world.name_asked[i] && names[i] != NOBODY)
			at(names[i])->credited = world.awake;
}

void oracle_told_images(uint64_t change, const size_t names[static NAMES])
{
	credit_listed(names);
	for (size_t i = 0; i < world.things.count; i++) {
		struct thing *thing = at(i);

		if (thing->present && thing->changed <= change)
			may_be_new(thing, world.met_change > 0 ? guess(i) : 1U << ORIGIN_EXISTING);
		/* What has gone and come again since the list was made is taken for what came
		 * first. */
		if (thing->present && thing->had_come <= change && change < thing->had_gone)
			may_be_new(thing, guess(i));
		note_digests(thing, change);
		/* A list has shown what did not change meanwhile. */
		if (thing->renamed <= change && (docker_count_names(i) > 0 || docker_digests(i)))
			thing->named = true;
		thing->origins |= asked_origins(i, change);
		thing->told = MAX(thing->told, change);
		thing->answered = MAX(thing->answered, change);
		if (change >= MAX(thing->changed, thing->renamed))
			thing->silent = false;
	}
	if (world.met_change == 0)
		world.met_change = MAX(change, (uint64_t)1);
	world.listed++;
	world.list_failed = false;
}

void oracle_told_containers(uint64_t change)
{
	for (size_t i = 0; i < world.boxes.count; i++) {
		struct box *box = &world.boxes.items[i];

		box->known = box->known || is_known(box);
		/* What is held as a list was made is in use as it comes. */
		if (box->created <= change && (box->state != BOX_GONE || box->destroyed > change))
			at(box->thing)->credited = world.awake;
		box->told = MAX(box->told, change);
		box->ahead = box->ahead && box->created > change;
		box->former = box->created > change ? box->former : NOBODY;
	}
}

static char *round_trip(const char *text)
{
	_cleanup_(ledger_finish) struct ledger ledger = {};

	if (ledger_decode(text, strlen(text), &ledger, NULL) < 0)
		fail("round trip", "not to be read back:\n%s", text);
	return ledger_encode(&ledger, world.inventory, world.policy);
}

/* Up to here whoever reads the file knows what was told; the rest is to be told again. */
static nsec_t complete_until(const char *text)
{
	_cleanup_(ledger_finish) struct ledger ledger = {};

	if (ledger_decode(text, strlen(text), &ledger, NULL) < 0)
		fail("round trip", "not to be read back:\n%s", text);
	return ledger.observed_until;
}

/* The wall clock as it was, if nobody set it since. */
static nsec_t real_at(nsec_t awake)
{
	size_t i = world.disturbances.count;

	while (i > 0 && world.disturbances.items[i - 1].when > awake)
		i--;
	return awake + (i > 0 ? world.disturbances.items[i - 1].asleep : 0) + world.offset;
}

/* A use that still waits for an answer is not in the file: its event must come again. */
static void note_saved(struct thing *thing, const struct ledger_entry *entry, nsec_t until)
{
	nsec_t used = truth_used(thing);
	const struct image *image = inventory_find_image(world.inventory, thing->id);
	bool is_open = entry && !watch_is_settled(world.watch) &&
		(world.scale.clock_changes || entry->last_used < real_at(used) - CONTAINER_LIFE);
	size_t number = thing_of(thing->id);
	/* What has become a step of a build is in nobody's sight. */
	bool is_step = (image && image_is_intermediate(image)) ||
		(docker_has_children(number) && docker_count_names(number) == 0 &&
			!docker_digests(number));

	/* Who has just come may have been found by an older question. */
	if (is_open && !is_step && used > thing->came && !world.scale.clock_changes &&
		real_at(used) < until)
		fail("saved", "%s was used %lld ns before what the file is said to know", thing->id,
			(long long)(until - real_at(used)));
	if (!is_open)
		thing->saved = entry ? used : -1;
	else if (thing->saved < 0)
		thing->saved = thing->came;
	thing->saved_origins = entry ? thing->origins : 0;
}

/* What the cache file says is all that is known after a crash. */
void oracle_saved(const char *text)
{
	_cleanup_free_ char *again = NULL;
	nsec_t until = complete_until(text);

	for (size_t i = 0; i < world.things.count; i++)
		note_saved(at(i), ledger_find(world.ledger, at(i)->id), until);
	if (world.ledger->observed.elapsed > 0)
		world.saved_awake =
			world.ledger->observed.awake - (world.ledger->observed_until - until);
	world.set_back = 0;
	if (!random_chance(5))
		return;
	again = round_trip(text);
	if (!streq(text, again))
		fail("round trip", "saved:\n%s\nread and saved again:\n%s", text, again);
}

void oracle_loaded(void)
{
	/* Unless it is earlier by now than the file was written, nothing shows that. */
	if (world.set_back > 0) {
		world.set_back_unseen += world.set_back;
		world.set_back_until = world.awake;
		world.set_back = 0;
	}
	for (size_t i = 0; i < world.things.count; i++) {
		at(i)->used = at(i)->saved < 0 ? at(i)->came : at(i)->saved;
		at(i)->origins |= at(i)->saved_origins;
		at(i)->name = NOBODY;
	}
	for (size_t i = 0; i < world.boxes.count; i++)
		world.boxes.items[i].known = false;
}

/* Rules, read literally */

struct verdict {
	bool kept, managed;
	nsec_t max_unused, grace;
};

static bool rule_is_for(const struct naive_rule *rule, const struct thing *thing, size_t repository,
	size_t name, enum origin origin)
{
	if (!(rule->origins & 1U << origin))
		return false;
	switch (rule->kind) {
	case RULE_ALL:
		return repository != NOBODY;
	case RULE_REPOSITORY:
		return rule->number == repository;
	case RULE_NAME:
		return rule->number == name;
	case RULE_LABEL:
		return thing->labelled;
	}
	abort();
}

static void add_rule(struct verdict *verdict, const struct thing *thing, size_t repository,
	size_t name, enum origin origin, bool *any)
{
	for (size_t i = 0; i < world.rule_count; i++) {
		const struct naive_rule *rule = &world.rules[i];
		nsec_t max_unused =
			rule->max_unused < 0 ? world.policy->max_unused : rule->max_unused;
		nsec_t grace = rule->grace < 0 ? world.policy->grace : rule->grace;

		if (!rule_is_for(rule, thing, repository, name, origin))
			continue;
		if (rule->keep) {
			verdict->kept = true;
			return;
		}
		verdict->managed = true;
		verdict->max_unused = *any && (verdict->max_unused == 0 || max_unused == 0) ? 0
			: *any ? MAX(verdict->max_unused, max_unused)
			       : max_unused;
		verdict->grace = *any ? MAX(verdict->grace, grace) : grace;
		*any = true;
		return;
	}
}

static struct verdict judge(size_t number, enum origin origin)
{
	const struct thing *thing = at(number);
	struct verdict verdict = {
		.kept = thing->labelled,
		.managed = world.policy->manage[origin],
		.max_unused = world.policy->max_unused,
		.grace = world.policy->grace,
	};
	bool any = false, named = false;

	for (size_t i = 0; i < NAMES; i++)
		if (world.names[i] == number) {
			add_rule(&verdict, thing, i / TAGS, i, origin, &any);
			named = true;
		}
	for (size_t i = 0; !named && i < REPOSITORIES; i++)
		if (docker_digests(number) & 1U << i)
			add_rule(&verdict, thing, i, NOBODY, origin, &any);
	if (!named && !docker_digests(number))
		add_rule(&verdict, thing, NOBODY, NOBODY, origin, &any);
	return verdict;
}

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
	nsec_t unused = unused_at_most(thing);
	bool kept = true, unmanaged = true, within_grace = true, young = true;

	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++) {
		struct verdict verdict;

		if (!(thing->origins & 1U << origin))
			continue;
		verdict = judge(number, origin);
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

/* Steps of its build that go along: made while we were there, or managed like anything else. */
static void judge_steps(size_t number)
{
	for (number = at(number)->parent; number != NOBODY; number = at(number)->parent) {
		const struct thing *step = at(number);
		struct verdict verdict = judge(number, ORIGIN_BUILT);

		if (!step->present || docker_count_names(number) > 0 || step->digests ||
			step->renamed > step->told)
			return;
		if (step->labelled)
			fail("kept", "%s goes along", step->id);
		if ((step->named || step->changed <= world.met_change) && !verdict.managed &&
			!world.policy->manage[ORIGIN_PULLED] &&
			!world.policy->manage[ORIGIN_LOADED] &&
			!world.policy->manage[ORIGIN_EXISTING])
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

void oracle_judge_removal(const char *name, size_t number, bool prune)
{
	struct planned *step;

	trace("DELETE %s is sent", name);
	if (!stream_is_whole())
		fail("watching", "%s is removed, and no events come in", name);
	if (number == NOBODY)
		return; /* somebody else was faster */
	for (size_t i = 0; i < world.boxes.count; i++) {
		const struct box *box = &world.boxes.items[i];

		if (box->state != BOX_GONE && box->thing == number && !box->ahead &&
			box->told >= box->created)
			fail("in use", "%s by %s goes, and %s holds it", at(number)->id, name,
				box->id);
	}
	/* A name that has moved just now takes another image's along. */
	if (at(number)->renamed > at(number)->told && !streq(name, at(number)->id)) {
		begin_step(number);
		return;
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
	if (prune)
		judge_steps(number);
}

/* Plans */

void __wrap_plan_make(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct usage *usage, const struct progress *progress,
	nsec_t now, struct plan *ret)
{
	__real_plan_make(policy, inventory, ledger, usage, progress, now, ret);
	plan_check(policy, inventory, ledger, usage, progress, now, ret);
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
	struct verdict verdict = judge(number, entry->origin);

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
	nsec_t unused = ledger_unused(world.ledger, entry, now), most = unused_at_most(thing),
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
	if (!world.scale.faults && unused < least - slack_since(thing->credited))
		fail("last use", "%s is unused for %lld only, in truth for %lld", thing->id,
			(long long)unused, (long long)least);
}

static bool is_any_ahead(void)
{
	for (size_t i = 0; i < world.boxes.count; i++)
		if (world.boxes.items[i].ahead && world.boxes.items[i].state != BOX_GONE)
			return true;
	return false;
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
	if (image->containers != boxes && !is_any_ahead())
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

	forget_questions();
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
