/* SPDX-License-Identifier: Apache-2.0 */
/* B8, B21: who goes before whom. */
#include "test.h"

#include "core/policy.h"

/* Over the limit by far: all that may go goes. */
static int setup(void **state)
{
	struct world *w;

	world_setup(state);
	w = *state;
	world_limit(w, 1);
	world_measure(w, 1000 * GB);
	return 0;
}

#define order_test(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

static void test_b21_least_recently_used_first(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = 2 * DAY);
	world_add(w, .name = "b", .tags = "b", .idle = 3 * DAY);
	world_add(w, .name = "c", .tags = "c", .idle = DAY);
	assert_plan(w, "b=over-size a=over-size c=over-size");
}

static void test_b21_ties_by_id(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "c", .tags = "x", .idle = DAY);
	world_add(w, .name = "a", .tags = "z", .idle = DAY);
	world_add(w, .name = "b", .tags = "y", .idle = DAY);
	assert_plan(w, "a=over-size b=over-size c=over-size");
}

static void test_b21_child_before_parent(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = DAY);
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .parent = "a");
	world_add(w, .name = "c", .tags = "c", .idle = DAY, .parent = "b");
	assert_plan(w, "c=over-size b=over-size a=over-size");
}

static void test_b21_child_before_base_by_layers(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = DAY, .layers = "1");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .layers = "1 2");
	world_add(w, .name = "c", .tags = "c", .idle = DAY, .layers = "1 2 3");
	assert_plan(w, "c=over-size b=over-size a=over-size");
}

static void test_b21_equal_layers_and_a_parent(void **state)
{
	struct world *w = *state;

	/* The child only changed metadata, as LABEL or CMD do. */
	world_add(w, .name = "a", .tags = "a", .idle = DAY, .layers = "1");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .layers = "1", .parent = "a");
	assert_plan(w, "b=over-size a=over-size");
}

static void test_b21_equal_layers_alone_make_no_child(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = DAY, .layers = "1 2");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .layers = "1 2");
	assert_plan(w, "a=over-size b=over-size");
}

static void test_b21_two_children_before_their_base(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = WEEK, .layers = "1");
	world_add(w, .name = "b", .tags = "b", .idle = 2 * DAY, .layers = "1 2");
	world_add(w, .name = "c", .tags = "c", .idle = DAY, .layers = "1 3");
	assert_plan(w, "b=over-size c=over-size a=over-size");
}

static void test_b8_a_base_is_as_recently_used_as_what_is_built_on_it(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = 4 * WEEK, .layers = "1");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .layers = "1 2 3");
	world_add(w, .name = "c", .tags = "c", .idle = WEEK);
	assert_plan(w, "c=over-size b=over-size a=over-size");
	assert_nsec_equal(w->plan.items[2].last_used, w->now - DAY);
	assert_nsec_equal(w->plan.items[2].unused, DAY);
}

static void test_b8_protects_by_age_and_by_grace(void **state)
{
	struct world *w = *state;

	world_limit(w, 0);
	w->policy.max_unused = WEEK;
	world_add(w, .name = "a", .tags = "a", .idle = 4 * WEEK, .layers = "1");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .layers = "1 2", .origin = "built");
	assert_plan(w, "b=unmanaged a=has-children");
	assert_false(w->plan.items[1].expired);
	ledger_touch(&w->ledger, world_id("b"), w->now, w->now);
	assert_plan(w, "b=unmanaged a=grace");
}

static void test_b8_equal_layers_are_no_proper_prefix(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = WEEK, .layers = "1 2");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .layers = "1 2");
	assert_plan(w, "a=over-size b=over-size");
	assert_nsec_equal(w->plan.items[0].last_used, w->now - WEEK);
}

static void test_b8_no_layers_are_nobodys_prefix(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = WEEK, .layers = "");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .layers = "1");
	assert_plan(w, "a=over-size b=over-size");
	assert_nsec_equal(w->plan.items[0].last_used, w->now - WEEK);
}

static void test_b8_layers_must_be_a_prefix(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = WEEK, .layers = "2");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .layers = "1 2 3");
	assert_plan(w, "a=over-size b=over-size");
}

static void test_b8_a_use_goes_down_a_mixed_line(void **state)
{
	struct world *w = *state;

	/* c was built on b (parent), its layers are not known; b on a (layers alone). */
	world_add(w, .name = "a", .tags = "a", .idle = 4 * WEEK, .layers = "1");
	world_add(w, .name = "b", .tags = "b", .idle = 3 * WEEK, .layers = "1 2");
	world_add(w, .name = "c", .tags = "c", .idle = DAY, .parent = "b");
	world_add(w, .name = "d", .tags = "d", .idle = WEEK);
	assert_plan(w, "d=over-size c=over-size b=over-size a=over-size");
}

static void test_b21_steps_without_known_layers_keep_the_order(void **state)
{
	struct world *w = *state;

	/* A classic build of c from b, which BuildKit built from a. All as old as c. */
	world_add(w, .name = "a", .tags = "a", .idle = DAY, .layers = "1");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .layers = "1 2");
	world_add(w, .name = "step", .origin = "none", .parent = "b", .created = w->now - DAY);
	world_add(w, .name = "c", .tags = "c", .idle = DAY, .layers = "1 2 3", .parent = "step");
	assert_plan(w, "c=over-size b=over-size a=over-size");
}

static void test_b21_dangling_first_under_size_pressure(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = WEEK);
	world_add(w, .name = "b", .idle = DAY);
	world_add(w, .name = "c", .idle = 2 * DAY);
	assert_plan(w, "c=over-size b=over-size a=over-size");
}

static void test_b21_dangling_are_not_first_otherwise(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = 3 * DAY;
	world_measure(w, 1);
	world_add(w, .name = "a", .tags = "a", .idle = 2 * DAY);
	world_add(w, .name = "b", .idle = DAY);
	assert_plan(w, "a=within-limits b=within-limits");
	w->policy.max_unused = HOUR;
	assert_plan(w, "a=unused b=unused");
}

static void test_b21_the_expired_go_before_the_dangling(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = WEEK;
	world_add(w, .name = "a", .tags = "a", .idle = 2 * WEEK);
	world_add(w, .name = "b", .idle = DAY);
	assert_plan(w, "a=unused b=over-size");
}

static void test_b21_a_dangling_base_after_what_is_built_on_it(void **state)
{
	struct world *w = *state;

	/* Yesterday's latest, on which another image was built without a parent field. */
	world_add(w, .name = "a", .idle = WEEK, .layers = "1");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .layers = "1 2");
	assert_plan(w, "b=over-size a=over-size");
}

static void test_b21_an_expired_base_after_what_is_built_on_it(void **state)
{
	struct world *w = *state;
	struct rule *rule = world_rule(w, "b");

	/* The child may stay longer, but is over the size. */
	w->policy.max_unused = DAY;
	rule->has_max_unused = true;
	rule->max_unused = 4 * WEEK;
	world_add(w, .name = "a", .tags = "a", .idle = WEEK, .layers = "1");
	world_add(w, .name = "b", .tags = "b", .idle = WEEK, .layers = "1 2");
	assert_plan(w, "b=over-size a=unused");
}

static void test_a_base_stays_if_one_of_its_children_does(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = WEEK, .layers = "1");
	world_add(w, .name = "b", .tags = "b", .idle = WEEK, .layers = "1 2");
	world_add(w, .name = "c", .tags = "c", .idle = WEEK, .layers = "1 3", .origin = "built");
	assert_plan(w, "b=over-size c=unmanaged a=has-children");
	world_add(w, .name = "d", .tags = "d", .idle = WEEK);
	world_add(w, .name = "e", .tags = "e", .idle = WEEK, .parent = "d");
	world_image(w, "e")->failed = true;
	assert_plan(w, "b=over-size c=unmanaged e=failed a=has-children d=has-children");
}

static void test_steps_of_builds_have_no_verdict_and_hold_their_base(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = DAY, .layers = "1");
	world_add(w, .name = "s1", .origin = "none", .parent = "a", .layers = "1 2",
		.created = w->now - DAY);
	world_add(w, .name = "s2", .origin = "none", .parent = "s1", .layers = "1 2 3",
		.created = w->now - DAY);
	world_add(w, .name = "z", .tags = "z", .idle = DAY, .parent = "s2", .layers = "1 2 3 4");
	/* The steps go along with z, so that nothing is left on a. */
	assert_plan(w, "z=over-size a=over-size");
	/* Where they may not go along, a stays. */
	world_image(w, "s1")->created = w->ledger.met - 1;
	assert_plan(w, "z=over-size a=has-children");
}

static void test_b6_a_step_that_a_container_holds_does_not_go_along(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = DAY);
	world_add(w, .name = "step", .origin = "none", .parent = "a", .created = w->now - DAY);
	world_add(w, .name = "z", .tags = "z", .idle = DAY, .parent = "step");
	world_run(w, "debugging", "step");
	assert_plan(w, "z=over-size a=has-children");
}

static void test_what_was_first_seen_within_grace_stays(void **state)
{
	struct world *w = *state;

	/* Asked for a month ago, there since just now; what is built on it was used earlier. */
	ledger_add_tracked(
		&w->ledger, xstrdup("docker.io/library/a:latest"), w->now - 4 * WEEK, true);
	world_add(w, .name = "b", .tags = "b", .idle = 2 * HOUR, .layers = "1 2");
	world_add(w, .name = "a", .tags = "a", .origin = "none", .layers = "1");
	ledger_add(&w->ledger, world_id("a"), ORIGIN_PULLED, w->now);
	world_sync(w, "a");
	assert_plan(w, "b=over-size a=grace");
}

static void test_b21_the_same_input_gives_the_same_plan(void **state)
{
	struct world *w = *state, *other;
	_cleanup_free_ char *forwards = NULL, *backwards = NULL;
	char name[2] = {}, tag[2] = {};
	void *other_state;

	setup(&other_state);
	other = other_state;
	for (int i = 0; i < 26; i++) {
		name[0] = tag[0] = (char)('a' + i);
		world_add(w, .name = name, .tags = tag, .idle = (i % 3 + 1) * DAY);
		name[0] = tag[0] = (char)('z' - i);
		world_add(other, .name = name, .tags = tag, .idle = ((25 - i) % 3 + 1) * DAY);
	}
	forwards = world_plan(w);
	backwards = world_plan(other);
	assert_string_equal(forwards, backwards);
	assert_plan(w, forwards);
	world_teardown(&other_state);
}

static void test_a_circle_of_parents_ends(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = DAY, .parent = "b");
	world_add(w, .name = "b", .tags = "b", .idle = DAY, .parent = "a");
	world_add(w, .name = "c", .origin = "none", .parent = "d");
	world_add(w, .name = "d", .origin = "none", .parent = "c");
	world_add(w, .name = "e", .tags = "e", .idle = DAY, .parent = "d");
	world_add(w, .name = "f", .tags = "f", .idle = DAY, .parent = "f");
	free(world_plan(w));
	assert_int_equal(w->plan.count, 4);
	assert_int_equal(w->plan.removals, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		order_test(test_b21_least_recently_used_first),
		order_test(test_b21_ties_by_id),
		order_test(test_b21_child_before_parent),
		order_test(test_b21_child_before_base_by_layers),
		order_test(test_b21_equal_layers_and_a_parent),
		order_test(test_b21_equal_layers_alone_make_no_child),
		order_test(test_b21_two_children_before_their_base),
		order_test(test_b8_a_base_is_as_recently_used_as_what_is_built_on_it),
		order_test(test_b8_protects_by_age_and_by_grace),
		order_test(test_b8_equal_layers_are_no_proper_prefix),
		order_test(test_b8_no_layers_are_nobodys_prefix),
		order_test(test_b8_layers_must_be_a_prefix),
		order_test(test_b8_a_use_goes_down_a_mixed_line),
		order_test(test_b21_steps_without_known_layers_keep_the_order),
		order_test(test_b21_dangling_first_under_size_pressure),
		order_test(test_b21_dangling_are_not_first_otherwise),
		order_test(test_b21_the_expired_go_before_the_dangling),
		order_test(test_b21_a_dangling_base_after_what_is_built_on_it),
		order_test(test_b21_an_expired_base_after_what_is_built_on_it),
		order_test(test_a_base_stays_if_one_of_its_children_does),
		order_test(test_steps_of_builds_have_no_verdict_and_hold_their_base),
		order_test(test_b6_a_step_that_a_container_holds_does_not_go_along),
		order_test(test_what_was_first_seen_within_grace_stays),
		order_test(test_b21_the_same_input_gives_the_same_plan),
		order_test(test_a_circle_of_parents_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
