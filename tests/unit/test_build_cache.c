/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/build_cache.h"

static struct cache_record records[] = {
	{ .size = 100, .last_used = 10 },
	{ .size = 20, .last_used = 30 },
	{ .size = 3, .last_used = 20 },
};

/* What a build uses counts, and does not go. */
static void test_b6_in_use(void **state)
{
	struct cache_record used[] = { { .size = 100, .last_used = 1, .in_use = true },
		{ .size = 20, .last_used = 1 } };
	struct build_cache cache_in_use = { .known = true, .items = used, .count = 2 };
	struct cache_limits limits = { .max_unused = 1, .max_total_size = 90 };
	struct cache_plan plan = build_cache_plan(&cache_in_use, &limits, 40);

	assert_int_equal(plan.unused, 1);
	assert_int_equal(plan.unused_bytes, 20);
	assert_int_equal(plan.excess, 10);
}

static const struct build_cache cache = { .known = true, .items = records, .count = 3 };

static void check(const struct cache_limits *limits, size_t unused, uint64_t bytes, uint64_t excess)
{
	struct cache_plan plan = build_cache_plan(&cache, limits, 40);

	assert_int_equal(plan.unused, unused);
	assert_int_equal(plan.unused_bytes, bytes);
	assert_int_equal(plan.excess, excess);
}

static void test_without_limits_all_of_it_stays(void **state)
{
	check(&(struct cache_limits){}, 0, 0, 0);
}

static void test_by_age(void **state)
{
	check(&(struct cache_limits){ .max_unused = 30 }, 0, 0, 0);
	check(&(struct cache_limits){ .max_unused = 29 }, 1, 100, 0);
	check(&(struct cache_limits){ .max_unused = 1 }, 3, 123, 0);
}

static void test_by_size(void **state)
{
	check(&(struct cache_limits){ .max_total_size = 123 }, 0, 0, 0);
	check(&(struct cache_limits){ .max_total_size = 122 }, 0, 0, 1);
	/* What goes by age need not go by size as well. */
	check(&(struct cache_limits){ .max_unused = 29, .max_total_size = 23 }, 1, 100, 0);
	check(&(struct cache_limits){ .max_unused = 29, .max_total_size = 20 }, 1, 100, 3);
}

static void test_b25_what_is_not_known_stays(void **state)
{
	struct build_cache unknown = { .items = records, .count = 3 };
	struct cache_limits limits = { .max_unused = 1, .max_total_size = 1 };
	struct cache_plan plan = build_cache_plan(&unknown, &limits, 40);

	assert_int_equal(plan.unused, 0);
	assert_int_equal(plan.excess, 0);
}

static void test_finish_takes_the_empty(void **state)
{
	struct build_cache empty = {};

	build_cache_finish(&empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_limits_all_of_it_stays),
		cmocka_unit_test(test_by_age),
		cmocka_unit_test(test_by_size),
		cmocka_unit_test(test_b6_in_use),
		cmocka_unit_test(test_b25_what_is_not_known_stays),
		cmocka_unit_test(test_finish_takes_the_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
