/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/cells.h"

#include <string.h>

#include "core/reference.h"
#include "core/relative_time.h"
#include "core/units.h"

#define NOTHING "-"

char *cell_text(struct json_object *object, const char *key)
{
	const char *text = json_text(object, key);

	return xstrdup(text && *text ? text : NOTHING);
}

char *cell_count(struct json_object *object, const char *key)
{
	int64_t count;

	return json_integer(object, key, &count) == 0 ? xasprintf("%lld", (long long)count)
						      : xstrdup(NOTHING);
}

char *cell_choice(struct json_object *object, const char *key, const char *yes, const char *no)
{
	struct json_object *member = json_member(object, key, json_type_boolean);

	return xstrdup(!member ? NOTHING : json_object_get_boolean(member) ? yes : no);
}

char *cell_size(struct json_object *object, const char *key)
{
	char buffer[FORMAT_MAX];
	int64_t bytes;

	if (json_integer(object, key, &bytes) < 0 || bytes < 0)
		return xstrdup(NOTHING);
	return xstrdup(format_size((uint64_t)bytes, buffer));
}

char *cell_seconds(struct json_object *object, const char *key)
{
	char buffer[FORMAT_MAX];
	int64_t seconds;

	if (json_integer(object, key, &seconds) < 0 || seconds < 0)
		return xstrdup(NOTHING);
	seconds = MIN(seconds, NSEC_MAX / NSEC_PER_SEC);
	return xstrdup(format_duration(seconds * NSEC_PER_SEC, buffer));
}

char *cell_ago(struct json_object *object, const char *key, nsec_t now)
{
	const char *text = json_text(object, key);
	char buffer[FORMAT_MAX];
	nsec_t time;

	if (!text || parse_time(text, &time) < 0)
		return xstrdup(NOTHING);
	return xstrdup(format_relative_time(time, now, buffer));
}

char *cell_time(struct json_object *object, const char *key, nsec_t now)
{
	const char *text = json_text(object, key);
	char point[FORMAT_MAX], distance[FORMAT_MAX];
	nsec_t time;

	if (!text || parse_time(text, &time) < 0)
		return xstrdup(NOTHING);
	return xasprintf("%s (%s)", format_time_seconds(time, point),
		format_relative_time(time, now, distance));
}

char *cell_id(struct json_object *object)
{
	const char *id = json_text(object, "id");
	char buffer[SHORT_ID_MAX];

	return xstrdup(id && *id ? image_id_short(id, buffer) : NOTHING);
}

static char *familiar(const char *reference)
{
	_cleanup_free_ char *canonical = NULL;

	return reference_canonicalise(reference, &canonical) == 0 ? reference_familiar(canonical)
								  : xstrdup(reference);
}

char *cell_reference(struct json_object *object, const char *key)
{
	const char *text = json_text(object, key);

	return text && *text ? familiar(text) : xstrdup(NOTHING);
}

static char *names_in_brief(const struct strings *names)
{
	static const char mark[] = "@sha256:";
	const char *name = names->items[0], *digest = strstr(name, mark);
	size_t length =
		digest ? (size_t)(digest - name) + strlen(mark) + SHORT_ID_MAX - 1 : strlen(name);

	length = MIN(length, strlen(name));
	if (names->count == 1)
		return xstrndup(name, length);
	return xasprintf("%.*s +%zu", (int)length, name, names->count - 1);
}

char *cell_names(struct json_object *object, bool brief)
{
	struct json_object *references = json_member(object, "references", json_type_array);
	_cleanup_strings_ struct strings names = {};
	_cleanup_free_ char *id = NULL;

	for (size_t i = 0; references && i < json_object_array_length(references); i++) {
		struct json_object *name = json_object_array_get_idx(references, i);

		if (json_object_is_type(name, json_type_string))
			strings_take(&names, familiar(json_object_get_string(name)));
	}
	if (names.count > 0)
		return brief ? names_in_brief(&names) : strings_join(&names, ", ");
	id = cell_id(object);
	return xasprintf("<none> %s", id);
}

bool cell_is_true(struct json_object *object, const char *key)
{
	struct json_object *member = json_member(object, key, json_type_boolean);

	return member && json_object_get_boolean(member);
}

bool cell_is_positive(struct json_object *object, const char *key)
{
	int64_t count;

	return json_integer(object, key, &count) == 0 && count > 0;
}
