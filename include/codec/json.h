/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Reading JSON that comes from outside: types checked, NULL and missing told apart from wrong. */

#include <json-c/json.h>

#include "core/base.h"

#define _cleanup_json_ _cleanup_(json_putp)
static inline void json_putp(struct json_object **object)
{
	json_object_put(*object);
}

/* A whole text, nothing behind it. Returns 0 or -EBADMSG. Release with json_object_put(). */
int json_read(const char *data, size_t length, enum json_type type, struct json_object **ret,
	struct error *error) _warn_unused_;

/* A member of that type, NULL if it is missing, null or of another type. */
struct json_object *json_member(struct json_object *object, const char *key, enum json_type type);

/*
 * An optional member: NULL in *ret if it is missing or null. Returns 0, or -EBADMSG with *error if
 * it is of another type.
 */
int json_optional(struct json_object *object, const char *key, enum json_type type,
	struct json_object **ret, struct error *error) _warn_unused_;

/* A member's string, NULL if it is missing or something else. Good as long as the object. */
const char *json_text(struct json_object *object, const char *key);

/* A member's integer. Returns 0, or -EBADMSG if it is missing or something else. */
int json_integer(struct json_object *object, const char *key, int64_t *ret) _warn_unused_;
