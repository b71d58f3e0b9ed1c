/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/inventory.h"

#include <stdio.h>
#include <string.h>

#define A "docker.io/library/a:latest"
#define B "docker.io/library/b:latest"

static struct image *put(struct inventory *inventory, const struct spec *spec)
{
	_cleanup_(image_record_finish) struct image_record record = world_record(spec);

	return inventory_put_image(inventory, &record);
}
#define put(inventory, ...) put(inventory, &(struct spec){ __VA_ARGS__ })

static void replace(struct inventory *inventory, const struct spec *specs, size_t count)
{
	struct image_record *records = xcalloc(count, sizeof(*records));

	for (size_t i = 0; i < count; i++)
		records[i] = world_record(&specs[i]);
	inventory_replace_images(inventory, records, count);
	for (size_t i = 0; i < count; i++)
		image_record_finish(&records[i]);
	free(records);
}

static int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct inventory));
	inventory_init(*state);
	return 0;
}

static int teardown(void **state)
{
	inventory_finish(*state);
	free(*state);
	return 0;
}

static void test_finish_takes_what_was_never_begun(void **state)
{
	struct inventory inventory = {};

	inventory_finish(&inventory);
}

static void test_put_adds_and_updates(void **state)
{
	struct inventory *inventory = *state;
	struct image *image = put(inventory, .name = "x", .tags = "b a", .digests = "a@1",
		.labels = "k=v", .size = 7, .created = 9);

	assert_ptr_equal(inventory_find_image(inventory, world_id("x")), image);
	assert_string_equal(image->references.items[0], A);
	assert_string_equal(image->references.items[1], B);
	assert_string_equal(labels_get(&image->labels, "k"), "v");
	assert_int_equal(image->size, 7);
	assert_nsec_equal(image->created, 9);

	assert_ptr_equal(put(inventory, .name = "x", .tags = "b", .size = 8), image);
	assert_int_equal(image->references.count, 1);
	assert_int_equal(image->digests.count, 0);
	assert_null(labels_get(&image->labels, "k"));
	assert_int_equal(image->size, 8);
	assert_null(inventory_find_reference(inventory, A));
	assert_ptr_equal(inventory_find_reference(inventory, B), image);
}

/* Of an answer without a size (the containerd store's, but for lists) or with one. */
static struct image *put_sized(struct inventory *inventory, bool has_size, uint64_t size)
{
	const struct spec spec = { .name = "x", .tags = "a", .layers = "l" };
	_cleanup_(image_record_finish) struct image_record record = world_record(&spec);

	record.has_size = has_size;
	record.size = size;
	return inventory_put_image(inventory, &record);
}

static void test_b26_a_size_that_was_told_outlives_answers_without(void **state)
{
	struct image *image = put_sized(*state, false, 0);
	uint64_t generation;

	assert_false(image->has_size);
	assert_true(image_size_bounds(image).upper == UINT64_MAX);
	assert_true(put_sized(*state, true, 7)->has_size);
	generation = ((struct inventory *)*state)->generation;
	put_sized(*state, false, 0);
	assert_true(image->has_size);
	assert_int_equal(image_size_bounds(image).upper, 7);
	assert_int_equal(((struct inventory *)*state)->generation, generation);
	/* Nothing in layers is no size. */
	assert_false(put_sized(*state, true, 0)->has_size);
}

static void test_b26_a_size_is_learned_where_none_is_known(void **state)
{
	struct inventory *inventory = *state;
	struct image *image = put_sized(inventory, false, 0);
	struct image_record record = { .id = image->id, .size = 7, .has_size = true };

	inventory_learn_size(inventory, &record);
	assert_int_equal(image_size_bounds(image).upper, 7);
	record.size = 9;
	inventory_learn_size(inventory, &record);
	assert_int_equal(image_size_bounds(image).upper, 7);
	record.id = (char *)world_id("other");
	inventory_learn_size(inventory, &record);
	assert_int_equal(HASH_COUNT(inventory->images), 1);
}

static void test_b7_an_answer_about_layers_moves_no_names(void **state)
{
	struct inventory *inventory = *state;
	const struct spec spec = { .name = "old", .tags = "a b", .layers = "l" };
	_cleanup_(image_record_finish) struct image_record record = world_record(&spec);
	struct image *old = put(inventory, .name = "old", .tags = "a b");
	struct image *new = put(inventory, .name = "new");

	inventory_move_reference(inventory, new, A);
	inventory_learn_image(inventory, &record);
	assert_true(old->has_layers);
	assert_ptr_equal(inventory_find_reference(inventory, A), new);
	assert_int_equal(old->references.count, 1);
	inventory_remove_image(inventory, old->id);
	inventory_learn_image(inventory, &record);
	assert_null(inventory_find_image(inventory, record.id));
}

static void test_put_moves_a_reference_from_its_old_image(void **state)
{
	struct inventory *inventory = *state;
	struct image *old = put(inventory, .name = "old", .tags = "a b");
	struct image *new = put(inventory, .name = "new", .tags = "a");

	assert_ptr_equal(inventory_find_reference(inventory, A), new);
	assert_int_equal(old->references.count, 1);
	assert_string_equal(old->references.items[0], B);
}

static void test_layers_are_facts_that_a_list_leaves_alone(void **state)
{
	struct inventory *inventory = *state;
	struct image *image = put(inventory, .name = "x");
	struct layer *top;

	assert_false(image->has_layers);
	put(inventory, .name = "x", .layers = "1 2");
	top = image->top;
	assert_true(image->has_layers);
	assert_non_null(top);
	put(inventory, .name = "x");
	put(inventory, .name = "x", .layers = "1 2");
	assert_ptr_equal(image->top, top);
	assert_int_equal(top->images, 1);
}

static void test_an_image_may_have_no_layers_at_all(void **state)
{
	struct image *image = put(*state, .name = "x", .layers = "");

	assert_true(image->has_layers);
	assert_null(image->top);
	assert_false(image_has_children(image));
}

static void test_b18_replace_drops_what_is_gone(void **state)
{
	struct inventory *inventory = *state;
	static const struct spec list[] = { { .name = "y", .tags = "a" }, { .name = "z" } };

	put(inventory, .name = "x", .tags = "a b", .layers = "1");
	put(inventory, .name = "y");
	replace(inventory, list, 2);
	assert_null(inventory_find_image(inventory, world_id("x")));
	assert_null(inventory_find_reference(inventory, B));
	assert_ptr_equal(inventory_find_reference(inventory, A),
		inventory_find_image(inventory, world_id("y")));
	assert_int_equal(layers_count(inventory->layers), 0);
	replace(inventory, NULL, 0);
	assert_null(inventory->images);
	assert_null(inventory->references);
}

static void test_replace_lets_two_images_swap_their_names(void **state)
{
	struct inventory *inventory = *state;
	static const struct spec list[] = { { .name = "x", .tags = "b" },
		{ .name = "y", .tags = "a" } };
	struct image *x = put(inventory, .name = "x", .tags = "a");
	struct image *y = put(inventory, .name = "y", .tags = "b");

	replace(inventory, list, 2);
	assert_ptr_equal(inventory_find_reference(inventory, A), y);
	assert_ptr_equal(inventory_find_reference(inventory, B), x);
	assert_int_equal(x->references.count, 1);
	assert_int_equal(y->references.count, 1);
}

static void test_move_and_drop_reference(void **state)
{
	struct inventory *inventory = *state;
	struct image *x = put(inventory, .name = "x", .tags = "a", .digests = "a@1");
	struct image *y = put(inventory, .name = "y");

	inventory_move_reference(inventory, y, A);
	inventory_move_reference(inventory, y, A);
	assert_int_equal(x->references.count, 0);
	assert_int_equal(y->references.count, 1);
	assert_ptr_equal(inventory_find_reference(inventory, A), y);
	/* x has it no more: y keeps it. */
	inventory_drop_reference(inventory, x, A);
	assert_ptr_equal(inventory_find_reference(inventory, A), y);
	inventory_drop_reference(inventory, y, A);
	assert_null(inventory_find_reference(inventory, A));
	assert_int_equal(y->references.count, 0);
	inventory_drop_reference(inventory, y, A);
	assert_int_equal(x->digests.count, 1);
	while (x->digests.count > 0) {
		_cleanup_free_ char *digest = xstrdup(x->digests.items[0]);

		inventory_drop_reference(inventory, x, digest);
		assert_null(inventory_find_reference(inventory, digest));
	}
}

static void test_references_are_sorted(void **state)
{
	struct image *x = put(*state, .name = "x", .tags = "c a");

	inventory_move_reference(*state, x, B);
	assert_string_equal(x->references.items[0], A);
	assert_string_equal(x->references.items[1], B);
}

static void test_resolve_as_docker_looks_it_up(void **state)
{
	struct inventory *inventory = *state;
	struct image *abc = put(inventory, .name = "abc", .tags = "x:1", .digests = "x@9");
	/* Its name is how the ID of "abc" begins: names come before prefixes. */
	struct image *named = put(inventory, .name = "zz", .tags = "6162 x");
	_cleanup_free_ char *digest = xasprintf("x@%s", world_id("9"));

	put(inventory, .name = "abd");
	assert_ptr_equal(inventory_resolve(inventory, world_id("abc")), abc);
	assert_ptr_equal(inventory_resolve(inventory, world_id("abc") + 7), abc);
	assert_ptr_equal(inventory_resolve(inventory, "x:1"), abc);
	assert_ptr_equal(inventory_resolve(inventory, "docker.io/library/x:1"), abc);
	assert_ptr_equal(inventory_resolve(inventory, digest), abc);
	assert_ptr_equal(inventory_resolve(inventory, "x"), named);
	assert_ptr_equal(inventory_resolve(inventory, "6162"), named);
	assert_ptr_equal(inventory_resolve(inventory, "616263"), abc);
	assert_ptr_equal(inventory_resolve(inventory, "sha256:616263"), abc);
	/* Two IDs begin like this, no ID begins like that. */
	assert_null(inventory_resolve(inventory, "61626"));
	assert_null(inventory_resolve(inventory, "99"));
	assert_null(inventory_resolve(inventory, world_id("nobody")));
	assert_null(inventory_resolve(inventory, "y:1"));
	assert_null(inventory_resolve(inventory, ""));
	assert_null(inventory_resolve(inventory, "sha256:"));
	assert_null(inventory_resolve(inventory, "616263xyz"));
}

static void test_containers_hold_images(void **state)
{
	struct inventory *inventory = *state;
	struct image *x = put(inventory, .name = "x"), *y = put(inventory, .name = "y");

	inventory_put_container(inventory, "1", x->id);
	inventory_put_container(inventory, "2", x->id);
	inventory_put_container(inventory, "2", x->id);
	assert_int_equal(x->containers, 2);
	/* Which image it holds was learnt late. */
	inventory_put_container(inventory, "3", NULL);
	inventory_put_container(inventory, "3", y->id);
	assert_int_equal(y->containers, 1);
	inventory_put_container(inventory, "2", y->id);
	assert_int_equal(x->containers, 1);
	assert_int_equal(y->containers, 2);
	assert_string_equal(inventory_find_container(inventory, "2")->image_id, y->id);
	inventory_remove_container(inventory, "2");
	inventory_remove_container(inventory, "2");
	assert_int_equal(y->containers, 1);
	assert_null(inventory_find_container(inventory, "2"));
}

static void test_a_container_may_be_known_before_its_image(void **state)
{
	struct inventory *inventory = *state;

	inventory_put_container(inventory, "1", world_id("x"));
	assert_int_equal(put(inventory, .name = "x")->containers, 1);
	/* The image vanishes from a list and comes back. */
	inventory_remove_image(inventory, world_id("x"));
	assert_int_equal(put(inventory, .name = "x")->containers, 1);
}

static void test_replace_containers(void **state)
{
	struct inventory *inventory = *state;
	struct image *x = put(inventory, .name = "x"), *y = put(inventory, .name = "y");
	const struct container_record list[] = {
		/* The engine does not say: what was known holds. */
		{ .id = (char[]){ "1" } },
		{ .id = (char[]){ "3" }, .image_id = y->id },
		{ .id = (char[]){ "4" } },
		/* Nor which image that is: the one of that name, rather than none. */
		{ .id = (char[]){ "5" }, .image_text = y->id },
		{ .id = (char[]){ "6" }, .image_text = (char[]){ "gone:1" } },
	};

	inventory_put_container(inventory, "1", x->id);
	inventory_put_container(inventory, "2", x->id);
	inventory_replace_containers(inventory, list, ARRAY_SIZE(list));
	assert_int_equal(x->containers, 1);
	assert_int_equal(y->containers, 2);
	assert_null(inventory_find_container(inventory, "2"));
	assert_null(inventory_find_container(inventory, "4")->image_id);
	assert_null(inventory_find_container(inventory, "6")->image_id);
}

/* B26: x's history has two readings; y's, which has one, tells which of them is right. */
static void test_b26_histories_explain_each_other(void **state)
{
	struct inventory *inventory = *state;
	struct image *x = put(inventory, .name = "x", .layers = "a b c", .size = 1500), *y;
	struct history two = {}, one = {};
	const uint64_t entries[] = { 0, 500, 0, 1000 };

	inventory->counts_layers = true;
	assert_false(inventory_needs_history(inventory, x));
	y = put(inventory, .name = "y", .layers = "a d", .size = 700);
	assert_true(inventory_needs_history(inventory, x));
	assert_true(inventory_needs_history(inventory, y));
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		*array_push(&two) = entries[i];
	assert_int_equal(inventory_learn_history(inventory, x, &two), 0);
	assert_false(inventory_needs_history(inventory, x));
	assert_int_equal(inventory->histories, 1);
	assert_int_equal(inventory_reclaim(inventory, x).lower, 1000);
	assert_int_equal(inventory_reclaim(inventory, x).upper, 1500);
	*array_push(&one) = 500;
	*array_push(&one) = 200;
	assert_int_equal(inventory_learn_history(inventory, y, &one), 0);
	assert_int_equal(inventory->histories, 0);
	assert_int_equal(inventory_reclaim(inventory, x).lower, 1000);
	assert_int_equal(inventory_reclaim(inventory, x).upper, 1000);
	assert_int_equal(inventory_usage(inventory).lower, 1700);
	assert_int_equal(inventory_usage(inventory).upper, 1700);
	history_finish(&two);
	history_finish(&one);
}

/* B26: the history of an image that is gone is not kept, one that is not to be had not asked for.
 */
static void test_b26_histories_that_are_not_to_be_had(void **state)
{
	struct inventory *inventory = *state;
	struct image *x = put(inventory, .name = "x", .layers = "a b c", .size = 10);
	struct history history = {};

	put(inventory, .name = "y", .layers = "a d", .size = 20);
	assert_false(inventory_needs_history(inventory, x)); /* the engine counts otherwise */
	inventory->counts_layers = true;
	*array_push(&history) = 0;
	*array_push(&history) = 10;
	*array_push(&history) = 0;
	*array_push(&history) = 0;
	assert_int_equal(inventory_learn_history(inventory, x, &history), 0);
	assert_int_equal(inventory->histories, 1);
	inventory_remove_image(inventory, x->id);
	assert_int_equal(inventory->histories, 0);
	x = put(inventory, .name = "x", .layers = "a b c", .size = 10);
	assert_true(inventory_needs_history(inventory, x));
	assert_int_equal(inventory_learn_history(inventory, x, NULL), 0);
	assert_false(inventory_needs_history(inventory, x));
	history_finish(&history);
}

static void assert_departed(struct inventory *inventory, const char *id, const char *expected)
{
	_cleanup_free_ char *image_id = inventory_take_departed(inventory, id);

	assert_true(streq(image_id, expected));
}

/* B3: its end is yet to be told, and is a use of what it held. */
static void test_b3_what_a_departed_container_held(void **state)
{
	struct inventory *inventory = *state;
	struct image *x = put(inventory, .name = "x");

	inventory_put_container(inventory, "1", x->id);
	inventory_put_container(inventory, "2", NULL);
	assert_departed(inventory, "1", NULL);
	inventory_replace_containers(inventory, NULL, 0);
	inventory_replace_containers(inventory, NULL, 0);
	assert_int_equal(x->containers, 0);
	assert_departed(inventory, "2", NULL);
	assert_departed(inventory, "1", x->id);
	assert_departed(inventory, "1", NULL);
	/* It is back, and goes again. */
	inventory_put_container(inventory, "1", x->id);
	inventory_replace_containers(inventory, NULL, 0);
	inventory_put_container(inventory, "1", x->id);
	assert_int_equal(x->containers, 1);
	assert_departed(inventory, "1", NULL);
}

static void test_departed_containers_are_bounded(void **state)
{
	struct inventory *inventory = *state;
	struct image *x = put(inventory, .name = "x");
	char id[16];

	for (size_t i = 0; i <= DEPARTED_MAX; i++) {
		snprintf(id, sizeof(id), "%zu", i);
		inventory_put_container(inventory, id, x->id);
		inventory_replace_containers(inventory, NULL, 0);
	}
	assert_departed(inventory, "0", NULL);
	assert_departed(inventory, "1", x->id);
	assert_departed(inventory, id, x->id);
}

static void test_children_by_parent_are_counted(void **state)
{
	struct inventory *inventory = *state;
	struct image *base;

	put(inventory, .name = "child", .parent = "base", .tags = "c");
	base = put(inventory, .name = "base", .tags = "a");
	put(inventory, .name = "other", .parent = "base");
	assert_int_equal(base->children, 2);
	assert_true(image_has_children(base));
	inventory_remove_image(inventory, world_id("other"));
	assert_int_equal(base->children, 1);
	put(inventory, .name = "child", .tags = "c");
	assert_int_equal(base->children, 0);
	assert_false(image_has_children(base));
}

static void test_children_by_layers(void **state)
{
	struct inventory *inventory = *state;
	struct image *base = put(inventory, .name = "base", .layers = "1");

	put(inventory, .name = "same", .layers = "1");
	assert_false(image_has_children(base));
	put(inventory, .name = "child", .layers = "1 2");
	assert_true(image_has_children(base));
	inventory_remove_image(inventory, world_id("child"));
	assert_false(image_has_children(base));
}

static void test_intermediate_and_dangling(void **state)
{
	struct inventory *inventory = *state;
	struct image *step = put(inventory, .name = "step"), *child;

	assert_true(image_is_dangling(step));
	assert_false(image_is_intermediate(step));
	child = put(inventory, .name = "child", .parent = "step", .tags = "c");
	assert_false(image_is_dangling(step));
	assert_true(image_is_intermediate(step));
	assert_false(image_is_dangling(child));
	assert_false(image_is_intermediate(child));
	assert_int_equal(inventory_count_images(inventory), 1);
	put(inventory, .name = "step", .digests = "a@1");
	assert_false(image_is_intermediate(step));
	assert_int_equal(inventory_count_images(inventory), 2);
}

static void test_titles(void **state)
{
	struct inventory *inventory = *state;
	_cleanup_free_ char *digest = xasprintf("a@%s", world_id("1"));
	_cleanup_free_ char *tagged = image_title(
		put(inventory, .name = "x", .tags = "host:5000/x:1 b:2", .digests = "z@1"));
	_cleanup_free_ char *by_digest = image_title(put(inventory, .name = "y", .digests = "a@1"));
	_cleanup_free_ char *none = image_title(put(inventory, .name = "z"));

	assert_string_equal(tagged, "b:2, host:5000/x:1");
	assert_string_equal(by_digest, digest);
	assert_string_equal(none, "<none>");
}

static void test_clear_forgets_everything(void **state)
{
	struct inventory *inventory = *state;

	put(inventory, .name = "x", .tags = "a", .layers = "1", .parent = "y");
	put(inventory, .name = "y");
	inventory_put_container(inventory, "1", world_id("x"));
	inventory_put_container(inventory, "2", world_id("absent"));
	inventory_clear(inventory);
	assert_null(inventory->images);
	assert_null(inventory->containers);
	assert_null(inventory->references);
	assert_null(inventory->tallies);
	assert_int_equal(layers_count(inventory->layers), 0);
	assert_int_equal(put(inventory, .name = "x")->containers, 0);
}

/* Whether the generation has changed since the last call. */
static bool is_new_generation(const struct inventory *inventory)
{
	static uint64_t last;
	bool changed = inventory->generation != last;

	last = inventory->generation;
	return changed;
}

static void test_generation_tells_of_each_change(void **state)
{
	struct inventory *inventory = *state;
	struct image *x = put(inventory, .name = "x", .tags = "a", .size = 1);

	is_new_generation(inventory);
	put(inventory, .name = "x", .tags = "a", .size = 1);
	inventory_move_reference(inventory, x, A);
	assert_false(is_new_generation(inventory));
	put(inventory, .name = "x", .tags = "a", .size = 1, .layers = "1");
	assert_true(is_new_generation(inventory));
	inventory_move_reference(inventory, x, B);
	assert_true(is_new_generation(inventory));
	inventory_drop_reference(inventory, x, B);
	assert_true(is_new_generation(inventory));
	inventory_put_container(inventory, "1", x->id);
	assert_true(is_new_generation(inventory));
	inventory_put_container(inventory, "1", x->id);
	assert_false(is_new_generation(inventory));
	inventory_remove_container(inventory, "1");
	assert_true(is_new_generation(inventory));
	put(inventory, .name = "x", .tags = "a", .size = 2);
	assert_true(is_new_generation(inventory));
	put(inventory, .name = "x", .tags = "a", .size = 2, .labels = "dockergcd.keep=");
	assert_true(is_new_generation(inventory));
	inventory_remove_image(inventory, x->id);
	assert_true(is_new_generation(inventory));
}

#define inventory_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finish_takes_what_was_never_begun),
		inventory_test(test_put_adds_and_updates),
		inventory_test(test_b26_a_size_that_was_told_outlives_answers_without),
		inventory_test(test_b26_a_size_is_learned_where_none_is_known),
		inventory_test(test_b7_an_answer_about_layers_moves_no_names),
		inventory_test(test_put_moves_a_reference_from_its_old_image),
		inventory_test(test_layers_are_facts_that_a_list_leaves_alone),
		inventory_test(test_an_image_may_have_no_layers_at_all),
		inventory_test(test_b18_replace_drops_what_is_gone),
		inventory_test(test_replace_lets_two_images_swap_their_names),
		inventory_test(test_move_and_drop_reference),
		inventory_test(test_references_are_sorted),
		inventory_test(test_resolve_as_docker_looks_it_up),
		inventory_test(test_containers_hold_images),
		inventory_test(test_a_container_may_be_known_before_its_image),
		inventory_test(test_replace_containers),
		inventory_test(test_b26_histories_explain_each_other),
		inventory_test(test_b26_histories_that_are_not_to_be_had),
		inventory_test(test_b3_what_a_departed_container_held),
		inventory_test(test_departed_containers_are_bounded),
		inventory_test(test_children_by_parent_are_counted),
		inventory_test(test_children_by_layers),
		inventory_test(test_intermediate_and_dangling),
		inventory_test(test_titles),
		inventory_test(test_clear_forgets_everything),
		inventory_test(test_generation_tells_of_each_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
