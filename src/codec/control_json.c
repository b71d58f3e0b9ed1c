/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/control_json.h"

#include <errno.h>
#include <string.h>

#include "codec/json.h"
#include "core/explain.h"
#include "core/printable.h"
#include "core/units.h"

/* Takes the value over. */
static void add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) < 0)
		abort();
}

static struct json_object *new_object(void)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		abort();
	return object;
}

static struct json_object *new_array(void)
{
	struct json_object *array = json_object_new_array();

	if (!array)
		abort();
	return array;
}

static void append(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value) < 0)
		abort();
}

/* One that is no UTF-8, which JSON has to be, shows its bytes. */
static struct json_object *new_text(const char *text)
{
	_cleanup_free_ char *escaped =
		text && !printable_is_utf8(text) ? printable_escape(text) : NULL;
	struct json_object *object = text ? json_object_new_string(escaped ? escaped : text) : NULL;

	if (text && !object)
		abort();
	return object;
}

static struct json_object *new_number(uint64_t number)
{
	struct json_object *object = json_object_new_uint64(number);

	if (!object)
		abort();
	return object;
}

/* NULL, which is null, where it is not known. */
static struct json_object *new_bytes(bool known, uint64_t bytes)
{
	return known ? new_number(bytes) : NULL;
}

static struct json_object *new_time(nsec_t time)
{
	char text[FORMAT_MAX];

	return time > 0 ? new_text(format_time(time, text)) : NULL;
}

static struct json_object *new_strings(const struct strings *strings)
{
	struct json_object *array = new_array();

	for (size_t i = 0; i < strings->count; i++)
		append(array, new_text(strings->items[i]));
	return array;
}

/* The text of it, which goes. */
static char *print(struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	char *copy;

	if (!text)
		abort();
	copy = xasprintf("%s\n", text);
	json_object_put(object);
	return copy;
}

char *encode_message(const char *message)
{
	struct json_object *object = new_object();

	add(object, "message", new_text(message));
	return print(object);
}

static struct json_object *new_pause(pause_t until)
{
	return until == NSEC_MAX ? new_text("forever") : new_time(until);
}

static struct json_object *new_collection(const struct collection_record *record)
{
	struct json_object *object = new_object();

	add(object, "time", new_time(record->time));
	add(object, "removed", new_number(record->removed));
	add(object, "failed", new_number(record->failed));
	add(object, "before", new_bytes(record->before.known, record->before.images));
	add(object, "after", new_bytes(record->after.known, record->after.images));
	add(object, "result", new_text(record->finished ? "finished" : "failed"));
	return object;
}

static struct json_object *new_engine(const struct control_status *status)
{
	struct json_object *object = new_object();

	add(object, "host", new_text(status->host));
	add(object, "id", new_text(status->engine_id));
	add(object, "version", new_text(status->version));
	add(object, "api_version", new_text(status->api_version));
	return object;
}

static struct json_object *new_limits(const struct control_status *status)
{
	struct json_object *object = new_object();

	add(object, "max_total_size", new_number(status->limits.max_total_size));
	add(object, "target_total_size", new_number(status->limits.target_total_size));
	add(object, "min_free_space", new_number(status->limits.min_free_space));
	add(object, "max_unused", new_number((uint64_t)(status->max_unused / NSEC_PER_SEC)));
	return object;
}

char *encode_status(const struct control_status *status)
{
	struct json_object *object = new_object(), *images = new_object(), *errors = new_array();
	const struct usage *usage = &status->usage;

	add(images, "total", new_number(status->images));
	add(images, "managed", new_number(status->managed));
	for (size_t i = 0; i < ARRAY_SIZE(status->errors); i++)
		if (status->errors[i])
			append(errors, new_text(status->errors[i]));
	add(object, "state", new_text(status->state));
	add(object, "paused_until", new_pause(status->paused_until));
	add(object, "engine", new_engine(status));
	add(object, "images", images);
	add(object, "usage", new_bytes(usage->known, usage->images));
	add(object, "free_space", new_bytes(usage->space.known, usage->space.free));
	add(object, "limits", new_limits(status));
	add(object, "enabled", json_object_new_boolean(status->enabled));
	add(object, "dry_run", json_object_new_boolean(status->dry_run));
	add(object, "last_collection",
		status->last.time > 0 ? new_collection(&status->last) : NULL);
	add(object, "next_collection", new_time(status->next));
	add(object, "unobserved", new_number((uint64_t)MAX(status->unobserved, (int64_t)0)));
	add(object, "errors", errors);
	return print(object);
}

static struct json_object *new_item(const struct inventory *inventory, const struct plan_item *item)
{
	struct bounds alone = inventory_reclaim(inventory, item->image);
	const struct image *image = item->image;
	const struct ledger_entry *entry = item->entry;
	struct json_object *object = new_object();

	add(object, "id", new_text(image->id));
	add(object, "references", new_strings(&image->references));
	add(object, "origin", entry ? new_text(origin_name(entry->origin)) : NULL);
	add(object, "managed", json_object_new_boolean(item->managed));
	add(object, "last_used", new_time(item->last_used));
	add(object, "first_seen", new_time(entry ? entry->first_seen : 0));
	add(object, "size", new_bytes(image->has_size, image->size));
	add(object, "unique_size", new_bytes(bounds_are_exact(&alone), alone.upper));
	add(object, "in_use", json_object_new_boolean(image->containers > 0));
	add(object, "verdict", new_text(reason_removes(item->reason) ? "remove" : "keep"));
	add(object, "reason", new_text(reason_name(item->reason)));
	return object;
}

char *encode_images(const struct inventory *inventory, const struct plan *plan)
{
	struct json_object *object = new_object(), *images = new_array();

	for (size_t i = 0; i < plan->count; i++)
		append(images, new_item(inventory, &plan->items[i]));
	add(object, "images", images);
	return print(object);
}

char *encode_image(
	const struct inventory *inventory, const struct plan *plan, const struct plan_item *item)
{
	struct json_object *object = new_item(inventory, item);
	_cleanup_free_ char *explanation = explain_item(plan, item);

	add(object, "explanation", new_text(explanation));
	add(object, "ahead", new_number(item->ahead));
	return print(object);
}

static struct json_object *new_planned(const struct plan_item *item)
{
	struct json_object *object = new_object();

	add(object, "id", new_text(item->image->id));
	add(object, "references", new_strings(&item->image->references));
	add(object, "reason", new_text(reason_name(item->reason)));
	if (reason_removes(item->reason)) {
		add(object, "last_used", new_time(item->last_used));
		add(object, "reclaims",
			new_bytes(item->reclaims.upper < UINT64_MAX, item->reclaims.upper));
	}
	return object;
}

char *encode_plan(const struct plan *plan, const struct usage *usage, bool enabled)
{
	struct json_object *object = new_object(), *gone = new_array(), *kept = new_array();
	uint64_t after = subtract_saturating(usage->images, plan->reclaims.upper);

	for (size_t i = 0; i < plan->count; i++)
		append(reason_removes(plan->items[i].reason) ? gone : kept,
			new_planned(&plan->items[i]));
	add(object, "enabled", json_object_new_boolean(enabled));
	add(object, "before", new_bytes(usage->known, usage->images));
	add(object, "after", new_bytes(usage->known && plan->reclaims.upper < UINT64_MAX, after));
	add(object, "target",
		new_bytes(plan->limits.max_total_size > 0, plan->limits.target_total_size));
	add(object, "exact", json_object_new_boolean(bounds_are_exact(&plan->reclaims)));
	add(object, "remove", gone);
	add(object, "keep", kept);
	return print(object);
}

char *encode_collection(const struct collection_record *record)
{
	return print(new_collection(record));
}

char *encode_removal_log(const struct removal_log *log)
{
	struct json_object *object = new_object(), *removals = new_array();

	for (size_t i = 0; i < removal_log_length(log); i++) {
		const struct logged_removal *removal = removal_log_get(log, i);
		struct json_object *item = new_object();

		add(item, "time", new_time(removal->time));
		add(item, "id", new_text(removal->id));
		add(item, "references", new_strings(&removal->references));
		add(item, "reason", new_text(reason_name(removal->reason)));
		add(item, "bytes",
			new_bytes(removal->bytes.upper < UINT64_MAX, removal->bytes.upper));
		add(item, "outcome", new_text(removal->outcome));
		append(removals, item);
	}
	add(object, "history", removals);
	return print(object);
}

char *encode_pause(pause_t paused_until)
{
	struct json_object *object = new_object();

	add(object, "paused_until", new_pause(paused_until));
	return print(object);
}

char *encode_tracking(const struct strings *references, const enum tracking_result *results)
{
	struct json_object *object = new_object(), *images = new_array();

	for (size_t i = 0; i < references->count; i++) {
		struct json_object *item = new_object();

		add(item, "reference", new_text(references->items[i]));
		add(item, "result", new_text(tracking_result_name(results[i])));
		append(images, item);
	}
	add(object, "images", images);
	return print(object);
}

int decode_references(const char *data, size_t length, struct strings *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct json_object *images;
	int r = json_read(data, length, json_type_object, &object, error);

	if (r < 0)
		return r;
	images = json_member(object, "images", json_type_array);
	if (!images) {
		error_set(error, "images is missing or no array");
		return -EBADMSG;
	}
	for (size_t i = 0; i < json_object_array_length(images); i++) {
		struct json_object *item = json_object_array_get_idx(images, i);

		/* A NUL would cut it short. */
		if (!json_object_is_type(item, json_type_string) ||
			strlen(json_object_get_string(item)) !=
				(size_t)json_object_get_string_len(item)) {
			error_set(error, "images: number %zu is no name", i + 1);
			return -EBADMSG;
		}
		strings_add(ret, json_object_get_string(item));
	}
	return 0;
}
