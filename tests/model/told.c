/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon was told by events and answers, and what of it the cache file has. Nothing is
 * asked of it but what follows from that.
 */
#include "model.h"

#include <string.h>

#include "codec/ledger_json.h"
#include "daemon/watch.h"

/* As ledger.c has it. */
#define EVENT_LAG (10 * SECOND)
/* What is created, started and removed at once lives so long. */
#define CONTAINER_LIFE 1000

/* Events and answers */

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

/* How it came, for who is not told: what showed its digests may be older than these. */
static unsigned guess(size_t number, uint64_t change)
{
	bool proven = world.scale.graph_driver && docker_digests(number) > 0,
	     was_proven = proven && at(number)->digested <= change;

	return (proven ? 1U << ORIGIN_PULLED : 0) | (was_proven ? 0 : 1U << ORIGIN_BUILT);
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

	return number != NOBODY && number != box->thing && at(number)->silent ? number : NOBODY;
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

/* Whether the daemon knows which image the container holds. */
static bool is_known(const struct box *box)
{
	const struct container *container = inventory_find_container(world.inventory, box->id);

	return container && container->image_id && thing_of(container->image_id) == box->thing;
}

/* Or knew it until a list did not show the container any more. */
static bool is_held(const struct box *box)
{
	return is_known(box) || (box->known && !inventory_find_container(world.inventory, box->id));
}

/* The name that is all that the event tells, or NOBODY. */
static size_t name_of(const struct happening *happening)
{
	if (happening->box == NOBODY)
		return happening->kind == EVENT_IMAGE_TAG ? NOBODY : happening->name;
	return is_held(&world.boxes.items[happening->box]) || is_certain(happening)
		? NOBODY
		: docker_find_familiar(world.boxes.items[happening->box].text);
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

	if (is_use_of_step(thing, happening) || is_use_of_former(happening))
		return;
	if (name == NOBODY) {
		thing->used = MAX(thing->used, happening->awake);
		return;
	}
	world.name_used[name] = true;
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

void told_event(const struct happening *happening)
{
	struct thing *thing = at(happening->thing);
	/* What the past tells is applied after the lists, if these have not told more since. */
	bool is_news = happening->change > thing->told && watch_is_live(world.watch);

	if (happening->box != NOBODY) {
		struct box *box = &world.boxes.items[happening->box];

		box->told = happening->change;
		if (happening->kind == EVENT_CONTAINER_CREATE)
			box->former = find_former(box);
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
	if (happening->kind == EVENT_IMAGE_TAG && is_news &&
		inventory_find_image(world.inventory, thing->id))
		thing->named = true;
	may_be_new(thing,
		happening->origin ? happening->origin : guess(happening->thing, happening->change));
	/* As if it had brought what was seen just before, or was a step of a build. */
	if (happening->awake <= thing->seen + EVENT_LAG || docker_has_children(happening->thing))
		thing->origins |= happening->origin;
	if (is_use(happening->kind))
		note_use(thing, happening);
	if (happening->kind == EVENT_IMAGE_PULL)
		world.name_asked[happening->name] = happening->awake;
	/* The clock was set back: it cannot have been later than now. */
	if (happening->time > world_real())
		thing->credited = world.awake;
}

static bool has_used_name(const struct image_record *record)
{
	for (size_t i = 0; i < record->references.count; i++) {
		size_t name = docker_find_name(record->references.items[i]);

		if (name != NOBODY && world.name_used[name])
			return true;
	}
	return false;
}

void told_thing(
	const struct image_record *record, uint64_t change, const char *asked, nsec_t pulled)
{
	size_t number = thing_of(record->id), name = docker_find_name(asked);
	struct thing *thing = at(number);

	note_digests(thing, change);
	thing->named = thing->named || record->references.count > 0 || record->digests.count > 0;
	/* It came after what was asked for, which is all that is known unless its event comes. */
	if (pulled > 0 && !ledger_find(world.ledger, thing->id))
		thing->used = MIN(thing->used, pulled);
	/* What was used by that name, or by one that it has got, may have been another one. */
	if (name != NOBODY || has_used_name(record))
		thing->credited = world.awake;
	may_be_new(thing, guess(number, change));
	/* Nothing shows that it is not what was pulled. */
	if (name != NOBODY && (!world.scale.graph_driver || docker_digests(number) > 0))
		thing->origins |= 1U << ORIGIN_PULLED;
	thing->told = MAX(thing->told, change);
	thing->answered = MAX(thing->answered, change);
	thing->asked = true;
}

void told_forget_questions(void)
{
	memset(world.name_used, 0, sizeof(world.name_used));
	memset(world.name_asked, 0, sizeof(world.name_asked));
	for (size_t i = 0; i < world.things.count; i++) {
		at(i)->open_origins = 0;
		at(i)->open_use = 0;
	}
}

/* The same event may ask more than once. */
void told_answer_taken(void)
{
	if (watch_is_settled(world.watch))
		told_forget_questions();
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
		if (world.name_used[i] && names[i] != NOBODY)
			at(names[i])->credited = world.awake;
}

/* What has gone since then, and come again perhaps, is taken for what was there then. */
static bool was_there(const struct thing *thing, uint64_t change)
{
	uint64_t had_gone = thing->present ? thing->had_gone : thing->changed;

	return (thing->present && thing->changed <= change) ||
		(thing->had_come <= change && change < had_gone);
}

static bool had_name(size_t number, const size_t names[static NAMES])
{
	for (size_t i = 0; i < NAMES; i++)
		if (names[i] == number)
			return true;
	return false;
}

void told_name(const char *text, uint64_t change)
{
	size_t name = docker_find_name(text);

	if (name != NOBODY)
		world.name_answered[name] = MAX(world.name_answered[name], change + 1);
}

void told_images(uint64_t change, const size_t names[static NAMES])
{
	credit_listed(names);
	for (size_t i = 0; i < NAMES; i++)
		world.name_answered[i] = MAX(world.name_answered[i], change + 1);
	for (size_t i = 0; i < world.things.count; i++) {
		struct thing *thing = at(i);

		if (was_there(thing, change))
			may_be_new(thing,
				world.met_change > 0 ? guess(i, change) : 1U << ORIGIN_EXISTING);
		note_digests(thing, change);
		/* A list has shown its names, and of digests what did not change meanwhile. */
		if (thing->changed <= change &&
			(had_name(i, names) || (thing->renamed <= change && docker_digests(i))))
			thing->named = true;
		thing->origins |= asked_origins(i, change);
		thing->told = MAX(thing->told, change);
		thing->answered = MAX(thing->answered, change);
		thing->asked = true;
		if (change >= MAX(thing->changed, thing->renamed))
			thing->silent = false;
	}
	if (world.met_change == 0)
		world.met_change = MAX(change, (uint64_t)1);
	world.listed++;
	world.list_failed = false;
}

void told_containers(uint64_t change)
{
	for (size_t i = 0; i < world.boxes.count; i++) {
		struct box *box = &world.boxes.items[i];

		box->known = is_held(box);
		/* What is held as a list was made is in use as it comes. */
		if (box->created <= change && (box->state != BOX_GONE || box->destroyed > change))
			at(box->thing)->credited = world.awake;
		box->told = MAX(box->told, change);
		box->former = box->created > change ? box->former : NOBODY;
	}
}

/* The cache file */

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

/* A use that still waits for an answer is not in the file: its event must come again. */
static void note_saved(struct thing *thing, const struct ledger_entry *entry, nsec_t until)
{
	nsec_t used = truth_used(thing);
	const struct image *image = inventory_find_image(world.inventory, thing->id);
	bool is_open = entry && !watch_is_settled(world.watch) &&
		(world.scale.clock_changes ||
			entry->last_used < truth_real_at(used) - CONTAINER_LIFE);
	size_t number = thing_of(thing->id);
	/* What has become a step of a build is in nobody's sight. */
	bool is_step = (image && image_is_intermediate(image)) ||
		(docker_has_children(number) && docker_count_names(number) == 0 &&
			!docker_digests(number));

	/* Who has just come may have been found by an older question. */
	if (is_open && !is_step && used > thing->came && !world.scale.clock_changes &&
		truth_real_at(used) < until)
		fail("saved", "%s was used %lld ns before what the file is said to know", thing->id,
			(long long)(until - truth_real_at(used)));
	if (!is_open)
		thing->saved = entry ? used : -1;
	else if (thing->saved < 0)
		thing->saved = thing->came;
	thing->saved_origins = entry ? thing->origins : 0;
	thing->saved_named = entry && thing->named;
}

void told_saved(const char *text)
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

void told_loaded(void)
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
		at(i)->named = at(i)->saved_named;
		at(i)->name = NOBODY;
	}
	for (size_t i = 0; i < world.boxes.count; i++)
		world.boxes.items[i].known = false;
}
