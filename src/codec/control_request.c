/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/control_request.h"

#include "codec/json.h"

static struct json_object *checked(struct json_object *object)
{
	if (!object)
		abort();
	return object;
}

char *request_names(char *const *names, size_t count)
{
	_cleanup_json_ struct json_object *body = checked(json_object_new_object());
	struct json_object *images = checked(json_object_new_array());

	for (size_t i = 0; i < count; i++)
		json_object_array_add(images, checked(json_object_new_string(names[i])));
	json_object_object_add(body, "images", images);
	return xstrdup(json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN));
}
