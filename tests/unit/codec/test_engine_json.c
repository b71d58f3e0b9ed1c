/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/engine_json.h"
#include "core/units.h"
#include "recorded.h"

#include <errno.h>
#include <string.h>

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static void test_recorded_versions(void **state)
{
	static const struct {
		const char *version, *api, *min;
		bool is_podman;
	} expected[] = {
		{ "20.10.24+dfsg1", "1.41", "1.12", false },
		{ "28.5.2+dfsg4", "1.51", "1.24", false },
		{ "29.7.2", "1.55", "1.40", false },
		{ "4.3.1", "1.41", "1.24", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_(engine_version_finish) struct engine_version version = {};
		size_t length;
		_cleanup_free_ char *data =
			recorded_read(recorded_engines[i], "version.json", &length);

		assert_int_equal(decode_version(data, length, &version, NULL), 0);
		assert_string_equal(version.version, expected[i].version);
		assert_string_equal(version.api_version, expected[i].api);
		assert_string_equal(version.min_api_version, expected[i].min);
		assert_int_equal(version.is_podman, expected[i].is_podman);
	}
}

static void test_a_version_needs_its_api_version_only(void **state)
{
	static const char least[] = "{\"ApiVersion\":\"1.24\",\"Components\":[1,{\"Name\":2}]}";
	static const char *const wrong[] = { "{}", "{\"ApiVersion\":1.41}",
		"{\"ApiVersion\":null}" };
	_cleanup_(engine_version_finish) struct engine_version version = {};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_error_ struct error error = {};

		assert_int_equal(
			decode_version(wrong[i], strlen(wrong[i]), &version, &error), -EBADMSG);
		assert_string_equal(error.message, "ApiVersion is missing");
		assert_null(version.version);
	}
	assert_int_equal(decode_version(least, strlen(least), &version, NULL), 0);
	assert_string_equal(version.version, "");
	assert_string_equal(version.min_api_version, "");
	assert_false(version.is_podman);
}

static void test_recorded_infos(void **state)
{
	static const struct {
		const char *root, *driver, *time;
		bool is_containerd;
	} expected[] = {
		{ "/var/lib/docker", "overlay2", "2026-11-23T23:00:56.86270329Z", false },
		{ "/var/lib/docker", "overlay2", "2026-11-23T23:09:40.023815071Z", false },
		{ "/var/lib/docker", "overlayfs", "2026-11-23T23:09:40.032828615Z", true },
		{ "/var/lib/containers/storage", "overlay", "2026-11-23T23:35:02.349245364Z",
			false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_(engine_info_finish) struct engine_info info = {};
		size_t length;
		_cleanup_free_ char *data = recorded_insert(
			recorded_engines[i], "info.json", "\"ID\":\"the-id\",", &length);
		nsec_t time = 0;

		assert_int_equal(decode_info(data, length, &info, NULL), 0);
		assert_string_equal(info.id, "the-id");
		assert_string_equal(info.root_directory, expected[i].root);
		assert_string_equal(info.driver, expected[i].driver);
		assert_int_equal(info.is_containerd, expected[i].is_containerd);
		assert_int_equal(parse_time(expected[i].time, &time), 0);
		assert_nsec_equal(info.system_time, time);
	}
}

static void assert_info_refused(const char *text, const char *message)
{
	_cleanup_error_ struct error error = {};
	struct engine_info info = { .system_time = 7 };

	assert_int_equal(decode_info(text, strlen(text), &info, &error), -EBADMSG);
	assert_string_equal(error.message, message);
	assert_nsec_equal(info.system_time, 7);
}

static void test_an_info_without_identity_is_refused(void **state)
{
	assert_info_refused("{\"Driver\":\"overlay2\"}", "ID is missing");
	assert_info_refused("{\"ID\":5,\"Driver\":\"overlay2\"}", "ID is missing");
	assert_info_refused("{\"ID\":\"x\"}", "Driver is missing");
	assert_info_refused("{\"ID\":\"x\",\"Driver\":[]}", "Driver is missing");
	assert_info_refused("[]", "not a JSON object but array");
}

static void test_an_info_with_odd_details_does(void **state)
{
	static const char text[] = "{\"ID\":\"x\",\"Driver\":\"d\",\"SystemTime\":\"noon\","
				   "\"DriverStatus\":[null,5,[],[\"driver-type\"],[1,null]]}";
	_cleanup_(engine_info_finish) struct engine_info info = {};

	assert_int_equal(decode_info(text, strlen(text), &info, NULL), 0);
	assert_nsec_equal(info.system_time, 0);
	assert_false(info.is_containerd);
	assert_string_equal(info.root_directory, "");
}

static void test_recorded_removals(void **state)
{
	static const struct {
		const char *engine, *untagged;
		size_t deleted;
		const char *last;
	} expected[] = {
		{ "docker-20.10",
			"127.0.0.1:5005/d20:v1 127.0.0.1:5005/d20@sha256:"
			"698ee9fe79b28cdae8b61a7b1935e58d6fde89b4bb231ab49e65aaeb0d06bd8d",
			2,
			"sha256:d699805630bb5b6283d0d5e470e278be5f683a38ed1f6c87a0507cbd676c66d7" },
		{ "docker-28.5",
			"127.0.0.1:5005/d28:v1 127.0.0.1:5005/d28@sha256:"
			"cec01506f8937dbfe88bf93acd3965366638cca34f1866909e9df51a8d393624",
			2,
			"sha256:6239a41f2a424206229df1f9924e00852d66d45e8d869723fe9ab427be1cf1d4" },
		{ "docker-29.7", "127.0.0.1:5005/d29:v1", 3,
			"sha256:ca5c3ba21b97c65efd5e12db884b081c7cb4eb2237a824b3fbd747cbf2afad97" },
		/* Bare hex there. */
		{ "podman-4.3", "127.0.0.1:5005/pod4:v1", 3,
			"sha256:a5dc0e8ed27daef60eeeb27508d1fa0356c2b9ea68fcffbcdf4f2506e85cebf4" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_(removal_finish) struct removal removal = {};
		_cleanup_free_ char *untagged = NULL;
		size_t length;
		_cleanup_free_ char *data = recorded_read(
			expected[i].engine, "delete-last-tag-with-digest.json", &length);

		assert_int_equal(decode_removal(data, length, &removal, NULL), 0);
		untagged = strings_join(&removal.untagged, " ");
		assert_string_equal(untagged, expected[i].untagged);
		assert_int_equal(removal.deleted.count, expected[i].deleted);
		assert_string_equal(
			removal.deleted.items[removal.deleted.count - 1], expected[i].last);
	}
}

static void test_a_removal_that_only_untags(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(recorded_engines); i++) {
		_cleanup_(removal_finish) struct removal removal = {};
		size_t length;
		_cleanup_free_ char *data = recorded_read(
			recorded_engines[i], "delete-one-of-several-running.json", &length);

		assert_int_equal(decode_removal(data, length, &removal, NULL), 0);
		assert_int_equal(removal.untagged.count, 1);
		assert_int_equal(removal.deleted.count, 0);
	}
}

static void test_a_removal_of_another_form_is_refused(void **state)
{
	static const char *const texts[] = { "", "{}", "null",
		"[{\"Deleted\":\"sha256:" ZEROS "\"}", "[{\"Untagged\":\"x\"}]]" };
	struct removal removal = {};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_error_ struct error error = {};

		assert_int_equal(
			decode_removal(texts[i], strlen(texts[i]), &removal, &error), -EBADMSG);
		assert_non_null(error.message);
		assert_int_equal(removal.untagged.count + removal.deleted.count, 0);
	}
}

#define HEX "d699805630bb5b6283d0d5e470e278be5f683a38ed1f6c87a0507cbd676c66d7"

static void test_a_removal_by_podmans_own_api(void **state)
{
	static const struct {
		const char *text;
		int result;
		size_t untagged, deleted;
		const char *why;
	} cases[] = {
		{ "{\"Deleted\":[\"" HEX "\"],\"Untagged\":[\"localhost/a:1\"],"
		  "\"ExitCode\":0,\"Errors\":null}",
			0, 1, 1, NULL },
		{ "{\"Untagged\":[\"localhost/a:1\",null],\"ExitCode\":0}", 0, 1, 0, NULL },
		{ "{\"ExitCode\":1,\"Errors\":[\"a: image not known\"]}", PODMAN_NOT_FOUND, 0, 0,
			"a: image not known" },
		{ "{\"ExitCode\":2,\"Errors\":[\"in use\"],\"Untagged\":[\"a:1\"]}", PODMAN_IN_USE,
			0, 0, "in use" },
		{ "{\"ExitCode\":125,\"Errors\":null}", 125, 0, 0, "no reason is given" },
		{ "{\"ExitCode\":-2}", -EBADMSG, 0, 0, "ExitCode is missing or none" },
		{ "{\"Deleted\":[]}", -EBADMSG, 0, 0, "ExitCode is missing or none" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(removal_finish) struct removal removal = {};
		_cleanup_error_ struct error error = {};
		const char *text = cases[i].text;

		assert_int_equal(decode_podman_removal(text, strlen(text), &removal, &error),
			cases[i].result);
		assert_int_equal(removal.untagged.count, cases[i].untagged);
		assert_int_equal(removal.deleted.count, cases[i].deleted);
		if (removal.deleted.count > 0)
			assert_string_equal(removal.deleted.items[0], "sha256:" HEX);
		assert_true(cases[i].why ? error.message && streq(error.message, cases[i].why)
					 : !error.message);
	}
}

static void test_recorded_messages(void **state)
{
	static const struct {
		const char *engine, *name, *message;
	} expected[] = {
		{ "docker-20.10", "delete-404.json", "No such image: nope:missing" },
		{ "docker-29.7", "delete-404.json", "No such image: nope:missing" },
		{ "docker-28.5", "error-page-not-found.json", "page not found" },
		{ "podman-4.3", "delete-404.json",
			"failed to find image nope:missing: docker.io/library/nope:missing: image "
			"not known" },
		/* Plain text. */
		{ "docker-29.7", "error-version-too-old.json",
			"client version 1.10 is too old. Minimum supported API version is 1.40, "
			"please upgrade your client to a newer version" },
		{ "podman-4.3", "error-page-not-found.json", "Not Found" },
		{ "docker-29.7", "delete-conflict-stopped-by-tag.json",
			"conflict: unable to delete slp:alias (must be forced) - container "
			"d4cd58cae525 is using its referenced image 29cca8da8858" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		size_t length;
		_cleanup_free_ char *data =
			recorded_read(expected[i].engine, expected[i].name, &length);
		_cleanup_free_ char *message = decode_message(data, length);

		assert_string_equal(message, expected[i].message);
	}
}

static void assert_message(const char *body, const char *expected)
{
	_cleanup_free_ char *copy = exactly(body, strlen(body));
	_cleanup_free_ char *message = decode_message(copy, strlen(body));

	assert_string_equal(message, expected);
}

static void test_messages_of_others(void **state)
{
	assert_message("", "");
	assert_message("  \n", "");
	assert_message("{\"message\":\"one\\ntwo\\u0007\\n\"}", "one two");
	assert_message("{\"error\":\"x\"}", "{\"error\":\"x\"}");
	assert_message("{\"message\":5}", "{\"message\":5}");
	assert_message("<html>\r\n<h1>502 Bad Gateway</h1>\n</html>\n",
		"<html>  <h1>502 Bad Gateway</h1> </html>");
	assert_message("a\033[31mred\tb", "a [31mred b");
}

static void test_messages_are_shortened(void **state)
{
	_cleanup_free_ char *body = xcalloc(100001, 1), *json = NULL;
	_cleanup_free_ char *message = NULL, *from_json = NULL;

	memset(body, 'x', 100000);
	message = decode_message(body, 100000);
	assert_int_equal(strlen(message), 300);
	json = xasprintf("{\"message\":\"%s\"}", body);
	from_json = decode_message(json, strlen(json));
	assert_int_equal(strlen(from_json), 300);
}

static void test_no_character_is_cut_in_two(void **state)
{
	_cleanup_free_ char *body = xcalloc(400, 1), *json = NULL, *message = NULL,
			    *from_json = NULL;

	memset(body, 'x', 298);
	strcat(body, "…y");
	message = decode_message(body, strlen(body));
	assert_int_equal(strlen(message), 298);
	json = xasprintf("{\"message\":\"%s\"}", body);
	from_json = decode_message(json, strlen(json));
	assert_int_equal(strlen(from_json), 298);
	/* What is no UTF-8 is not eaten up. */
	memset(body, 0x80, 399);
	free(message);
	message = decode_message(body, 399);
	assert_int_equal(strlen(message), 297);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_versions),
		cmocka_unit_test(test_a_version_needs_its_api_version_only),
		cmocka_unit_test(test_recorded_infos),
		cmocka_unit_test(test_an_info_without_identity_is_refused),
		cmocka_unit_test(test_an_info_with_odd_details_does),
		cmocka_unit_test(test_recorded_removals),
		cmocka_unit_test(test_a_removal_that_only_untags),
		cmocka_unit_test(test_a_removal_by_podmans_own_api),
		cmocka_unit_test(test_a_removal_of_another_form_is_refused),
		cmocka_unit_test(test_recorded_messages),
		cmocka_unit_test(test_messages_of_others),
		cmocka_unit_test(test_messages_are_shortened),
		cmocka_unit_test(test_no_character_is_cut_in_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
