/* SPDX-License-Identifier: Apache-2.0 */
/* One text, read as each of the units, and as a number that is printed: there and back. */
#include "fuzz.h"

#include "core/relative_time.h"
#include "core/units.h"

#define UNTOUCHED 77

static void check_duration(nsec_t duration)
{
	char text[FORMAT_MAX], again[FORMAT_MAX];
	_cleanup_free_ char *exact = xasprintf("%lldns", (long long)duration);
	nsec_t back, rounded;

	check(parse_duration(exact, &back) == 0 && back == duration);
	check(parse_duration(format_duration(duration, text), &rounded) == 0);
	check(rounded <= duration);
	check(streq(format_duration(rounded, again), text));
}

static void check_size(uint64_t bytes)
{
	char text[FORMAT_MAX];
	_cleanup_free_ char *exact = xasprintf("%llu", (unsigned long long)bytes);
	uint64_t back, about;
	int r = parse_size(format_size(bytes, text), &about);

	check(bytes > INT64_MAX || (parse_size(exact, &back) == 0 && back == bytes));
	/* Exabytes are printed as docker does, and not read. */
	if (strstr(text, "EB"))
		return;
	check(r == 0);
	check((about > bytes ? about - bytes : bytes - about) <= bytes / 180);
}

static void check_amount(struct amount amount)
{
	char text[FORMAT_MAX];
	struct amount back;

	check(amount.share <= AMOUNT_ALL);
	check(amount.share == 0 || amount.bytes == 0);
	check(amount.bytes <= INT64_MAX);
	if (amount.share == 0)
		return;
	check(parse_amount(format_amount(amount, text), &back) == 0);
	check(back.share == amount.share && back.bytes == 0);
	check(amount_of(amount, UINT64_MAX) > 0);
	check(amount_of(amount, 1000) <= 1000);
}

static void check_time(nsec_t time, nsec_t now)
{
	char text[FORMAT_MAX];
	nsec_t back;

	check(parse_time(format_time(time, text), &back) == 0 && back == time);
	/* Whole seconds are rounded down; the first one is not all there. */
	if (parse_time(format_time_seconds(time, text), &back) == 0)
		check(back <= time && (uint64_t)time - (uint64_t)back < (uint64_t)NSEC_PER_SEC);
	check(*format_relative_time(time, now, text));
}

static void check_text(const char *text)
{
	nsec_t duration = UNTOUCHED, time = UNTOUCHED;
	uint64_t size = UNTOUCHED, count = UNTOUCHED;
	struct amount amount = { .bytes = UNTOUCHED };

	if (parse_duration(text, &duration) == 0)
		check(duration >= 0);
	check_duration(duration);
	if (parse_size(text, &size) == 0)
		check(size <= INT64_MAX);
	check_size(size);
	/* Less than a hundredth of a percent is none. */
	if (parse_amount(text, &amount) == 0 && amount.bytes > 0)
		check(amount.bytes == size);
	check_amount(amount);
	if (parse_count(text, &count) == 0)
		check(parse_size(text, &size) == 0 && size == count);
	else
		check(count == UNTOUCHED);
	if (parse_time(text, &time) < 0)
		check(time == UNTOUCHED);
	check_time(time, duration);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);
	int64_t numbers[2] = {};

	check_text(text);
	if (size > 0)
		memcpy(numbers, data, MIN(size, sizeof(numbers)));
	check_size((uint64_t)numbers[0]);
	check_time(numbers[0], numbers[1]);
	if (numbers[0] >= 0)
		check_duration(numbers[0]);
	return 0;
}
