/* SPDX-License-Identifier: Apache-2.0 */
/* Names that come and go, what was asked for by name, and what never had one. */
#include "test.h"

#include "core/ledger.h"

#define A "docker.io/library/a:latest"
#define B "docker.io/library/b:latest"

/* An image that no entry knows, as a list would show it. */
#define list_image(world, ...) world_add(world, .origin = "none", __VA_ARGS__)

/* A new image by an event, named as the inventory has it. */
static struct ledger_entry *arrive(struct world *w, const char *name, enum origin origin)
{
	ledger_add(&w->ledger, world_id(name), origin, w->now);
	return world_sync(w, name);
}

static void test_steps_of_builds_get_no_entry(void **state)
{
	struct world *w = *state;

	list_image(w, .name = "step");
	list_image(w, .name = "x", .tags = "a", .parent = "step");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	assert_null(ledger_find(&w->ledger, world_id("step")));
	assert_non_null(ledger_find(&w->ledger, world_id("x")));
}

static void test_a_base_that_lost_its_tag_keeps_its_entry(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "base", .tags = "a", .idle = DAY);
	world_add(w, .name = "x", .tags = "b", .parent = "base");
	inventory_drop_reference(&w->inventory, world_image(w, "base"), A);
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	assert_true(world_entry(w, "base")->named);
	assert_int_equal(world_entry(w, "base")->origin, ORIGIN_PULLED);
}

static void test_a_step_listed_before_its_child_loses_its_entry(void **state)
{
	struct world *w = *state;

	list_image(w, .name = "step");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	assert_non_null(ledger_find(&w->ledger, world_id("step")));
	ledger_drop_step(&w->ledger, world_image(w, "step"));
	assert_non_null(ledger_find(&w->ledger, world_id("step")));
	list_image(w, .name = "x", .tags = "a", .parent = "step");
	ledger_drop_step(&w->ledger, world_image(w, "step"));
	assert_null(ledger_find(&w->ledger, world_id("step")));
	/* Twice, and for one with a name, is nothing. */
	ledger_drop_step(&w->ledger, world_image(w, "step"));
	ledger_drop_step(&w->ledger, world_image(w, "x"));
}

static void test_reconcile_drops_steps(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "step", .origin = "built");
	world_add(w, .name = "x", .tags = "a", .origin = "built", .parent = "step");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	assert_null(ledger_find(&w->ledger, world_id("step")));
	assert_non_null(ledger_find(&w->ledger, world_id("x")));
}

static void test_b29_what_had_a_name_is_no_step(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "base", .tags = "b", .origin = "built");
	inventory_drop_reference(&w->inventory, world_image(w, "base"), B);
	list_image(w, .name = "x", .tags = "a", .parent = "base");
	ledger_drop_step(&w->ledger, world_image(w, "base"));
	assert_true(world_entry(w, "base")->named);
}

static void test_b7_a_moved_tag_takes_no_history_along(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "old", .tags = "a", .idle = WEEK);
	list_image(w, .name = "new", .tags = "a", .digests = "a@1");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	assert_int_equal(world_entry(w, "old")->origin, ORIGIN_PULLED);
	assert_nsec_equal(world_entry(w, "old")->last_used, w->now - WEEK);
	assert_int_equal(world_entry(w, "old")->references.count, 0);
	assert_nsec_equal(world_entry(w, "new")->last_used, w->now);
	assert_string_equal(world_entry(w, "new")->references.items[0], A);
}

static void test_names_follow_the_image(void **state)
{
	struct world *w = *state;
	uint64_t generation;

	world_add(w, .name = "x", .origin = "built");
	assert_false(world_entry(w, "x")->named);
	inventory_move_reference(&w->inventory, world_image(w, "x"), B);
	generation = w->ledger.generation;
	world_sync(w, "x");
	assert_true(w->ledger.generation > generation);
	assert_string_equal(world_entry(w, "x")->references.items[0], B);
	inventory_drop_reference(&w->inventory, world_image(w, "x"), B);
	world_sync(w, "x");
	assert_int_equal(world_entry(w, "x")->references.count, 0);
	/* That it had a name is kept. */
	assert_true(world_entry(w, "x")->named);
	generation = w->ledger.generation;
	world_sync(w, "x");
	assert_int_equal(w->ledger.generation, generation);
}

static void test_b9_a_tracked_reference_manages_what_arrives(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry;

	ledger_add_tracked(&w->ledger, xstrdup(A), w->now - DAY, false);
	ledger_add_tracked(&w->ledger, xstrdup(B), w->now - DAY, false);
	list_image(w, .name = "x", .tags = "a");
	entry = arrive(w, "x", ORIGIN_BUILT);
	assert_true(entry->tracked);
	assert_int_equal(w->ledger.tracked.count, 1);
	assert_string_equal(w->ledger.tracked.items[0].canonical, B);
}

static void test_b9_tracked_by_digest(void **state)
{
	struct world *w = *state;
	struct image *image = list_image(w, .name = "x", .tags = "a", .digests = "a@1");

	ledger_add_tracked(&w->ledger, xstrdup(image->digests.items[0]), w->now - DAY, false);
	assert_true(arrive(w, "x", ORIGIN_PULLED)->tracked);
	assert_int_equal(w->ledger.tracked.count, 0);
}

static void test_tracked_twice_is_one_with_the_later_time(void **state)
{
	struct world *w = *state;
	uint64_t generation;

	ledger_add_tracked(&w->ledger, xstrdup(A), w->now - DAY, false);
	generation = w->ledger.generation;
	ledger_add_tracked(&w->ledger, xstrdup(A), w->now - HOUR, false);
	assert_true(w->ledger.generation > generation);
	ledger_add_tracked(&w->ledger, xstrdup(A), w->now - WEEK, false);
	assert_int_equal(w->ledger.tracked.count, 1);
	assert_nsec_equal(w->ledger.tracked.items[0].last_used, w->now - HOUR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_steps_of_builds_get_no_entry),
		world_test(test_a_base_that_lost_its_tag_keeps_its_entry),
		world_test(test_a_step_listed_before_its_child_loses_its_entry),
		world_test(test_reconcile_drops_steps),
		world_test(test_b29_what_had_a_name_is_no_step),
		world_test(test_b7_a_moved_tag_takes_no_history_along),
		world_test(test_names_follow_the_image),
		world_test(test_b9_a_tracked_reference_manages_what_arrives),
		world_test(test_b9_tracked_by_digest),
		world_test(test_tracked_twice_is_one_with_the_later_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
