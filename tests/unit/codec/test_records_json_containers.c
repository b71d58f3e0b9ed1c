/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/records_json.h"
#include "recorded.h"

#include <errno.h>
#include <string.h>

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ID "sha256:" HEX

static struct container_records containers_of(const char *engine, const char *name)
{
	_cleanup_error_ struct error error = {};
	struct container_records records = {};
	size_t length;
	_cleanup_free_ char *data = recorded_read(engine, name, &length);

	if (decode_containers(data, length, &records, &error) < 0)
		fail_msg("%s %s: %s", engine, name, error.message);
	return records;
}

static void test_recorded_lists_of_every_engine(void **state)
{
	static const char *const images[] = {
		"sha256:1214846d17c9b078350b09fd3c9e1b554851e028a68f47df7e4bfdd9c6bdd291",
		"sha256:c5cf6a078362655fecf73b31d2af14c61440293248df41fc10cbe0d2f500719e",
		"sha256:29cca8da8858466567088dc1395e0b75cf0877dd26bb1958ab8886bcb476ca8c",
		"sha256:e639c7b1b418cf10126f17607c15c6ddc2e7479cc6e4cbd6c8be1d2041880b12",
	};
	static const size_t counts[] = { 8, 8, 8, 6 };

	/* All are of one image, whatever its users typed and wherever the tag has gone since. */
	for (size_t i = 0; i < ARRAY_SIZE(recorded_engines); i++) {
		_cleanup_(container_records_finish) struct container_records all =
			containers_of(recorded_engines[i], "containers-all.json");
		_cleanup_(container_records_finish) struct container_records moved =
			containers_of(recorded_engines[i], "containers-tag-moved.json");

		assert_int_equal(all.count, counts[i]);
		assert_int_equal(moved.count, counts[i]);
		for (size_t j = 0; j < all.count; j++) {
			assert_int_equal(strlen(all.items[j].id), 64);
			assert_string_equal(all.items[j].image_id, images[i]);
			assert_string_equal(moved.items[j].image_id, images[i]);
			assert_string_equal(moved.items[j].id, all.items[j].id);
			assert_false(all.items[j].removing);
		}
	}
}

static void test_b3_what_was_typed_is_kept_beside_the_id(void **state)
{
	_cleanup_(container_records_finish) struct container_records records =
		containers_of("docker-29.7", "containers-all.json");

	assert_string_equal(records.items[0].image_text, "slp:1");
	assert_string_equal(records.items[1].image_text, "docker.io/library/slp:1");
	assert_string_equal(records.items[4].image_text, "29cca8da8858");
}

static void test_no_containers(void **state)
{
	_cleanup_(container_records_finish) struct container_records records =
		containers_of("docker-29.7", "containers-empty.json");

	assert_int_equal(records.count, 0);
}

static void test_b32_a_container_on_its_way_out_still_counts(void **state)
{
	static const char text[] =
		"[{\"Id\":\"a\",\"Image\":\"x\",\"ImageID\":\"" HEX "\",\"State\":\"removing\"},"
		"{\"Id\":\"b\",\"Image\":\"x\",\"ImageID\":\"" ID "\",\"State\":\"dead\"}]";
	_cleanup_(container_records_finish) struct container_records records = {};

	assert_int_equal(decode_containers(text, strlen(text), &records, NULL), 0);
	assert_true(records.items[0].removing);
	assert_string_equal(records.items[0].image_id, ID);
	assert_false(records.items[1].removing);
}

static void test_a_container_whose_image_nobody_tells(void **state)
{
	static const char text[] = "[{\"Id\":\"a\",\"Image\":\"x\"},"
				   "{\"Id\":\"b\",\"Image\":\"x\",\"ImageID\":\"\"},"
				   "{\"Id\":\"c\",\"ImageID\":\"" ID "\"}]";
	_cleanup_(container_records_finish) struct container_records records = {};

	assert_int_equal(decode_containers(text, strlen(text), &records, NULL), 0);
	assert_null(records.items[0].image_id);
	assert_null(records.items[1].image_id);
	assert_string_equal(records.items[2].image_id, ID);
	assert_null(records.items[2].image_text);
}

static void test_b32_one_bad_container_spoils_the_list(void **state)
{
	static const struct {
		const char *text, *message;
	} wrong[] = {
		{ "{}", "not a JSON array but object" },
		{ "[null]", "container 1: Id is missing" },
		{ "[{\"Image\":\"x\",\"ImageID\":\"" ID "\"}]", "container 1: Id is missing" },
		{ "[{\"Id\":5,\"ImageID\":\"" ID "\"}]", "container 1: Id is missing" },
		{ "[{\"Id\":\"a\",\"ImageID\":\"" ID "\"},{\"Id\":\"b\"}]",
			"container 2: ImageID is missing" },
		{ "[{\"Id\":\"a\",\"Image\":5,\"ImageID\":null}]",
			"container 1: ImageID is missing" },
		{ "[{\"Id\":\"a\",\"ImageID\":\"x\"}]", "container 1: ImageID is no image ID" },
		{ "[{\"Id\":\"a\",\"Image\":\"x\",\"ImageID\":\"" HEX "0\"}]",
			"container 1: ImageID is no image ID" },
		{ "[{\"Id\":\"a\",\"ImageID\":\"\"}]", "container 1: ImageID is missing" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct container_records records = { .count = 7 };
		_cleanup_error_ struct error error = {};

		assert_int_equal(
			decode_containers(wrong[i].text, strlen(wrong[i].text), &records, &error),
			-EBADMSG);
		assert_string_equal(error.message, wrong[i].message);
		assert_int_equal(records.count, 7);
	}
}

static void test_b32_a_list_cut_short_never_passes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(recorded_engines); i++) {
		size_t length;
		_cleanup_free_ char *data =
			recorded_read(recorded_engines[i], "containers-all.json", &length);
		size_t end = (size_t)(strrchr(data, ']') - data);

		for (size_t n = 0; n <= end; n++) {
			_cleanup_free_ char *copy = exactly(data, n);
			struct container_records records = {};

			assert_int_equal(decode_containers(copy, n, &records, NULL), -EBADMSG);
			assert_null(records.items);
		}
	}
}

static void test_b3_recorded_inspects_name_the_image_that_is_really_used(void **state)
{
	static const struct {
		const char *engine, *id, *image;
	} expected[] = {
		{ "docker-20.10",
			"25c951fdd6f6bad2b21ce2e3d911200bfebed36364879ed8967e99afbf9f1115",
			"sha256:1214846d17c9b078350b09fd3c9e1b554851e028a68f47df7e4bfdd9c6bdd291" },
		{ "docker-28.5", "5ed5ea395c7afea31dec2d39d15098d394be223f943b508eb006ff96d1fc328c",
			"sha256:c5cf6a078362655fecf73b31d2af14c61440293248df41fc10cbe0d2f500719e" },
		{ "docker-29.7", "5c17d2efb75f9a1e16d798869f5ef039313cf5fcc48cb4a88c7fc76c8ceb4063",
			"sha256:29cca8da8858466567088dc1395e0b75cf0877dd26bb1958ab8886bcb476ca8c" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_(container_record_finish) struct container_record record = {};
		size_t length;
		_cleanup_free_ char *data = recorded_read(
			expected[i].engine, "container-inspect-tag-moved.json", &length);

		assert_int_equal(decode_container(data, length, &record, NULL), 0);
		assert_string_equal(record.image_id, expected[i].image);
		assert_string_equal(record.id, expected[i].id);
		/* Cut short, it never passes. */
		for (size_t n = 0; n <= (size_t)(strrchr(data, '}') - data); n++) {
			struct container_record none = {};

			assert_int_equal(decode_container(data, n, &none, NULL), -EBADMSG);
			assert_null(none.id);
		}
	}
}

static void test_an_inspected_container_that_makes_no_sense(void **state)
{
	static const struct {
		const char *text, *message;
	} wrong[] = {
		{ "[]", "not a JSON object but array" },
		{ "{\"Id\":\"a\"}", "Image is missing" },
		{ "{\"Id\":\"a\",\"Image\":5}", "Image is missing" },
		{ "{\"Id\":\"a\",\"Image\":\"alpine\"}", "Image is no image ID" },
		{ "{\"Image\":\"" ID "\"}", "Id is missing" },
		{ "{\"Image\":\"" ID "\",\"Id\":{}}", "Id is missing" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_error_ struct error error = {};
		struct container_record record = { .removing = true };

		assert_int_equal(
			decode_container(wrong[i].text, strlen(wrong[i].text), &record, &error),
			-EBADMSG);
		assert_string_equal(error.message, wrong[i].message);
		assert_true(record.removing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_lists_of_every_engine),
		cmocka_unit_test(test_b3_what_was_typed_is_kept_beside_the_id),
		cmocka_unit_test(test_no_containers),
		cmocka_unit_test(test_b32_a_container_on_its_way_out_still_counts),
		cmocka_unit_test(test_a_container_whose_image_nobody_tells),
		cmocka_unit_test(test_b32_one_bad_container_spoils_the_list),
		cmocka_unit_test(test_b32_a_list_cut_short_never_passes),
		cmocka_unit_test(test_b3_recorded_inspects_name_the_image_that_is_really_used),
		cmocka_unit_test(test_an_inspected_container_that_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
