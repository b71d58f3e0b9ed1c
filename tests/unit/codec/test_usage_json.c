/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/usage_json.h"
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
	/* A list of images says nothing of it, also an empty one (Docker 29 below 1.52). */
	assert_usage_refused("{\"Images\":[]}", layers);
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

static void test_recorded_build_caches(void **state)
{
	static const struct {
		const char *engine, *name;
		size_t count;
		uint64_t bytes;
	} expected[] = {
		{ "docker-20.10", "system-df-buildkit.json", 9, 2288071 },
		{ "docker-20.10", "system-df-buildkit-after-rmi.json", 11, 3050679 },
		{ "docker-20.10", "system-df.json", 0, 0 },
		{ "docker-28.5", "system-df-buildkit.json", 9, 2288071 },
		{ "docker-29.7", "system-df-buildkit.json", 9, 2347008 },
		{ "podman-4.3", "system-df.json", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_(build_cache_finish) struct build_cache cache = {};
		size_t length;
		uint64_t bytes = 0;
		_cleanup_free_ char *data =
			recorded_read(expected[i].engine, expected[i].name, &length);

		assert_int_equal(decode_build_cache(data, length, &cache, NULL), 0);
		assert_true(cache.known);
		assert_int_equal(cache.count, expected[i].count);
		for (size_t j = 0; j < cache.count; j++) {
			bytes += cache.items[j].size;
			assert_true(cache.items[j].last_used > 1795475600 * NSEC_PER_SEC);
		}
		assert_int_equal(bytes, expected[i].bytes);
	}
}

/* A cache with one record. */
static int decode_record(const char *record, struct build_cache *ret)
{
	_cleanup_free_ char *text = xasprintf("{\"BuildCache\":[%s]}", record);

	return decode_build_cache(text, strlen(text), ret, NULL);
}

static void test_build_cache_records(void **state)
{
	static const struct {
		const char *record;
		int result;
		size_t count;
		nsec_t last_used;
		bool in_use;
	} cases[] = {
		{ "{\"InUse\":false,\"Shared\":false,\"Size\":7,"
		  "\"LastUsedAt\":\"1970-01-01T00:00:05Z\",\"CreatedAt\":\"1970-01-01T00:00:02Z\"}",
			0, 1, 5 * NSEC_PER_SEC },
		/* Never used: what counts is when it was made. */
		{ "{\"InUse\":false,\"Shared\":false,\"Size\":7,\"LastUsedAt\":null,"
		  "\"CreatedAt\":\"1970-01-01T00:00:02Z\"}",
			0, 1, 2 * NSEC_PER_SEC },
		{ "{\"InUse\":false,\"Shared\":false,\"Size\":7,"
		  "\"LastUsedAt\":\"0001-01-01T00:00:00Z\",\"CreatedAt\":\"1970-01-01T00:00:02Z\"}",
			0, 1, 2 * NSEC_PER_SEC },
		/* In doubt it is in use. */
		{ "{\"Shared\":false,\"Size\":7,\"CreatedAt\":\"1970-01-01T00:00:02Z\"}", 0, 1,
			2 * NSEC_PER_SEC, true },
		{ "{\"InUse\":true,\"Shared\":false,\"Size\":7,"
		  "\"CreatedAt\":\"1970-01-01T00:00:02Z\"}",
			0, 1, 2 * NSEC_PER_SEC, true },
		{ "{\"InUse\":false,\"Shared\":true,\"Size\":7}", 0, 0, 0 },
		{ "{\"Size\":7}", 0, 0, 0 },
		{ "{\"InUse\":0,\"Shared\":0,\"Size\":7}", 0, 0, 0 },
		{ "null", 0, 0, 0 },
		{ "7", 0, 0, 0 },
		{ "{\"InUse\":false,\"Shared\":false,\"CreatedAt\":\"1970-01-01T00:00:02Z\"}",
			-EBADMSG, 0, 0 },
		{ "{\"InUse\":false,\"Shared\":false,\"Size\":-1,"
		  "\"CreatedAt\":\"1970-01-01T00:00:02Z\"}",
			-EBADMSG, 0, 0 },
		{ "{\"InUse\":false,\"Shared\":false,\"Size\":7}", -EBADMSG, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(build_cache_finish) struct build_cache cache = {};

		if (decode_record(cases[i].record, &cache) != cases[i].result ||
			cache.count != cases[i].count)
			fail_msg("%s: %zu", cases[i].record, cache.count);
		if (cache.count == 0)
			continue;
		assert_nsec_equal(cache.items[0].last_used, cases[i].last_used);
		assert_int_equal(cache.items[0].in_use, cases[i].in_use);
	}
}

static void test_build_cache_of_another_type_is_not_empty(void **state)
{
	struct build_cache cache = {};

	assert_int_equal(decode_build_cache("{\"BuildCache\":{}}", 17, &cache, NULL), -EBADMSG);
	assert_int_equal(decode_build_cache("[]", 2, &cache, NULL), -EBADMSG);
	assert_false(cache.known);
}

static void test_recorded_prunes(void **state)
{
	static const struct {
		const char *engine, *name;
		size_t records;
		uint64_t bytes;
	} expected[] = {
		{ "docker-20.10", "build-prune-buildkit.json", 0, 0 },
		{ "docker-20.10", "build-prune-buildkit-all.json", 2, 762640 },
		{ "docker-28.5", "build-prune-buildkit-all.json", 2, 762640 },
	};
	struct pruned pruned = {};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		size_t length;
		_cleanup_free_ char *data =
			recorded_read(expected[i].engine, expected[i].name, &length);

		assert_int_equal(decode_pruned(data, length, &pruned, NULL), 0);
		assert_int_equal(pruned.records, expected[i].records);
		assert_int_equal(pruned.bytes, expected[i].bytes);
	}
	assert_int_equal(decode_pruned("{\"CachesDeleted\":null}", 22, &pruned, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_b25_recorded_usages),
		cmocka_unit_test(test_b25_podmans_zero_beside_images_is_an_error),
		cmocka_unit_test(test_b25_the_new_field_wins_over_the_old_one),
		cmocka_unit_test(test_b25_a_missing_or_wrong_size_is_no_zero),
		cmocka_unit_test(test_b25_zeros_left_out_beside_images_are_an_error),
		cmocka_unit_test(test_b25_an_image_usage_of_another_type_is_no_zero),
		cmocka_unit_test(test_b25_what_may_be_the_caches_is_not_the_images),
		cmocka_unit_test(test_b25_a_cache_that_is_not_known_is_no_zero),
		cmocka_unit_test(test_usage_cut_short_never_passes),
		cmocka_unit_test(test_recorded_build_caches),
		cmocka_unit_test(test_build_cache_records),
		cmocka_unit_test(test_build_cache_of_another_type_is_not_empty),
		cmocka_unit_test(test_recorded_prunes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
