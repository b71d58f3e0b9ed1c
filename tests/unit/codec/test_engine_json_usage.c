/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/engine_json.h"
#include "recorded.h"

#include <errno.h>
#include <string.h>

static void test_b25_recorded_usages(void **state)
{
	static const struct {
		const char *engine, *name;
		uint64_t bytes;
	} expected[] = {
		{ "docker-20.10", "system-df.json", 1525248 },
		{ "docker-20.10", "system-df-empty.json", 0 },
		{ "docker-28.5", "system-df.json", 1525248 },
		{ "docker-28.5", "system-df-empty.json", 0 },
		/* Before 1.52 the same number as LayersSize, with verbose=1 in ImageUsage alone. */
		{ "docker-29.7", "system-df-v1.51.json", 2238189 },
		{ "docker-29.7", "system-df.json", 2238189 },
		{ "docker-29.7", "system-df-verbose.json", 2238189 },
		{ "docker-29.7", "system-df-type-image.json", 2238189 },
		{ "docker-29.7", "system-df-type-image-verbose.json", 2238189 },
		{ "docker-29.7", "system-df-empty.json", 0 },
		{ "podman-4.3", "system-df-empty.json", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		struct usage usage = {};
		size_t length;
		_cleanup_free_ char *data =
			recorded_read(expected[i].engine, expected[i].name, &length);

		assert_int_equal(decode_usage(data, length, &usage, NULL), 0);
		assert_true(usage.known);
		assert_int_equal(usage.images, expected[i].bytes);
	}
}

static void test_b25_podmans_zero_beside_images_is_an_error(void **state)
{
	_cleanup_error_ struct error error = {};
	struct usage usage = {};
	size_t length;
	_cleanup_free_ char *data = recorded_read("podman-4.3", "system-df.json", &length);

	assert_int_equal(decode_usage(data, length, &usage, &error), -EBADMSG);
	assert_string_equal(error.message, "LayersSize is 0 although there are images");
	assert_false(usage.known);
}

static void test_b25_the_new_field_wins_over_the_old_one(void **state)
{
	static const char text[] = "{\"LayersSize\":5,\"ImageUsage\":{\"TotalSize\":7}}";
	static const char zeros[] = "{\"LayersSize\":5,\"ImageUsage\":{\"TotalCount\":0}}";
	struct usage usage = {};

	assert_int_equal(decode_usage(text, strlen(text), &usage, NULL), 0);
	assert_int_equal(usage.images, 7);
	assert_int_equal(decode_usage(zeros, strlen(zeros), &usage, NULL), 0);
	assert_int_equal(usage.images, 0);
}

/* From 29.0 on zeros are left out at every version of the API; below 1.52 this is all there is. */
static void test_b25_a_zero_left_out_where_there_are_no_images(void **state)
{
	static const char text[] = "{\"Images\":[]}";
	struct usage usage = {};

	assert_int_equal(decode_usage(text, strlen(text), &usage, NULL), 0);
	assert_true(usage.known);
	assert_int_equal(usage.images, 0);
}

static void assert_usage_refused(const char *text, const char *message)
{
	_cleanup_error_ struct error error = {};
	struct usage usage = { .images = 7 };

	assert_int_equal(decode_usage(text, strlen(text), &usage, &error), -EBADMSG);
	assert_string_equal(error.message, message);
	assert_false(usage.known);
	assert_int_equal(usage.images, 7);
}

static void test_b25_a_missing_or_wrong_size_is_no_zero(void **state)
{
	static const char layers[] = "LayersSize is missing or not a size";
	static const char total[] = "TotalSize is missing or not a size";

	assert_usage_refused("{}", layers);
	assert_usage_refused("{\"LayersSize\":null}", layers);
	assert_usage_refused("{\"LayersSize\":\"5\"}", layers);
	assert_usage_refused("{\"LayersSize\":-1}", layers);
	assert_usage_refused("{\"LayersSize\":1.5}", layers);
	assert_usage_refused("{\"LayersSize\":5,\"ImageUsage\":{\"TotalCount\":3}}", total);
	assert_usage_refused("{\"LayersSize\":5,\"ImageUsage\":{\"TotalSize\":null}}", total);
	assert_usage_refused("{\"LayersSize\":5,\"ImageUsage\":{\"TotalSize\":-1}}", total);
	assert_usage_refused("{\"LayersSize\":5,\"ImageUsage\":{\"ActiveCount\":1}}", total);
	/* A list that was not asked for, and one that has images. */
	assert_usage_refused("{\"Images\":null}", layers);
	assert_usage_refused("{\"Images\":[{\"Size\":5}]}", layers);
	assert_usage_refused("{\"Images\":[],\"LayersSize\":null}", layers);
	assert_usage_refused("{\"Images\":[],\"LayersSize\":-1}", layers);
	assert_usage_refused("[]", "not a JSON object but array");
}

static void test_b25_zeros_left_out_beside_images_are_an_error(void **state)
{
	static const char total[] = "TotalSize is 0 although there are images";

	assert_usage_refused("{\"ImageUsage\":{},\"Images\":[{\"Size\":5}]}", total);
	assert_usage_refused(
		"{\"ImageUsage\":{},\"LayersSize\":5,\"Images\":[{\"Size\":5}]}", total);
	assert_usage_refused("{\"ImageUsage\":{\"Items\":[{\"Size\":5}]}}",
		"TotalSize is missing or not a size");
	assert_usage_refused("{\"ImageUsage\":{\"TotalCount\":0,\"Items\":[{\"Size\":5}]}}", total);
}

static void test_b25_an_image_usage_of_another_type_is_no_zero(void **state)
{
	static const char *const texts[] = { "{\"LayersSize\":0,\"Images\":null,\"ImageUsage\":[]}",
		"{\"LayersSize\":0,\"ImageUsage\":\"2GB\"}" };
	struct usage usage = {};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(decode_usage(texts[i], strlen(texts[i]), &usage, NULL), -EBADMSG);
}

static uint64_t usage_beside_cache(const char *text)
{
	struct usage usage = {};

	assert_int_equal(decode_usage_beside_cache(text, strlen(text), &usage, NULL), 0);
	assert_true(usage.known);
	return usage.images;
}

static void test_b25_what_may_be_the_caches_is_not_the_images(void **state)
{
	assert_int_equal(usage_beside_cache("{\"LayersSize\":9,\"BuildCache\":[]}"), 9);
	assert_int_equal(usage_beside_cache("{\"LayersSize\":9,\"BuildCache\":null}"), 9);
	assert_int_equal(usage_beside_cache("{\"LayersSize\":9,\"Images\":[{\"Size\":2}],"
					    "\"BuildCache\":[{\"Size\":1,\"Shared\":true},"
					    "{\"Size\":3,\"Shared\":false}]}"),
		5);
	assert_int_equal(usage_beside_cache("{\"LayersSize\":9,\"Images\":null,"
					    "\"BuildCache\":[{\"Size\":11}]}"),
		0);
	/* The largest image is there, whatever the cache has; in Docker 26 by another measure. */
	assert_int_equal(usage_beside_cache("{\"LayersSize\":9,"
					    "\"Images\":[{\"Size\":2},{\"Size\":4},{\"Size\":1}],"
					    "\"BuildCache\":[{\"Size\":7}]}"),
		4);
	assert_int_equal(usage_beside_cache("{\"LayersSize\":9,\"Images\":[{\"Size\":12}],"
					    "\"BuildCache\":[{\"Size\":7}]}"),
		9);
}

static void assert_usage_beside_cache_refused(const char *text, const char *message)
{
	_cleanup_error_ struct error error = {};
	struct usage usage = { .images = 7 };

	assert_int_equal(decode_usage_beside_cache(text, strlen(text), &usage, &error), -EBADMSG);
	assert_string_equal(error.message, message);
	assert_int_equal(usage.images, 7);
}

static void test_b25_a_cache_that_is_not_known_is_no_zero(void **state)
{
	static const char size[] = "Size is missing or not a size";

	assert_usage_beside_cache_refused("{\"LayersSize\":9}", "BuildCache is missing");
	assert_usage_beside_cache_refused("{\"LayersSize\":9,\"BuildCache\":[{}]}", size);
	assert_usage_beside_cache_refused(
		"{\"LayersSize\":9,\"Images\":[{\"Size\":-1}],\"BuildCache\":[]}", size);
	assert_usage_beside_cache_refused(
		"{\"BuildCache\":[]}", "LayersSize is missing or not a size");
	assert_usage_beside_cache_refused("[]", "not a JSON object but array");
}

static void test_usage_cut_short_never_passes(void **state)
{
	struct usage usage = {};
	size_t length;
	_cleanup_free_ char *data = recorded_read("docker-29.7", "system-df.json", &length);
	size_t end = (size_t)(strrchr(data, '}') - data);

	for (size_t n = 0; n <= end; n++)
		assert_int_equal(decode_usage(data, n, &usage, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_b25_recorded_usages),
		cmocka_unit_test(test_b25_podmans_zero_beside_images_is_an_error),
		cmocka_unit_test(test_b25_the_new_field_wins_over_the_old_one),
		cmocka_unit_test(test_b25_a_zero_left_out_where_there_are_no_images),
		cmocka_unit_test(test_b25_a_missing_or_wrong_size_is_no_zero),
		cmocka_unit_test(test_b25_zeros_left_out_beside_images_are_an_error),
		cmocka_unit_test(test_b25_an_image_usage_of_another_type_is_no_zero),
		cmocka_unit_test(test_b25_what_may_be_the_caches_is_not_the_images),
		cmocka_unit_test(test_b25_a_cache_that_is_not_known_is_no_zero),
		cmocka_unit_test(test_usage_cut_short_never_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
