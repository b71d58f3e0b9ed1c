/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "core/tracking.h"

#include "core/reference.h"
#include "core/units.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ID_HEX 64
#define NOW "2026-11-24T12:00:00Z"

/* What must hold, or the test itself is wrong. */
static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "world: %s\n", what);
	abort();
}

void world_init(struct world *world)
{
	*world = (struct world){
		.policy = { .grace = HOUR, .keep_label = xstrdup("dockergcd.keep") },
	};
	world->policy.manage[ORIGIN_PULLED] = true;
	require(parse_time(NOW, &world->now) == 0, NOW);
	inventory_init(&world->inventory);
	ledger_init(&world->ledger);
	world->ledger.met = world->now - 52 * WEEK;
	world->ledger.observed_until = world->now;
}

void world_finish(struct world *world)
{
	plan_finish(&world->plan);
	policy_finish(&world->policy);
	ledger_finish(&world->ledger);
	inventory_finish(&world->inventory);
}

static char *next_buffer(void)
{
	static char buffers[16][sizeof("sha256:") + ID_HEX];
	static size_t next;

	return buffers[next++ % ARRAY_SIZE(buffers)];
}

const char *world_id(const char *name)
{
	char *id = next_buffer(), *end = stpcpy(id, "sha256:");

	require(*name && strlen(name) <= ID_HEX / 2, name);
	memset(end, '0', ID_HEX);
	end[ID_HEX] = '\0';
	for (; *name; name++, end += 2) {
		static const char digits[] = "0123456789abcdef";

		end[0] = digits[(unsigned char)*name >> 4];
		end[1] = digits[*name & 15];
	}
	return id;
}

const char *world_name(const char *id)
{
	char *name = next_buffer(), *end = name;
	unsigned c;

	for (id += strlen("sha256:"); sscanf(id, "%2x", &c) == 1 && c; id += 2)
		*end++ = (char)c;
	*end = '\0';
	return name;
}

static struct strings split(const char *list)
{
	struct strings words = {};

	while (list && *(list += strspn(list, " "))) {
		size_t length = strcspn(list, " ");

		strings_take(&words, xstrndup(list, length));
		list += length;
	}
	return words;
}

static void add_names(struct strings *names, const char *list)
{
	_cleanup_strings_ struct strings words = split(list);

	for (size_t i = 0; i < words.count; i++) {
		_cleanup_free_ char *full = NULL;
		char *canonical, *at = strchr(words.items[i], '@');

		if (at)
			full = xasprintf("%.*s@%s", (int)(at - words.items[i]), words.items[i],
				world_id(at + 1));
		require(reference_canonicalise(full ? full : words.items[i], &canonical) == 0,
			words.items[i]);
		strings_take(names, canonical);
	}
}

struct image_record world_record(const struct spec *spec)
{
	struct image_record record = {
		.id = xstrdup(world_id(spec->name)),
		.parent = spec->parent ? xstrdup(world_id(spec->parent)) : NULL,
		.layers = split(spec->layers),
		.has_layers = spec->layers,
		/* Nobody has counted an image with layers that takes nothing. */
		.size = spec->size == 0 && spec->layers ? 1 : spec->size,
		.has_size = true,
		.created = spec->created,
	};
	_cleanup_strings_ struct strings labels = split(spec->labels);

	add_names(&record.references, spec->tags);
	add_names(&record.digests, spec->digests);
	for (size_t i = 0; i < labels.count; i++) {
		char *equals = strchr(labels.items[i], '=');

		require(equals, labels.items[i]);
		*equals = '\0';
		labels_add(&record.labels, labels.items[i], equals + 1);
	}
	return record;
}

void world_gap(struct world *world, nsec_t ago, nsec_t length)
{
	require(!world->ledger.entries, "gap after images");
	world->ledger.unobserved = length / NSEC_PER_SEC;
	world->ledger.gap_end = world->now - ago;
	world->ledger.gap_length = length;
}

struct image *world_add_spec(struct world *world, const struct spec *spec)
{
	_cleanup_(image_record_finish) struct image_record record = world_record(spec);
	struct image *image = inventory_put_image(&world->inventory, &record);
	nsec_t used = world->now - spec->idle;
	enum origin origin = ORIGIN_PULLED;
	struct ledger_entry *entry;

	if (streq(spec->origin, "none"))
		return image;
	require(!spec->origin || origin_parse(spec->origin, &origin) == 0, "origin");
	entry = ledger_add(&world->ledger, image->id, origin, used);
	ledger_sync_names(&world->ledger, entry, image);
	return image;
}

struct image *world_image(const struct world *world, const char *name)
{
	struct image *image = inventory_find_image(&world->inventory, world_id(name));

	require(image, name);
	return image;
}

struct ledger_entry *world_entry(const struct world *world, const char *name)
{
	struct ledger_entry *entry = ledger_find(&world->ledger, world_id(name));

	require(entry, name);
	return entry;
}

void world_run(struct world *world, const char *container, const char *name)
{
	inventory_put_container(&world->inventory, container, world_id(name));
}

struct rule *world_rule(struct world *world, const char *match)
{
	struct rule *rule = array_push(&world->policy.rules);

	rule->match = xstrdup(match);
	for (size_t i = 0; i < ORIGIN_COUNT; i++)
		rule->origins[i] = true;
	return rule;
}

void world_limit(struct world *world, uint64_t bytes)
{
	world->policy.max_total_size.bytes = bytes;
	world->policy.has_target = false;
}

void world_target(struct world *world, uint64_t bytes)
{
	world->policy.target_total_size.bytes = bytes;
	world->policy.has_target = true;
}

void world_measure(struct world *world, uint64_t bytes)
{
	world->usage.known = true;
	world->usage.images = bytes;
}

char *world_plan(struct world *world)
{
	_cleanup_strings_ struct strings lines = {};

	plan_finish(&world->plan);
	plan_make(&world->policy, &world->inventory, &world->ledger, &world->usage,
		&world->progress, world->now, &world->plan);
	for (size_t i = 0; i < world->plan.count; i++)
		strings_addf(&lines, "%s=%s", world_name(world->plan.items[i].image->id),
			reason_name(world->plan.items[i].reason));
	return strings_join(&lines, " ");
}

struct ledger_entry *world_sync(struct world *world, const char *name)
{
	struct ledger_entry *entry = world_entry(world, name);
	const struct image *image = world_image(world, name);

	ledger_sync_names(&world->ledger, entry, image);
	tracking_settle(&world->policy, &world->ledger, image, world->now);
	return entry;
}
