/* SPDX-License-Identifier: Apache-2.0 */

/* The containerd store's images can be indexes: of platforms, of attestations. */

#include "test.h"

#include "codec/records_json.h"
#include "recorded.h"

#include <string.h>

#define INDEX "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define MANIFEST "sha256:11112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ATTESTATION "sha256:22222233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

#define assert_joined(strings, expected)                                      \
	do {                                                                  \
		_cleanup_free_ char *_joined = strings_join(&(strings), " "); \
		assert_string_equal(_joined, expected);                       \
	} while (0)

/* BuildKit puts an index around each image it makes, with an attestation in it. */
static void test_a_recorded_index_is_one_image(void **state)
{
	static const struct {
		const char *references;
		size_t digests;
		uint64_t size;
	} expected[] = {
		{ "docker.io/library/kchild:1", 1, 2240924 },
		{ "", 0, 1112981 },
		{ "docker.io/library/kbase:1", 1, 1113122 },
		{ "docker.io/library/kbase:2", 1, 1113122 },
		{ "docker.io/library/e:1 docker.io/library/e:2 docker.io/library/e:3", 1, 1117143 },
	};
	_cleanup_(image_records_finish) struct image_records records = {};
	size_t length;
	_cleanup_free_ char *data = recorded_read("docker-29.7", "images-buildkit.json", &length);

	assert_int_equal(decode_images(data, length, &records, NULL), 0);
	assert_int_equal(records.count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < records.count; i++) {
		assert_joined(records.items[i].references, expected[i].references);
		assert_int_equal(records.items[i].digests.count, expected[i].digests);
		assert_int_equal(records.items[i].size, expected[i].size);
	}
}

/* `manifests=1` is not asked for; an engine that tells of them anyway makes no more images. */
static void test_manifests_within_an_image_are_no_images(void **state)
{
	static const char text[] =
		"[{\"Id\":\"" INDEX "\",\"Size\":7,\"RepoTags\":[\"x:1\"],"
		"\"RepoDigests\":[\"x@" INDEX "\"],\"Manifests\":["
		"{\"ID\":\"" MANIFEST "\",\"Kind\":\"image\",\"Available\":true,"
		"\"Size\":{\"Content\":3,\"Total\":4},\"ImageData\":{\"Containers\":[]}},"
		"{\"ID\":\"" ATTESTATION "\",\"Kind\":\"attestation\",\"Available\":true,"
		"\"AttestationData\":{\"For\":\"" MANIFEST "\"}}]}]";
	_cleanup_(image_records_finish) struct image_records records = {};

	assert_int_equal(decode_images(text, strlen(text), &records, NULL), 0);
	assert_int_equal(records.count, 1);
	assert_string_equal(records.items[0].id, INDEX);
	assert_int_equal(records.items[0].size, 7);
	assert_joined(records.items[0].references, "docker.io/library/x:1");
	assert_joined(records.items[0].digests, "docker.io/library/x@" INDEX);
}

/* Lists have digests among the tags, with and without a tag, and an ID for want of a name. */
static void test_names_that_are_digests(void **state)
{
	static const char text[] =
		"[{\"Id\":\"" INDEX "\",\"Size\":7,\"RepoTags\":[\"" INDEX "\",\"x@" INDEX
		"\",\"x:1@" INDEX "\"],\"RepoDigests\":[\"x@" INDEX "\"]}]";
	_cleanup_(image_records_finish) struct image_records records = {};

	assert_int_equal(decode_images(text, strlen(text), &records, NULL), 0);
	assert_int_equal(records.items[0].references.count, 0);
	assert_joined(records.items[0].digests, "docker.io/library/x@" INDEX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_recorded_index_is_one_image),
		cmocka_unit_test(test_manifests_within_an_image_are_no_images),
		cmocka_unit_test(test_names_that_are_digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
