/* SPDX-License-Identifier: Apache-2.0 */
#include "core/table.h"

#include <assert.h>
#include <string.h>

#include "core/printable.h"

#define GAP 2

static const char *const colours[] = {
	[TABLE_PLAIN] = NULL,
	[TABLE_GOOD] = "\033[32m",
	[TABLE_WARNING] = "\033[33m",
	[TABLE_BAD] = "\033[31m",
};
#define BOLD "\033[1m"
#define NORMAL "\033[0m"

/* How wide each column is; 0 for one that is left out. */
struct layout {
	size_t widths[TABLE_COLUMNS_MAX];
};

void table_init(struct table *table, const struct table_column *columns, size_t count)
{
	if (count > TABLE_COLUMNS_MAX)
		abort();
	*table = (struct table){ .columns = columns, .column_count = count };
	for (size_t i = 0; i < count; i++)
		table->titles |= columns[i].title != NULL;
}

void table_finish(struct table *table)
{
	for (size_t i = 0; i < table->cells.count; i++)
		free(table->cells.items[i].text);
	free(table->cells.items);
	*table = (struct table){};
}

void table_add(struct table *table, const char *text)
{
	array_push(&table->cells)->text = printable_escape(text);
}

void table_take(struct table *table, char *text, enum table_style style)
{
	table_add(table, text);
	table->cells.items[table->cells.count - 1].style = style;
	free(text);
}

static struct layout measure(const struct table *table)
{
	struct layout layout = {};

	for (size_t i = 0; i < table->column_count; i++) {
		const char *title = table->columns[i].title;

		layout.widths[i] = MAX(title ? strlen(title) : 0, (size_t)1);
	}
	for (size_t i = 0; i < table->cells.count; i++) {
		size_t *width = &layout.widths[i % table->column_count];

		*width = MAX(*width, printable_columns(table->cells.items[i].text));
	}
	return layout;
}

static size_t least_width(const struct table *table, const struct layout *layout, size_t column)
{
	const struct table_column *c = &table->columns[column];

	return c->cut == TABLE_WHOLE ? layout->widths[column]
				     : MIN(layout->widths[column], MAX(c->least, (size_t)1));
}

/* What a line takes, as it is or with everything cut as far as it may be. */
static size_t line_width(const struct table *table, const struct layout *layout, bool least)
{
	size_t width = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		if (layout->widths[i] > 0)
			width += GAP + (least ? least_width(table, layout, i) : layout->widths[i]);
	}
	return subtract_saturating(width, GAP);
}

/* Leaves out the column that matters least. False if all of them have to stay. */
static bool drop_column(const struct table *table, struct layout *layout)
{
	size_t found = table->column_count;

	for (size_t i = 0; i < table->column_count; i++) {
		if (layout->widths[i] > 0 && table->columns[i].dropped > 0 &&
			(found == table->column_count ||
				table->columns[i].dropped > table->columns[found].dropped))
			found = i;
	}
	if (found == table->column_count)
		return false;
	layout->widths[found] = 0;
	return true;
}

/* Makes the widest column that is wider than it has to be one narrower; false if there is none. */
static bool narrow_column(const struct table *table, struct layout *layout, bool hard)
{
	size_t found = table->column_count, widest = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		size_t least = hard ? 1 : least_width(table, layout, i);

		if (layout->widths[i] > least && layout->widths[i] > widest) {
			found = i;
			widest = layout->widths[i];
		}
	}
	if (found == table->column_count)
		return false;
	layout->widths[found]--;
	return true;
}

static void fit(const struct table *table, struct layout *layout, size_t width)
{
	/* A cell can have millions of characters, which would be taken away one by one. */
	for (size_t i = 0; i < table->column_count; i++)
		layout->widths[i] = MIN(layout->widths[i], width + 1);
	while (line_width(table, layout, true) > width && drop_column(table, layout))
		;
	for (int hard = 0; hard <= 1; hard++) {
		while (line_width(table, layout, false) > width &&
			narrow_column(table, layout, hard))
			;
	}
}

/* One cell with its padding and the gap before it. The last one of a line is not padded. */
static void add_cell(struct strings *parts, const struct table_column *column, const char *text,
	const char *colour, size_t width, bool first, bool last)
{
	_cleanup_free_ char *cut = column->cut == TABLE_CUT_BEGIN ? printable_cut_begin(text, width)
								  : printable_cut_end(text, width);
	int padding = (int)subtract_saturating(width, printable_columns(cut));

	strings_addf(parts, "%*s%s%s%s%*s", (first ? 0 : GAP) + (column->right ? padding : 0), "",
		colour ? colour : "", cut, colour ? NORMAL : "",
		column->right || last ? 0 : padding, "");
}

/* Row 0 is the titles. */
static void add_row(struct strings *parts, const struct table *table, const struct layout *layout,
	size_t row, bool colour)
{
	size_t last = 0;
	bool first = true;

	for (size_t i = 0; i < table->column_count; i++)
		last = layout->widths[i] > 0 ? i : last;
	for (size_t i = 0; i < table->column_count; i++) {
		const struct table_column *column = &table->columns[i];
		const struct table_cell *cell =
			row > 0 ? &table->cells.items[(row - 1) * table->column_count + i] : NULL;
		const char *style = cell ? colours[cell->style] : BOLD;

		if (layout->widths[i] == 0)
			continue;
		add_cell(parts, column, cell ? cell->text : column->title, colour ? style : NULL,
			layout->widths[i], first, i == last);
		first = false;
	}
	strings_add(parts, "\n");
}

char *table_format(const struct table *table, size_t width, bool colour)
{
	_cleanup_strings_ struct strings parts = {};
	struct layout layout;
	size_t rows;

	assert(table->column_count > 0);
	layout = measure(table);
	rows = table->cells.count / table->column_count;
	if (width > 0)
		fit(table, &layout, width);
	for (size_t row = table->titles ? 0 : 1; row <= rows; row++)
		add_row(&parts, table, &layout, row, colour);
	return strings_join(&parts, "");
}
