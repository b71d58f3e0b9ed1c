/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/lines.h"

#include <string.h>

/* Takes all lines out; each goes to `got` as text, and its length must be right. */
static void take(struct lines *lines, struct strings *got)
{
	const char *line;
	size_t length;

	while ((line = lines_next(lines, &length))) {
		assert_int_equal(line[length], '\0');
		strings_add(got, line);
	}
}

static void feed(
	struct lines *lines, const char *text, size_t size, size_t chunk, struct strings *got)
{
	for (size_t at = 0; at < size; at += chunk) {
		lines_feed(lines, text + at, MIN(chunk, size - at));
		take(lines, got);
	}
}

#define assert_lines(got, expected)                                       \
	do {                                                              \
		_cleanup_free_ char *_joined = strings_join(&(got), "|"); \
		assert_string_equal(_joined, expected);                   \
	} while (0)

static void test_b5_every_chunk_size_gives_the_same_lines(void **state)
{
	static const char text[] = "one\ntwo\r\n\n\r\nabcdefghij\nabcdefghijk\nthree\n\nfour\nrest";
	const size_t size = sizeof(text) - 1;

	for (size_t chunk = 1; chunk <= size; chunk++) {
		_cleanup_(lines_finish) struct lines lines;
		_cleanup_strings_ struct strings got = {};

		lines_init(&lines, 10);
		feed(&lines, text, size, chunk, &got);
		assert_lines(got, "one|two|abcdefghij|three|four");
		assert_int_equal(lines.skipped, 1);
		lines_feed(&lines, "\n", 1);
		take(&lines, &got);
		assert_lines(got, "one|two|abcdefghij|three|four|rest");
	}
}

static void test_a_line_as_long_as_the_cap_is_taken(void **state)
{
	_cleanup_(lines_finish) struct lines lines;
	_cleanup_strings_ struct strings got = {};

	lines_init(&lines, 4);
	feed(&lines, "abcd\nabcde\nabc\n", 15, 15, &got);
	assert_lines(got, "abcd|abc");
	assert_int_equal(lines.skipped, 1);
}

static void test_b5_a_line_over_the_cap_is_skipped_without_being_kept(void **state)
{
	_cleanup_(lines_finish) struct lines lines;
	_cleanup_strings_ struct strings got = {};
	char chunk[1000];

	memset(chunk, 'x', sizeof(chunk));
	lines_init(&lines, 4096);
	for (int i = 0; i < 10000; i++) {
		lines_feed(&lines, chunk, sizeof(chunk));
		assert_null(lines_next(&lines, &(size_t){ 0 }));
		assert_true(lines.allocated <= 2 * 4096);
	}
	/* It counts once, and the end of it is no line of its own. */
	assert_int_equal(lines.skipped, 1);
	feed(&lines, "xxx\nnext\n", 9, 9, &got);
	assert_lines(got, "next");
	assert_int_equal(lines.skipped, 1);
}

static void test_lines_over_the_cap_between_others_in_one_chunk(void **state)
{
	_cleanup_(lines_finish) struct lines lines;
	_cleanup_strings_ struct strings got = {};

	lines_init(&lines, 3);
	feed(&lines, "a\nlong1\nb\nlong2\nlong3\nc\n", 24, 24, &got);
	assert_lines(got, "a|b|c");
	assert_int_equal(lines.skipped, 3);
}

static void test_the_cap_counts_what_came_in_earlier_chunks(void **state)
{
	_cleanup_(lines_finish) struct lines lines;
	_cleanup_strings_ struct strings got = {};

	lines_init(&lines, 4);
	feed(&lines, "abcde\nx\n", 8, 3, &got);
	assert_lines(got, "x");
	assert_int_equal(lines.skipped, 1);
}

static void test_a_nul_within_a_line_does_not_end_it(void **state)
{
	_cleanup_(lines_finish) struct lines lines;
	const char *line;
	size_t length = 0;

	lines_init(&lines, 100);
	lines_feed(&lines, "a\0b\nnext\n", 9);
	line = lines_next(&lines, &length);
	assert_int_equal(length, 3);
	assert_memory_equal(line, "a\0b", 4);
	assert_string_equal(lines_next(&lines, &length), "next");
	assert_int_equal(length, 4);
	assert_null(lines_next(&lines, &length));
}

static void test_only_the_last_carriage_return_belongs_to_the_end(void **state)
{
	_cleanup_(lines_finish) struct lines lines;
	_cleanup_strings_ struct strings got = {};

	lines_init(&lines, 100);
	feed(&lines, "a\rb\r\r\n\r\nc\n", 10, 1, &got);
	assert_lines(got, "a\rb\r|c");
}

static void test_many_lines_in_one_chunk(void **state)
{
	_cleanup_(lines_finish) struct lines lines;
	_cleanup_strings_ struct strings all = {}, got = {};
	_cleanup_free_ char *text = NULL;

	for (int i = 0; i < 5000; i++)
		strings_addf(&all, "line %d", i);
	text = strings_join(&all, "\n");
	lines_init(&lines, 16);
	lines_feed(&lines, text, strlen(text));
	lines_feed(&lines, "", 0);
	take(&lines, &got);
	assert_int_equal(got.count, 4999);
	lines_feed(&lines, "\n", 1);
	take(&lines, &got);
	assert_true(strings_equal(&all, &got));
	assert_int_equal(lines.skipped, 0);
}

static void test_the_buffer_does_not_grow_with_the_stream(void **state)
{
	_cleanup_(lines_finish) struct lines lines;
	_cleanup_strings_ struct strings got = {};
	size_t allocated;

	lines_init(&lines, 100);
	feed(&lines, "0123456789\n0123", 15, 7, &got);
	allocated = lines.allocated;
	for (int i = 0; i < 1000; i++)
		feed(&lines, "456789\n0123", 11, 7, &got);
	assert_int_equal(got.count, 1001);
	assert_string_equal(got.items[1000], "0123456789");
	assert_true(lines.allocated <= MAX(allocated, (size_t)64));
}

static void test_reset_drops_the_unfinished_line(void **state)
{
	_cleanup_(lines_finish) struct lines lines;
	_cleanup_strings_ struct strings got = {};

	lines_init(&lines, 5);
	feed(&lines, "abc", 3, 3, &got);
	lines_reset(&lines);
	feed(&lines, "new\n", 4, 4, &got);
	assert_lines(got, "new");

	/* Within a line that is too long, too: the next stream begins with a new one. */
	feed(&lines, "too long", 8, 8, &got);
	lines_reset(&lines);
	feed(&lines, "fresh\n", 6, 6, &got);
	assert_lines(got, "new|fresh");
	assert_int_equal(lines.skipped, 1);
}

static void test_nothing_fed_is_no_line(void **state)
{
	_cleanup_(lines_finish) struct lines lines;
	size_t length;

	lines_init(&lines, 5);
	assert_null(lines_next(&lines, &length));
	lines_feed(&lines, "", 0);
	assert_null(lines_next(&lines, &length));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_b5_every_chunk_size_gives_the_same_lines),
		cmocka_unit_test(test_a_line_as_long_as_the_cap_is_taken),
		cmocka_unit_test(test_b5_a_line_over_the_cap_is_skipped_without_being_kept),
		cmocka_unit_test(test_lines_over_the_cap_between_others_in_one_chunk),
		cmocka_unit_test(test_the_cap_counts_what_came_in_earlier_chunks),
		cmocka_unit_test(test_a_nul_within_a_line_does_not_end_it),
		cmocka_unit_test(test_only_the_last_carriage_return_belongs_to_the_end),
		cmocka_unit_test(test_many_lines_in_one_chunk),
		cmocka_unit_test(test_the_buffer_does_not_grow_with_the_stream),
		cmocka_unit_test(test_reset_drops_the_unfinished_line),
		cmocka_unit_test(test_nothing_fed_is_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
