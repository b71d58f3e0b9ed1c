/* SPDX-License-Identifier: Apache-2.0 */
/* B26: what layers take, from images' sizes and histories, and what goes with an image. */
#include "test.h"

#include "core/layers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 7
#define COUNT_MAX 9

/* Each letter is a layer. */
static struct layer *add(struct layers *layers, const char *diff_ids, uint64_t size)
{
	_cleanup_strings_ struct strings list = {};
	char one[2] = {};

	for (; *diff_ids; diff_ids++) {
		one[0] = *diff_ids;
		strings_add(&list, one);
	}
	return layers_add_image(layers, &list, &size);
}

#define learn(top, ...)                                                  \
	layers_learn_history(top,                                        \
		&(struct history){ .items = (uint64_t[]){ __VA_ARGS__ }, \
			.count = sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t) })

static void assert_bounds(struct bounds bounds, uint64_t lower, uint64_t upper)
{
	assert_int_equal(bounds.lower, lower);
	assert_int_equal(bounds.upper, upper);
}

static int setup(void **state)
{
	*state = layers_create();
	return 0;
}

static int teardown(void **state)
{
	layers_destroy(*state);
	return 0;
}

static void test_an_images_own_size_needs_no_history(void **state)
{
	struct layer *base = add(*state, "ab", 30), *child = add(*state, "abc", 100);

	assert_bounds(base->total, 30, 30);
	assert_bounds(layers_reclaim(child), 70, 70);
	assert_bounds(layers_reclaim(base), 0, 0);
	assert_false(layers_are_unsure(child));
}

static void test_layers_below_take_no_more_than_those_above(void **state)
{
	struct layer *top = add(*state, "abc", 100);

	assert_bounds(top->parent->total, 0, 100);
	add(*state, "a", 40);
	assert_bounds(top->parent->parent->total, 40, 40);
	/* Nothing but this image has what is on top of a. */
	assert_bounds(layers_reclaim(top), 60, 60);
}

static void test_where_images_part_and_none_ends_it_is_unsure(void **state)
{
	struct layer *x = add(*state, "abx", 100), *y;

	assert_false(layers_are_unsure(x));
	y = add(*state, "aby", 80);
	assert_true(layers_are_unsure(x));
	assert_true(layers_are_unsure(y));
	assert_bounds(layers_reclaim(x), 20, 100);
	assert_bounds(layers_reclaim(y), 0, 80);
	assert_int_equal(learn(y, 10, 0, 50, 20, 0), 1);
	assert_false(layers_are_unsure(x));
	assert_bounds(layers_reclaim(x), 40, 40);
	assert_bounds(layers_reclaim(y), 20, 20);
	assert_int_equal(learn(y, 10, 0, 50, 20, 0), 0);
}

/* The example that has two readings. */
static void test_a_history_with_several_readings_gives_bounds(void **state)
{
	struct layer *top = add(*state, "abc", 1500);

	assert_int_equal(learn(top, 0, 500, 0, 1000), 1);
	assert_bounds(top->parent->total, 500, 500);
	assert_bounds(top->parent->parent->total, 0, 500);
}

static void test_other_images_tell_which_reading_is_right(void **state)
{
	struct layer *top = add(*state, "abc", 1500), *other;

	learn(top, 0, 500, 0, 1000);
	other = add(*state, "ad", 700);
	learn(other, 500, 200);
	assert_bounds(top->parent->parent->total, 500, 500);
	assert_int_equal(learn(top, 0, 500, 0, 1000), 0);
}

static void test_empty_layers_at_either_end(void **state)
{
	struct layer *top = add(*state, "abcd", 7);

	assert_int_equal(learn(top, 0, 0, 7, 0, 0), 1);
	/* Three of the four empty entries are layers: two before it and one after, or the reverse.
	 */
	assert_bounds(top->total, 7, 7);
	assert_bounds(top->parent->total, 7, 7);
	assert_bounds(top->parent->parent->total, 0, 7);
	assert_bounds(top->parent->parent->parent->total, 0, 0);
}

static void test_a_history_that_does_not_fit_changes_nothing(void **state)
{
	struct layer *top = add(*state, "abc", 100);

	assert_int_equal(learn(top, 60, 40), -EBADMSG); /* fewer entries than layers */
	assert_int_equal(learn(top, 20, 20, 20, 40), -EBADMSG); /* more bytes than layers */
	assert_int_equal(learn(top, 20, 20, 50), -EBADMSG); /* another sum */
	assert_int_equal(learn(top, UINT64_MAX, 20, 50), -EBADMSG);
	assert_bounds(top->parent->total, 0, 100);
	assert_int_equal(layers_learn_history(top, &(struct history){}), -EBADMSG);
	assert_int_equal(learn(NULL, 1), -EBADMSG);
}

static void test_images_that_contradict_each_other_leave_it_open(void **state)
{
	struct layer *x = add(*state, "abx", 100), *y = add(*state, "aby", 100);

	assert_int_equal(learn(x, 10, 20, 70), 1);
	assert_int_equal(learn(y, 10, 30, 60), 1);
	assert_true(x->parent->disputed);
	assert_false(layers_are_unsure(x));
	assert_true(layers_are_known(x));
	assert_bounds(layers_reclaim(x), 0, 100);
	/* For ever: the first one again would be as wrong. */
	assert_int_equal(learn(x, 10, 20, 70), 0);
	assert_bounds(layers_reclaim(y), 0, 100);
}

static void test_a_history_that_contradicts_an_images_size_leaves_that_alone(void **state)
{
	struct layer *base = add(*state, "ab", 30), *x = add(*state, "abx", 100);

	assert_int_equal(learn(x, 10, 10, 80), 1);
	assert_bounds(base->total, 30, 30);
	assert_bounds(layers_reclaim(x), 70, 70);
	assert_true(base->parent->disputed);
	assert_int_equal(learn(x, 10, 10, 80), 0);
}

static void test_a_size_that_contradicts_another_is_disputed(void **state)
{
	struct layer *top = add(*state, "ab", 100);

	assert_ptr_equal(add(*state, "ab", 90), top);
	assert_true(top->disputed);
	assert_bounds(top->total, 0, UINT64_MAX);
}

static void test_an_unknown_size(void **state)
{
	_cleanup_strings_ struct strings list = {};
	struct layer *top;

	strings_add(&list, "a");
	top = layers_add_image(*state, &list, NULL);
	assert_bounds(layers_reclaim(top), 0, UINT64_MAX);
	assert_int_equal(learn(top, 5), 1);
	assert_bounds(layers_reclaim(top), 5, 5);
}

static void test_what_is_known_of_a_layer_outlives_the_image_that_told(void **state)
{
	struct layer *base = add(*state, "a", 40), *x = add(*state, "ax", 100);

	layers_remove_image(*state, base);
	add(*state, "ay", 50);
	assert_bounds(layers_reclaim(x), 60, 60);
}

static void test_equal_images_free_it_with_the_last(void **state)
{
	struct layer *top = add(*state, "ab", 100);

	add(*state, "ab", 100);
	assert_bounds(layers_reclaim(top), 0, 0);
	layers_remove_image(*state, top);
	assert_bounds(layers_reclaim(top), 100, 100);
	assert_bounds(layers_reclaim(NULL), 0, 0);
}

static void test_all_layers_together(void **state)
{
	struct layer *x;

	assert_bounds(layers_usage(*state), 0, 0);
	x = add(*state, "abx", 100);
	assert_bounds(layers_usage(*state), 100, 100);
	add(*state, "aby", 80);
	/* What they share is in both, and takes at most as much as the smaller one. */
	assert_bounds(layers_usage(*state), 100, 180);
	add(*state, "z", 5);
	assert_bounds(layers_usage(*state), 105, 185);
	learn(x, 10, 50, 40);
	assert_bounds(layers_usage(*state), 125, 125);
	add(*state, "abxw", 101);
	assert_bounds(layers_usage(*state), 126, 126);
}

/* A true image: layers, and a history with entries that are none. */
struct truth {
	uint64_t totals[DEPTH_MAX];
	size_t depth;
	uint64_t items[COUNT_MAX];
	size_t count;
};

static struct truth random_truth(void)
{
	struct truth truth = { .depth = 1 + (size_t)rand() % DEPTH_MAX };
	size_t spare = (size_t)rand() % (COUNT_MAX - DEPTH_MAX + 1);
	uint64_t total = 0;

	for (size_t i = 0; i < truth.depth; i++) {
		uint64_t size = rand() % 2 ? (uint64_t)(rand() % 3) : 0;

		while (spare > 0 && rand() % 3 == 0) {
			truth.items[truth.count++] = 0;
			spare--;
		}
		truth.items[truth.count++] = size;
		truth.totals[i] = total += size;
	}
	return truth;
}

/* By trying which of the entries are the layers, all of them. */
static void brute_force(const struct truth *truth, struct bounds *totals)
{
	for (size_t i = 0; i < truth->depth; i++)
		totals[i] = (struct bounds){ UINT64_MAX, 0 };
	for (unsigned chosen = 0; chosen < 1u << truth->count; chosen++) {
		uint64_t sums[COUNT_MAX], sum = 0;
		size_t depth = 0;
		bool fits = true;

		for (size_t i = 0; i < truth->count; i++) {
			sum += truth->items[i];
			if (chosen & 1u << i)
				sums[depth++] = sum;
			else if (truth->items[i] > 0)
				fits = false;
		}
		for (size_t i = 0; fits && depth == truth->depth && i < depth; i++) {
			totals[i].lower = MIN(totals[i].lower, sums[i]);
			totals[i].upper = MAX(totals[i].upper, sums[i]);
		}
	}
}

static void test_bounds_are_those_of_all_readings(void **state)
{
	(void)state;
	srand(26);
	for (unsigned round = 0; round < 3000; round++) {
		struct layers *layers = layers_create();
		struct truth truth = random_truth();
		struct bounds expected[DEPTH_MAX];
		struct layer *top = add(
			layers, &"abcdefg"[DEPTH_MAX - truth.depth], truth.totals[truth.depth - 1]);
		struct history history = { .items = truth.items, .count = truth.count };
		size_t i = truth.depth;

		brute_force(&truth, expected);
		assert_true(layers_learn_history(top, &history) >= 0);
		for (struct layer *layer = top; layer; layer = layer->parent) {
			i--;
			assert_bounds(layer->total, expected[i].lower, expected[i].upper);
			assert_in_range(truth.totals[i], expected[i].lower, expected[i].upper);
		}
		layers_destroy(layers);
	}
}

int main(void)
{
#define sizes_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		sizes_test(test_an_images_own_size_needs_no_history),
		sizes_test(test_layers_below_take_no_more_than_those_above),
		sizes_test(test_where_images_part_and_none_ends_it_is_unsure),
		sizes_test(test_a_history_with_several_readings_gives_bounds),
		sizes_test(test_other_images_tell_which_reading_is_right),
		sizes_test(test_empty_layers_at_either_end),
		sizes_test(test_a_history_that_does_not_fit_changes_nothing),
		sizes_test(test_images_that_contradict_each_other_leave_it_open),
		sizes_test(test_a_history_that_contradicts_an_images_size_leaves_that_alone),
		sizes_test(test_a_size_that_contradicts_another_is_disputed),
		sizes_test(test_an_unknown_size),
		sizes_test(test_what_is_known_of_a_layer_outlives_the_image_that_told),
		sizes_test(test_equal_images_free_it_with_the_last),
		sizes_test(test_all_layers_together),
		cmocka_unit_test(test_bounds_are_those_of_all_readings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
