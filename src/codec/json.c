/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"

#include <errno.h>
#include <limits.h>

/* Deeper than any answer of an engine; json-c recurses no further. */
#define DEPTH 64

int json_read(const char *data, size_t length, enum json_type type, struct json_object **ret,
	struct error *error)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH);
	_cleanup_json_ struct json_object *object = NULL;
	enum json_tokener_error r;

	if (!tokener)
		abort();
	/* The length is an int there. The NUL at the end completes a bare number. */
	if (length >= INT_MAX) {
		json_tokener_free(tokener);
		error_set(error, "too much JSON");
		return -EBADMSG;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, data, (int)length);
	r = json_tokener_get_error(tokener);
	if (r == json_tokener_continue)
		error_set(error, "not JSON: it ends too early");
	else if (r == json_tokener_success && json_tokener_get_parse_end(tokener) < length) {
		/* A NUL ends it for json-c. */
		r = json_tokener_error_parse_unexpected;
		error_set(
			error, "not JSON: a NUL at byte %zu", json_tokener_get_parse_end(tokener));
	} else if (r != json_tokener_success)
		error_set(error, "not JSON: %s at byte %zu", json_tokener_error_desc(r),
			json_tokener_get_parse_end(tokener));
	json_tokener_free(tokener);
	if (r != json_tokener_success)
		return -EBADMSG;
	if (json_object_get_type(object) != type) {
		error_set(error, "not a JSON %s but %s", json_type_to_name(type),
			json_type_to_name(json_object_get_type(object)));
		return -EBADMSG;
	}
	*ret = TAKE_PTR(object);
	return 0;
}

struct json_object *json_member(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *member;

	if (!json_object_is_type(object, json_type_object) ||
		!json_object_object_get_ex(object, key, &member) ||
		!json_object_is_type(member, type))
		return NULL;
	return member;
}

int json_optional(struct json_object *object, const char *key, enum json_type type,
	struct json_object **ret, struct error *error)
{
	struct json_object *member = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, key, &member);
	if (member && !json_object_is_type(member, type)) {
		error_set(error, "%s is not of type %s", key, json_type_to_name(type));
		return -EBADMSG;
	}
	*ret = member;
	return 0;
}

const char *json_text(struct json_object *object, const char *key)
{
	struct json_object *member = json_member(object, key, json_type_string);

	return member ? json_object_get_string(member) : NULL;
}

int json_integer(struct json_object *object, const char *key, int64_t *ret)
{
	struct json_object *member = json_member(object, key, json_type_int);

	if (!member)
		return -EBADMSG;
	*ret = json_object_get_int64(member);
	return 0;
}
