/* SPDX-License-Identifier: Apache-2.0 */
/* B24, B27: as much as is needed, never one image more. */
#include "test.h"

#include "core/policy.h"

/* Four images of a gigabyte each, the oldest is a. More than 10 GB is too much. */
static int setup(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct world *w;

	world_setup(state);
	w = *state;
	world_limit(w, 10 * GB);
	world_target(w, 8 * GB);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		world_add(w, .name = names[i], .tags = names[i], .size = GB,
			.idle = (nsec_t)(ARRAY_SIZE(names) - i) * DAY);
	return 0;
}

#define size_test(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

static void test_b24_at_the_limit_is_not_above_it(void **state)
{
	struct world *w = *state;

	world_measure(w, 10 * GB);
	assert_plan(w, "a=within-limits b=within-limits c=within-limits d=within-limits");
	assert_false(w->plan.over_size);
	assert_int_equal(w->plan.removals, 0);
	assert_int_equal(w->plan.missing, 0);
}

static void test_b24_from_above_the_limit_down_to_the_target(void **state)
{
	struct world *w = *state;

	world_measure(w, 10 * GB + 1);
	/* 2 GB + 1 byte: the first two cannot free that, so the third is needed too. */
	assert_plan(w, "a=over-size b=over-size c=over-size d=within-limits");
	assert_true(w->plan.over_size);
	assert_int_equal(w->plan.before, 10 * GB + 1);
	assert_int_equal(w->plan.limits.target_total_size, 8 * GB);
	assert_int_equal(w->plan.removals, 3);
	assert_int_equal(w->plan.missing, 0);
}

static void test_b24_stops_at_the_target_exactly(void **state)
{
	struct world *w = *state;

	world_target(w, 9 * GB);
	world_measure(w, 11 * GB);
	assert_plan(w, "a=over-size b=over-size c=within-limits d=within-limits");
}

static void test_b24_never_one_more_than_the_upper_bounds_allow(void **state)
{
	struct world *w = *state;

	/* a could free it all; that it shares most of it shows only when it is gone. */
	world_image(w, "a")->size = 5 * GB;
	world_measure(w, 12 * GB);
	assert_plan(w, "a=over-size b=within-limits c=within-limits d=within-limits");
	assert_int_equal(w->plan.items[0].reclaims.upper, 5 * GB);
	assert_int_equal(w->plan.items[0].reclaims.lower, 0);
	assert_int_equal(w->plan.reclaims.upper, 5 * GB);
	assert_int_equal(w->plan.reclaims.lower, 0);
}

/* Removes what the plan says, as the cycle does; true if there was anything. */
static bool carry_out(struct world *w)
{
	_cleanup_strings_ struct strings ids = {};

	for (size_t i = 0; i < w->plan.count; i++)
		if (reason_removes(w->plan.items[i].reason))
			strings_add(&ids, w->plan.items[i].image->id);
	for (size_t i = 0; i < ids.count; i++) {
		inventory_remove_image(&w->inventory, ids.items[i]);
		ledger_remove(&w->ledger, ids.items[i]);
		w->progress.removed++;
	}
	w->progress.over_size = w->plan.over_size;
	return ids.count > 0;
}

static void test_b27_rounds_go_on_from_the_limit_to_the_target(void **state)
{
	struct world *w = *state;

	world_image(w, "a")->size = 5 * GB;
	world_measure(w, 12 * GB);
	assert_plan(w, "a=over-size b=within-limits c=within-limits d=within-limits");
	assert_true(carry_out(w));
	/* It freed little: below the limit, but a collection goes on to the target. */
	world_measure(w, 9500 * MB);
	assert_plan(w, "b=over-size c=over-size d=within-limits");
	assert_true(carry_out(w));
	world_measure(w, 8 * GB);
	assert_plan(w, "d=within-limits");
	assert_true(w->plan.over_size);
	assert_false(carry_out(w));
	/* The next collection starts with a clean slate. */
	w->progress = (struct progress){};
	world_measure(w, 9 * GB);
	assert_plan(w, "d=within-limits");
	assert_false(w->plan.over_size);
}

static void test_b27_max_removals_holds_over_all_rounds(void **state)
{
	struct world *w = *state;

	w->policy.max_removals = 2;
	world_image(w, "a")->size = 5 * GB;
	world_measure(w, 12 * GB);
	assert_plan(w, "a=over-size b=within-limits c=within-limits d=within-limits");
	assert_false(w->plan.capped);
	carry_out(w);
	world_measure(w, 11 * GB);
	assert_plan(w, "b=over-size c=within-limits d=within-limits");
	assert_true(w->plan.capped);
}

static void test_b24_what_goes_by_age_counts(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = 3 * DAY + HOUR;
	world_measure(w, 11 * GB);
	assert_plan(w, "a=unused b=over-size c=over-size d=within-limits");
	/* Age does not stop at the target. */
	world_image(w, "a")->size = 50 * GB;
	w->policy.max_unused = 2 * DAY + HOUR;
	assert_plan(w, "a=unused b=unused c=within-limits d=within-limits");
}

static void test_b24_what_must_stay_is_passed_over(void **state)
{
	struct world *w = *state;

	world_run(w, "1", "a");
	world_image(w, "b")->failed = true;
	world_measure(w, 10 * GB + 1);
	assert_plan(w, "a=in-use b=failed c=over-size d=over-size");
}

static void test_b23_still_over_with_nothing_left_to_remove(void **state)
{
	struct world *w = *state;

	world_measure(w, 15 * GB);
	assert_plan(w, "a=over-size b=over-size c=over-size d=over-size");
	assert_int_equal(w->plan.missing, 3 * GB);
	world_run(w, "1", "a");
	world_run(w, "2", "b");
	world_run(w, "3", "c");
	world_run(w, "4", "d");
	assert_plan(w, "a=in-use b=in-use c=in-use d=in-use");
	assert_int_equal(w->plan.missing, 7 * GB);
	assert_int_equal(w->plan.removals, 0);
	assert_int_equal(w->plan.reasons[REASON_IN_USE], 4);
}

static void test_b24_huge_figures_do_not_wrap(void **state)
{
	struct world *w = *state;

	world_limit(w, INT64_MAX - 1);
	world_image(w, "a")->size = INT64_MAX;
	world_image(w, "b")->size = INT64_MAX;
	world_measure(w, INT64_MAX);
	assert_plan(w, "a=over-size b=within-limits c=within-limits d=within-limits");
	assert_int_equal(w->plan.missing, 0);
}

static void test_b24_what_goes_by_age_does_not_wrap_either(void **state)
{
	struct world *w = *state;

	/* An engine that talks nonsense must not make us remove what is within limits. */
	w->policy.max_unused = HOUR;
	world_limit(w, 8 * GB);
	world_image(w, "a")->size = UINT64_MAX - 8 * GB;
	world_image(w, "b")->size = 8 * GB;
	world_add(w, .name = "e", .tags = "e", .size = GB, .idle = HOUR);
	world_measure(w, 100 * GB);
	assert_plan(w, "a=unused b=unused c=unused d=unused e=within-limits");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		size_test(test_b24_at_the_limit_is_not_above_it),
		size_test(test_b24_from_above_the_limit_down_to_the_target),
		size_test(test_b24_stops_at_the_target_exactly),
		size_test(test_b24_never_one_more_than_the_upper_bounds_allow),
		size_test(test_b27_rounds_go_on_from_the_limit_to_the_target),
		size_test(test_b27_max_removals_holds_over_all_rounds),
		size_test(test_b24_what_goes_by_age_counts),
		size_test(test_b24_what_must_stay_is_passed_over),
		size_test(test_b23_still_over_with_nothing_left_to_remove),
		size_test(test_b24_huge_figures_do_not_wrap),
		size_test(test_b24_what_goes_by_age_does_not_wrap_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
