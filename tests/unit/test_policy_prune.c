/* SPDX-License-Identifier: Apache-2.0 */
/* B29: whether an image's nameless ancestors may go along with it. */
#include "test.h"

#include "core/policy.h"

/* x, built in two steps from base, all in our time. */
static int setup(void **state)
{
	struct world *w;

	world_setup(state);
	w = *state;
	world_add(w, .name = "base", .tags = "base", .idle = WEEK);
	world_add(w, .name = "s1", .origin = "none", .parent = "base", .created = w->now - DAY);
	world_add(w, .name = "s2", .origin = "none", .parent = "s1", .created = w->now - DAY);
	world_add(w, .name = "x", .tags = "x", .parent = "s2", .idle = DAY);
	return 0;
}

#define prune_test(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

static bool may_prune(const struct world *w)
{
	return policy_may_prune(
		&w->policy, &w->inventory, &w->ledger, world_image(w, "x"), w->now, NULL);
}

/* s1 was an image with a name of its own, which has been untagged since. */
static struct ledger_entry *make_former_image(struct world *w, enum origin origin)
{
	struct ledger_entry *entry = ledger_add(&w->ledger, world_id("s1"), origin, w->now - WEEK);

	entry->named = true;
	return entry;
}

static void test_b29_without_ancestors_nothing_goes_along(void **state)
{
	struct world *w = *state;

	assert_true(policy_may_prune(
		&w->policy, &w->inventory, &w->ledger, world_image(w, "base"), w->now, NULL));
}

static void test_b29_steps_of_a_build_go_along(void **state)
{
	assert_true(may_prune(*state));
}

static void test_b29_steps_from_before_our_time_may_have_been_images(void **state)
{
	struct world *w = *state;

	world_image(w, "s1")->created = w->ledger.met - 1;
	assert_false(may_prune(w));
	world_image(w, "s1")->created = w->ledger.met;
	assert_true(may_prune(w));
	/* When it was made is not known. */
	world_image(w, "s1")->created = 0;
	assert_false(may_prune(w));
	world_image(w, "s1")->created = w->now;
	w->ledger.met = 0;
	assert_false(may_prune(w));
}

static void test_b29_a_managed_ancestor_goes_along(void **state)
{
	struct world *w = *state;

	make_former_image(w, ORIGIN_PULLED);
	assert_true(may_prune(w));
}

static void test_b29_a_managed_ancestor_within_grace_does_not(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = make_former_image(w, ORIGIN_PULLED);

	w->policy.grace = HOUR;
	entry->last_used = w->now - HOUR + 1;
	assert_false(may_prune(w));
	entry->last_used = w->now - HOUR;
	assert_true(may_prune(w));
}

static void test_b29_an_unmanaged_ancestor_does_not(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = make_former_image(w, ORIGIN_LOADED);

	assert_false(may_prune(w));
	entry->origin = ORIGIN_EXISTING;
	assert_false(may_prune(w));
	entry->tracked = true;
	assert_true(may_prune(w));
	entry->forgotten = true;
	assert_false(may_prune(w));
	/* A mere step that was listed for a moment. */
	entry->origin = ORIGIN_BUILT;
	entry->named = false;
	assert_true(may_prune(w));
}

static void test_b29_the_first_of_several_is_enough_to_stay(void **state)
{
	struct world *w = *state;

	make_former_image(w, ORIGIN_EXISTING);
	assert_false(may_prune(w));
	/* One with a name is where pruning stops: what is below is safe. */
	inventory_move_reference(
		&w->inventory, world_image(w, "s2"), "docker.io/library/s2:latest");
	assert_true(may_prune(w));
}

static void test_b29_kept_ancestors_do_not_go_along(void **state)
{
	struct world *w = *state;

	labels_add(&world_image(w, "s2")->labels, "dockergcd.keep", "");
	assert_false(may_prune(w));
	labels_finish(&world_image(w, "s2")->labels);
	assert_true(may_prune(w));
	world_rule(w, world_id("s2"))->keep = true;
	assert_false(may_prune(w));
}

static void test_b29_an_ancestor_out_of_sight_is_in_doubt(void **state)
{
	struct world *w = *state;

	inventory_remove_image(&w->inventory, world_id("s1"));
	assert_false(may_prune(w));
}

static void test_b29_a_circle_is_in_doubt(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "s1", .parent = "s2", .origin = "none", .created = w->now);
	assert_false(may_prune(w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		prune_test(test_b29_without_ancestors_nothing_goes_along),
		prune_test(test_b29_steps_of_a_build_go_along),
		prune_test(test_b29_steps_from_before_our_time_may_have_been_images),
		prune_test(test_b29_a_managed_ancestor_goes_along),
		prune_test(test_b29_a_managed_ancestor_within_grace_does_not),
		prune_test(test_b29_an_unmanaged_ancestor_does_not),
		prune_test(test_b29_the_first_of_several_is_enough_to_stay),
		prune_test(test_b29_kept_ancestors_do_not_go_along),
		prune_test(test_b29_an_ancestor_out_of_sight_is_in_doubt),
		prune_test(test_b29_a_circle_is_in_doubt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
