/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's side: images, names and containers, by moby's rules as engine_model.py has them. */
#include "model.h"

#include <stdio.h>
#include <string.h>

static char familiar[NAMES][32], canonical[NAMES][64], repositories[REPOSITORIES][64];

static void make_names(void)
{
	for (size_t i = 0; i < NAMES && !*familiar[i]; i++) {
		static const char *const tags[TAGS] = { "latest", "1", "2" };

		snprintf(familiar[i], sizeof(familiar[i]), "app%zu:%s", i / TAGS, tags[i % TAGS]);
		stpcpy(stpcpy(canonical[i], "docker.io/library/"), familiar[i]);
		snprintf(repositories[i / TAGS], sizeof(repositories[i / TAGS]),
			"docker.io/library/app%zu", i / TAGS);
	}
}

const char *docker_familiar(size_t name)
{
	make_names();
	return familiar[name];
}

const char *docker_canonical(size_t name)
{
	make_names();
	return canonical[name];
}

const char *docker_repository(size_t repository)
{
	make_names();
	return repositories[repository];
}

size_t docker_find_name(const char *text)
{
	make_names();
	for (size_t i = 0; i < NAMES; i++)
		if (streq(text, canonical[i]))
			return i;
	return NOBODY;
}

size_t docker_find_familiar(const char *text)
{
	make_names();
	for (size_t i = 0; i < NAMES; i++)
		if (streq(text, familiar[i]))
			return i;
	return NOBODY;
}

size_t thing_of(const char *id)
{
	size_t thing = strlen(id) == 71 ? strtoul(id + 63, NULL, 16) : NOBODY;

	return thing < world.things.count && streq(at(thing)->id, id) ? thing : NOBODY;
}

size_t box_of(const char *id)
{
	size_t box = strlen(id) == 64 ? strtoul(id + 56, NULL, 16) : NOBODY;

	return box < world.boxes.count && streq(world.boxes.items[box].id, id) ? box : NOBODY;
}

bool docker_is_used(size_t thing)
{
	for (size_t i = 0; i < world.boxes.count; i++)
		if (world.boxes.items[i].thing == thing && world.boxes.items[i].state != BOX_GONE)
			return true;
	return false;
}

bool docker_has_children(size_t thing)
{
	for (size_t i = 0; i < world.things.count; i++)
		if (at(i)->present && at(i)->parent == thing)
			return true;
	return false;
}

size_t docker_count_names(size_t thing)
{
	size_t count = 0;

	for (size_t i = 0; i < NAMES; i++)
		count += world.names[i] == thing;
	return count;
}

static unsigned repositories_with_tags(size_t thing)
{
	unsigned found = 0;

	for (size_t i = 0; i < NAMES; i++)
		if (world.names[i] == thing)
			found |= 1U << i / TAGS;
	return found;
}

/* containerd has the image's own ID beside each tag. */
unsigned docker_digests(size_t thing)
{
	return world.scale.graph_driver ? at(thing)->digests : repositories_with_tags(thing);
}

bool docker_stands_on(const struct thing *base, const struct thing *top)
{
	return base->layer_count > 0 && base->layer_count < top->layer_count &&
		memcmp(base->layers, top->layers, base->layer_count * sizeof(*base->layers)) == 0;
}

uint64_t docker_size(const struct thing *thing)
{
	uint64_t size = 0;

	for (size_t i = 0; i < thing->layer_count; i++)
		size += world.layer_sizes[thing->layers[i]];
	return size;
}

/* Each layer once, on top of those that it is on. */
uint64_t docker_usage_of(const struct thing *const *things, size_t count)
{
	uint64_t usage = 0;

	for (size_t i = 0; i < count; i++) {
		const struct thing *thing = things[i];
		size_t shared = 0;

		for (size_t j = 0; j < i && shared < thing->layer_count; j++) {
			size_t same = 0;

			while (same < MIN(thing->layer_count, things[j]->layer_count) &&
				thing->layers[same] == things[j]->layers[same])
				same++;
			shared = MAX(shared, same);
		}
		for (size_t n = shared; n < thing->layer_count; n++)
			usage += world.layer_sizes[thing->layers[n]];
	}
	return usage;
}

/* It is asked for often, and seldom another one. */
uint64_t docker_usage(void)
{
	static const struct thing *things[1024];
	size_t count = 0;

	if (world.usage_change == world.changes + 1)
		return world.usage;
	for (size_t i = 0; i < world.things.count && count < ARRAY_SIZE(things); i++)
		if (at(i)->present)
			things[count++] = at(i);
	world.usage_change = world.changes + 1;
	world.usage = docker_usage_of(things, count);
	return world.usage;
}

/* Events */

static struct happening *tell(enum event_kind kind, size_t thing)
{
	struct happening *happening = array_push(&world.ring);

	/* No two events of an engine have the same time. */
	if (world.ring.count > 1 && happening[-1].time == world_real())
		world.awake++;
	*happening = (struct happening){
		.kind = kind,
		.change = world.changes,
		.time = world_real(),
		.awake = world.awake,
		.thing = thing,
		.box = NOBODY,
		.name = NOBODY,
	};
	world.forgotten = subtract_saturating(world.ring.count, world.scale.ring);
	return happening;
}

static void publish(const struct happening *happening)
{
	if (happening->thing != NOBODY && happening->kind != EVENT_IMAGE_UNTAG &&
		happening->kind != EVENT_IMAGE_DELETE)
		at(happening->thing)->credited = world.awake;
	stream_tell(happening);
}

void docker_noise(size_t count)
{
	for (size_t i = 0; i < count; i++)
		tell(EVENT_OTHER, NOBODY);
}

static void image_event(enum event_kind kind, size_t thing, size_t name, unsigned origin)
{
	struct happening *happening = tell(kind, thing);

	happening->name = name;
	happening->origin = origin;
	publish(happening);
}

/* Images */

static void make_id(char id[static 72], uint64_t salt, size_t number)
{
	char *end = stpcpy(id, "sha256:");

	for (unsigned i = 0; i < 7; i++)
		end += sprintf(end, "%08x", (unsigned)(random_next() + salt));
	sprintf(end, "%08zx", number);
}

size_t docker_make_image(size_t base, size_t more_layers, size_t parent)
{
	size_t number = world.things.count;
	struct thing *thing = array_push(&world.things);

	*thing = (struct thing){
		.parent = parent,
		.name = NOBODY,
		.labelled = random_chance(4),
		.saved = -1,
		.created = world_real(),
	};
	make_id(thing->id, 0, number);
	make_id(thing->digest, 1, number);
	/* On containerd an image is its manifest. */
	if (!world.scale.graph_driver)
		memcpy(thing->digest, thing->id, sizeof(thing->digest));
	if (base != NOBODY) {
		thing->layer_count = at(base)->layer_count;
		memcpy(thing->layers, at(base)->layers, sizeof(thing->layers));
	}
	for (size_t i = 0; i < more_layers && thing->layer_count < LAYERS_MAX; i++)
		thing->layers[thing->layer_count++] = (unsigned)random_below(LAYERS);
	if (thing->layer_count == 0)
		thing->layers[thing->layer_count++] = (unsigned)random_below(LAYERS);
	return number;
}

/* What is there already stays what it is. */
static void arrive(size_t number, enum origin origin)
{
	struct thing *thing = at(number);

	if (thing->present)
		return;
	thing->present = true;
	thing->silent = false;
	thing->had_gone = thing->changed;
	thing->changed = ++world.changes;
	thing->came = world.awake;
	thing->used = thing->by_name = 0;
	thing->credited = 0;
	thing->uncounted = false;
	thing->fresh_digests = 0;
	thing->missed_digest = false;
	thing->name = NOBODY;
	/* Who has not heard that it was away goes on with what he knew, or still asks for. */
	if (!ledger_find(world.ledger, thing->id)) {
		thing->origins = thing->open_origins;
		thing->used = thing->open_use > 0 ? thing->open_use : world.awake;
		thing->named = false;
	}
	thing->origins |= 1U << origin;
}

static void rename_thing(size_t thing)
{
	if (thing != NOBODY)
		at(thing)->renamed = world.changes;
}

static void lose_name(size_t thing, size_t name)
{
	if (thing != NOBODY && at(thing)->fresh_digests & 1U << name / TAGS)
		at(thing)->missed_digest = true;
	rename_thing(thing);
}

/* What a load took a name from is told by asking for the image, unless that has lost it by then. */
static void note_lost(size_t name)
{
	size_t from = world.loaded_from[name], owner = world.names[name];

	if (from != NOBODY && owner != NOBODY && at(owner)->answered < world.name_moved[name])
		at(from)->silent = true;
	world.loaded_from[name] = NOBODY;
}

static void move_name(size_t name, size_t thing)
{
	size_t loser = world.names[name];

	if (loser == thing)
		return;
	note_lost(name);
	world.name_moved[name] = ++world.changes;
	world.names[name] = thing;
	/* What it was told of by this name alone who asks for it is told of another one. */
	if (loser != NOBODY &&
		(at(loser)->renamed > at(loser)->told || at(loser)->changed > at(loser)->answered ||
			!(world.inventory && inventory_find_image(world.inventory, at(loser)->id))))
		at(loser)->silent = true;
	lose_name(loser, name);
	rename_thing(thing);
}

static void add_digest(size_t thing, size_t repository)
{
	if (at(thing)->digests & 1U << repository)
		return;
	at(thing)->digests |= 1U << repository;
	at(thing)->fresh_digests |= 1U << repository;
	at(thing)->digested = ++world.changes;
	rename_thing(thing);
}

void docker_pull(size_t name)
{
	size_t thing = world.registry[name];

	arrive(thing, ORIGIN_PULLED);
	move_name(name, thing);
	add_digest(thing, name / TAGS);
	image_event(EVENT_IMAGE_PULL, thing, name, 1U << ORIGIN_PULLED);
}

void docker_load(size_t thing, size_t name)
{
	size_t loser = name == NOBODY ? NOBODY : world.names[name];

	arrive(thing, ORIGIN_LOADED);
	if (name != NOBODY) {
		move_name(name, thing);
		if (loser != thing)
			world.loaded_from[name] = loser;
	}
	image_event(EVENT_IMAGE_LOAD, thing, NOBODY, 1U << ORIGIN_LOADED);
}

void docker_tag(size_t thing, size_t name, bool silently)
{
	size_t loser = world.names[name];

	move_name(name, thing);
	if (!silently) {
		image_event(EVENT_IMAGE_TAG, thing, name, 0);
		return;
	}
	at(thing)->silent = true;
	if (loser != NOBODY)
		at(loser)->silent = true;
}

void docker_touch(size_t thing, enum event_kind kind)
{
	image_event(kind, thing, NOBODY, 0);
}

void docker_push(size_t name)
{
	add_digest(world.names[name], name / TAGS);
	world.registry[name] = world.names[name];
	image_event(EVENT_IMAGE_PUSH, world.names[name], name, 0);
}

/* With steps it is the classic builder, which sets parents. Nobody is told of a step. */
void docker_build(size_t base, size_t name, size_t steps, bool silently)
{
	size_t thing = base;

	for (size_t i = 0; i < MAX(steps, (size_t)1); i++) {
		/* A step of the classic builder runs in a container. */
		if (steps > 0 && thing != NOBODY)
			docker_destroy(docker_create(thing, at(thing)->id));
		thing = docker_make_image(thing, random_below(3), steps > 0 ? thing : NOBODY);
		arrive(thing, ORIGIN_BUILT);
	}
	if (name != NOBODY)
		docker_tag(thing, name, silently);
	else
		at(thing)->silent = true;
	/* Who asks for what was pulled by this name before gets it, with the time of the pull. */
	if (at(thing)->silent)
		at(thing)->used -= 10 * MINUTE;
}

/* Containers */

static void box_event(enum event_kind kind, size_t box)
{
	struct happening *happening = tell(kind, world.boxes.items[box].thing);

	happening->box = box;
	publish(happening);
}

size_t docker_create(size_t thing, const char *text)
{
	size_t number = world.boxes.count;
	struct box *box = array_push(&world.boxes);

	*box = (struct box){
		.thing = thing,
		.text = xstrdup(text),
		.state = BOX_CREATED,
		.created = ++world.changes,
		.former = NOBODY,
	};
	for (unsigned i = 0; i < 7; i++)
		sprintf(box->id + i * 8, "%08x", (unsigned)random_next());
	sprintf(box->id + 56, "%08zx", number);
	box_event(EVENT_CONTAINER_CREATE, number);
	return number;
}

void docker_start(size_t box)
{
	world.boxes.items[box].state = BOX_RUNNING;
	box_event(EVENT_CONTAINER_START, box);
}

void docker_die(size_t box)
{
	world.boxes.items[box].state = BOX_EXITED;
	box_event(EVENT_CONTAINER_DIE, box);
}

void docker_destroy(size_t number)
{
	struct box *box = &world.boxes.items[number];

	if (box->state == BOX_RUNNING)
		docker_die(number);
	box->state = BOX_GONE;
	box->destroyed = ++world.changes;
	box_event(EVENT_CONTAINER_DESTROY, number);
}

/* Removing images: daemon/images/image_delete.go */

/* At most one tag, and digests of the same repository only. */
static bool has_single_reference(size_t thing)
{
	size_t tags = docker_count_names(thing);
	unsigned digests = at(thing)->digests, tagged = repositories_with_tags(thing);

	if (tags + (size_t)__builtin_popcount(digests) <= 1)
		return true;
	return tags <= 1 && (tags == 0 ? __builtin_popcount(digests) == 1 : digests == tagged);
}

static void drop_name(size_t name, struct removal *removal)
{
	size_t thing = world.names[name];

	note_lost(name);
	world.names[name] = NOBODY;
	world.name_moved[name] = ++world.changes;
	lose_name(thing, name);
	strings_add(&removal->untagged, docker_familiar(name));
	image_event(EVENT_IMAGE_UNTAG, thing, NOBODY, 0);
}

static void drop_digest(size_t thing, size_t repository, bool tells)
{
	at(thing)->digests &= ~(1U << repository);
	world.changes++;
	rename_thing(thing);
	if (tells)
		image_event(EVENT_IMAGE_UNTAG, thing, NOBODY, 0);
}

static void drop_references(size_t thing, struct removal *removal)
{
	for (size_t i = 0; i < NAMES; i++)
		if (world.names[i] == thing)
			drop_name(i, removal);
	for (size_t i = 0; i < REPOSITORIES; i++)
		if (at(thing)->digests & 1U << i)
			drop_digest(thing, i, true);
}

static void delete_thing(size_t thing, bool prune, struct removal *removal)
{
	size_t parent = at(thing)->parent;
	bool known = world.inventory && inventory_find_image(world.inventory, at(thing)->id);

	drop_references(thing, removal);
	at(thing)->present = false;
	world.removed = world.awake;
	at(thing)->had_come = at(thing)->changed;
	at(thing)->changed = ++world.changes;
	strings_add(&removal->deleted, at(thing)->id);
	image_event(EVENT_IMAGE_DELETE, thing, NOBODY, 0);
	/* A step that is one no more: the next list tells, if nobody knew what stood on it. */
	if (parent != NOBODY && !known)
		at(parent)->silent = true;
	if (!prune || parent == NOBODY || !at(parent)->present || docker_has_children(parent) ||
		docker_is_used(parent) || docker_count_names(parent) > 0 || at(parent)->digests)
		return;
	delete_thing(parent, true, removal);
}

/* containerd: an image is as many records as it has names, and no child holds its parent. */
static int remove_record(size_t thing, size_t name, struct removal *removal)
{
	if (docker_is_used(thing) && (name == NOBODY || docker_count_names(thing) <= 1))
		return ENGINE_CONFLICT;
	if (name != NOBODY && docker_count_names(thing) > 1) {
		drop_name(name, removal);
		if (!(repositories_with_tags(thing) & 1U << name / TAGS))
			drop_digest(thing, name / TAGS, false);
		return ENGINE_OK;
	}
	if (name == NOBODY && docker_count_names(thing) > 1)
		return ENGINE_CONFLICT;
	at(thing)->digests = 0;
	delete_thing(thing, false, removal);
	return ENGINE_OK;
}

int docker_remove(
	size_t thing, size_t name, size_t digest_repository, bool prune, struct removal *removal)
{
	bool single = has_single_reference(thing), by_name = name != NOBODY,
	     by_digest = digest_repository != NOBODY;

	if (!world.scale.graph_driver)
		return remove_record(thing, name, removal);
	if (by_name || by_digest) {
		if (single && docker_is_used(thing))
			return ENGINE_CONFLICT;
		if (by_digest)
			drop_digest(thing, digest_repository, true);
		else
			drop_name(name, removal);
		if (by_name && !(repositories_with_tags(thing) & 1U << name / TAGS) &&
			at(thing)->digests & 1U << name / TAGS)
			drop_digest(thing, name / TAGS, false);
		if (docker_count_names(thing) > 0 || at(thing)->digests)
			return ENGINE_OK;
		/* Quietly: what holds it keeps it, without a name. */
		if (!docker_has_children(thing) && !docker_is_used(thing))
			delete_thing(thing, prune, removal);
		return ENGINE_OK;
	}
	if (!single || docker_has_children(thing) || docker_is_used(thing))
		return ENGINE_CONFLICT;
	delete_thing(thing, prune, removal);
	return ENGINE_OK;
}

/* Its containers end with it, and it remembers no events. */
void docker_restart(void)
{
	for (size_t i = 0; i < world.boxes.count; i++)
		if (world.boxes.items[i].state == BOX_RUNNING)
			world.boxes.items[i].state = BOX_EXITED;
	world.instance++;
	world.ring.count = world.forgotten = 0;
}
