/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/ledger.h"

#include <errno.h>

/* An image that no entry knows, as a list would show it. */
#define list_image(world, ...) world_add(world, .origin = "none", __VA_ARGS__)

static void test_origins_have_names(void **state)
{
	static const char *const names[] = { "existing", "pulled", "built", "loaded" };

	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++) {
		enum origin back = ORIGIN_COUNT;

		assert_string_equal(origin_name(origin), names[origin]);
		assert_int_equal(origin_parse(names[origin], &back), 0);
		assert_int_equal(back, origin);
	}
}

static void test_origins_malformed(void **state)
{
	static const char *const wrong[] = { "", "Pulled", "pulled ", "pull", "imported" };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		enum origin origin = ORIGIN_LOADED;

		assert_int_equal(origin_parse(wrong[i], &origin), -EINVAL);
		assert_int_equal(origin, ORIGIN_LOADED);
	}
}

static void test_add_counts_as_use(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = ledger_add(&w->ledger, "x", ORIGIN_LOADED, w->now);

	assert_ptr_equal(ledger_find(&w->ledger, "x"), entry);
	assert_int_equal(entry->origin, ORIGIN_LOADED);
	assert_nsec_equal(entry->first_seen, w->now);
	assert_nsec_equal(entry->last_used, w->now);
	assert_false(entry->tracked);
	assert_false(entry->forgotten);
	assert_false(entry->inferred);
}

static void test_remove(void **state)
{
	struct world *w = *state;

	ledger_add(&w->ledger, "x", ORIGIN_PULLED, w->now);
	ledger_remove(&w->ledger, "x");
	ledger_remove(&w->ledger, "x");
	assert_null(ledger_find(&w->ledger, "x"));
}

static void test_b4_last_used_never_goes_down(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = ledger_add(&w->ledger, "x", ORIGIN_PULLED, w->now - DAY);

	ledger_touch(&w->ledger, "x", w->now - HOUR, w->now);
	assert_nsec_equal(entry->last_used, w->now - HOUR);
	ledger_touch(&w->ledger, "x", w->now - 2 * HOUR, w->now);
	ledger_touch(&w->ledger, "x", 0, w->now);
	assert_nsec_equal(entry->last_used, w->now - HOUR);
	assert_nsec_equal(entry->first_seen, w->now - DAY);
}

static void test_b4_the_future_is_now(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = ledger_add(&w->ledger, "x", ORIGIN_PULLED, w->now - DAY);

	ledger_touch(&w->ledger, "x", NSEC_MAX, w->now);
	assert_nsec_equal(entry->last_used, w->now);
}

static void test_touching_the_unknown_does_nothing(void **state)
{
	struct world *w = *state;
	uint64_t generation = w->ledger.generation;

	ledger_touch(&w->ledger, "nobody", w->now, w->now);
	assert_null(w->ledger.entries);
	assert_int_equal(w->ledger.generation, generation);
}

static void test_b14_what_the_first_meeting_finds_is_existing(void **state)
{
	struct world *w = *state;

	w->ledger.met = 0;
	list_image(w, .name = "x", .tags = "a", .digests = "a@1", .created = w->now - WEEK);
	list_image(w, .name = "y");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	assert_int_equal(world_entry(w, "x")->origin, ORIGIN_EXISTING);
	assert_int_equal(world_entry(w, "y")->origin, ORIGIN_EXISTING);
	/* It was made a week ago, but that is no use of it. */
	assert_nsec_equal(world_entry(w, "x")->last_used, w->now);
	assert_nsec_equal(w->ledger.met, w->now);
}

static void test_b14_an_engine_met_without_images_was_met(void **state)
{
	struct world *w = *state;

	w->ledger.met = 0;
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	list_image(w, .name = "x", .tags = "a", .digests = "a@1");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now + HOUR);
	assert_int_equal(world_entry(w, "x")->origin, ORIGIN_PULLED);
}

static void test_b14_a_new_image_without_event_is_told_by_its_digests(void **state)
{
	struct world *w = *state;

	list_image(w, .name = "x", .tags = "a", .digests = "a@1", .created = w->now - WEEK);
	list_image(w, .name = "y", .tags = "b");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	assert_int_equal(world_entry(w, "x")->origin, ORIGIN_PULLED);
	assert_int_equal(world_entry(w, "y")->origin, ORIGIN_BUILT);
	assert_true(world_entry(w, "x")->inferred);
	assert_nsec_equal(world_entry(w, "x")->last_used, w->now);
}

static void test_b14_digests_prove_nothing_on_a_containerd_store(void **state)
{
	struct world *w = *state;

	list_image(w, .name = "x", .tags = "a", .digests = "a@1");
	ledger_reconcile(&w->ledger, &w->inventory, false, w->now);
	assert_int_equal(world_entry(w, "x")->origin, ORIGIN_BUILT);
}

static void test_the_event_after_the_list_tells_the_origin(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry;

	list_image(w, .name = "x", .tags = "a");
	ledger_reconcile(&w->ledger, &w->inventory, false, w->now);
	entry = world_entry(w, "x");
	ledger_learn_origin(&w->ledger, entry, ORIGIN_PULLED, w->now + NSEC_PER_SEC);
	assert_int_equal(entry->origin, ORIGIN_PULLED);
	assert_false(entry->inferred);
	/* Told once, told for good. */
	ledger_learn_origin(&w->ledger, entry, ORIGIN_LOADED, w->now + NSEC_PER_SEC);
	assert_int_equal(entry->origin, ORIGIN_PULLED);
}

static void test_a_replayed_event_tells_the_origin(void **state)
{
	struct world *w = *state;

	list_image(w, .name = "x", .tags = "a");
	ledger_reconcile(&w->ledger, &w->inventory, false, w->now);
	ledger_learn_origin(&w->ledger, world_entry(w, "x"), ORIGIN_LOADED, w->now - HOUR);
	assert_int_equal(world_entry(w, "x")->origin, ORIGIN_LOADED);
}

static void test_later_events_do_not_change_the_origin(void **state)
{
	struct world *w = *state;

	list_image(w, .name = "x", .tags = "a");
	ledger_reconcile(&w->ledger, &w->inventory, false, w->now);
	ledger_learn_origin(&w->ledger, world_entry(w, "x"), ORIGIN_PULLED, w->now + HOUR);
	assert_int_equal(world_entry(w, "x")->origin, ORIGIN_BUILT);
	/* Nor those of what was there before us. */
	world_add(w, .name = "y", .origin = "existing");
	ledger_learn_origin(&w->ledger, world_entry(w, "y"), ORIGIN_PULLED, w->now);
	assert_int_equal(world_entry(w, "y")->origin, ORIGIN_EXISTING);
}

static void test_b18_reconcile_drops_what_is_gone(void **state)
{
	struct world *w = *state;
	uint64_t generation;

	world_add(w, .name = "x", .tags = "a", .idle = DAY);
	world_add(w, .name = "y", .tags = "b", .idle = DAY);
	inventory_remove_image(&w->inventory, world_id("x"));
	generation = w->ledger.generation;
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	assert_null(ledger_find(&w->ledger, world_id("x")));
	assert_nsec_equal(world_entry(w, "y")->last_used, w->now - DAY);
	assert_true(w->ledger.generation > generation);

	inventory_clear(&w->inventory);
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	assert_null(w->ledger.entries);
}

static void test_b6_reconcile_stamps_what_a_container_holds(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "x", .tags = "a", .idle = DAY);
	world_add(w, .name = "y", .tags = "b", .idle = DAY);
	world_run(w, "c", "x");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	assert_nsec_equal(world_entry(w, "x")->last_used, w->now);
	assert_nsec_equal(world_entry(w, "y")->last_used, w->now - DAY);
}

static void test_foreign_if_no_known_image_is_there(void **state)
{
	struct world *w = *state;

	assert_false(ledger_is_foreign(&w->ledger, &w->inventory));
	list_image(w, .name = "x");
	assert_false(ledger_is_foreign(&w->ledger, &w->inventory));
	ledger_add(&w->ledger, world_id("y"), ORIGIN_PULLED, w->now);
	assert_true(ledger_is_foreign(&w->ledger, &w->inventory));
	ledger_add(&w->ledger, world_id("x"), ORIGIN_PULLED, w->now);
	assert_false(ledger_is_foreign(&w->ledger, &w->inventory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_origins_have_names),
		cmocka_unit_test(test_origins_malformed),
		world_test(test_add_counts_as_use),
		world_test(test_remove),
		world_test(test_b4_last_used_never_goes_down),
		world_test(test_b4_the_future_is_now),
		world_test(test_touching_the_unknown_does_nothing),
		world_test(test_b14_what_the_first_meeting_finds_is_existing),
		world_test(test_b14_an_engine_met_without_images_was_met),
		world_test(test_b14_a_new_image_without_event_is_told_by_its_digests),
		world_test(test_b14_digests_prove_nothing_on_a_containerd_store),
		world_test(test_the_event_after_the_list_tells_the_origin),
		world_test(test_a_replayed_event_tells_the_origin),
		world_test(test_later_events_do_not_change_the_origin),
		world_test(test_b18_reconcile_drops_what_is_gone),
		world_test(test_b6_reconcile_stamps_what_a_container_holds),
		world_test(test_foreign_if_no_known_image_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
