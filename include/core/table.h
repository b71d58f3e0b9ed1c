/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A table of texts, laid out to fit a width: columns of it go, then texts are cut. */

#include "core/base.h"

enum table_cut {
	TABLE_WHOLE, /* cut last of all */
	TABLE_CUT_BEGIN,
	TABLE_CUT_END,
};

struct table_column {
	const char *title; /* NULL for none */
	bool right; /* aligned so */
	enum table_cut cut;
	size_t least; /* columns of the terminal that it is not cut below without need */
	unsigned dropped; /* 0: stays; else the column with the highest goes first */
};

enum table_style {
	TABLE_PLAIN,
	TABLE_GOOD,
	TABLE_WARNING,
	TABLE_BAD,
};

struct table_cell {
	char *text; /* escaped */
	enum table_style style;
};

struct table {
	const struct table_column *columns;
	size_t column_count;
	bool titles;
	ARRAY(struct table_cell) cells; /* row by row */
};

#define TABLE_COLUMNS_MAX 12

/* The columns, TABLE_COLUMNS_MAX at most, have to live as long as the table. */
void table_init(struct table *table, const struct table_column *columns, size_t count);
void table_finish(struct table *table);

/* The next cell. Takes text, from anywhere: it is escaped. */
void table_take(struct table *table, char *text, enum table_style style);
void table_add(struct table *table, const char *text);

/*
 * A line for each row, below the titles if there are any. No line is wider than width, as far as a
 * character for each column that stays fits in; 0 for any width. Colour is that of ANSI terminals.
 * The caller frees.
 */
char *table_format(const struct table *table, size_t width, bool colour) _warn_unused_;
