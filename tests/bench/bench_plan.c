/* SPDX-License-Identifier: Apache-2.0 */
/* The plan for many images, beside what no plan can do without. */
#include "bench.h"
#include "crowd.h"

#include "core/plan.h"

#include <stdio.h>
#include <string.h>

#define SMALL 10000
#define LARGE 100000

/* Sorted by time, ties by ID. */
struct sortable {
	const char *id;
	nsec_t last_used;
};

struct hashable {
	const char *id;
	UT_hash_handle hh;
};

struct plans {
	struct crowd small, large;
	struct sortable *images; /* of the small one */
	struct strings layers;
	struct hashable *found;
};

static void make_plan(const struct crowd *crowd)
{
	static const struct progress progress;
	_cleanup_(plan_finish) struct plan plan = {};

	plan_make(&crowd->settings.policy, &crowd->inventory, &crowd->ledger, &crowd->usage,
		&progress, crowd->now, &plan);
	bench_require(plan.removals > crowd->count / 4 && plan.removals < crowd->count / 100 * 45,
		"a plan that is not about a third of the images");
}

static void plan_small(void *userdata)
{
	const struct plans *plans = userdata;

	make_plan(&plans->small);
}

static void plan_large(void *userdata)
{
	const struct plans *plans = userdata;

	make_plan(&plans->large);
}

static int compare_sortables(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;

	if (x->last_used != y->last_used)
		return x->last_used < y->last_used ? -1 : 1;
	return strcmp(x->id, y->id);
}

static void hash_layers(const struct strings *layers)
{
	_cleanup_free_ struct hashable *items = xcalloc(layers->count, sizeof(*items));
	struct hashable *table = NULL;

	for (size_t i = 0; i < layers->count; i++) {
		items[i].id = layers->items[i];
		HASH_ADD_KEYPTR(hh, table, items[i].id, strlen(items[i].id), &items[i]);
	}
	bench_require(HASH_COUNT(table) == layers->count, "layers are missing");
	HASH_CLEAR(hh, table);
}

static void sort_and_hash(void *userdata)
{
	const struct plans *plans = userdata;
	size_t size = plans->small.count * sizeof(*plans->images);
	_cleanup_free_ struct sortable *images = xcalloc(1, size);

	memcpy(images, plans->images, size);
	qsort(images, plans->small.count, sizeof(*images), compare_sortables);
	hash_layers(&plans->layers);
}

static void plans_init(struct plans *plans)
{
	nsec_t now = 1764000000 * NSEC_PER_SEC;

	crowd_init(&plans->small, SMALL, now);
	crowd_init(&plans->large, LARGE, now);
	plans->images = xcalloc(SMALL, sizeof(*plans->images));
	for (size_t i = 0; i < SMALL; i++) {
		const char *id = plans->small.images[i]->id;

		plans->images[i].id = id;
		plans->images[i].last_used = ledger_find(&plans->small.ledger, id)->last_used;
	}
	for (size_t i = 0; i < SMALL / CROWD_GROUP; i++)
		for (size_t n = 0; n < CROWD_GROUP_LAYERS; n++)
			strings_take(&plans->layers, crowd_layer(i, n));
	bench_require(layers_count(plans->small.inventory.layers) == plans->layers.count,
		"not the layers that are meant");
}

static void plans_finish(struct plans *plans)
{
	crowd_finish(&plans->small);
	crowd_finish(&plans->large);
	strings_finish(&plans->layers);
	free(plans->images);
}

static double milliseconds(nsec_t time)
{
	return (double)time / (double)NSEC_PER_MSEC;
}

int main(void)
{
	_cleanup_(plans_finish) struct plans plans = {};
	struct bench_result cost, growth;
	bool fast;

	plans_init(&plans);
	cost = bench_run(
		&(struct bench){ .a = sort_and_hash, .b = plan_small, .rounds = 20 }, &plans);
	growth =
		bench_run(&(struct bench){ .a = plan_small, .b = plan_large, .rounds = 8 }, &plans);
	fast = bench_at_most("plan-10000-images", (double)cost.b / (double)cost.a, 4,
		"%.1f ms beside %.1f ms", milliseconds(cost.b), milliseconds(cost.a));
	fast &= bench_at_most("plan-100000-images", (double)growth.b / (double)growth.a, 12,
		"%.1f ms beside %.1f ms", milliseconds(growth.b), milliseconds(growth.a));
	return fast ? EXIT_SUCCESS : EXIT_FAILURE;
}
