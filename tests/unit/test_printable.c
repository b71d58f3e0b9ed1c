/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/printable.h"

static void test_what_a_terminal_would_act_on_is_escaped(void **state)
{
	static const struct {
		const char *text, *escaped;
	} cases[] = {
		{ "", "" },
		{ "alpine:3.20 größer … 漢字 🐳", "alpine:3.20 größer … 漢字 🐳" },
		{ "\033[2J\n\t\r\x7f", "\\x1b[2J\\x0a\\x09\\x0d\\x7f" },
		{ "a\xc2\x9b"
		  "31m",
			"a\\xc2\\x9b31m" },
		{ "\xe2\x80\xaetxt.exe", "\\xe2\\x80\\xaetxt.exe" },
		{ "\xef\xbb\xbfx\xe2\x80\x8by", "\\xef\\xbb\\xbfx\\xe2\\x80\\x8by" },
		/* No UTF-8: cut, lone, overlong, a surrogate, above the last. */
		{ "x\xe2\x80", "x\\xe2\\x80" },
		{ "\x80\xff", "\\x80\\xff" },
		{ "\xc0\x9b\xe0\x80\x9b", "\\xc0\\x9b\\xe0\\x80\\x9b" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *escaped = printable_escape(cases[i].text);

		assert_string_equal(escaped, cases[i].escaped);
		assert_true(printable_is_utf8(escaped));
	}
}

static void test_what_is_utf8(void **state)
{
	assert_true(printable_is_utf8(""));
	assert_true(printable_is_utf8("a\033\n größer … 漢字 🐳\xc2\x9b"));
	assert_false(printable_is_utf8("x\xe2\x80"));
	assert_false(printable_is_utf8("\xff"));
	assert_false(printable_is_utf8("x\xed\xa0\x80y"));
}

static void test_lines_keep_their_ends(void **state)
{
	_cleanup_free_ char *escaped = printable_escape_lines("a\tb\r\n\033c\n");

	assert_string_equal(escaped, "a\tb\\x0d\n\\x1bc\n");
}

static void test_columns(void **state)
{
	assert_int_equal(printable_columns(""), 0);
	assert_int_equal(printable_columns("größer …"), 8);
	assert_int_equal(printable_columns("漢字"), 4);
	assert_int_equal(printable_columns("e\xcc\x81"), 1);
}

static void test_a_cut_text_has_at_most_that_many_columns(void **state)
{
	static const char *const texts[] = { "", "a", "alpine:3.20", "größer als größer",
		"漢字漢字", "a漢b字", "e\xcc\x81o\xcc\x81" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		for (size_t columns = 1; columns < 20; columns++) {
			_cleanup_free_ char *begin = printable_cut_begin(texts[i], columns),
					    *end = printable_cut_end(texts[i], columns),
					    *escaped = printable_escape(end);
			bool fits = printable_columns(texts[i]) <= columns;

			assert_in_range(printable_columns(begin), 0, columns);
			assert_in_range(printable_columns(end), 0, columns);
			assert_int_equal(streq(begin, texts[i]), fits);
			assert_int_equal(streq(end, texts[i]), fits);
			assert_string_equal(escaped, end);
		}
	}
}

static void test_cuts(void **state)
{
	_cleanup_free_ char *begin = printable_cut_begin("alpine:3.20", 5),
			    *end = printable_cut_end("alpine:3.20", 5),
			    *wide = printable_cut_end("漢字漢", 4),
			    *least = printable_cut_begin("alpine", 1);

	assert_string_equal(begin, "…3.20");
	assert_string_equal(end, "alpi…");
	assert_string_equal(wide, "漢…");
	assert_string_equal(least, "…");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_terminal_would_act_on_is_escaped),
		cmocka_unit_test(test_what_is_utf8),
		cmocka_unit_test(test_lines_keep_their_ends),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_a_cut_text_has_at_most_that_many_columns),
		cmocka_unit_test(test_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
