/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"

#include "bench.h"

#include "core/reference.h"

#include <string.h>

#define BASE_DEPTH ((size_t)6)
#define MB ((uint64_t)1000000)
#define DAY (24 * 3600 * NSEC_PER_SEC)

/* A row of numbers for each thing that needs some. */
static uint64_t seed_of(uint64_t kind, uint64_t number)
{
	uint64_t seed = (number + 1) * 0x9e3779b97f4a7c15 ^ (kind << 56 | 1);

	for (unsigned i = 0; i < 4; i++)
		(void)bench_random(&seed);
	return seed;
}

static char *digest_of(uint64_t kind, uint64_t number)
{
	uint64_t random = seed_of(kind, number);
	char hex[BENCH_HEX];

	bench_hex(&random, hex);
	return xasprintf("sha256:%.*s", BENCH_HEX, hex);
}

/* Where an image stands: its group's n-th layers that are its own. */
struct place {
	size_t group, member;
	size_t first, count; /* own layers */
	bool is_base;
};

static bool base_is_image(size_t group)
{
	return group % 2 == 0;
}

static struct place place_of(size_t i)
{
	struct place place = { .group = i / CROWD_GROUP, .member = i % CROWD_GROUP };
	size_t member = place.member;

	place.first = BASE_DEPTH;
	if (base_is_image(place.group)) {
		place.is_base = member == 0;
		place.count = place.is_base ? 0 : 6;
		place.first += place.is_base ? 0 : 6 * (member - 1);
	} else {
		place.count = member < 6 ? 5 : 6;
		place.first += 5 * member + (member < 6 ? 0 : member - 6);
	}
	return place;
}

char *crowd_layer(size_t group, size_t n)
{
	return digest_of('l', group * CROWD_GROUP_LAYERS + n);
}

static uint64_t layer_bytes(size_t group, size_t n)
{
	return (5 + (group * 7 + n * 13) % 30) * MB;
}

/* All layers of the image and their bytes, bottom first. */
static void add_layers(const struct place *place, struct strings *ids, struct history *bytes)
{
	for (size_t i = 0; i < BASE_DEPTH + place->count; i++) {
		size_t n = i < BASE_DEPTH ? i : place->first + i - BASE_DEPTH;

		if (ids)
			strings_take(ids, crowd_layer(place->group, n));
		*array_push(bytes) = layer_bytes(place->group, n);
	}
}

static void add_names(struct image_record *record, size_t i, const struct place *place)
{
	_cleanup_free_ char *repository = NULL, *digest = digest_of('d', i);

	if (place->member == 9 && !base_is_image(place->group))
		return; /* dangling */
	if (place->is_base)
		repository = xasprintf("docker.io/library/base%zu", place->group);
	else if (place->member % 3 == 0)
		repository = xasprintf("docker.io/library/ci-service-%zu", i);
	else if (place->member % 3 == 1)
		repository = xasprintf("registry.example.com:5000/team%zu/application%zu",
			place->group % 50, place->group);
	else
		repository = xasprintf("docker.io/organisation%zu/tool", place->group);
	strings_addf(&record->references, "%s:1.%zu", repository, place->member);
	if (place->member % 3 != 0)
		strings_addf(&record->digests, "%s@%s", repository, digest);
}

struct image_record crowd_record(size_t i)
{
	struct image_record record = { .id = digest_of('i', i), .has_layers = true };
	struct place place = place_of(i);
	struct history bytes = {};

	add_layers(&place, &record.layers, &bytes);
	for (size_t j = 0; j < bytes.count; j++)
		record.size += bytes.items[j];
	record.has_size = true;
	history_finish(&bytes);
	add_names(&record, i, &place);
	if (place.member % 3 == 0) {
		labels_add(&record.labels, "maintainer", "somebody@example.com");
		labels_add(&record.labels, "com.example.stage", i % 2 ? "ci-nightly" : "live");
	}
	return record;
}

static enum origin origin_of(size_t i)
{
	switch (i % CROWD_GROUP) {
	case 3:
	case 6:
		return ORIGIN_BUILT;
	case 9:
		return ORIGIN_EXISTING;
	default:
		return ORIGIN_PULLED;
	}
}

static void add_image(struct crowd *crowd, size_t i)
{
	_cleanup_(image_record_finish) struct image_record record = crowd_record(i);
	struct image *image = inventory_put_image(&crowd->inventory, &record);
	uint64_t random = seed_of('u', i);
	nsec_t used =
		crowd->now - (nsec_t)bench_pick(&random, 60 * DAY / NSEC_PER_SEC) * NSEC_PER_SEC;

	ledger_sync_names(
		&crowd->ledger, ledger_add(&crowd->ledger, image->id, origin_of(i), used), image);
	if (i % 100 == 50) {
		_cleanup_free_ char *container = digest_of('c', i);

		inventory_put_container(
			&crowd->inventory, container + strlen("sha256:"), image->id);
	}
	crowd->images[i] = image;
}

/* As the daemon does: only where it is needed to know what layers take. */
static void learn_histories(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->count; i++) {
		struct place place = place_of(i);
		_cleanup_(history_finish) struct history history = {};

		if (!inventory_needs_history(&crowd->inventory, crowd->images[i]))
			continue;
		add_layers(&place, NULL, &history);
		bench_require(
			inventory_learn_history(&crowd->inventory, crowd->images[i], &history) == 0,
			"a history that does not fit");
	}
}

static void read_settings(struct crowd *crowd)
{
	_cleanup_strings_ struct strings errors = {};
	_cleanup_free_ char *text = xasprintf(
		"gc: { max_unused = \"52d\"; max_total_size = \"%llu\";"
		" target_total_size = \"%llu\"; };"
		"images: { manage = [ \"pulled\", \"built\" ]; rules = ("
		" { match = \"registry.example.com:5000/team1?/*\"; keep = true; },"
		" { match = \"ci-service-*\"; origin = [ \"built\" ]; max_unused = \"5w\"; },"
		" { match = \"label:com.example.stage=ci-*\"; max_unused = \"6w\"; },"
		" { match = \"*/tool:1.8\"; grace = \"3d\"; } ); };",
		(unsigned long long)(crowd->usage.images / 100 * 90),
		(unsigned long long)(crowd->usage.images / 100 * 71));

	if (settings_parse("crowd", text, &crowd->settings, &errors) < 0)
		bench_require(false, errors.items[0]);
}

void crowd_init(struct crowd *crowd, size_t count, nsec_t now)
{
	struct clocks clocks = { now, now, now };

	bench_require(count % CROWD_GROUP == 0, "no whole groups");
	*crowd = (struct crowd){ .now = now, .count = count };
	crowd->images = xcalloc(count, sizeof(*crowd->images));
	inventory_init(&crowd->inventory);
	crowd->inventory.counts_layers = true;
	ledger_init(&crowd->ledger);
	crowd->ledger.met = now - 365 * DAY;
	ledger_watch_begin(&crowd->ledger, &clocks);
	for (size_t i = 0; i < count; i++)
		add_image(crowd, i);
	learn_histories(crowd);
	crowd->usage.known = true;
	for (size_t i = 0; i < count / CROWD_GROUP; i++)
		for (size_t n = 0; n < CROWD_GROUP_LAYERS; n++)
			crowd->usage.images += layer_bytes(i, n);
	read_settings(crowd);
}

void crowd_finish(struct crowd *crowd)
{
	settings_finish(&crowd->settings);
	ledger_finish(&crowd->ledger);
	inventory_finish(&crowd->inventory);
	free(crowd->images);
}

char *crowd_name(const struct image *image)
{
	if (image->references.count == 0)
		return xstrdup(image->id);
	return reference_familiar(image->references.items[0]);
}

struct image *crowd_pick(const struct crowd *crowd, uint64_t *random)
{
	return crowd->images[bench_pick(random, crowd->count)];
}
