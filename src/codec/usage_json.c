/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/usage_json.h"

#include <errno.h>

#include "codec/json.h"
#include "core/units.h"

static int read_size(
	struct json_object *object, const char *key, uint64_t *ret, struct error *error)
{
	int64_t size;

	if (json_integer(object, key, &size) < 0 || size < 0) {
		error_set(error, "%s is missing or not a size", key);
		return -EBADMSG;
	}
	*ret = (uint64_t)size;
	return 0;
}

/* 1.52 counts in ImageUsage and leaves zeros out. */
static int read_image_usage(struct json_object *usage, uint64_t *ret, struct error *error)
{
	int64_t count = 0;

	if (json_object_object_length(usage) == 0 ||
		(!json_object_object_get_ex(usage, "TotalSize", NULL) &&
			json_integer(usage, "TotalCount", &count) == 0 && count == 0)) {
		*ret = 0;
		return 0;
	}
	return read_size(usage, "TotalSize", ret, error);
}

static bool has_sized_images(struct json_object *object, const char *key)
{
	struct json_object *images = json_member(object, key, json_type_array);
	size_t count = images ? json_object_array_length(images) : 0;
	int64_t size;

	for (size_t i = 0; i < count; i++)
		if (json_integer(json_object_array_get_idx(images, i), "Size", &size) == 0 &&
			size > 0)
			return true;
	return false;
}

static int read_usage(struct json_object *object, struct usage *ret, struct error *error)
{
	struct json_object *image_usage;
	uint64_t size;
	int r = json_optional(object, "ImageUsage", json_type_object, &image_usage, error);

	if (r < 0)
		return r;
	if (image_usage)
		r = read_image_usage(image_usage, &size, error);
	else
		r = read_size(object, "LayersSize", &size, error);
	if (r < 0)
		return r;
	if (size == 0 &&
		(has_sized_images(object, "Images") || has_sized_images(image_usage, "Items"))) {
		error_set(error, "%s is 0 although there are images",
			image_usage ? "TotalSize" : "LayersSize");
		return -EBADMSG;
	}
	*ret = (struct usage){ .known = true, .images = size };
	return 0;
}

int decode_usage(const char *data, size_t length, struct usage *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	int r = json_read(data, length, json_type_object, &object, error);

	return r < 0 ? r : read_usage(object, ret, error);
}

struct sizes {
	uint64_t sum, largest;
};

static int read_sizes(
	struct json_object *object, const char *key, struct sizes *ret, struct error *error)
{
	struct json_object *array;
	struct sizes sizes = {};
	uint64_t size;
	int r = json_optional(object, key, json_type_array, &array, error);

	for (size_t i = 0; r == 0 && array && i < json_object_array_length(array); i++) {
		r = read_size(json_object_array_get_idx(array, i), "Size", &size, error);
		if (r < 0)
			break;
		sizes.sum = add_saturating(sizes.sum, size);
		sizes.largest = MAX(sizes.largest, size);
	}
	if (r < 0)
		return r;
	*ret = sizes;
	return 0;
}

int decode_usage_beside_cache(
	const char *data, size_t length, struct usage *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct sizes images = {}, cache = {};
	struct usage usage = {};
	int r = json_read(data, length, json_type_object, &object, error);

	if (r == 0)
		r = read_usage(object, &usage, error);
	if (r == 0)
		r = read_sizes(object, "Images", &images, error);
	if (r == 0 && !json_object_object_get_ex(object, "BuildCache", NULL)) {
		error_set(error, "BuildCache is missing");
		r = -EBADMSG;
	}
	if (r == 0)
		r = read_sizes(object, "BuildCache", &cache, error);
	if (r < 0)
		return r;
	/* Docker 26 counts less here than in an image's Size. */
	images.largest = MIN(images.largest, usage.images);
	usage.images = MAX(images.largest, subtract_saturating(usage.images, cache.sum));
	*ret = usage;
	return 0;
}

/* In doubt it is not: what is in use stays. */
static bool is_false(struct json_object *object, const char *key)
{
	struct json_object *member = json_member(object, key, json_type_boolean);

	return member && !json_object_get_boolean(member);
}

static int read_record(struct json_object *record, struct build_cache *cache, struct error *error)
{
	const char *used = json_text(record, "LastUsedAt"), *made = json_text(record, "CreatedAt");
	struct cache_record read = { .in_use = !is_false(record, "InUse") };
	int r;

	if (!is_false(record, "Shared"))
		return 0;
	r = read_size(record, "Size", &read.size, error);
	if (r < 0)
		return r;
	/* One that was never used has no time of it, or that of the year 1. */
	if ((!used || parse_time(used, &read.last_used) < 0 || read.last_used <= 0) &&
		(!made || parse_time(made, &read.last_used) < 0)) {
		error_set(error, "LastUsedAt and CreatedAt are missing or no times");
		return -EBADMSG;
	}
	*array_push(cache) = read;
	return 0;
}

int decode_build_cache(
	const char *data, size_t length, struct build_cache *ret, struct error *error)
{
	_cleanup_(build_cache_finish) struct build_cache cache = { .known = true };
	_cleanup_json_ struct json_object *object = NULL;
	struct json_object *records;
	int r = json_read(data, length, json_type_object, &object, error);

	if (r == 0)
		r = json_optional(object, "BuildCache", json_type_array, &records, error);
	for (size_t i = 0; r == 0 && records && i < json_object_array_length(records); i++)
		r = read_record(json_object_array_get_idx(records, i), &cache, error);
	if (r < 0)
		return r;
	*ret = TAKE_STRUCT(cache);
	return 0;
}

int decode_pruned(const char *data, size_t length, struct pruned *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct json_object *records = NULL;
	struct pruned pruned = {};
	int r = json_read(data, length, json_type_object, &object, error);

	if (r == 0)
		r = json_optional(object, "CachesDeleted", json_type_array, &records, error);
	if (r == 0)
		r = read_size(object, "SpaceReclaimed", &pruned.bytes, error);
	if (r < 0)
		return r;
	pruned.records = records ? json_object_array_length(records) : 0;
	*ret = pruned;
	return 0;
}
