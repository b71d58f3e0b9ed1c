/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/units.h"

#include <errno.h>

#define SECOND NSEC_PER_SEC
#define UNTOUCHED 4711

struct time_case {
	const char *text;
	int result;
	nsec_t value;
};

static void check_times(
	int (*parse)(const char *, nsec_t *), const struct time_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		nsec_t wanted = cases[i].result == 0 ? cases[i].value : UNTOUCHED;
		nsec_t value = UNTOUCHED;
		int r = parse(cases[i].text, &value);

		if (r != cases[i].result || value != wanted)
			fail_msg("\"%s\": %d %lld, should be %d %lld", cases[i].text, r,
				(long long)value, cases[i].result, (long long)wanted);
	}
}

static void test_durations_parse(void **state)
{
	static const struct time_case cases[] = {
		{ "0", 0, 0 },
		{ "0s", 0, 0 },
		{ "1ns", 0, 1 },
		{ "3us", 0, 3000 },
		{ "3\u00b5s", 0, 3000 },
		{ "250ms", 0, 250 * NSEC_PER_MSEC },
		{ "45s", 0, 45 * SECOND },
		{ "1m", 0, MINUTE },
		{ "336h", 0, 336 * HOUR },
		{ "1h30m", 0, HOUR + 30 * MINUTE },
		{ "1.5h", 0, HOUR + 30 * MINUTE },
		{ ".5s", 0, 500 * NSEC_PER_MSEC },
		{ "1.s", 0, SECOND },
		{ "0.000000001s", 0, 1 },
		{ "1.0000000019s", 0, SECOND + 1 },
		{ "0.00000000099999999999999999999999s", 0, 0 },
		{ "1d12h", 0, 36 * HOUR },
		{ "4w", 0, 4 * WEEK },
		{ "1w1d1h1m1s1ms1us1ns", 0,
			WEEK + DAY + HOUR + MINUTE + SECOND + NSEC_PER_MSEC + 1000 + 1 },
		{ "30m1h", 0, HOUR + 30 * MINUTE },
		{ "9223372036854775807ns", 0, NSEC_MAX },
		{ "9223372036s", 0, 9223372036 * SECOND },
	};

	check_times(parse_duration, cases, ARRAY_SIZE(cases));
}

static void test_durations_malformed(void **state)
{
	static const struct time_case cases[] = {
		{ "", -EINVAL },
		{ " ", -EINVAL },
		{ "h", -EINVAL },
		{ ".", -EINVAL },
		{ ".h", -EINVAL },
		{ "5", -EINVAL },
		{ "00", -EINVAL },
		{ "0.0", -EINVAL },
		{ "1h30", -EINVAL },
		{ "-1h", -EINVAL },
		{ "+1h", -EINVAL },
		{ "1h -5m", -EINVAL },
		{ "1 h", -EINVAL },
		{ " 1h", -EINVAL },
		{ "1h ", -EINVAL },
		{ "1H", -EINVAL },
		{ "1y", -EINVAL },
		{ "1hour", -EINVAL },
		{ "1.2.3h", -EINVAL },
		{ "1,5h", -EINVAL },
		{ "1e3s", -EINVAL },
		{ "0x10s", -EINVAL },
		{ "50%", -EINVAL },
	};

	check_times(parse_duration, cases, ARRAY_SIZE(cases));
}

static void test_durations_overflow(void **state)
{
	static const struct time_case cases[] = {
		{ "9223372036854775808ns", -ERANGE },
		{ "18446744073709551616ns", -ERANGE },
		{ "99999999999999999999999999h", -ERANGE },
		{ "9223372037s", -ERANGE },
		{ "15251w", -ERANGE },
		{ "15250w52w", -ERANGE },
		{ "9223372036854775807ns1ns", -ERANGE },
		{ "15000w15000w", -ERANGE },
	};

	check_times(parse_duration, cases, ARRAY_SIZE(cases));
}

struct size_case {
	const char *text;
	int result;
	uint64_t value;
};

static void check_sizes(
	int (*parse)(const char *, uint64_t *), const struct size_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t wanted = cases[i].result == 0 ? cases[i].value : UNTOUCHED;
		uint64_t value = UNTOUCHED;
		int r = parse(cases[i].text, &value);

		if (r != cases[i].result || value != wanted)
			fail_msg("\"%s\": %d %llu, should be %d %llu", cases[i].text, r,
				(unsigned long long)value, cases[i].result,
				(unsigned long long)wanted);
	}
}

static void test_sizes_parse(void **state)
{
	static const struct size_case cases[] = {
		{ "0", 0, 0 },
		{ "100", 0, 100 },
		{ "100B", 0, 100 },
		{ "1kB", 0, 1000 },
		{ "1KB", 0, 1000 },
		{ "1MB", 0, 1000000 },
		{ "1.5GB", 0, 1500000000 },
		{ "18.2GB", 0, 18200000000 },
		{ "0.1GB", 0, 100000000 },
		{ "2TB", 0, 2000000000000 },
		{ "1PB", 0, 1000000000000000 },
		{ "1KiB", 0, 1024 },
		{ "512MiB", 0, 536870912 },
		{ "1.5GiB", 0, 1610612736 },
		{ "1TiB", 0, 1ULL << 40 },
		{ "1PiB", 0, 1ULL << 50 },
		{ "60 GB", 0, 60000000000 },
		{ "1.9", 0, 1 },
		{ "0.0009kB", 0, 0 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "9223.372036854PB", 0, 9223372036854000000 },
	};

	check_sizes(parse_size, cases, ARRAY_SIZE(cases));
}

static void test_sizes_malformed_or_too_large(void **state)
{
	static const struct size_case cases[] = {
		{ "", -EINVAL },
		{ "GB", -EINVAL },
		{ ".", -EINVAL },
		{ "-1GB", -EINVAL },
		{ "+1GB", -EINVAL },
		{ " 1GB", -EINVAL },
		{ "1GB ", -EINVAL },
		{ "1  GB", -EINVAL },
		{ "1 ", -EINVAL },
		{ "1gb", -EINVAL },
		{ "1G", -EINVAL },
		{ "1k", -EINVAL },
		{ "1kiB", -EINVAL },
		{ "1mB", -EINVAL },
		{ "1.2.3GB", -EINVAL },
		{ "1e9", -EINVAL },
		{ "80%", -EINVAL },
		{ "nan", -EINVAL },
		{ "9223372036854775808", -ERANGE },
		{ "18446744073709551615", -ERANGE },
		{ "18446744073709551616", -ERANGE },
		{ "9224PB", -ERANGE },
		{ "8192PiB", -ERANGE },
		{ "18446744073709551615PiB", -ERANGE },
	};

	check_sizes(parse_size, cases, ARRAY_SIZE(cases));
}

static void test_amounts(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t of_thousand;
		const char *printed;
	} cases[] = {
		{ "80%", 0, 800, "80%" },
		{ "12.5%", 0, 125, "12.5%" },
		{ "0.01%", 0, 0, "0.01%" },
		{ "12.345%", 0, 123, "12.34%" },
		{ "100%", 0, 1000, "100%" },
		{ "0%", 0, 0, "0B" },
		{ "0.00%", 0, 0, "0B" },
		{ "0.0 B", 0, 0, "0B" },
		{ "0.009%", -EDOM, 0, NULL },
		{ "0.9B", -EDOM, 0, NULL },
		{ "2kB", 0, 2000, "2kB" },
		{ "100.01%", -ERANGE, 0, NULL },
		{ "18446744073709551616%", -ERANGE, 0, NULL },
		{ "%", -EINVAL, 0, NULL },
		{ "-1%", -EINVAL, 0, NULL },
		{ "1 %", -EINVAL, 0, NULL },
		{ "1%B", -EINVAL, 0, NULL },
	};
	char buffer[FORMAT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct amount amount = { .bytes = 7 };
		int r = parse_amount(cases[i].text, &amount);

		if (r != cases[i].result)
			fail_msg("\"%s\": %d, should be %d", cases[i].text, r, cases[i].result);
		if (r < 0) {
			assert_int_equal(amount.bytes, 7);
			continue;
		}
		assert_int_equal(amount_of(amount, 1000), cases[i].of_thousand);
		assert_string_equal(format_amount(amount, buffer), cases[i].printed);
	}
	assert_int_equal(amount_of((struct amount){ .share = AMOUNT_ALL }, UINT64_MAX), UINT64_MAX);
}

static void test_counts_parse(void **state)
{
	static const struct size_case cases[] = {
		{ "0", 0, 0 },
		{ "007", 0, 7 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "9223372036854775808", -ERANGE },
		{ "99999999999999999999", -ERANGE },
		{ "", -EINVAL },
		{ "1.0", -EINVAL },
		{ "-1", -EINVAL },
		{ "+1", -EINVAL },
		{ " 1", -EINVAL },
		{ "1 ", -EINVAL },
		{ "1k", -EINVAL },
		{ "0x1", -EINVAL },
	};

	check_sizes(parse_count, cases, ARRAY_SIZE(cases));
}

static void test_times_parse(void **state)
{
	static const struct time_case cases[] = {
		{ "1970-01-01T00:00:00Z", 0, 0 },
		{ "1970-01-01T00:00:00.000000001Z", 0, 1 },
		{ "1969-12-31T23:59:59.999999999Z", 0, -1 },
		{ "2026-11-23T22:31:47.123456789Z", 0, 1795473107123456789 },
		{ "2026-11-23T22:31:47.5Z", 0, 1795473107500000000 },
		{ "2026-11-23T22:31:47Z", 0, 1795473107 * SECOND },
		{ "2026-11-23T23:31:47+01:00", 0, 1795473107 * SECOND },
		{ "2026-11-23T17:01:47-05:30", 0, 1795473107 * SECOND },
		{ "2026-11-23t22:31:47z", 0, 1795473107 * SECOND },
		{ "2024-02-29T00:00:00Z", 0, 1709164800 * SECOND },
		{ "2262-04-11T23:47:16.854775807Z", 0, NSEC_MAX },
		{ "2262-04-12T01:47:16.854775807+02:00", 0, NSEC_MAX },
		{ "1677-09-21T00:12:43.145224192Z", 0, INT64_MIN },
	};

	check_times(parse_time, cases, ARRAY_SIZE(cases));
}

static void test_times_malformed_or_out_of_range(void **state)
{
	static const struct time_case cases[] = {
		{ "", -EINVAL },
		{ "2026", -EINVAL },
		{ "2026-11-23", -EINVAL },
		{ "2026-11-23T22:31Z", -EINVAL },
		{ "2026-11-23T22:31:47", -EINVAL },
		{ "2026-11-23T22:31:47.Z", -EINVAL },
		{ "2026-11-23T22:31:47,5Z", -EINVAL },
		{ "2026-11-23T22:31:47Zx", -EINVAL },
		{ "2026-11-23T22:31:47+0100", -EINVAL },
		{ "2026-11-23T22:31:47+24:00", -EINVAL },
		{ "2026-11-23T22:31:47+01:60", -EINVAL },
		{ "2026-11-23T22:31:47+01:00Z", -EINVAL },
		{ "2026-11-23T22:31:47+ 1:00", -EINVAL },
		{ "2026-11-23T22:31:47++1:00", -EINVAL },
		{ "2026-11-23T22:31:47+01:+5", -EINVAL },
		{ "2026-13-01T00:00:00Z", -EINVAL },
		{ "2026-00-01T00:00:00Z", -EINVAL },
		{ "2026-02-29T00:00:00Z", -EINVAL },
		{ "2026-04-31T00:00:00Z", -EINVAL },
		{ "2026-01-00T00:00:00Z", -EINVAL },
		{ "2026-01-01T24:00:00Z", -EINVAL },
		{ "2026-01-01T00:60:00Z", -EINVAL },
		{ "2026-01-01T00:00:61Z", -EINVAL },
		{ "-026-01-01T00:00:00Z", -EINVAL },
		/* Go's zero time, as engines send it for "never". */
		{ "0001-01-01T00:00:00Z", -ERANGE },
		{ "2262-04-11T23:47:16.854775808Z", -ERANGE },
		{ "2262-04-11T23:47:16-00:01", -ERANGE },
		{ "9999-12-31T23:59:59Z", -ERANGE },
	};

	check_times(parse_time, cases, ARRAY_SIZE(cases));
}

static void test_sizes_print_as_docker_prints_them(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0B" },
		{ 1, "1B" },
		{ 999, "999B" },
		{ 1000, "1kB" },
		{ 1500, "1.5kB" },
		{ 999499, "999kB" },
		{ 999500, "1MB" },
		{ 7800000, "7.8MB" },
		{ 18200000000, "18.2GB" },
		{ 60000000000, "60GB" },
		{ 1234567890123, "1.23TB" },
		{ UINT64_MAX, "18.4EB" },
	};
	char buffer[FORMAT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(format_size(cases[i].bytes, buffer), cases[i].text);
}

static void test_durations_print_their_two_largest_units(void **state)
{
	static const struct {
		nsec_t duration;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ -5, "0s" },
		{ 999999, "0s" },
		{ 250 * NSEC_PER_MSEC, "250ms" },
		{ 3 * NSEC_PER_SEC + 250 * NSEC_PER_MSEC, "3s" },
		{ 45 * NSEC_PER_SEC, "45s" },
		{ HOUR, "1h" },
		{ HOUR + 30 * MINUTE, "1h30m" },
		{ HOUR + 30 * MINUTE + 5 * NSEC_PER_SEC, "1h30m" },
		{ 3 * DAY + 4 * HOUR + 5 * MINUTE, "3d4h" },
		{ 4 * WEEK, "28d" },
		{ NSEC_MAX, "106751d23h" },
	};
	char buffer[FORMAT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(format_duration(cases[i].duration, buffer), cases[i].text);
}

static void test_times_print_and_come_back(void **state)
{
	static const struct {
		nsec_t time;
		const char *text, *seconds;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000000Z", "1970-01-01T00:00:00Z" },
		{ -1, "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59Z" },
		{ 1795473107123456789, "2026-11-23T22:31:47.123456789Z", "2026-11-23T22:31:47Z" },
		{ NSEC_MAX, "2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16Z" },
	};
	char buffer[FORMAT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		nsec_t back;

		assert_string_equal(format_time_seconds(cases[i].time, buffer), cases[i].seconds);
		assert_string_equal(format_time(cases[i].time, buffer), cases[i].text);
		assert_int_equal(parse_time(buffer, &back), 0);
		assert_nsec_equal(back, cases[i].time);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations_parse),
		cmocka_unit_test(test_durations_malformed),
		cmocka_unit_test(test_durations_overflow),
		cmocka_unit_test(test_sizes_parse),
		cmocka_unit_test(test_sizes_malformed_or_too_large),
		cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_counts_parse),
		cmocka_unit_test(test_times_parse),
		cmocka_unit_test(test_times_malformed_or_out_of_range),
		cmocka_unit_test(test_sizes_print_as_docker_prints_them),
		cmocka_unit_test(test_durations_print_their_two_largest_units),
		cmocka_unit_test(test_times_print_and_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
