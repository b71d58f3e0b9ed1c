/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/layers.h"

#include <string.h>

static struct layer *add(struct layers *layers, const char *diff_ids)
{
	_cleanup_strings_ struct strings list = {};
	char one[2] = {};

	/* Each letter is a layer. */
	for (; *diff_ids; diff_ids++) {
		one[0] = *diff_ids;
		strings_add(&list, one);
	}
	return layers_add_image(layers, &list, NULL);
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

static void test_destroy_takes_null(void **state)
{
	layers_destroy(NULL);
}

static void test_an_image_without_layers_has_no_top(void **state)
{
	assert_null(add(*state, ""));
	layers_remove_image(*state, NULL);
	assert_int_equal(layers_count(*state), 0);
	assert_int_equal(layers_capacity(*state), 0);
}

static void test_a_chain_is_stored_once(void **state)
{
	struct layer *a = add(*state, "xy"), *b = add(*state, "xy");

	assert_ptr_equal(a, b);
	assert_int_equal(a->images, 2);
	assert_int_equal(a->images_above, 0);
	assert_int_equal(a->parent->images, 0);
	assert_int_equal(a->parent->images_above, 2);
	assert_null(a->parent->parent);
	assert_int_equal(layers_count(*state), 2);
}

static void test_the_same_layer_on_another_chain_is_another(void **state)
{
	struct layer *a = add(*state, "xz"), *b = add(*state, "yz");

	assert_ptr_not_equal(a, b);
	assert_int_equal(layers_count(*state), 4);
	/* Also on top of itself: empty layers repeat. */
	add(*state, "zzz");
	assert_int_equal(layers_count(*state), 7);
}

static void test_a_proper_prefix_is_an_ancestor(void **state)
{
	struct layer *child = add(*state, "xyz"), *base = add(*state, "x");

	assert_ptr_equal(child->parent->parent, base);
	assert_int_equal(base->images, 1);
	assert_int_equal(base->images_above, 1);
	assert_int_equal(child->images_above, 0);
}

static void test_removal_takes_the_layers_that_no_image_has(void **state)
{
	struct layer *base = add(*state, "x"), *a = add(*state, "xab"), *b = add(*state, "xac");

	assert_int_equal(layers_count(*state), 4);
	layers_remove_image(*state, a);
	assert_int_equal(layers_count(*state), 3);
	assert_int_equal(base->images_above, 1);
	layers_remove_image(*state, base);
	assert_int_equal(layers_count(*state), 3);
	layers_remove_image(*state, b);
	assert_int_equal(layers_count(*state), 0);
}

static void test_one_of_two_equal_images_leaves_the_layers(void **state)
{
	struct layer *top = add(*state, "xy");

	add(*state, "xy");
	layers_remove_image(*state, top);
	assert_int_equal(layers_count(*state), 2);
	assert_int_equal(top->images, 1);
}

static void test_indexes_are_distinct_and_used_again(void **state)
{
	struct layer *tops[3] = { add(*state, "ab"), add(*state, "cd"), add(*state, "ef") };
	bool seen[6] = {};
	size_t capacity = layers_capacity(*state);

	assert_int_equal(capacity, 6);
	layers_remove_image(*state, tops[1]);
	tops[1] = add(*state, "gh");
	assert_int_equal(layers_capacity(*state), capacity);
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		for (struct layer *layer = tops[i]; layer; layer = layer->parent) {
			assert_true(layer->index < capacity);
			assert_false(seen[layer->index]);
			seen[layer->index] = true;
		}
	}
}

static void test_a_reused_index_does_not_revive_old_chains(void **state)
{
	struct layer *old = add(*state, "ab"), *fresh;

	layers_remove_image(*state, old);
	fresh = add(*state, "cb");
	assert_int_equal(layers_count(*state), 2);
	assert_int_equal(fresh->images, 1);
	add(*state, "ab");
	assert_int_equal(layers_count(*state), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_destroy_takes_null),
		cmocka_unit_test_setup_teardown(
			test_an_image_without_layers_has_no_top, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_chain_is_stored_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_the_same_layer_on_another_chain_is_another, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_proper_prefix_is_an_ancestor, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_removal_takes_the_layers_that_no_image_has, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_one_of_two_equal_images_leaves_the_layers, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_indexes_are_distinct_and_used_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_reused_index_does_not_revive_old_chains, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
