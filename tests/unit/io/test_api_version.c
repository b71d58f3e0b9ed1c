/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/api_version.h"

#include <errno.h>

static void test_versions_are_read(void **state)
{
	struct api_version version = {};

	assert_int_equal(api_version_parse("1.41", &version), 0);
	assert_int_equal(version.major, 1);
	assert_int_equal(version.minor, 41);
	assert_int_equal(api_version_parse("2.0", &version), 0);
	assert_int_equal(version.major, 2);
	assert_int_equal(version.minor, 0);
}

static void test_what_is_no_version_is_refused(void **state)
{
	static const char *const texts[] = { "", "1", "1.", ".41", "1.41.2", "1.41-rc", "v1.41",
		"1,41", "-1.41", "+1.41", "1.41 ", "one.two", "1234.5", "1.4x", "abc",
		"999999999999.1", "1.999999999999" };
	struct api_version version = { 7, 7 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (api_version_parse(texts[i], &version) != -EINVAL)
			fail_msg("\"%s\" was taken", texts[i]);
		assert_int_equal(version.major, 7);
	}
}

static void test_signs_and_spaces_are_refused_anywhere(void **state)
{
	static const char *const texts[] = { "1.-4", "1.+4", "1. 41", " 1.41", " -1.41" };
	struct api_version version = { 7, 7 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (api_version_parse(texts[i], &version) != -EINVAL)
			fail_msg("\"%s\" was taken", texts[i]);
}

static void test_versions_compare_as_numbers(void **state)
{
	const struct api_version a = { 1, 9 }, b = { 1, 41 }, c = { 2, 0 };

	assert_true(api_version_compare(a, b) < 0);
	assert_true(api_version_compare(b, a) > 0);
	assert_true(api_version_compare(b, c) < 0);
	assert_true(api_version_compare(c, b) > 0);
	assert_int_equal(api_version_compare(b, b), 0);
}

static void test_the_newest_that_both_speak(void **state)
{
	static const struct {
		const char *min, *max;
		unsigned expected;
	} engines[] = {
		{ "1.12", "1.41", 41 }, /* 20.10 */
		{ "1.24", "1.51", 51 }, /* 28.5 */
		{ "1.44", "1.52", 52 }, /* 29.0 */
		{ "1.40", "1.55", 55 }, /* 29.7 */
		{ "1.40", "1.99", 55 }, /* of some later year */
		{ "1.55", "1.60", 55 },
		{ "1.12", "1.24", 24 }, /* the oldest that we know */
		{ "", "1.30", 30 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		struct api_version version = {};

		assert_int_equal(
			api_version_negotiate(engines[i].min, engines[i].max, &version, NULL), 0);
		assert_int_equal(version.major, 1);
		assert_int_equal(version.minor, engines[i].expected);
	}
}

static void assert_no_common(const char *min, const char *max, const char *message)
{
	struct api_version version = { 7, 7 };
	_cleanup_error_ struct error error = {};

	assert_int_equal(api_version_negotiate(min, max, &version, &error), -EPROTONOSUPPORT);
	assert_string_equal(error.message, message);
	assert_int_equal(version.major, 7);
}

static void test_engines_with_nothing_in_common(void **state)
{
	assert_no_common("1.12", "1.23",
		"the engine speaks API 1.12 to 1.23, dockergcd 1.24 to 1.55: one of them is too "
		"old");
	assert_no_common("", "1.10",
		"the engine speaks API 1.10, dockergcd 1.24 to 1.55: one of them is too old");
	assert_no_common("1.56", "1.60",
		"the engine speaks API 1.56 to 1.60, dockergcd 1.24 to 1.55: one of them is too "
		"old");
}

static void test_engines_that_talk_nonsense(void **state)
{
	assert_no_common("1.24", "", "the engine's API versions make no sense: \"1.24\" to \"\"");
	assert_no_common(
		"old", "1.41", "the engine's API versions make no sense: \"old\" to \"1.41\"");
	/* The oldest that it accepts newer than the newest that it knows. */
	assert_no_common(
		"1.50", "1.41", "the engine's API versions make no sense: \"1.50\" to \"1.41\"");
}

static void test_a_pinned_version_is_not_negotiated(void **state)
{
	struct api_version version = {};

	assert_int_equal(api_version_pin("1.24", &version, NULL), 0);
	assert_int_equal(version.minor, 24);
	assert_int_equal(api_version_pin("1.55", &version, NULL), 0);
	assert_int_equal(version.minor, 55);
}

static void test_a_pinned_version_must_be_one_that_we_know(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *message;
	} cases[] = {
		{ "abc", -EINVAL, "DOCKER_API_VERSION is \"abc\", which is no version" },
		{ "1.", -EINVAL, "DOCKER_API_VERSION is \"1.\", which is no version" },
		{ "1.23", -EPROTONOSUPPORT,
			"DOCKER_API_VERSION is 1.23, dockergcd speaks 1.24 to 1.55" },
		{ "1.56", -EPROTONOSUPPORT,
			"DOCKER_API_VERSION is 1.56, dockergcd speaks 1.24 to 1.55" },
		{ "2.0", -EPROTONOSUPPORT,
			"DOCKER_API_VERSION is 2.0, dockergcd speaks 1.24 to 1.55" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct api_version version = { 7, 7 };
		_cleanup_error_ struct error error = {};

		assert_int_equal(api_version_pin(cases[i].text, &version, &error), cases[i].result);
		assert_string_equal(error.message, cases[i].message);
		assert_int_equal(version.major, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions_are_read),
		cmocka_unit_test(test_what_is_no_version_is_refused),
		cmocka_unit_test(test_signs_and_spaces_are_refused_anywhere),
		cmocka_unit_test(test_versions_compare_as_numbers),
		cmocka_unit_test(test_the_newest_that_both_speak),
		cmocka_unit_test(test_engines_with_nothing_in_common),
		cmocka_unit_test(test_engines_that_talk_nonsense),
		cmocka_unit_test(test_a_pinned_version_is_not_negotiated),
		cmocka_unit_test(test_a_pinned_version_must_be_one_that_we_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
