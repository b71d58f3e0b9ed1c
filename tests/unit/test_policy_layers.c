/* SPDX-License-Identifier: Apache-2.0 */
/* B24, B26: with layers whose sizes are known, a plan is exact: held against brute force. */
#include "test.h"

#include "core/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES 12
#define DEPTH 4

static int setup(void **state)
{
	struct world *w;

	world_setup(state);
	w = *state;
	w->inventory.counts_layers = true;
	world_limit(w, 1);
	return 0;
}

#define layers_test(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

static void assert_reclaims(struct bounds reclaims, uint64_t lower, uint64_t upper)
{
	assert_int_equal(reclaims.lower, lower);
	assert_int_equal(reclaims.upper, upper);
}

static void test_b26_a_shared_layer_goes_with_the_last_image(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "base", .tags = "base", .layers = "a", .size = 60 * MB, .idle = WEEK);
	world_add(w, .name = "x", .tags = "x", .layers = "a x", .size = 100 * MB, .idle = 3 * DAY);
	world_add(w, .name = "y", .tags = "y", .layers = "a y", .size = 90 * MB, .idle = 2 * DAY);
	world_measure(w, 130 * MB);
	assert_plan(w, "x=over-size y=over-size base=over-size");
	assert_reclaims(w->plan.items[0].reclaims, 40 * MB, 40 * MB);
	assert_reclaims(w->plan.items[1].reclaims, 30 * MB, 30 * MB);
	assert_reclaims(w->plan.items[2].reclaims, 60 * MB, 60 * MB);
	assert_reclaims(w->plan.reclaims, 130 * MB, 130 * MB);
}

static void test_b26_layers_of_what_stays_are_not_freed(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "x", .tags = "x", .layers = "a x", .size = 100 * MB, .idle = WEEK);
	world_add(w, .name = "y", .tags = "y", .layers = "a y", .size = 90 * MB);
	/* Nobody knows what a takes: of x it is all but what y has besides, of y nothing. */
	world_measure(w, 130 * MB);
	assert_plan(w, "x=over-size y=grace");
	assert_reclaims(w->plan.reclaims, 10 * MB, 100 * MB);
	inventory_learn_history(&w->inventory, world_image(w, "y"),
		&(struct history){ .items = (uint64_t[]){ 60 * MB, 30 * MB }, .count = 2 });
	assert_plan(w, "x=over-size y=grace");
	assert_reclaims(w->plan.reclaims, 40 * MB, 40 * MB);
}

static void test_b26_an_engine_that_counts_otherwise_has_bounds(void **state)
{
	struct world *w = *state;

	w->inventory.counts_layers = false;
	world_add(w, .name = "x", .tags = "x", .layers = "a x", .size = 100 * MB, .idle = WEEK);
	world_measure(w, 130 * MB);
	assert_plan(w, "x=over-size");
	assert_reclaims(w->plan.reclaims, 0, 100 * MB);
}

static void test_b26_a_size_that_is_not_known_is_no_size(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "x", .tags = "x", .idle = WEEK)->has_size = false;
	world_add(w, .name = "y", .tags = "y", .size = MB, .idle = 6 * DAY);
	world_measure(w, 130 * MB);
	/* It may free all that is to be freed. */
	assert_plan(w, "x=over-size y=within-limits");
	assert_reclaims(w->plan.reclaims, 0, UINT64_MAX);
}

static void test_b26_the_steps_of_a_build_go_along(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "s1", .origin = "none", .layers = "a", .size = 10 * MB,
		.created = w->now - DAY);
	world_add(w, .name = "s2", .origin = "none", .parent = "s1", .layers = "a b",
		.size = 30 * MB, .created = w->now - DAY);
	world_add(w, .name = "x", .tags = "x", .parent = "s2", .layers = "a b", .size = 30 * MB,
		.idle = DAY);
	world_measure(w, 30 * MB);
	assert_plan(w, "x=over-size");
	assert_reclaims(w->plan.reclaims, 30 * MB, 30 * MB);
}

static void test_b26_a_step_out_of_sight_keeps_what_it_has(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "x", .tags = "x", .parent = "hidden", .layers = "a b", .size = 30 * MB,
		.idle = DAY);
	world_measure(w, 30 * MB);
	assert_plan(w, "x=over-size");
	assert_reclaims(w->plan.reclaims, 0, 30 * MB);
}

/* Layers of a random forest: each letter has its size wherever it is. */
struct forest {
	char layers[IMAGES][2 * DEPTH + 1]; /* separated by spaces */
	bool gone[IMAGES];
};

static uint64_t size_of_layer(const char *chain, size_t length)
{
	unsigned hash = 7;

	for (size_t i = 0; i < length; i++)
		hash = hash * 31 + (unsigned char)chain[i];
	/* Some are empty, but not all of an image. */
	return (hash % 5 + (length == 1)) * MB;
}

static uint64_t size_of_image(const char *chain)
{
	uint64_t size = 0;

	for (size_t length = 1; length <= strlen(chain); length += 2)
		size += size_of_layer(chain, length);
	return size;
}

/* What all images that are left take, each chain of layers once. */
static uint64_t usage_of(const struct forest *forest)
{
	uint64_t usage = 0;

	for (size_t i = 0; i < IMAGES; i++) {
		for (size_t length = 1; !forest->gone[i] && length <= strlen(forest->layers[i]);
			length += 2) {
			bool seen = false;

			for (size_t j = 0; j < i && !seen; j++)
				seen = !forest->gone[j] && strlen(forest->layers[j]) >= length &&
					strncmp(forest->layers[i], forest->layers[j], length) == 0;
			if (!seen)
				usage += size_of_layer(forest->layers[i], length);
		}
	}
	return usage;
}

static void plant(struct world *w, struct forest *forest)
{
	for (size_t i = 0; i < IMAGES; i++) {
		char *end = forest->layers[i], name[] = { (char)('a' + i), '\0' };
		size_t depth = 1 + (size_t)rand() % DEPTH;

		for (size_t j = 0; j < depth; j++) {
			if (j > 0)
				*end++ = ' ';
			*end++ = (char)('a' + rand() % 2);
		}
		world_add(w, .name = name, .tags = name, .layers = forest->layers[i],
			.size = size_of_image(forest->layers[i]),
			.idle = (nsec_t)(2 + rand() % 50) * HOUR);
	}
	/* All histories are there, and have one reading: no layer is empty. */
	for (size_t i = 0; i < IMAGES; i++) {
		char name[] = { (char)('a' + i), '\0' };
		struct history history = {};

		for (size_t length = 1; length <= strlen(forest->layers[i]); length += 2)
			*array_push(&history) = size_of_layer(forest->layers[i], length);
		inventory_learn_history(&w->inventory, world_image(w, name), &history);
		history_finish(&history);
	}
}

/* Carries the plan out on the forest: each step frees what it said; it was needed, and enough. */
static void check_plan(const struct world *w, struct forest *forest, uint64_t target)
{
	struct bounds computed = inventory_usage(&w->inventory);
	uint64_t usage = usage_of(forest);

	assert_reclaims(computed, usage, usage);
	for (size_t i = 0; i < w->plan.count; i++) {
		const struct plan_item *item = &w->plan.items[i];

		if (!reason_removes(item->reason))
			continue;
		assert_true(usage > target);
		forest->gone[*world_name(item->image->id) - 'a'] = true;
		assert_reclaims(item->reclaims, usage - usage_of(forest), usage - usage_of(forest));
		usage = usage_of(forest);
	}
	assert_true(usage <= target || w->plan.removals == IMAGES);
}

static void test_b24_b26_random_forests_against_brute_force(void **state)
{
	(void)state;
	srand(24);
	for (unsigned round = 0; round < 500; round++) {
		struct forest forest = {};
		uint64_t usage, target;
		void *made;
		struct world *w;

		setup(&made);
		w = made;
		plant(w, &forest);
		usage = usage_of(&forest);
		target = usage * (uint64_t)(rand() % 100) / 100;
		world_limit(w, MAX(target, (uint64_t)1));
		world_measure(w, usage);
		free(world_plan(w));
		check_plan(w, &forest, w->policy.max_total_size.bytes);
		world_teardown(&made);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		layers_test(test_b26_a_shared_layer_goes_with_the_last_image),
		layers_test(test_b26_layers_of_what_stays_are_not_freed),
		layers_test(test_b26_an_engine_that_counts_otherwise_has_bounds),
		layers_test(test_b26_a_size_that_is_not_known_is_no_size),
		layers_test(test_b26_the_steps_of_a_build_go_along),
		layers_test(test_b26_a_step_out_of_sight_keeps_what_it_has),
		cmocka_unit_test(test_b24_b26_random_forests_against_brute_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
