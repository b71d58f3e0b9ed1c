/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/control_json.h"

#include <errno.h>
#include <string.h>

static void assert_json(char *json, const char *expected)
{
	assert_string_equal(json, expected);
	free(json);
}

static void test_messages_are_escaped(void **state)
{
	assert_json(encode_message("no \"such\"\nimage"),
		"{\"message\":\"no \\\"such\\\"\\nimage\"}\n");
}

static void test_bytes_that_are_no_text_are_shown(void **state)
{
	assert_json(encode_message("no \xff\xc3, ü"), "{\"message\":\"no \\\\xff\\\\xc3, ü\"}\n");
}

static void test_what_is_not_known_is_null(void **state)
{
	struct control_status status = { .state = "waiting", .host = "unix:///s" };

	assert_json(encode_status(&status),
		"{\"state\":\"waiting\",\"paused_until\":null,"
		"\"engine\":{\"host\":\"unix:///s\",\"id\":null,\"version\":null,\"api_version\":null},"
		"\"images\":{\"total\":0,\"managed\":0},\"usage\":null,\"free_space\":null,"
		"\"limits\":{\"max_total_size\":0,\"target_total_size\":0,\"min_free_space\":0,"
		"\"max_unused\":0},\"enabled\":false,\"dry_run\":false,\"last_collection\":null,"
		"\"next_collection\":null,\"unobserved\":0,\"errors\":[]}\n");
}

static void test_a_collection(void **state)
{
	struct collection_record record = {
		.time = 5 * NSEC_PER_SEC,
		.removed = 2,
		.failed = 1,
		.before = { .known = true, .images = 18446744073709551615ULL },
		.finished = true,
	};

	assert_json(encode_collection(&record),
		"{\"time\":\"1970-01-01T00:00:05.000000000Z\",\"removed\":2,\"failed\":1,"
		"\"before\":18446744073709551615,\"after\":null,\"result\":\"finished\"}\n");
}

static void test_pauses(void **state)
{
	assert_json(encode_pause(0), "{\"paused_until\":null}\n");
	assert_json(encode_pause(NSEC_MAX), "{\"paused_until\":\"forever\"}\n");
	assert_json(encode_pause(NSEC_PER_SEC),
		"{\"paused_until\":\"1970-01-01T00:00:01.000000000Z\"}\n");
}

static void test_a_plan_and_its_images(void **state)
{
	struct world *w = *state;

	world_limit(w, GB);
	world_measure(w, 2 * GB);
	world_add(w, .name = "a", .tags = "a", .size = GB, .idle = 2 * DAY);
	world_add(w, .name = "b", .tags = "b", .size = GB, .idle = DAY, .origin = "none");
	world_image(w, "b")->has_size = false;
	free(world_plan(w));
	assert_json(encode_plan(&w->plan, &w->usage, true),
		"{\"enabled\":true,\"before\":2000000000,\"after\":1000000000,"
		"\"target\":1000000000,\"exact\":false,\"remove\":["
		"{\"id\":\"sha256:6100000000000000000000000000000000000000000000000000000000000000\","
		"\"references\":[\"docker.io/library/a:latest\"],\"reason\":\"over-size\","
		"\"last_used\":\"2026-11-22T12:00:00.000000000Z\",\"reclaims\":1000000000}],"
		"\"keep\":["
		"{\"id\":\"sha256:6200000000000000000000000000000000000000000000000000000000000000\","
		"\"references\":[\"docker.io/library/b:latest\"],\"reason\":\"unmanaged\"}]}\n");
	assert_json(encode_image(&w->inventory, &w->plan, &w->plan.items[1]),
		"{\"id\":\"sha256:6200000000000000000000000000000000000000000000000000000000000000\","
		"\"references\":[\"docker.io/library/b:latest\"],\"origin\":null,\"managed\":false,"
		"\"last_used\":\"2026-11-24T12:00:00.000000000Z\",\"first_seen\":null,\"size\":null,"
		"\"unique_size\":null,\"in_use\":false,\"verdict\":\"keep\",\"reason\":\"unmanaged\","
		"\"explanation\":\"nothing is known of it yet\",\"ahead\":1}\n");
}

static void test_references(void **state)
{
	static const char text[] = "{\"images\":[\"a\",\"b:1\"],\"more\":true}";
	_cleanup_strings_ struct strings references = {};

	assert_int_equal(decode_references(text, strlen(text), &references, NULL), 0);
	assert_int_equal(references.count, 2);
	assert_string_equal(references.items[1], "b:1");
}

static void test_references_that_are_none(void **state)
{
	static const char *const texts[] = { "", "{}", "[]", "{\"images\":{}}", "{\"images\":[1]}",
		"{\"images\":[null]}", "{\"images\":[\"a\\u0000\"]}" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_strings_ struct strings references = {};
		_cleanup_error_ struct error error = {};

		assert_int_equal(decode_references(texts[i], strlen(texts[i]), &references, &error),
			-EBADMSG);
		assert_non_null(error.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_are_escaped),
		cmocka_unit_test(test_bytes_that_are_no_text_are_shown),
		cmocka_unit_test(test_what_is_not_known_is_null),
		cmocka_unit_test(test_a_collection),
		cmocka_unit_test(test_pauses),
		world_test(test_a_plan_and_its_images),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_references_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
