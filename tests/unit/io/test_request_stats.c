/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/request_stats.h"

#include <errno.h>
#include <string.h>

static uint64_t count_of(const struct request_stats *stats, enum engine_request request, int code)
{
	for (size_t i = 0; i < stats->requests[request].codes.count; i++)
		if (stats->requests[request].codes.items[i].code == code)
			return stats->requests[request].codes.items[i].count;
	return 0;
}

static void test_b41_requests_are_counted_by_endpoint_and_code(void **state)
{
	_cleanup_(request_stats_finish) struct request_stats stats = {};

	request_stats_count(&stats, REQUEST_IMAGES, 200, 1);
	request_stats_count(&stats, REQUEST_IMAGES, 200, 1);
	request_stats_count(&stats, REQUEST_IMAGES, 500, 1);
	request_stats_count(&stats, REQUEST_IMAGE, 404, 1);
	assert_int_equal(count_of(&stats, REQUEST_IMAGES, 200), 2);
	assert_int_equal(count_of(&stats, REQUEST_IMAGES, 500), 1);
	assert_int_equal(count_of(&stats, REQUEST_IMAGES, 404), 0);
	assert_int_equal(count_of(&stats, REQUEST_IMAGE, 404), 1);
	assert_int_equal(stats.requests[REQUEST_IMAGES].codes.count, 2);
}

static void test_b41_what_is_no_answer_is_a_timeout_or_an_error(void **state)
{
	_cleanup_(request_stats_finish) struct request_stats stats = {};

	request_stats_count(&stats, REQUEST_PING, -ETIMEDOUT, 1);
	request_stats_count(&stats, REQUEST_PING, -ECONNREFUSED, 1);
	request_stats_count(&stats, REQUEST_PING, -EFBIG, 1);
	assert_int_equal(count_of(&stats, REQUEST_PING, -ETIMEDOUT), 1);
	assert_int_equal(count_of(&stats, REQUEST_PING, -EIO), 2);
	assert_int_equal(stats.requests[REQUEST_PING].codes.count, 2);
}

static void test_b41_durations_are_counted_up_to_each_bound(void **state)
{
	_cleanup_(request_stats_finish) struct request_stats stats = {};
	const uint64_t *counts = stats.requests[REQUEST_SYSTEM_DF].counts;
	nsec_t sum = 0;

	for (size_t i = 0; i < REQUEST_BOUNDS; i++) {
		assert_true(i == 0 || request_bounds[i] > request_bounds[i - 1]);
		request_stats_count(&stats, REQUEST_SYSTEM_DF, 200, request_bounds[i]);
		request_stats_count(&stats, REQUEST_SYSTEM_DF, 200, request_bounds[i] + 1);
		sum += 2 * request_bounds[i] + 1;
	}
	assert_int_equal(counts[0], 1);
	for (size_t i = 1; i < REQUEST_BOUNDS; i++)
		assert_int_equal(counts[i], 2);
	assert_int_equal(counts[REQUEST_BOUNDS], 1);
	assert_nsec_equal(stats.requests[REQUEST_SYSTEM_DF].sum, sum);
}

static void test_b41_each_endpoint_has_a_name_of_its_own(void **state)
{
	for (enum engine_request a = 0; a < REQUEST_COUNT; a++) {
		assert_non_null(engine_request_name(a));
		for (enum engine_request b = 0; b < a; b++)
			assert_string_not_equal(engine_request_name(a), engine_request_name(b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_b41_requests_are_counted_by_endpoint_and_code),
		cmocka_unit_test(test_b41_what_is_no_answer_is_a_timeout_or_an_error),
		cmocka_unit_test(test_b41_durations_are_counted_up_to_each_bound),
		cmocka_unit_test(test_b41_each_endpoint_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
