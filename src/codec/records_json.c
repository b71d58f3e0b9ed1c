/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/records_json.h"

#include <errno.h>
#include <string.h>

#include "codec/json.h"
#include "core/reference.h"
#include "core/units.h"

void image_records_finish(struct image_records *records)
{
	for (size_t i = 0; i < records->count; i++)
		image_record_finish(&records->items[i]);
	free(records->items);
	*records = (struct image_records){};
}

void container_records_finish(struct container_records *records)
{
	for (size_t i = 0; i < records->count; i++)
		container_record_finish(&records->items[i]);
	free(records->items);
	*records = (struct container_records){};
}

static int read_id(struct json_object *object, const char *key, char **ret, struct error *error)
{
	const char *text = json_text(object, key);

	if (!text) {
		error_set(error, "%s is missing", key);
		return -EBADMSG;
	}
	if (image_id_normalise(text, ret) < 0) {
		error_set(error, "%s is no image ID", key);
		return -EBADMSG;
	}
	return 0;
}

/* A name that we cannot read ("<none>:<none>") is none. The containerd store has digests here. */
static int read_names(struct json_object *object, const char *key, struct image_record *record,
	struct error *error)
{
	struct json_object *names;
	int r = json_optional(object, key, json_type_array, &names, error);
	size_t count = r == 0 && names ? json_object_array_length(names) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *name = json_object_array_get_idx(names, i);
		_cleanup_free_ char *canonical = NULL;
		struct strings *list;

		if (!json_object_is_type(name, json_type_string)) {
			error_set(error, "%s has something else than names", key);
			return -EBADMSG;
		}
		if (reference_canonicalise(json_object_get_string(name), &canonical) < 0)
			continue;
		list = reference_has_digest(canonical) ? &record->digests : &record->references;
		if (!strings_contain(list, canonical))
			strings_take(list, TAKE_PTR(canonical));
	}
	return r;
}

static int read_labels(struct json_object *object, struct labels *labels, struct error *error)
{
	struct json_object *map;
	struct json_object_iter iter;
	int r = json_optional(object, "Labels", json_type_object, &map, error);

	if (r < 0 || !map)
		return r;
	json_object_object_foreachC(map, iter)
	{
		const char *value = json_object_get_string(iter.val);

		labels_add(labels, iter.key, value ? value : "");
	}
	return 0;
}

/* List and inspect call the parent ParentId and Parent, and may have it empty. */
static void read_parent(struct json_object *object, const char *key, struct image_record *record)
{
	const char *text = json_text(object, key);

	if (text && image_id_normalise(text, &record->parent) < 0)
		record->parent = NULL;
}

static int read_size(struct json_object *object, struct image_record *record, struct error *error)
{
	int64_t size;

	if (json_integer(object, "Size", &size) < 0) {
		error_set(error, "Size is missing");
		return -EBADMSG;
	}
	/* -1: not computed; what does not fit comes out as the largest number that does. */
	record->has_size = size >= 0 && size < INT64_MAX;
	record->size = record->has_size ? (uint64_t)size : 0;
	return 0;
}

static int read_listed_image(
	struct json_object *object, struct image_record *record, struct error *error)
{
	int64_t created;
	int r = read_id(object, "Id", &record->id, error);

	if (r < 0)
		return r;
	r = read_size(object, record, error);
	if (r < 0)
		return r;
	if (json_integer(object, "Created", &created) == 0 && created > 0 &&
		created < NSEC_MAX / NSEC_PER_SEC)
		record->created = created * NSEC_PER_SEC;
	read_parent(object, "ParentId", record);
	r = read_names(object, "RepoTags", record, error);
	if (r == 0)
		r = read_names(object, "RepoDigests", record, error);
	if (r == 0)
		r = read_labels(object, &record->labels, error);
	return r;
}

/* array: NULL for an empty one. */
static int read_list(struct json_object *array,
	int (*read)(struct json_object *, struct image_record *, struct error *),
	struct image_records *ret, struct error *error)
{
	_cleanup_(image_records_finish) struct image_records records = {};

	for (size_t i = 0; array && i < json_object_array_length(array); i++) {
		_cleanup_error_ struct error why = {};
		int r = read(json_object_array_get_idx(array, i), array_push(&records), &why);

		if (r < 0) {
			error_set(error, "image %zu: %s", i + 1, why.message);
			return r;
		}
	}
	*ret = TAKE_STRUCT(records);
	return 0;
}

int decode_images(const char *data, size_t length, struct image_records *ret, struct error *error)
{
	_cleanup_json_ struct json_object *array = NULL;
	int r = json_read(data, length, json_type_array, &array, error);

	return r < 0 ? r : read_list(array, read_listed_image, ret, error);
}

static int read_sized_image(
	struct json_object *object, struct image_record *record, struct error *error)
{
	int r = read_id(object, "Id", &record->id, error);

	return r < 0 ? r : read_size(object, record, error);
}

int decode_image_sizes(
	const char *data, size_t length, struct image_records *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct json_object *images = NULL;
	int r = json_read(data, length, json_type_object, &object, error);

	if (r == 0)
		r = json_optional(object, "Images", json_type_array, &images, error);
	return r < 0 ? r : read_list(images, read_sized_image, ret, error);
}

static int read_layers(struct json_object *object, struct image_record *record, struct error *error)
{
	struct json_object *rootfs = json_member(object, "RootFS", json_type_object);
	struct json_object *layers;

	if (!rootfs) {
		error_set(error, "RootFS is missing");
		return -EBADMSG;
	}
	/* An image without layers has no such key. */
	if (json_optional(rootfs, "Layers", json_type_array, &layers, error) < 0)
		return -EBADMSG;
	for (size_t i = 0; layers && i < json_object_array_length(layers); i++) {
		struct json_object *layer = json_object_array_get_idx(layers, i);

		if (!json_object_is_type(layer, json_type_string)) {
			error_set(error, "RootFS.Layers has something else than digests");
			return -EBADMSG;
		}
		strings_add(&record->layers, json_object_get_string(layer));
	}
	record->has_layers = true;
	return 0;
}

int decode_image(const char *data, size_t length, struct image_record *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	_cleanup_(image_record_finish) struct image_record record = {};
	const char *created;
	int r = json_read(data, length, json_type_object, &object, error);

	if (r < 0)
		return r;
	r = read_id(object, "Id", &record.id, error);
	if (r < 0)
		return r;
	r = read_size(object, &record, error);
	if (r < 0)
		return r;
	r = read_layers(object, &record, error);
	if (r < 0)
		return r;
	created = json_text(object, "Created");
	if (created && parse_time(created, &record.created) < 0)
		record.created = 0;
	read_parent(object, "Parent", &record);
	r = read_names(object, "RepoTags", &record, error);
	if (r == 0)
		r = read_names(object, "RepoDigests", &record, error);
	if (r == 0)
		r = read_labels(
			json_member(object, "Config", json_type_object), &record.labels, error);
	if (r < 0)
		return r;
	*ret = TAKE_STRUCT(record);
	return 0;
}

int decode_history(const char *data, size_t length, struct history *ret, struct error *error)
{
	_cleanup_json_ struct json_object *array = NULL;
	_cleanup_(history_finish) struct history history = {};
	int r = json_read(data, length, json_type_array, &array, error);

	if (r < 0)
		return r;
	/* The engine has the last one first. */
	for (size_t i = json_object_array_length(array); i-- > 0;) {
		int64_t size;

		if (json_integer(json_object_array_get_idx(array, i), "Size", &size) < 0 ||
			size < 0) {
			error_set(error, "entry %zu: Size is missing", i + 1);
			return -EBADMSG;
		}
		*array_push(&history) = (uint64_t)size;
	}
	*ret = TAKE_STRUCT(history);
	return 0;
}

int decode_containers(
	const char *data, size_t length, struct container_records *ret, struct error *error)
{
	_cleanup_json_ struct json_object *array = NULL;
	_cleanup_(container_records_finish) struct container_records records = {};
	int r = json_read(data, length, json_type_array, &array, error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		struct container_record *record = array_push(&records);
		const char *id = json_text(item, "Id"), *image = json_text(item, "Image");
		const char *image_id = json_text(item, "ImageID");
		bool has_id = image_id && *image_id;

		if (!id || (!image && !has_id)) {
			error_set(error, "container %zu: %s is missing", i + 1,
				id ? "ImageID" : "Id");
			return -EBADMSG;
		}
		/* As one that is not there it would leave its image unprotected. */
		if (has_id && image_id_normalise(image_id, &record->image_id) < 0) {
			error_set(error, "container %zu: ImageID is no image ID", i + 1);
			return -EBADMSG;
		}
		record->id = xstrdup(id);
		record->image_text = image ? xstrdup(image) : NULL;
		record->removing = streq(json_text(item, "State"), "removing");
	}
	*ret = TAKE_STRUCT(records);
	return 0;
}

int decode_container(
	const char *data, size_t length, struct container_record *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	_cleanup_(container_record_finish) struct container_record record = {};
	const char *id;
	int r = json_read(data, length, json_type_object, &object, error);

	if (r < 0)
		return r;
	r = read_id(object, "Image", &record.image_id, error);
	if (r < 0)
		return r;
	id = json_text(object, "Id");
	if (!id) {
		error_set(error, "Id is missing");
		return -EBADMSG;
	}
	record.id = xstrdup(id);
	*ret = TAKE_STRUCT(record);
	return 0;
}
