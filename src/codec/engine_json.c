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

/* The longest message of an error, in bytes. */
#define MESSAGE_MAX 300

/* No character is cut in two. */
static char *shorten(const char *text, size_t length)
{
	size_t end = MIN(length, (size_t)MESSAGE_MAX);

	if (end < length)
		for (size_t i = 0; i < 3 && ((unsigned char)text[end] & 0xc0) == 0x80; i++)
			end--;
	return xstrndup(text, end);
}

char *decode_message(const char *data, size_t length)
{
	_cleanup_json_ struct json_object *object = NULL;
	const char *text = NULL;
	char *message;

	if (json_read(data, length, json_type_object, &object, NULL) == 0)
		text = json_text(object, "message");
	message = text ? shorten(text, strlen(text)) : shorten(data, length);
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	while (*message && message[strlen(message) - 1] == ' ')
		message[strlen(message) - 1] = '\0';
	return message;
}
