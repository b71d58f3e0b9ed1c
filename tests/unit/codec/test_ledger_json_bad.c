/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/ledger_json.h"
#include "recorded.h"

#include <errno.h>
#include <string.h>

/* What a file of ours looks like. */
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define T "\"2026-01-01T00:00:00.000000001Z\""
static const char good[] =
	"{\n  \"version\":1,\n  \"engine_id\":\"E\",\n  \"met\":" T ",\n  \"observed_until\":" T
	",\n  \"unobserved_seconds\":3,\n  \"images\":[\n    {\n      \"id\":\"sha256:" HEX "\",\n"
	"      \"origin\":\"pulled\",\n      \"managed\":true,\n      \"references\":[\n"
	"        \"docker.io/library/alpine:3.20\"\n      ],\n      \"first_seen\":" T ",\n"
	"      \"last_used\":" T ",\n      \"unobserved_seconds\":2,\n      \"tracked\":true\n"
	"    }\n  ],\n  \"tracked\":[\n    {\n      \"image_tag\":\"alpine:3.21\",\n"
	"      \"last_used\":" T "\n    }\n  ]\n}\n";

/* It is damaged (or newer), and the ledger is left alone. */
static void assert_result(const char *text, size_t length, int expected, const char *message)
{
	_cleanup_free_ char *copy = exactly(text, length);
	_cleanup_error_ struct error error = {};
	struct ledger ledger = { .unobserved = 7 };
	int r = ledger_decode(copy, length, &ledger, &error);

	if (r != expected)
		fail_msg("%.*s\nis %d (%s), should be %d", (int)length, text, r, error.message,
			expected);
	assert_non_null(error.message);
	if (message)
		assert_string_equal(error.message, message);
	assert_nsec_equal(ledger.unobserved, 7);
	assert_null(ledger.entries);
}

static void assert_damaged(const char *text, const char *message)
{
	assert_result(text, strlen(text), -EBADMSG, message);
}

/* The good file with one thing replaced by another. */
static char *with(const char *old, const char *new)
{
	const char *at = strstr(good, old);

	if (!at)
		fail_msg("%s is not in the file", old);
	return xasprintf("%.*s%s%s", (int)(at - good), good, new, at + strlen(old));
}

static void assert_damaged_with(const char *old, const char *new, const char *message)
{
	_cleanup_free_ char *text = with(old, new);

	assert_damaged(text, message);
}

static void test_the_file_itself_is_good(void **state)
{
	_cleanup_(ledger_finish) struct ledger ledger = {};

	assert_int_equal(ledger_decode(good, strlen(good), &ledger, NULL), 0);
	assert_int_equal(HASH_COUNT(ledger.entries), 1);
	assert_true(ledger.entries->tracked);
	assert_int_equal(ledger.tracked.count, 1);
}

static void test_b16_cut_short_at_any_byte_it_is_damaged(void **state)
{
	size_t end = (size_t)(strrchr(good, '}') - good);

	for (size_t length = 0; length <= end; length++)
		assert_result(good, length, -EBADMSG, NULL);
}

static void test_b16_elastic_packages_cut_short_at_any_byte_is_damaged(void **state)
{
	static const char text[] = "[{\"image_tag\":\"alpine:3\",\"last_used\":" T "}]";

	for (size_t length = 0; length < sizeof(text) - 1; length++)
		assert_result(text, length, -EBADMSG, NULL);
}

static void test_b16_zeros_after_a_power_cut_are_damage(void **state)
{
	static const char zeros[4096] = "";

	assert_result(zeros, sizeof(zeros), -EBADMSG, NULL);
}

static void test_b16_a_newer_version(void **state)
{
	_cleanup_free_ char *text = with("\"version\":1", "\"version\":2");
	static const char other[] = "{\"version\":99,\"pictures\":{}}";

	assert_result(text, strlen(text), -EPROTO, "version 2 is newer than ours, 1");
	/* Whatever else is in it. */
	assert_result(other, strlen(other), -EPROTO, "version 99 is newer than ours, 1");
}

static void test_b16_no_version_of_ours(void **state)
{
	static const char message[] = "version is missing or wrong";

	assert_damaged("{}", message);
	assert_damaged_with("\"version\":1", "\"version\":\"1\"", message);
	assert_damaged_with("\"version\":1", "\"version\":0", message);
	assert_damaged_with("\"version\":1", "\"version\":-1", message);
	assert_damaged_with("\"version\":1", "\"version\":1.0", message);
	assert_damaged_with("\"version\":1", "\"version\":null", message);
	assert_damaged("\"text\"", NULL);
	assert_damaged("null", NULL);
	assert_damaged("", "not JSON: it ends too early");
}

static void test_b16_wrong_types_at_the_top(void **state)
{
	assert_damaged("{\"version\":1}", "images is missing or wrong");
	assert_damaged("{\"version\":1,\"images\":{}}", "images is missing or wrong");
	assert_damaged_with("\"met\":" T, "\"met\":5", "met is missing or wrong");
	assert_damaged_with("\"observed_until\":" T, "\"observed_until\":\"now\"",
		"observed_until is missing or wrong");
	assert_damaged_with("\"observed_until\":" T, "\"observed_until\":null",
		"observed_until is missing or wrong");
	assert_damaged_with("\"unobserved_seconds\":3", "\"unobserved_seconds\":\"3\"",
		"unobserved_seconds is missing or wrong");
}

static void test_b16_wrong_types_in_an_image(void **state)
{
	static const char id[] = "an image: id is missing or wrong";
#define WHAT "image sha256:" HEX ": "

	assert_damaged_with("\"sha256:" HEX "\"", "5", id);
	assert_damaged_with("\"sha256:" HEX "\"", "\"alpine\"", id);
	assert_damaged("{\"version\":1,\"images\":[null]}", id);
	assert_damaged("{\"version\":1,\"images\":[{}]}", id);
	assert_damaged_with("\"pulled\"", "\"bought\"", WHAT "origin is missing or wrong");
	assert_damaged_with("\"pulled\"", "1", WHAT "origin is missing or wrong");
	assert_damaged_with("\"references\"", "\"names\"", WHAT "references is missing or wrong");
	assert_damaged_with("\"docker.io/library/alpine:3.20\"", "\"UPPER CASE\"",
		WHAT "references is missing or wrong");
	assert_damaged_with(
		"\"docker.io/library/alpine:3.20\"", "null", WHAT "references is missing or wrong");
	assert_damaged_with(
		"\"first_seen\":" T, "\"first_seen\":0", WHAT "first_seen is missing or wrong");
	assert_damaged_with(
		"\"last_used\":" T, "\"last_used\":\"\"", WHAT "last_used is missing or wrong");
	assert_damaged_with("\"unobserved_seconds\":2", "\"unobserved_seconds\":2.5",
		WHAT "unobserved_seconds is missing or wrong");
}

static void test_b16_a_reference_that_is_no_string_is_damage(void **state)
{
	assert_damaged_with("\"docker.io/library/alpine:3.20\"", "5", NULL);
}

static void test_b16_flags_of_another_type_are_damage(void **state)
{
	/* Taken for false, an image that somebody let go would be managed again. */
	assert_damaged_with("\"tracked\":true", "\"tracked\":\"true\"", NULL);
	assert_damaged_with("\"tracked\":true", "\"forgotten\":1", NULL);
	assert_damaged_with("\"tracked\":true", "\"named\":\"yes\"", NULL);
}

static void test_b16_tracked_of_another_type_is_damage(void **state)
{
	assert_damaged("{\"version\":1,\"images\":[],\"tracked\":{\"image_tag\":\"a\"}}", NULL);
}

static void test_b16_wrong_types_in_tracked(void **state)
{
	static const char tag[] = "tracked: image_tag is missing or wrong";
	static const char used[] = "tracked: last_used is missing or wrong";

	assert_damaged("[5]", tag);
	assert_damaged("[{}]", tag);
	assert_damaged("[{\"image_tag\":5,\"last_used\":" T "}]", tag);
	assert_damaged("[{\"image_tag\":\"A B\",\"last_used\":" T "}]", tag);
	assert_damaged("[{\"image_tag\":\"a\"}]", used);
	assert_damaged("[{\"image_tag\":\"a\",\"last_used\":1795475000}]", used);
	assert_damaged_with("\"alpine:3.21\"", "\"\"", tag);
}

static void test_b16_numbers_and_times_out_of_range(void **state)
{
	static const char wrong[] = "unobserved_seconds is missing or wrong";

	assert_damaged_with("\"unobserved_seconds\":3", "\"unobserved_seconds\":-1", wrong);
	assert_damaged_with("\"unobserved_seconds\":3",
		"\"unobserved_seconds\":99999999999999999999999", wrong);
	assert_damaged_with(
		"\"unobserved_seconds\":3", "\"unobserved_seconds\":9223372036854775807", wrong);
	assert_damaged_with("\"unobserved_seconds\":3", "\"unobserved_seconds\":9223372036", wrong);
	assert_damaged_with(
		"\"met\":" T, "\"met\":\"9999-01-01T00:00:00Z\"", "met is missing or wrong");
	assert_damaged_with(
		"\"met\":" T, "\"met\":\"2026-02-30T00:00:00Z\"", "met is missing or wrong");
}

static void test_an_image_was_not_unwatched_longer_than_all(void **state)
{
	_cleanup_free_ char *text = with("\"unobserved_seconds\":2", "\"unobserved_seconds\":999");
	_cleanup_(ledger_finish) struct ledger ledger = {};

	assert_int_equal(ledger_decode(text, strlen(text), &ledger, NULL), 0);
	assert_nsec_equal(ledger.entries->unobserved, 3);
}

static void test_b16_an_image_that_is_there_twice(void **state)
{
#define TIMES "\"first_seen\":" T ",\"last_used\":" T
#define PLAIN(id) "{\"id\":\"" id "\",\"origin\":\"pulled\",\"references\":[]," TIMES "}"
	/* With and without the prefix it is the same one. */
	assert_damaged("{\"version\":1,\"images\":[" PLAIN("sha256:" HEX) "," PLAIN(HEX) "]}",
		"image sha256:" HEX " is there twice");
}

static void test_a_reference_asked_for_twice_is_one(void **state)
{
	static const char text[] =
		"[{\"image_tag\":\"a\",\"last_used\":\"2026-01-02T00:00:00Z\"},"
		"{\"image_tag\":\"docker.io/library/a:latest\",\"last_used\":" T "}]";
	_cleanup_(ledger_finish) struct ledger ledger = {};

	assert_int_equal(ledger_decode(text, strlen(text), &ledger, NULL), 0);
	assert_int_equal(ledger.tracked.count, 1);
	assert_nsec_equal(ledger.tracked.items[0].last_used, 1767312000 * NSEC_PER_SEC);
}

static void test_b16_one_byte_changed_never_crashes(void **state)
{
	static const char bytes[] = { '\0', '"', '{', ']', '9', '-', '\\', '\xff' };

	for (size_t i = 0; i < strlen(good); i++) {
		for (size_t j = 0; j < sizeof(bytes); j++) {
			_cleanup_free_ char *copy = exactly(good, strlen(good));
			struct ledger ledger = { .unobserved = 7 };
			int r;

			copy[i] = bytes[j];
			r = ledger_decode(copy, strlen(good), &ledger, NULL);
			assert_true(r == 0 || r == -EBADMSG || r == -EPROTO);
			if (r == 0)
				ledger_finish(&ledger);
			else
				assert_nsec_equal(ledger.unobserved, 7);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_file_itself_is_good),
		cmocka_unit_test(test_b16_cut_short_at_any_byte_it_is_damaged),
		cmocka_unit_test(test_b16_elastic_packages_cut_short_at_any_byte_is_damaged),
		cmocka_unit_test(test_b16_zeros_after_a_power_cut_are_damage),
		cmocka_unit_test(test_b16_a_newer_version),
		cmocka_unit_test(test_b16_no_version_of_ours),
		cmocka_unit_test(test_b16_wrong_types_at_the_top),
		cmocka_unit_test(test_b16_wrong_types_in_an_image),
		cmocka_unit_test(test_b16_a_reference_that_is_no_string_is_damage),
		cmocka_unit_test(test_b16_flags_of_another_type_are_damage),
		cmocka_unit_test(test_b16_tracked_of_another_type_is_damage),
		cmocka_unit_test(test_b16_wrong_types_in_tracked),
		cmocka_unit_test(test_b16_numbers_and_times_out_of_range),
		cmocka_unit_test(test_an_image_was_not_unwatched_longer_than_all),
		cmocka_unit_test(test_b16_an_image_that_is_there_twice),
		cmocka_unit_test(test_a_reference_asked_for_twice_is_one),
		cmocka_unit_test(test_b16_one_byte_changed_never_crashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
