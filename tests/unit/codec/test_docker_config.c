/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/docker_config.h"

#include <errno.h>
#include <string.h>

static char *context_of(const char *text)
{
	char *context = NULL;

	assert_int_equal(decode_docker_config(text, strlen(text), &context, NULL), 0);
	return context;
}

static void test_the_current_context(void **state)
{
	_cleanup_free_ char *context = context_of(
		"{\"auths\":{\"x\":{}},\"currentContext\":\"remote\",\"psFormat\":\"\"}");

	assert_string_equal(context, "remote");
}

static void test_no_current_context(void **state)
{
	assert_null(context_of("{}"));
	assert_null(context_of("{\"currentContext\":\"\"}"));
	assert_null(context_of("{\"currentContext\":null}"));
}

static void test_a_damaged_config_is_refused(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "currentContext: remote" };
	char *const before = (char *)texts, *context = before;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_error_ struct error error = {};

		assert_int_equal(decode_docker_config(texts[i], strlen(texts[i]), &context, &error),
			-EBADMSG);
		assert_non_null(error.message);
		assert_ptr_equal(context, before);
	}
}

/* As `docker context create` writes it. */
static const char meta[] =
	"{\"Name\":\"remote\",\"Metadata\":{\"Description\":\"d\"},\"Endpoints\":{\"docker\":"
	"{\"Host\":\"tcp://example.com:2376\",\"SkipTLSVerify\":false}}}";

static void test_a_context(void **state)
{
	_cleanup_(docker_context_finish) struct docker_context context = {};

	assert_int_equal(decode_docker_context(meta, strlen(meta), &context, NULL), 0);
	assert_string_equal(context.name, "remote");
	assert_string_equal(context.host, "tcp://example.com:2376");
	assert_false(context.skip_tls_verify);
}

static void test_a_context_that_skips_verification(void **state)
{
	static const char text[] = "{\"Name\":\"x\",\"Endpoints\":{\"docker\":{\"Host\":"
				   "\"tcp://h:1\",\"SkipTLSVerify\":true}}}";
	_cleanup_(docker_context_finish) struct docker_context context = {};

	assert_int_equal(decode_docker_context(text, strlen(text), &context, NULL), 0);
	assert_true(context.skip_tls_verify);
}

static void test_a_context_without_docker_endpoint(void **state)
{
	static const char *const texts[] = {
		"{\"Name\":\"x\"}",
		"{\"Name\":\"x\",\"Endpoints\":{\"kubernetes\":{\"Host\":\"h\"}}}",
		"{\"Name\":\"x\",\"Endpoints\":{\"docker\":{\"Host\":\"\"}}}",
		"{\"Name\":\"x\",\"Endpoints\":[]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(docker_context_finish) struct docker_context context = {};

		assert_int_equal(
			decode_docker_context(texts[i], strlen(texts[i]), &context, NULL), 0);
		assert_null(context.host);
	}
}

static void test_a_context_without_name_is_refused(void **state)
{
	static const char text[] = "{\"Endpoints\":{\"docker\":{\"Host\":\"tcp://h\"}}}";
	_cleanup_error_ struct error error = {};
	struct docker_context context = { .host = (char *)text };

	assert_int_equal(decode_docker_context(text, strlen(text), &context, &error), -EBADMSG);
	assert_string_equal(error.message, "Name is missing");
	assert_ptr_equal(context.host, text);
}

static void test_a_context_cut_short_never_passes(void **state)
{
	for (size_t length = 0; length < strlen(meta); length++) {
		struct docker_context context = {};

		assert_int_equal(decode_docker_context(meta, length, &context, NULL), -EBADMSG);
		assert_null(context.name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_current_context),
		cmocka_unit_test(test_no_current_context),
		cmocka_unit_test(test_a_damaged_config_is_refused),
		cmocka_unit_test(test_a_context),
		cmocka_unit_test(test_a_context_that_skips_verification),
		cmocka_unit_test(test_a_context_without_docker_endpoint),
		cmocka_unit_test(test_a_context_without_name_is_refused),
		cmocka_unit_test(test_a_context_cut_short_never_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
