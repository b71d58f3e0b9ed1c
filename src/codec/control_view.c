/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/control_view.h"

#include <errno.h>

#include "codec/cells.h"
#include "codec/control_tables.h"
#include "core/printable.h"
#include "core/table.h"

/* Labels and values: nothing is cut. */
static const struct table_column label_columns[] = { {}, {} };

static void add_line(struct table *table, const char *label, char *value, enum table_style style)
{
	table_add(table, label);
	table_take(table, value, style);
}

/* "until resumed", "until 2026-11-23T22:31:47Z (in 2 hours)"; NULL if it is not paused. */
static char *pause_of(struct json_object *body, nsec_t now)
{
	struct json_object *until;
	_cleanup_free_ char *time = NULL;

	if (json_optional(body, "paused_until", json_type_string, &until, NULL) == 0 && !until)
		return NULL;
	if (streq(json_text(body, "paused_until"), "forever"))
		return xstrdup("until resumed");
	time = cell_time(body, "paused_until", now);
	return xasprintf("until %s", time);
}

/* "watching, paused until resumed, dry run" */
static void add_state(struct table *table, struct json_object *body, const struct view *view)
{
	_cleanup_strings_ struct strings parts = {};
	_cleanup_free_ char *pause = pause_of(body, view->now);
	struct json_object *enabled = json_member(body, "enabled", json_type_boolean);
	const char *state = json_text(body, "state");
	bool held = false;

	strings_take(&parts, cell_text(body, "state"));
	if (enabled && !json_object_get_boolean(enabled)) {
		strings_add(&parts, "collecting is disabled");
		held = true;
	}
	if (pause) {
		strings_addf(&parts, "paused %s", pause);
		held = true;
	}
	if (cell_is_true(body, "dry_run"))
		strings_add(&parts, "dry run");
	add_line(table, "State:", strings_join(&parts, ", "),
		held || streq(state, "waiting") ? TABLE_WARNING : TABLE_GOOD);
}

static void add_engine(struct table *table, struct json_object *body)
{
	struct json_object *engine = json_member(body, "engine", json_type_object);
	_cleanup_free_ char *host = cell_text(engine, "host"), *version = NULL, *api = NULL;

	version = cell_text(engine, "version");
	api = cell_text(engine, "api_version");
	add_line(table, "Engine:", xasprintf("%s, version %s, API %s", host, version, api),
		TABLE_PLAIN);
}

/* One limit, or "" where none is set. */
static char *limit_of(struct json_object *body, const char *key, const char *format_begin)
{
	struct json_object *limits = json_member(body, "limits", json_type_object);
	_cleanup_free_ char *size = NULL;

	if (!cell_is_positive(limits, key))
		return xstrdup("");
	size = cell_size(limits, key);
	return xasprintf("%s%s", format_begin, size);
}

static void add_limits(struct table *table, struct json_object *body)
{
	struct json_object *limits = json_member(body, "limits", json_type_object);
	_cleanup_free_ char *usage = cell_size(body, "usage"),
			    *free_space = cell_size(body, "free_space"), *most = NULL,
			    *target = NULL, *least = NULL;

	most = limit_of(body, "max_total_size", ", at most ");
	target = limit_of(body, "target_total_size", ", then down to ");
	least = limit_of(body, "min_free_space", ", at least ");
	add_line(table, "Usage:", xasprintf("%s%s%s", usage, most, *most ? target : ""),
		TABLE_PLAIN);
	add_line(table, "Free space:", xasprintf("%s%s", free_space, least), TABLE_PLAIN);
	add_line(table, "Unused for:",
		cell_is_positive(limits, "max_unused") ? cell_seconds(limits, "max_unused")
						       : xstrdup("any time"),
		TABLE_PLAIN);
}

/* "3 removed, 0 failed, 20GB before, 14GB after" */
static char *result_of(struct json_object *collection)
{
	_cleanup_free_ char *removed = cell_count(collection, "removed"),
			    *failed = cell_count(collection, "failed"),
			    *before = cell_size(collection, "before"),
			    *after = cell_size(collection, "after");

	return xasprintf(
		"%s removed, %s failed, %s before, %s after", removed, failed, before, after);
}

static void add_collections(struct table *table, struct json_object *body, const struct view *view)
{
	struct json_object *last = json_member(body, "last_collection", json_type_object);
	_cleanup_free_ char *time = NULL, *result = NULL, *counts = NULL;
	bool failed = streq(json_text(last, "result"), "failed");

	if (last) {
		time = cell_time(last, "time", view->now);
		result = cell_text(last, "result");
		counts = result_of(last);
		add_line(table, "Last collection:", xasprintf("%s, %s: %s", time, result, counts),
			failed || cell_is_positive(last, "failed") ? TABLE_BAD : TABLE_PLAIN);
	} else {
		add_line(table, "Last collection:", xstrdup("-"), TABLE_PLAIN);
	}
	add_line(table, "Next collection:", cell_time(body, "next_collection", view->now),
		TABLE_PLAIN);
}

static int format_status(
	struct json_object *body, const struct view *view, char **ret, struct error *error)
{
	_cleanup_(table_finish) struct table table = {};
	struct json_object *images = json_member(body, "images", json_type_object),
			   *errors = json_member(body, "errors", json_type_array);
	_cleanup_free_ char *total = cell_count(images, "total"),
			    *managed = cell_count(images, "managed");

	table_init(&table, label_columns, ARRAY_SIZE(label_columns));
	add_state(&table, body, view);
	add_engine(&table, body);
	add_line(&table, "Images:", xasprintf("%s, %s of them managed", total, managed),
		TABLE_PLAIN);
	add_limits(&table, body);
	add_collections(&table, body, view);
	add_line(&table, "Unobserved:", cell_seconds(body, "unobserved"), TABLE_PLAIN);
	for (size_t i = 0; errors && i < json_object_array_length(errors); i++) {
		struct json_object *text = json_object_array_get_idx(errors, i);

		if (json_object_is_type(text, json_type_string))
			add_line(
				&table, "Error:", xstrdup(json_object_get_string(text)), TABLE_BAD);
	}
	*ret = table_format(&table, 0, view->colours);
	return 0;
}

static int format_image(
	struct json_object *body, const struct view *view, char **ret, struct error *error)
{
	_cleanup_(table_finish) struct table table = {};
	_cleanup_free_ char *verdict = cell_text(body, "verdict"),
			    *reason = cell_text(body, "reason");

	if (!json_text(body, "id")) {
		error_set(error, "it has no \"id\"");
		return -EBADMSG;
	}
	table_init(&table, label_columns, ARRAY_SIZE(label_columns));
	add_line(&table, "Image:", cell_names(body, false), TABLE_PLAIN);
	add_line(&table, "ID:", cell_text(body, "id"), TABLE_PLAIN);
	add_line(&table, "Verdict:", xasprintf("%s: %s", verdict, reason),
		streq(verdict, "remove") ? TABLE_WARNING : TABLE_PLAIN);
	add_line(&table, "Why:", cell_text(body, "explanation"), TABLE_PLAIN);
	add_line(&table, "Ahead of it:", cell_count(body, "ahead"), TABLE_PLAIN);
	add_line(&table, "Origin:", cell_text(body, "origin"), TABLE_PLAIN);
	add_line(&table, "Managed:", cell_choice(body, "managed", "yes", "no"), TABLE_PLAIN);
	add_line(&table, "In use:", cell_choice(body, "in_use", "yes", "no"), TABLE_PLAIN);
	add_line(&table, "Last used:", cell_time(body, "last_used", view->now), TABLE_PLAIN);
	add_line(&table, "First seen:", cell_time(body, "first_seen", view->now), TABLE_PLAIN);
	add_line(&table, "Size:", cell_size(body, "size"), TABLE_PLAIN);
	add_line(&table, "Unique size:", cell_size(body, "unique_size"), TABLE_PLAIN);
	*ret = table_format(&table, 0, view->colours);
	return 0;
}

static int format_started(
	struct json_object *body, const struct view *view, char **ret, struct error *error)
{
	*ret = xstrdup("The daemon collects; --wait waits for the end.\n");
	return 0;
}

static int format_collection(
	struct json_object *body, const struct view *view, char **ret, struct error *error)
{
	_cleanup_free_ char *counts = result_of(body);
	bool failed = streq(json_text(body, "result"), "failed");

	*ret = xasprintf("%s%s\n", failed ? "The collection has failed: " : "", counts);
	return 0;
}

static int format_pause(
	struct json_object *body, const struct view *view, char **ret, struct error *error)
{
	_cleanup_free_ char *pause = pause_of(body, view->now);

	if (!json_object_object_get_ex(body, "paused_until", NULL)) {
		error_set(error, "it has no \"paused_until\"");
		return -EBADMSG;
	}
	*ret = pause ? xasprintf("Collecting is paused %s.\n", pause)
		     : xstrdup("Collecting is not paused.\n");
	return 0;
}

static int (*const formats[])(
	struct json_object *body, const struct view *view, char **ret, struct error *error) = {
	[VIEW_STATUS] = format_status,
	[VIEW_IMAGES] = tables_images,
	[VIEW_IMAGE] = format_image,
	[VIEW_PLAN] = tables_plan,
	[VIEW_STARTED] = format_started,
	[VIEW_COLLECTION] = format_collection,
	[VIEW_HISTORY] = tables_history,
	[VIEW_NAMES] = tables_names,
	[VIEW_PAUSE] = format_pause,
};

int view_format(enum view_kind kind, const char *data, size_t length, const struct view *view,
	char **ret, struct error *error)
{
	_cleanup_json_ struct json_object *body = NULL;
	int r = json_read(data, length, json_type_object, &body, error);

	return r < 0 ? r : formats[kind](body, view, ret, error);
}

int view_check(const char *data, size_t length, struct error *error)
{
	_cleanup_json_ struct json_object *body = NULL;

	return json_read(data, length, json_type_object, &body, error);
}

char *view_message(const char *data, size_t length)
{
	_cleanup_json_ struct json_object *body = NULL;
	const char *message;

	if (json_read(data, length, json_type_object, &body, NULL) < 0)
		return NULL;
	message = json_text(body, "message");
	return message && *message ? printable_escape(message) : NULL;
}

bool view_has_failed(const char *data, size_t length)
{
	_cleanup_json_ struct json_object *body = NULL;

	return json_read(data, length, json_type_object, &body, NULL) == 0 &&
		streq(json_text(body, "result"), "failed");
}

char *view_progress(const char *data, size_t length)
{
	_cleanup_json_ struct json_object *body = NULL;
	_cleanup_free_ char *state = NULL, *usage = NULL, *images = NULL, *text = NULL;

	if (json_read(data, length, json_type_object, &body, NULL) < 0)
		return NULL;
	state = cell_text(body, "state");
	usage = cell_size(body, "usage");
	images = cell_count(json_member(body, "images", json_type_object), "total");
	text = xasprintf("%s: %s images, %s", state, images, usage);
	return printable_escape(text);
}
