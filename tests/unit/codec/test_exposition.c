/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/exposition.h"

/* What `write` writes. */
static void assert_written(void (*write)(struct exposition *out), const char *expected)
{
	struct exposition out;
	_cleanup_free_ char *text = NULL;

	exposition_begin(&out);
	write(&out);
	text = exposition_end(&out);
	assert_string_equal(text, expected);
}

static void write_nothing(struct exposition *out)
{
}

static void write_numbers(struct exposition *out)
{
	exposition_family(out, "a_total", METRIC_COUNTER, "How many.");
	exposition_number(out, NO_LABELS, 0);
	exposition_family(out, "b_bytes", METRIC_GAUGE, "How much.");
	exposition_number(out, LABELS({ "x", "1" }), UINT64_MAX);
	exposition_number(out, LABELS({ "x", "2" }, { "y", "" }), 7);
}

static void test_b41_numbers(void **state)
{
	assert_written(write_nothing, "");
	assert_written(write_numbers,
		"# HELP a_total How many.\n"
		"# TYPE a_total counter\n"
		"a_total 0\n"
		"# HELP b_bytes How much.\n"
		"# TYPE b_bytes gauge\n"
		"b_bytes{x=\"1\"} 18446744073709551615\n"
		"b_bytes{x=\"2\",y=\"\"} 7\n");
}

static void write_absent(struct exposition *out)
{
	exposition_family(out, "a", METRIC_GAUGE, "Not known.");
	exposition_family(out, "b", METRIC_GAUGE, "Known.");
	exposition_number(out, NO_LABELS, 1);
	exposition_family(out, "c", METRIC_GAUGE, "Not known either.");
}

static void test_b41_what_is_not_known_is_left_out(void **state)
{
	assert_written(write_absent, "# HELP b Known.\n# TYPE b gauge\nb 1\n");
}

static void write_seconds(struct exposition *out)
{
	static const nsec_t values[] = { 0, 1, 5 * NSEC_PER_MSEC, NSEC_PER_SEC, 100 * NSEC_PER_SEC,
		1793539407123456789, NSEC_MAX, -1500 * NSEC_PER_MSEC, INT64_MIN };

	exposition_family(out, "s", METRIC_GAUGE, "Time.");
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		exposition_seconds(out, NO_LABELS, values[i]);
}

static void test_b41_seconds_to_the_nanosecond(void **state)
{
	assert_written(write_seconds,
		"# HELP s Time.\n# TYPE s gauge\n"
		"s 0\ns 0.000000001\ns 0.005\ns 1\ns 100\ns 1793539407.123456789\n"
		"s 9223372036.854775807\ns -1.5\ns -9223372036.854775808\n");
}

static void write_hostile(struct exposition *out)
{
	exposition_family(out, "h", METRIC_GAUGE, "Names from outside.");
	exposition_number(out, LABELS({ "x", "a\"b\\c%s" }), 1);
	exposition_number(out, LABELS({ "x", "two\nlines" }), 2);
	exposition_number(out, LABELS({ "x", "\033[31mred\xff" }), 3);
	exposition_number(out, LABELS({ "x", "gr\xc3\xbc\xc3\x9f" }), 4);
}

static void test_b41_labels_from_outside_are_escaped(void **state)
{
	assert_written(write_hostile,
		"# HELP h Names from outside.\n# TYPE h gauge\n"
		"h{x=\"a\\\"b\\\\c%s\"} 1\n"
		"h{x=\"two\\\\x0alines\"} 2\n"
		"h{x=\"\\\\x1b[31mred\\\\xff\"} 3\n"
		"h{x=\"gr\xc3\xbc\xc3\x9f\"} 4\n");
}

static void write_durations(struct exposition *out)
{
	static const nsec_t bounds[] = { 5 * NSEC_PER_MSEC, NSEC_PER_SEC };
	static const uint64_t counts[] = { 3, 0, 2 };
	const struct duration_histogram histogram = {
		.bounds = bounds,
		.counts = counts,
		.bound_count = ARRAY_SIZE(bounds),
		.sum = 2500 * NSEC_PER_MSEC,
	};

	exposition_family(out, "d_seconds", METRIC_HISTOGRAM, "How long.");
	exposition_histogram(out, LABELS({ "x", "1" }), &histogram);
	exposition_histogram(out, NO_LABELS, &histogram);
}

static void test_b41_buckets_add_up(void **state)
{
	assert_written(write_durations,
		"# HELP d_seconds How long.\n# TYPE d_seconds histogram\n"
		"d_seconds_bucket{x=\"1\",le=\"0.005\"} 3\n"
		"d_seconds_bucket{x=\"1\",le=\"1\"} 3\n"
		"d_seconds_bucket{x=\"1\",le=\"+Inf\"} 5\n"
		"d_seconds_sum{x=\"1\"} 2.5\n"
		"d_seconds_count{x=\"1\"} 5\n"
		"d_seconds_bucket{le=\"0.005\"} 3\n"
		"d_seconds_bucket{le=\"1\"} 3\n"
		"d_seconds_bucket{le=\"+Inf\"} 5\n"
		"d_seconds_sum 2.5\n"
		"d_seconds_count 5\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_b41_numbers),
		cmocka_unit_test(test_b41_what_is_not_known_is_left_out),
		cmocka_unit_test(test_b41_seconds_to_the_nanosecond),
		cmocka_unit_test(test_b41_labels_from_outside_are_escaped),
		cmocka_unit_test(test_b41_buckets_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
