/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/records_json.h"
#include "recorded.h"

#include <errno.h>
#include <string.h>

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ID "sha256:" HEX

static struct image_records images_of(const char *engine, const char *name)
{
	_cleanup_error_ struct error error = {};
	struct image_records records = {};
	size_t length;
	_cleanup_free_ char *data = recorded_read(engine, name, &length);

	if (decode_images(data, length, &records, &error) < 0)
		fail_msg("%s %s: %s", engine, name, error.message);
	return records;
}

static const struct image_record *find_image(
	const struct image_records *records, const char *prefix)
{
	for (size_t i = 0; i < records->count; i++)
		if (strncmp(records->items[i].id, prefix, strlen(prefix)) == 0)
			return &records->items[i];
	fail_msg("%s is missing", prefix);
	return NULL;
}

#define assert_joined(strings, expected)                                      \
	do {                                                                  \
		_cleanup_free_ char *_joined = strings_join(&(strings), " "); \
		assert_string_equal(_joined, expected);                       \
	} while (0)

static void test_recorded_lists_of_every_engine(void **state)
{
	static const char *const engines[] = { "docker-20.10", "docker-28.5", "docker-29.7",
		"podman-4.3" };
	static const char *const names[] = { "images-all-classic-chain.json",
		"images-all-classic-chain.json", "images-all-classic-chain.json",
		"images-all.json" };
	static const size_t counts[] = { 11, 11, 11, 6 };

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		_cleanup_(image_records_finish) struct image_records records =
			images_of(engines[i], names[i]);
		_cleanup_(image_records_finish) struct image_records none =
			images_of(engines[i], "images-empty.json");

		assert_int_equal(none.count, 0);
		assert_int_equal(records.count, counts[i]);
		for (size_t j = 0; j < records.count; j++) {
			const struct image_record *record = &records.items[j];

			assert_int_equal(strlen(record->id), strlen(ID));
			assert_memory_equal(record->id, "sha256:", 7);
			assert_true(record->size > 700000);
			assert_true(record->created > 1795474800 * NSEC_PER_SEC);
			assert_false(record->has_layers);
			/* podman's are bare hex. */
			if (record->parent)
				assert_int_equal(strlen(record->parent), strlen(ID));
		}
	}
}

static void test_parents_are_normalised_whoever_tells(void **state)
{
	_cleanup_(image_records_finish) struct image_records docker =
		images_of("docker-20.10", "images-all-classic-chain.json");
	_cleanup_(image_records_finish) struct image_records podman =
		images_of("podman-4.3", "images-all.json");

	assert_string_equal(find_image(&docker, "sha256:0841226842c4")->parent,
		"sha256:3df4dba18e5706cba2b195122fe20e8e1da3d13a0c3f48931a22dd9408542fbe");
	assert_null(find_image(&docker, "sha256:3df4dba18e57")->parent);
	assert_string_equal(find_image(&podman, "sha256:2db6e63b1d6b")->parent,
		"sha256:316eb5c5f023e47e3bef76505061faa0e7b5e34485c15164f42db1a07dfff864");
}

static void test_recorded_references_are_canonical(void **state)
{
	_cleanup_(image_records_finish) struct image_records docker =
		images_of("docker-28.5", "images-multi-tags.json");
	_cleanup_(image_records_finish) struct image_records podman =
		images_of("podman-4.3", "images-multi-tags.json");

	assert_joined(find_image(&docker, "sha256:a2cd5fcd520a")->references,
		"127.0.0.1:5005/d28:v1 docker.io/library/slp:1 docker.io/library/slp:alias "
		"docker.io/library/slp:fq");
	/* localhost/slp is not docker.io/library/slp. */
	assert_joined(find_image(&podman, "sha256:58d4dcec39ba")->references,
		"docker.io/library/slp:1 docker.io/library/slp:alias localhost/slp:lh "
		"127.0.0.1:5005/pod4:v1");
	assert_int_equal(find_image(&podman, "sha256:58d4dcec39ba")->digests.count, 3);
	assert_string_equal(
		labels_get(&find_image(&podman, "sha256:270a3421bcb9")->labels, "a"), "1");
}

static void test_an_image_by_digest_alone_in_every_engine(void **state)
{
	static const struct {
		const char *engine, *id, *digest;
	} expected[] = {
		{ "docker-20.10", "sha256:f0a3c340d968", "127.0.0.1:5005/d20@sha256:698ee9fe79b2" },
		{ "docker-28.5", "sha256:a2cd5fcd520a", "127.0.0.1:5005/d28@sha256:cec01506f893" },
		/* These two list it among the tags. */
		{ "docker-29.7", "sha256:47338fc6649a", "127.0.0.1:5005/d29@sha256:47338fc6649a" },
		{ "podman-4.3", "sha256:58d4dcec39ba", "127.0.0.1:5005/pod4@sha256:c209507dcb90" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_(image_records_finish) struct image_records records =
			images_of(expected[i].engine, "images-digest-only.json");
		const struct image_record *record = find_image(&records, expected[i].id);

		assert_int_equal(record->references.count, 0);
		assert_int_equal(record->digests.count, 1);
		assert_memory_equal(
			record->digests.items[0], expected[i].digest, strlen(expected[i].digest));
	}
}

static void test_b7_what_a_pull_left_behind_has_no_name(void **state)
{
	_cleanup_(image_records_finish) struct image_records gd =
		images_of("docker-20.10", "images-after-pull-moves-tag.json");
	_cleanup_(image_records_finish) struct image_records cd =
		images_of("docker-29.7", "images-after-pull-moves-tag.json");

	assert_int_equal(find_image(&gd, "sha256:09fd94ab0a70")->references.count, 0);
	assert_int_equal(find_image(&gd, "sha256:09fd94ab0a70")->digests.count, 1);
	assert_int_equal(find_image(&cd, "sha256:0e49ca997084")->references.count, 0);
	assert_int_equal(find_image(&cd, "sha256:0e49ca997084")->digests.count, 0);
}

static void test_none_is_no_name(void **state)
{
	static const char text[] =
		"[{\"Id\":\"" HEX "\",\"Size\":1,\"RepoTags\":[\"<none>:<none>\"],"
		"\"RepoDigests\":[\"<none>@<none>\"],\"Labels\":null,\"ParentId\":\"\"},"
		"{\"Id\":\"" ID "\",\"Size\":-1,\"RepoTags\":[\"" ID "\",\"a\",\"a:latest\"]}]";
	_cleanup_(image_records_finish) struct image_records records = {};

	assert_int_equal(decode_images(text, strlen(text), &records, NULL), 0);
	assert_string_equal(records.items[0].id, ID);
	assert_int_equal(records.items[0].references.count, 0);
	assert_int_equal(records.items[0].digests.count, 0);
	assert_int_equal(records.items[0].labels.count, 0);
	assert_null(records.items[0].parent);
	assert_int_equal(records.items[0].size, 1);
	assert_nsec_equal(records.items[0].created, 0);
	/* The same name twice is one, an ID is none, and a size that nobody knows is nothing. */
	assert_joined(records.items[1].references, "docker.io/library/a:latest");
	assert_int_equal(records.items[1].size, 0);
}

static void assert_images_refused(const char *text, const char *message)
{
	struct image_records records = { .count = 7 };
	_cleanup_error_ struct error error = {};

	if (decode_images(text, strlen(text), &records, &error) != -EBADMSG)
		fail_msg("%s was taken", text);
	if (message)
		assert_string_equal(error.message, message);
	assert_int_equal(records.count, 7);
}

static void test_b32_one_bad_image_spoils_the_list(void **state)
{
	assert_images_refused("{}", "not a JSON array but object");
	assert_images_refused("null", NULL);
	assert_images_refused(
		"[{\"Id\":\"" ID "\",\"Size\":1},{\"Size\":1}]", "image 2: Id is missing");
	assert_images_refused("[null]", "image 1: Id is missing");
	assert_images_refused("[\"" ID "\"]", "image 1: Id is missing");
	assert_images_refused("[{\"Id\":5,\"Size\":1}]", "image 1: Id is missing");
	assert_images_refused("[{\"Id\":\"alpine\",\"Size\":1}]", "image 1: Id is no image ID");
	assert_images_refused("[{\"Id\":\"" ID "\"}]", "image 1: Size is missing");
	assert_images_refused("[{\"Id\":\"" ID "\",\"Size\":\"1\"}]", "image 1: Size is missing");
}

static void test_b32_names_of_another_type_are_no_missing_names(void **state)
{
	/* Taken for none, they would make an image look dangling. */
	assert_images_refused("[{\"Id\":\"" ID "\",\"Size\":1,\"RepoTags\":\"a:1\"}]", NULL);
	assert_images_refused("[{\"Id\":\"" ID "\",\"Size\":1,\"RepoTags\":{}}]", NULL);
	assert_images_refused("[{\"Id\":\"" ID "\",\"Size\":1,\"RepoTags\":[5]}]", NULL);
}

static void test_b32_labels_of_another_type_are_no_missing_labels(void **state)
{
	/* Taken for none, they would lose the label that keeps an image. */
	assert_images_refused("[{\"Id\":\"" ID "\",\"Size\":1,\"Labels\":[]}]", NULL);
	assert_images_refused("[{\"Id\":\"" ID "\",\"Size\":1,\"Labels\":\"keep\"}]", NULL);
}

static void test_b32_a_list_cut_short_never_passes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(recorded_engines); i++) {
		size_t length;
		_cleanup_free_ char *data =
			recorded_read(recorded_engines[i], "images-multi-tags.json", &length);
		size_t end = (size_t)(strrchr(data, ']') - data);

		for (size_t n = 0; n <= end; n++) {
			_cleanup_free_ char *copy = exactly(data, n);
			struct image_records records = {};

			assert_int_equal(decode_images(copy, n, &records, NULL), -EBADMSG);
			assert_null(records.items);
		}
	}
}

static void test_sizes_that_a_measure_tells(void **state)
{
	static const char *const names[] = { "system-df.json", "system-df-v1.51.json" };
	static const char none[] = "{\"LayersSize\":0,\"Images\":null}";
	_cleanup_(image_records_finish) struct image_records empty = {};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(image_records_finish) struct image_records sizes = {};
		size_t length;
		_cleanup_free_ char *data = recorded_read("docker-29.7", names[i], &length);

		assert_int_equal(decode_image_sizes(data, length, &sizes, NULL), 0);
		assert_int_equal(sizes.count, 3);
		assert_true(find_image(&sizes, "sha256:5c85f59a321e")->has_size);
		assert_int_equal(find_image(&sizes, "sha256:5c85f59a321e")->size, 2233398);
	}
	assert_int_equal(decode_image_sizes(none, strlen(none), &empty, NULL), 0);
	assert_int_equal(decode_image_sizes("{}", 2, &empty, NULL), 0);
	assert_int_equal(empty.count, 0);
}

static void assert_sizes_refused(const char *text, const char *message)
{
	struct image_records sizes = { .count = 7 };
	_cleanup_error_ struct error error = {};

	assert_int_equal(decode_image_sizes(text, strlen(text), &sizes, &error), -EBADMSG);
	assert_string_equal(error.message, message);
	assert_int_equal(sizes.count, 7);
}

static void test_sizes_that_make_no_sense(void **state)
{
	assert_sizes_refused("[]", "not a JSON object but array");
	assert_sizes_refused("{\"Images\":[{\"Size\":1}]}", "image 1: Id is missing");
	assert_sizes_refused("{\"Images\":[{\"Id\":\"" ID "\"}]}", "image 1: Size is missing");
}

/* As GET /images/{name}/json answers, with what we read of it. */
static const char inspected[] =
	"{\"Id\":\"" ID "\",\"RepoTags\":[\"alpine:3.20\"],\"RepoDigests\":[\"alpine@" ID "\"],"
	"\"Parent\":\"" HEX "\",\"Created\":\"2026-11-23T22:31:47.5Z\",\"Size\":1000,"
	"\"Config\":{\"Labels\":{\"dockergcd.keep\":\"\",\"b\":\"2\"}},"
	"\"RootFS\":{\"Type\":\"layers\",\"Layers\":[\"sha256:aa\",\"sha256:bb\"]}}";

static void test_an_inspected_image(void **state)
{
	_cleanup_(image_record_finish) struct image_record record = {};

	assert_int_equal(decode_image(inspected, strlen(inspected), &record, NULL), 0);
	assert_string_equal(record.id, ID);
	assert_string_equal(record.parent, ID);
	assert_joined(record.references, "docker.io/library/alpine:3.20");
	assert_joined(record.digests, "docker.io/library/alpine@" ID);
	assert_joined(record.layers, "sha256:aa sha256:bb");
	assert_true(record.has_layers);
	assert_int_equal(record.size, 1000);
	assert_nsec_equal(record.created, 1795473107 * NSEC_PER_SEC + NSEC_PER_SEC / 2);
	assert_string_equal(labels_get(&record.labels, "dockergcd.keep"), "");
}

static void test_an_inspected_image_with_nothing_in_it(void **state)
{
	static const char *const texts[] = {
		"{\"Id\":\"" HEX "\",\"Size\":0,\"RootFS\":{\"Type\":\"layers\"}}",
		"{\"Id\":\"" HEX "\",\"Size\":0,\"RootFS\":{\"Layers\":null},\"Config\":null,"
		"\"RepoTags\":null,\"Created\":\"\",\"Parent\":\"\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(image_record_finish) struct image_record record = {};

		assert_int_equal(decode_image(texts[i], strlen(texts[i]), &record, NULL), 0);
		assert_true(record.has_layers);
		assert_int_equal(record.layers.count, 0);
		assert_nsec_equal(record.created, 0);
		assert_null(record.parent);
	}
}

static void test_a_size_that_the_engine_has_not_computed(void **state)
{
	static const char text[] = "{\"Id\":\"" HEX "\",\"Size\":-1,\"RootFS\":{}}";
	_cleanup_(image_record_finish) struct image_record record = { .has_size = true };

	assert_int_equal(decode_image(text, strlen(text), &record, NULL), 0);
	assert_false(record.has_size);
}

/* The last entry comes first; podman and old engines have other keys besides. */
static const char history_text[] =
	"[{\"Id\":\"sha256:aa\",\"Created\":1,\"CreatedBy\":\"ENV a\",\"Size\":0},"
	"{\"Id\":\"<missing>\",\"Size\":500,\"Tags\":null},{\"Size\":9223372036854775807}]";

static void test_b26_a_history(void **state)
{
	struct history history = {};

	assert_int_equal(decode_history(history_text, strlen(history_text), &history, NULL), 0);
	assert_int_equal(history.count, 3);
	assert_int_equal(history.items[0], INT64_MAX);
	assert_int_equal(history.items[1], 500);
	assert_int_equal(history.items[2], 0);
	history_finish(&history);
	assert_int_equal(decode_history("[]", 2, &history, NULL), 0);
	assert_int_equal(history.count, 0);
}

static void test_b26_a_history_that_makes_no_sense(void **state)
{
	static const char *const texts[] = { "null", "{}", "[7]", "[{}]", "[{\"Size\":\"1\"}]",
		"[{\"Size\":1},{\"Size\":-1}]", "[{\"Size\":1.5}]", "" };
	struct history history = { .count = 7 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (decode_history(texts[i], strlen(texts[i]), &history, NULL) != -EBADMSG)
			fail_msg("%s was taken", texts[i]);
	for (size_t n = 0; n < strlen(history_text); n++) {
		_cleanup_free_ char *copy = exactly(history_text, n);

		assert_int_equal(decode_history(copy, n, &history, NULL), -EBADMSG);
	}
	assert_int_equal(history.count, 7);
}

static void assert_image_refused(const char *text, const char *message)
{
	struct image_record record = { .size = 7 };
	_cleanup_error_ struct error error = {};

	if (decode_image(text, strlen(text), &record, &error) != -EBADMSG)
		fail_msg("%s was taken", text);
	if (message)
		assert_string_equal(error.message, message);
	assert_int_equal(record.size, 7);
}

static void test_an_inspected_image_that_makes_no_sense(void **state)
{
	assert_image_refused("[]", "not a JSON object but array");
	assert_image_refused("{\"message\":\"x\"}", "Id is missing");
	assert_image_refused("{\"Id\":\"x\"}", "Id is no image ID");
	assert_image_refused("{\"Id\":\"" ID "\",\"RootFS\":{}}", "Size is missing");
	assert_image_refused("{\"Id\":\"" ID "\",\"Size\":1}", "RootFS is missing");
	assert_image_refused("{\"Id\":\"" ID "\",\"Size\":1,\"RootFS\":[]}", "RootFS is missing");
	assert_image_refused("{\"Id\":\"" ID "\",\"Size\":1,\"RootFS\":{\"Layers\":[\"a\",1]}}",
		"RootFS.Layers has something else than digests");
}

static void test_b8_layers_of_another_type_are_not_no_layers(void **state)
{
	/* Taken for none, a base would look as if nothing were built on it. */
	assert_image_refused(
		"{\"Id\":\"" ID "\",\"Size\":1,\"RootFS\":{\"Layers\":\"sha256:aa\"}}", NULL);
	assert_image_refused("{\"Id\":\"" ID "\",\"Size\":1,\"RootFS\":{\"Layers\":{}}}", NULL);
}

static void test_an_inspected_image_cut_short_never_passes(void **state)
{
	for (size_t n = 0; n < strlen(inspected); n++) {
		_cleanup_free_ char *copy = exactly(inspected, n);
		struct image_record record = {};

		assert_int_equal(decode_image(copy, n, &record, NULL), -EBADMSG);
		assert_null(record.id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_lists_of_every_engine),
		cmocka_unit_test(test_parents_are_normalised_whoever_tells),
		cmocka_unit_test(test_recorded_references_are_canonical),
		cmocka_unit_test(test_an_image_by_digest_alone_in_every_engine),
		cmocka_unit_test(test_b7_what_a_pull_left_behind_has_no_name),
		cmocka_unit_test(test_none_is_no_name),
		cmocka_unit_test(test_b32_one_bad_image_spoils_the_list),
		cmocka_unit_test(test_b32_names_of_another_type_are_no_missing_names),
		cmocka_unit_test(test_b32_labels_of_another_type_are_no_missing_labels),
		cmocka_unit_test(test_b32_a_list_cut_short_never_passes),
		cmocka_unit_test(test_sizes_that_a_measure_tells),
		cmocka_unit_test(test_sizes_that_make_no_sense),
		cmocka_unit_test(test_an_inspected_image),
		cmocka_unit_test(test_a_size_that_the_engine_has_not_computed),
		cmocka_unit_test(test_b26_a_history),
		cmocka_unit_test(test_b26_a_history_that_makes_no_sense),
		cmocka_unit_test(test_an_inspected_image_with_nothing_in_it),
		cmocka_unit_test(test_an_inspected_image_that_makes_no_sense),
		cmocka_unit_test(test_b8_layers_of_another_type_are_not_no_layers),
		cmocka_unit_test(test_an_inspected_image_cut_short_never_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
