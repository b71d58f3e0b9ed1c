/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/engine_json.h"

#include <errno.h>
#include <string.h>

#include "codec/json.h"
#include "core/reference.h"
#include "core/units.h"

static char *copy_text(struct json_object *object, const char *key)
{
	const char *text = json_text(object, key);

	return xstrdup(text ? text : "");
}

void engine_version_finish(struct engine_version *version)
{
	free(version->version);
	free(version->api_version);
	free(version->min_api_version);
	*version = (struct engine_version){};
}

static bool names_podman(struct json_object *version)
{
	struct json_object *components = json_member(version, "Components", json_type_array);
	size_t count = components ? json_object_array_length(components) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *name = json_text(json_object_array_get_idx(components, i), "Name");

		if (name && strncmp(name, "Podman", 6) == 0)
			return true;
	}
	return false;
}

int decode_version(const char *data, size_t length, struct engine_version *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	int r = json_read(data, length, json_type_object, &object, error);

	if (r < 0)
		return r;
	if (!json_text(object, "ApiVersion")) {
		error_set(error, "ApiVersion is missing");
		return -EBADMSG;
	}
	*ret = (struct engine_version){
		.version = copy_text(object, "Version"),
		.api_version = copy_text(object, "ApiVersion"),
		.min_api_version = copy_text(object, "MinAPIVersion"),
		.is_podman = names_podman(object),
	};
	return 0;
}

void engine_info_finish(struct engine_info *info)
{
	free(info->id);
	free(info->root_directory);
	free(info->driver);
	*info = (struct engine_info){};
}

/* DriverStatus is a list of pairs; the containerd image store says so in one of them. */
static bool names_snapshotter(struct json_object *info)
{
	struct json_object *status = json_member(info, "DriverStatus", json_type_array);
	size_t count = status ? json_object_array_length(status) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *pair = json_object_array_get_idx(status, i);
		const char *value;

		if (!json_object_is_type(pair, json_type_array) ||
			json_object_array_length(pair) < 2)
			continue;
		value = json_object_get_string(json_object_array_get_idx(pair, 1));
		if (value && strncmp(value, "io.containerd.snapshotter", 25) == 0)
			return true;
	}
	return false;
}

static bool is_docker_desktop(struct json_object *info)
{
	const char *system = json_text(info, "OperatingSystem");

	return system && strncmp(system, "Docker Desktop", 14) == 0;
}

int decode_info(const char *data, size_t length, struct engine_info *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	int r = json_read(data, length, json_type_object, &object, error);
	const char *time;

	if (r < 0)
		return r;
	if (!json_text(object, "ID") || !json_text(object, "Driver")) {
		error_set(error, "%s is missing", json_text(object, "ID") ? "Driver" : "ID");
		return -EBADMSG;
	}
	*ret = (struct engine_info){
		.id = copy_text(object, "ID"),
		.root_directory = copy_text(object, "DockerRootDir"),
		.driver = copy_text(object, "Driver"),
		.is_containerd = names_snapshotter(object),
		.is_in_vm = is_docker_desktop(object),
	};
	time = json_text(object, "SystemTime");
	if (time && parse_time(time, &ret->system_time) < 0)
		ret->system_time = 0;
	return 0;
}

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

/* Docker 29 leaves a zero out of LayersSize as well, but not the empty list of images beside it. */
static int read_layers_size(struct json_object *object, uint64_t *ret, struct error *error)
{
	struct json_object *images = json_member(object, "Images", json_type_array);

	if (images && json_object_array_length(images) == 0 &&
		!json_object_object_get_ex(object, "LayersSize", NULL)) {
		*ret = 0;
		return 0;
	}
	return read_size(object, "LayersSize", ret, error);
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
		r = read_layers_size(object, &size, error);
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
	struct sizes images, cache;
	struct usage usage;
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
	*ret = cache;
	cache = (struct build_cache){};
	return 0;
}

int decode_pruned(const char *data, size_t length, struct pruned *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct json_object *records;
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

void removal_finish(struct removal *removal)
{
	strings_finish(&removal->untagged);
	strings_finish(&removal->deleted);
}

static void add_normalised(struct strings *ids, const char *text)
{
	char *id;

	if (image_id_normalise(text, &id) == 0)
		strings_take(ids, id);
}

int decode_removal(const char *data, size_t length, struct removal *ret, struct error *error)
{
	_cleanup_json_ struct json_object *array = NULL;
	struct removal removal = {};
	int r = json_read(data, length, json_type_array, &array, error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		const char *untagged = json_text(item, "Untagged");
		const char *deleted = json_text(item, "Deleted");

		if (untagged)
			strings_add(&removal.untagged, untagged);
		if (deleted)
			add_normalised(&removal.deleted, deleted);
	}
	*ret = removal;
	return 0;
}

/* The texts in a list; one that is missing, or null, has none. */
static void read_texts(struct json_object *object, const char *key, struct strings *ret)
{
	struct json_object *array = json_member(object, key, json_type_array);

	for (size_t i = 0; array && i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);

		if (json_object_is_type(item, json_type_string))
			strings_add(ret, json_object_get_string(item));
	}
}

int decode_podman_removal(const char *data, size_t length, struct removal *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	_cleanup_strings_ struct strings errors = {}, deleted = {};
	struct removal removal = {};
	int64_t code;
	int r = json_read(data, length, json_type_object, &object, error);

	if (r < 0)
		return r;
	if (json_integer(object, "ExitCode", &code) < 0 || code < 0 || code > UINT8_MAX) {
		error_set(error, "ExitCode is missing or none");
		return -EBADMSG;
	}
	if (code > 0) {
		read_texts(object, "Errors", &errors);
		error_set(error, "%s", errors.count > 0 ? errors.items[0] : "no reason is given");
		return (int)code;
	}
	read_texts(object, "Untagged", &removal.untagged);
	read_texts(object, "Deleted", &deleted);
	for (size_t i = 0; i < deleted.count; i++)
		add_normalised(&removal.deleted, deleted.items[i]);
	*ret = removal;
	return 0;
}

char *decode_message(const char *data, size_t length)
{
	_cleanup_json_ struct json_object *object = NULL;
	const char *text = NULL;
	char *message;

	if (json_read(data, length, json_type_object, &object, NULL) == 0)
		text = json_text(object, "message");
	message = text ? xstrndup(text, 300) : xstrndup(data, MIN(length, (size_t)300));
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	while (*message && message[strlen(message) - 1] == ' ')
		message[strlen(message) - 1] = '\0';
	return message;
}
