/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/control_tables.h"

#include <errno.h>

#include "codec/cells.h"
#include "core/table.h"

#define NAME_LEAST 20
#define WORD_LEAST 13 /* within-limits */

/* A member that has to be a list. */
static int read_list(
	struct json_object *body, const char *key, struct json_object **ret, struct error *error)
{
	*ret = json_member(body, key, json_type_array);
	if (*ret)
		return 0;
	error_set(error, "it has no list \"%s\"", key);
	return -EBADMSG;
}

typedef void (*add_row_fn)(struct table *table, struct json_object *item, const struct view *view);

static void add_rows(
	struct table *table, struct json_object *list, const struct view *view, add_row_fn add_row)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		add_row(table, json_object_array_get_idx(list, i), view);
}

static void take(struct table *table, char *text)
{
	table_take(table, text, TABLE_PLAIN);
}

static enum table_style verdict_style(const char *verdict)
{
	return streq(verdict, "remove") ? TABLE_WARNING : TABLE_PLAIN;
}

static const struct table_column image_columns[] = {
	{ .title = "IMAGE", .cut = TABLE_CUT_BEGIN, .least = NAME_LEAST },
	{ .title = "IMAGE ID", .dropped = 2 },
	{ .title = "ORIGIN", .dropped = 3 },
	{ .title = "LAST USED" },
	{ .title = "SIZE", .right = true },
	{ .title = "UNIQUE", .right = true, .dropped = 1 },
	{ .title = "VERDICT" },
	{ .title = "REASON", .cut = TABLE_CUT_END, .least = WORD_LEAST },
};

static void add_image(struct table *table, struct json_object *image, const struct view *view)
{
	const char *verdict = json_text(image, "verdict");

	take(table, cell_names(image, view->columns > 0));
	take(table, cell_id(image));
	take(table, cell_text(image, "origin"));
	take(table, cell_ago(image, "last_used", view->now));
	take(table, cell_size(image, "size"));
	take(table, cell_size(image, "unique_size"));
	table_take(table, cell_text(image, "verdict"), verdict_style(verdict));
	take(table, cell_text(image, "reason"));
}

int tables_images(
	struct json_object *body, const struct view *view, char **ret, struct error *error)
{
	_cleanup_(table_finish) struct table table = {};
	struct json_object *images;
	int r = read_list(body, "images", &images, error);

	if (r < 0)
		return r;
	table_init(&table, image_columns, ARRAY_SIZE(image_columns));
	add_rows(&table, images, view, add_image);
	*ret = table_format(&table, view->columns, view->colours);
	return 0;
}

static const struct table_column plan_columns[] = {
	{ .title = "VERDICT" },
	{ .title = "IMAGE", .cut = TABLE_CUT_BEGIN, .least = NAME_LEAST },
	{ .title = "IMAGE ID", .dropped = 1 },
	{ .title = "LAST USED" },
	{ .title = "FREES", .right = true },
	{ .title = "REASON", .cut = TABLE_CUT_END, .least = WORD_LEAST },
};

static void add_planned(
	struct table *table, const char *verdict, struct json_object *item, const struct view *view)
{
	table_take(table, xstrdup(verdict), verdict_style(verdict));
	take(table, cell_names(item, view->columns > 0));
	take(table, cell_id(item));
	take(table, cell_ago(item, "last_used", view->now));
	take(table, cell_size(item, "reclaims"));
	take(table, cell_text(item, "reason"));
}

static void add_removed(struct table *table, struct json_object *item, const struct view *view)
{
	add_planned(table, "remove", item, view);
}

static void add_kept(struct table *table, struct json_object *item, const struct view *view)
{
	add_planned(table, "keep", item, view);
}

/* "Removes 3 of 12 images: 18.2GB now, 14.1GB after it, target 15GB" */
static char *plan_headline(struct json_object *body, size_t removed, size_t kept)
{
	_cleanup_free_ char *before = cell_size(body, "before"), *after = cell_size(body, "after"),
			    *target = cell_size(body, "target"), *off = NULL;
	struct json_object *exact = json_member(body, "exact", json_type_boolean);
	bool is_exact = !exact || json_object_get_boolean(exact);

	off = cell_choice(body, "enabled", "", "Collecting is disabled: nothing is removed.\n");
	return xasprintf("%sRemoves %zu of %zu image%s: %s now, %s%s after it, target %s\n",
		streq(off, "-") ? "" : off, removed, removed + kept, removed + kept == 1 ? "" : "s",
		before, is_exact ? "" : "about ", after, target);
}

int tables_plan(struct json_object *body, const struct view *view, char **ret, struct error *error)
{
	_cleanup_(table_finish) struct table table = {};
	_cleanup_free_ char *headline = NULL, *lines = NULL;
	struct json_object *removed, *kept;
	int r = read_list(body, "remove", &removed, error);

	if (r == 0)
		r = read_list(body, "keep", &kept, error);
	if (r < 0)
		return r;
	table_init(&table, plan_columns, ARRAY_SIZE(plan_columns));
	add_rows(&table, removed, view, add_removed);
	add_rows(&table, kept, view, add_kept);
	headline = plan_headline(
		body, json_object_array_length(removed), json_object_array_length(kept));
	lines = table.cells.count > 0 ? table_format(&table, view->columns, view->colours)
				      : xstrdup("");
	*ret = xasprintf("%s%s%s", headline, *lines ? "\n" : "", lines);
	return 0;
}

static const struct table_column history_columns[] = {
	{ .title = "TIME" },
	{ .title = "IMAGE", .cut = TABLE_CUT_BEGIN, .least = NAME_LEAST },
	{ .title = "IMAGE ID", .dropped = 1 },
	{ .title = "FREED", .right = true },
	{ .title = "REASON", .cut = TABLE_CUT_END, .least = WORD_LEAST },
	{ .title = "OUTCOME", .cut = TABLE_CUT_END, .least = WORD_LEAST },
};

static void add_past(struct table *table, struct json_object *item, const struct view *view)
{
	const char *outcome = json_text(item, "outcome");

	take(table, cell_ago(item, "time", view->now));
	take(table, cell_names(item, view->columns > 0));
	take(table, cell_id(item));
	take(table, cell_size(item, "bytes"));
	take(table, cell_text(item, "reason"));
	table_take(table, cell_text(item, "outcome"),
		streq(outcome, "removed") ? TABLE_PLAIN : TABLE_WARNING);
}

int tables_history(
	struct json_object *body, const struct view *view, char **ret, struct error *error)
{
	_cleanup_(table_finish) struct table table = {};
	struct json_object *history;
	int r = read_list(body, "history", &history, error);

	if (r < 0)
		return r;
	table_init(&table, history_columns, ARRAY_SIZE(history_columns));
	add_rows(&table, history, view, add_past);
	*ret = table_format(&table, view->columns, view->colours);
	return 0;
}

static const struct table_column name_columns[] = {
	{ .title = "IMAGE", .cut = TABLE_CUT_BEGIN, .least = NAME_LEAST },
	{ .title = "RESULT", .cut = TABLE_CUT_END, .least = WORD_LEAST },
};

static void add_name(struct table *table, struct json_object *item, const struct view *view)
{
	const char *result = json_text(item, "result");

	take(table, cell_reference(item, "reference"));
	table_take(table, cell_text(item, "result"),
		streq(result, "unknown") ? TABLE_WARNING : TABLE_PLAIN);
}

int tables_names(struct json_object *body, const struct view *view, char **ret, struct error *error)
{
	_cleanup_(table_finish) struct table table = {};
	struct json_object *images;
	int r = read_list(body, "images", &images, error);

	if (r < 0)
		return r;
	table_init(&table, name_columns, ARRAY_SIZE(name_columns));
	add_rows(&table, images, view, add_name);
	*ret = table_format(&table, view->columns, view->colours);
	return 0;
}
