/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/removal_log.h"

static void add(struct removal_log *log, size_t number)
{
	struct logged_removal removal = {
		.time = (nsec_t)number,
		.id = xasprintf("%zu", number),
		.outcome = xstrdup("removed"),
	};

	strings_add(&removal.references, "a");
	removal_log_add(log, &removal);
	assert_null(removal.id); /* taken over */
}

static void test_the_last_ones_are_known_the_oldest_first(void **state)
{
	struct removal_log log = {};

	assert_int_equal(removal_log_length(&log), 0);
	for (size_t number = 0; number < 3 * REMOVAL_LOG_MAX + 7; number++) {
		size_t length = MIN(number + 1, (size_t)REMOVAL_LOG_MAX);

		add(&log, number);
		assert_int_equal(removal_log_length(&log), length);
		assert_nsec_equal(removal_log_get(&log, length - 1)->time, (nsec_t)number);
		assert_nsec_equal(removal_log_get(&log, 0)->time, (nsec_t)(number + 1 - length));
	}
	removal_log_finish(&log);
	assert_int_equal(removal_log_length(&log), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_last_ones_are_known_the_oldest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
