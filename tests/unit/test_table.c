/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/printable.h"
#include "core/table.h"

#include <string.h>

static const struct table_column columns[] = {
	{ .title = "NAME", .cut = TABLE_CUT_BEGIN, .least = 8 },
	{ .title = "ID", .dropped = 1 },
	{ .title = "SIZE", .right = true },
	{ .title = "UNIQUE", .right = true, .dropped = 2 },
	{ .title = "WHY", .cut = TABLE_CUT_END, .least = 6 },
};

static void fill(struct table *table)
{
	static const char *const cells[] = {
		"example.com/app:1", "0123456789ab", "1MB", "12kB", "within-limits", /* one row */
		"größe\033", "ab", "12.3GB", "-", "-", /* another one */
	};

	table_init(table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		table_add(table, cells[i]);
}

static void assert_table(size_t width, const char *expected)
{
	_cleanup_(table_finish) struct table table = {};
	_cleanup_free_ char *text = NULL;

	fill(&table);
	text = table_format(&table, width, false);
	assert_string_equal(text, expected);
}

static void test_as_wide_as_it_has_to_be(void **state)
{
	static const char expected[] =
		"NAME               ID              SIZE  UNIQUE  WHY\n"
		"example.com/app:1  0123456789ab     1MB    12kB  within-limits\n"
		"größe\\x1b          ab            12.3GB       -  -\n";

	assert_table(0, expected);
	assert_table(62, expected);
}

static void test_columns_go_and_texts_are_cut(void **state)
{
	assert_table(56,
		"NAME          ID              SIZE  UNIQUE  WHY\n"
		"…e.com/app:1  0123456789ab     1MB    12kB  within-limi…\n"
		"größe\\x1b     ab            12.3GB       -  -\n");
	/* UNIQUE first, then ID. */
	assert_table(45,
		"NAME        ID              SIZE  WHY\n"
		"…com/app:1  0123456789ab     1MB  within-lim…\n"
		"größe\\x1b   ab            12.3GB  -\n");
	assert_table(30,
		"NAME          SIZE  WHY\n"
		"…com/app:1     1MB  within-li…\n"
		"größe\\x1b   12.3GB  -\n");
}

static void test_no_line_is_wider_than_the_terminal(void **state)
{
	_cleanup_(table_finish) struct table table = {};

	fill(&table);
	/* Below there is no room for one character of each. */
	for (size_t width = 7; width < 80; width++) {
		_cleanup_free_ char *text = table_format(&table, width, false);
		char *rest = text, *line;

		while ((line = strsep(&rest, "\n")))
			assert_in_range(printable_columns(line), 0, width);
	}
	for (size_t width = 1; width < 7; width++) {
		_cleanup_free_ char *text = table_format(&table, width, false);

		assert_non_null(strstr(text, "…"));
	}
}

static void test_colours_take_no_room(void **state)
{
	static const struct table_column two[] = { { .title = "A" }, { .title = "B" } };
	_cleanup_(table_finish) struct table table = {};
	_cleanup_free_ char *text = NULL;

	table_init(&table, two, ARRAY_SIZE(two));
	table_take(&table, xstrdup("remove"), TABLE_WARNING);
	table_add(&table, "x");
	text = table_format(&table, 20, true);
	assert_string_equal(text,
		"\033[1mA\033[0m       \033[1mB\033[0m\n"
		"\033[33mremove\033[0m  x\n");
}

static void test_without_titles_or_rows(void **state)
{
	static const struct table_column labels[] = { {}, {} };
	_cleanup_(table_finish) struct table table = {}, empty = {};
	_cleanup_free_ char *text = NULL, *nothing = NULL;

	table_init(&table, labels, ARRAY_SIZE(labels));
	table_add(&table, "State:");
	table_add(&table, "");
	text = table_format(&table, 0, false);
	assert_string_equal(text, "State:  \n");
	table_init(&empty, columns, 1);
	nothing = table_format(&empty, 0, false);
	assert_string_equal(nothing, "NAME\n");
}

static void test_a_huge_cell_is_cut_at_once(void **state)
{
	static const size_t length = 1 << 24;
	_cleanup_(table_finish) struct table table = {};
	_cleanup_free_ char *text = NULL, *huge = xcalloc(length + 1, 1);

	memset(huge, 'x', length);
	table_init(&table, columns, 1);
	table_add(&table, huge);
	text = table_format(&table, 10, false);
	assert_string_equal(text, "NAME\n…xxxxxxxxx\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_wide_as_it_has_to_be),
		cmocka_unit_test(test_columns_go_and_texts_are_cut),
		cmocka_unit_test(test_no_line_is_wider_than_the_terminal),
		cmocka_unit_test(test_colours_take_no_room),
		cmocka_unit_test(test_without_titles_or_rows),
		cmocka_unit_test(test_a_huge_cell_is_cut_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
