/* SPDX-License-Identifier: Apache-2.0 */

/* Every reference and image ID in what was recorded has one normal form, and comes back to it. */

#include "test.h"

#include "codec/json.h"
#include "core/reference.h"
#include "recorded.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

struct found {
	struct strings references; /* in normal form, each once */
	size_t texts, ids;
	const char *file;
};

static void check_id(const struct found *found, const char *text, const char *id)
{
	_cleanup_free_ char *again = NULL, *reference = NULL;

	assert_int_equal(image_id_normalise(id, &again), 0);
	assert_string_equal(again, id);
	if (reference_canonicalise(text, &reference) == 0)
		fail_msg("%s: %s is an ID and the reference %s", found->file, text, reference);
}

static void check_reference(struct found *found, const char *text)
{
	_cleanup_free_ char *canonical = NULL, *again = NULL, *familiar = NULL, *back = NULL;

	if (reference_canonicalise(text, &canonical) < 0)
		fail_msg("%s: \"%s\" is no reference", found->file, text);
	assert_int_equal(reference_canonicalise(canonical, &again), 0);
	assert_string_equal(again, canonical);
	familiar = reference_familiar(canonical);
	assert_int_equal(reference_canonicalise(familiar, &back), 0);
	assert_string_equal(back, canonical);
	if (!strings_contain(&found->references, canonical))
		strings_add(&found->references, canonical);
}

/* What names an image: an ID or a reference, never both, never neither. */
static void check_text(struct found *found, const char *text)
{
	_cleanup_free_ char *id = NULL;

	if (!text || !*text || strncmp(text, "<none>", 6) == 0)
		return;
	/* podman's events of an archive name its path. */
	if (*text == '/') {
		assert_int_equal(reference_canonicalise(text, &id), -EINVAL);
		return;
	}
	found->texts++;
	if (image_id_normalise(text, &id) < 0) {
		check_reference(found, text);
		return;
	}
	found->ids++;
	check_id(found, text, id);
}

static bool is_one_of(const char *key, const char *const *keys)
{
	while (*keys && strcmp(key, *keys) != 0)
		keys++;
	return *keys;
}

static void check_event(struct found *found, struct json_object *event)
{
	struct json_object *actor = json_member(event, "Actor", json_type_object),
			   *attributes = json_member(actor, "Attributes", json_type_object);
	const char *type = json_text(event, "Type");

	if (!actor || !type || strcmp(type, "image") != 0)
		return;
	check_text(found, json_text(actor, "ID"));
	check_text(found, json_text(attributes, "name"));
}

static void walk(struct found *found, struct json_object *value)
{
	static const char *const lists[] = { "RepoTags", "RepoDigests", NULL };
	static const char *const texts[] = { "Image", "image", "from", "ImageID", "Untagged",
		NULL };
	size_t length =
		json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;

	for (size_t i = 0; i < length; i++)
		walk(found, json_object_array_get_idx(value, i));
	if (!json_object_is_type(value, json_type_object))
		return;
	check_event(found, value);
	json_object_object_foreach(value, key, member)
	{
		if (is_one_of(key, texts))
			check_text(found, json_object_get_string(member));
		for (size_t i = 0;
			is_one_of(key, lists) && json_object_is_type(member, json_type_array) &&
			i < json_object_array_length(member);
			i++)
			check_text(found,
				json_object_get_string(json_object_array_get_idx(member, i)));
		walk(found, member);
	}
}

/* One value a file, or one a line; plain text has none. */
static void walk_text(struct found *found, const char *data, size_t length)
{
	_cleanup_json_ struct json_object *value = NULL;

	if (json_read(data, length, json_type_object, &value, NULL) == 0 ||
		json_read(data, length, json_type_array, &value, NULL) == 0)
		walk(found, value);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static void walk_file(struct found *found, const char *engine, const char *name)
{
	size_t length;
	_cleanup_free_ char *data = recorded_read(engine, name, &length);

	found->file = name;
	if (ends_with(name, ".json")) {
		walk_text(found, data, length);
		return;
	}
	for (char *line = data, *end; (end = strchr(line, '\n')); line = end + 1)
		walk_text(found, line, (size_t)(end - line));
}

static void walk_engine(struct found *found, const char *engine)
{
	_cleanup_free_ char *path = xasprintf(RECORDED "/%s", engine);
	DIR *directory = opendir(path);
	const struct dirent *entry;

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (ends_with(entry->d_name, "json"))
			walk_file(found, engine, entry->d_name);
	closedir(directory);
}

static void test_recorded_references_have_one_form(void **state)
{
	/* So that a walk that finds nothing does not pass. */
	static const struct {
		size_t texts, ids, references;
	} least[] = { { 240, 90, 30 }, { 230, 100, 30 }, { 600, 300, 45 }, { 130, 30, 20 } };

	for (size_t i = 0; i < ARRAY_SIZE(recorded_engines); i++) {
		struct found found = {};

		walk_engine(&found, recorded_engines[i]);
		assert_true(found.texts >= least[i].texts);
		assert_true(found.ids >= least[i].ids);
		assert_true(found.references.count >= least[i].references);
		strings_finish(&found.references);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_references_have_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
