/* SPDX-License-Identifier: Apache-2.0 */
/* B21, B23, B24 where the limit is what is free on the engine's file system. */
#include "test.h"

#include "core/policy.h"

/* Four images of a gigabyte each, the oldest is a. 10 of 100 GB shall be free. */
static int setup(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct world *w;

	world_setup(state);
	w = *state;
	w->policy.min_free_space.bytes = 10 * GB;
	w->usage.space = (struct space){ .known = true, .total = 100 * GB, .free = 10 * GB };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		world_add(w, .name = names[i], .tags = names[i], .size = GB,
			.idle = (nsec_t)(ARRAY_SIZE(names) - i) * DAY);
	return 0;
}

#define space_test(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

static void test_b24_enough_is_enough(void **state)
{
	struct world *w = *state;

	assert_plan(w, "a=within-limits b=within-limits c=within-limits d=within-limits");
	assert_false(w->plan.low_space);
	assert_int_equal(w->plan.missing_space, 0);
}

static void test_b24_until_enough_is_free(void **state)
{
	struct world *w = *state;

	/* The engine's own measure is not needed for it. */
	w->usage.space.free -= 1;
	assert_plan(w, "a=low-space b=within-limits c=within-limits d=within-limits");
	w->usage.space.free = 8 * GB;
	assert_plan(w, "a=low-space b=low-space c=within-limits d=within-limits");
	w->usage.space.free -= 1;
	assert_plan(w, "a=low-space b=low-space c=low-space d=within-limits");
	assert_true(w->plan.low_space);
	assert_int_equal(w->plan.free, 8 * GB - 1);
	assert_int_equal(w->plan.limits.min_free_space, 10 * GB);
	assert_int_equal(w->plan.missing_space, 0);
}

static void test_percentages_are_of_the_file_system(void **state)
{
	struct world *w = *state;

	w->policy.min_free_space = (struct amount){ .share = 1150 };
	assert_plan(w, "a=low-space b=low-space c=within-limits d=within-limits");
	assert_int_equal(w->plan.limits.min_free_space, 11500 * MB);
	w->policy.max_total_size = (struct amount){ .share = 5000 };
	world_measure(w, 53 * GB);
	assert_plan(w, "a=over-size b=over-size c=over-size d=within-limits");
	assert_int_equal(w->plan.limits.target_total_size, 50 * GB);
}

static void test_a_file_system_that_is_not_known_takes_no_image(void **state)
{
	struct world *w = *state;

	w->usage.space = (struct space){};
	w->policy.max_total_size = (struct amount){ .share = 1 };
	world_measure(w, 100 * GB);
	assert_plan(w, "a=within-limits b=within-limits c=within-limits d=within-limits");
	assert_false(w->plan.low_space);
	assert_false(w->plan.over_size);
	/* One limit's ignorance does not stop the others. */
	w->policy.max_unused = 2 * DAY;
	assert_plan(w, "a=unused b=unused c=within-limits d=within-limits");
}

static void test_b21_dangling_ones_first(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "e", .digests = "repo@e", .size = GB, .idle = 2 * HOUR);
	w->usage.space.free = 9 * GB;
	assert_plan(w,
		"e=low-space a=within-limits b=within-limits c=within-limits "
		"d=within-limits");
}

static void test_b22_what_goes_by_age_and_size_counts(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = 3 * DAY + HOUR;
	world_limit(w, 10 * GB);
	world_measure(w, 11 * GB + 1);
	w->usage.space.free = 7 * GB;
	assert_plan(w, "a=unused b=over-size c=low-space d=within-limits");
}

static void test_b23_still_low_with_nothing_left_to_remove(void **state)
{
	struct world *w = *state;

	w->usage.space.free = 5 * GB;
	world_run(w, "1", "b");
	assert_plan(w, "a=low-space b=in-use c=low-space d=low-space");
	assert_int_equal(w->plan.missing_space, 2 * GB);
	assert_int_equal(w->plan.missing, 0);
}

static void test_b23_grace_beats_low_space(void **state)
{
	struct world *w = *state;

	w->policy.grace = 4 * DAY + HOUR;
	w->usage.space.free = 0;
	assert_plan(w, "a=grace b=grace c=grace d=grace");
}

static void test_huge_figures_do_not_wrap(void **state)
{
	struct world *w = *state;

	world_image(w, "a")->size = UINT64_MAX;
	w->usage.space = (struct space){ .known = true, .total = UINT64_MAX, .free = 1 };
	w->policy.min_free_space = (struct amount){ .share = AMOUNT_ALL };
	assert_plan(w, "a=low-space b=within-limits c=within-limits d=within-limits");
	assert_int_equal(w->plan.limits.min_free_space, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		space_test(test_b24_enough_is_enough),
		space_test(test_b24_until_enough_is_free),
		space_test(test_percentages_are_of_the_file_system),
		space_test(test_a_file_system_that_is_not_known_takes_no_image),
		space_test(test_b21_dangling_ones_first),
		space_test(test_b22_what_goes_by_age_and_size_counts),
		space_test(test_b23_still_low_with_nothing_left_to_remove),
		space_test(test_b23_grace_beats_low_space),
		space_test(test_huge_figures_do_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
