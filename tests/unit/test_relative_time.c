/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/relative_time.h"

#define NOW ((nsec_t)1800000000 * NSEC_PER_SEC)

static void assert_said(nsec_t time, nsec_t now, const char *expected)
{
	char buffer[FORMAT_MAX];

	assert_string_equal(format_relative_time(time, now, buffer), expected);
}

static void test_each_unit_up_to_two_of_the_next(void **state)
{
	static const struct {
		nsec_t distance;
		const char *said;
	} cases[] = {
		{ 0, "now" },
		{ NSEC_PER_SEC, "1 second ago" },
		{ 119 * NSEC_PER_SEC, "119 seconds ago" },
		{ 2 * MINUTE, "2 minutes ago" },
		{ 2 * HOUR - 1, "119 minutes ago" },
		{ 3 * HOUR, "3 hours ago" },
		{ 2 * DAY - 1, "47 hours ago" },
		{ 13 * DAY, "13 days ago" },
		{ 14 * DAY, "2 weeks ago" },
		{ 60 * DAY, "2 months ago" },
		{ 730 * DAY, "2 years ago" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_said(NOW - cases[i].distance, NOW, cases[i].said);
}

static void test_what_comes(void **state)
{
	/* Asked for a moment ago. */
	assert_said(NOW + 2 * HOUR - 1, NOW, "in 2 hours");
	assert_said(NOW + 1, NOW, "in 1 second");
	assert_said(NOW + 90 * MINUTE - 1, NOW, "in 90 minutes");
}

static void test_the_ends_of_time(void **state)
{
	assert_said(NSEC_MAX, INT64_MIN, "in 584 years");
	assert_said(INT64_MIN, NSEC_MAX, "584 years ago");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_unit_up_to_two_of_the_next),
		cmocka_unit_test(test_what_comes),
		cmocka_unit_test(test_the_ends_of_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
