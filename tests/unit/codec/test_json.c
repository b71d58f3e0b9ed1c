/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/json.h"
#include "recorded.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static struct json_object *read_object(const char *text)
{
	struct json_object *object = NULL;
	_cleanup_error_ struct error error = {};

	if (json_read(text, strlen(text), json_type_object, &object, &error) < 0)
		fail_msg("%s: %s", text, error.message);
	return object;
}

/* The text is refused, for people with this message; the output stays as it was. */
static void assert_refused(
	const char *data, size_t length, enum json_type type, const char *message)
{
	_cleanup_free_ char *copy = exactly(data, length);
	struct json_object *const before = (struct json_object *)(void *)&type;
	struct json_object *object = before;
	_cleanup_error_ struct error error = {};

	assert_int_equal(json_read(copy, length, type, &object, &error), -EBADMSG);
	assert_ptr_equal(object, before);
	assert_string_equal(error.message, message);
	assert_int_equal(json_read(copy, length, type, &object, NULL), -EBADMSG);
}

static void test_an_object_and_an_array_are_read(void **state)
{
	_cleanup_json_ struct json_object *object = read_object(" {\"a\": 1}\n\t ");
	_cleanup_json_ struct json_object *array = NULL;
	int64_t n = 0;

	assert_int_equal(json_integer(object, "a", &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(json_read("[1,2]", 5, json_type_array, &array, NULL), 0);
	assert_int_equal(json_object_array_length(array), 2);
}

static void test_another_type_is_refused(void **state)
{
	assert_refused("[]", 2, json_type_object, "not a JSON object but array");
	assert_refused("{}", 2, json_type_array, "not a JSON array but object");
	assert_refused("null ", 5, json_type_array, "not a JSON array but null");
}

static void test_what_ends_too_early_is_refused(void **state)
{
	static const char text[] = "{\"a\":[1,{\"b\":\"\\u00e4\"}],\"c\":-1.5e3}";

	for (size_t length = 0; length < sizeof(text) - 1; length++)
		assert_refused(text, length, json_type_object, "not JSON: it ends too early");
}

static void test_what_is_no_json_is_refused_with_the_place(void **state)
{
	static const struct {
		const char *text, *place;
	} wrong[] = { { "<html>", " at byte 0" }, { "{a:1}", " at byte 1" },
		{ "[1,]", " at byte 3" } };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_error_ struct error error = {};
		struct json_object *object = NULL;

		assert_int_equal(json_read(wrong[i].text, strlen(wrong[i].text), json_type_object,
					 &object, &error),
			-EBADMSG);
		/* The words between are json-c's. */
		assert_memory_equal(error.message, "not JSON: ", 10);
		assert_string_equal(strstr(error.message, " at byte"), wrong[i].place);
	}
}

static void assert_nothing_may_follow(const char *data, size_t length)
{
	struct json_object *object = NULL;

	if (json_read(data, length, json_type_object, &object, NULL) != -EBADMSG) {
		json_object_put(object);
		fail_msg("\"%s\" with %zu bytes was taken", data, length);
	}
}

static void test_nothing_may_follow(void **state)
{
	assert_nothing_may_follow("{}{}", 4);
	assert_nothing_may_follow("{} x", 4);
	assert_nothing_may_follow("{}/* */", 7);
}

static void test_nothing_may_follow_behind_a_nul_either(void **state)
{
	assert_nothing_may_follow("{}\0{\"a\":1}", 10);
}

static void test_nesting_has_a_limit(void **state)
{
	char text[40000];
	struct json_object *array = NULL;

	memset(text, '[', sizeof(text) / 2);
	memset(text + sizeof(text) / 2, ']', sizeof(text) / 2);
	assert_int_equal(json_read(text, sizeof(text), json_type_array, &array, NULL), -EBADMSG);
	assert_null(array);
	/* As deep as any answer of an engine. */
	memset(text, '[', 20);
	memset(text + 20, ']', 20);
	assert_int_equal(json_read(text, 40, json_type_array, &array, NULL), 0);
	json_object_put(array);
}

static void test_more_than_an_int_is_refused_unread(void **state)
{
	_cleanup_error_ struct error error = {};
	struct json_object *object = NULL;

	assert_int_equal(json_read("{}", INT_MAX, json_type_object, &object, &error), -EBADMSG);
	assert_string_equal(error.message, "too much JSON");
	assert_null(object);
}

static void test_members_are_told_from_missing_null_and_other_types(void **state)
{
	_cleanup_json_ struct json_object *object =
		read_object("{\"text\":\"x\",\"null\":null,\"number\":5,\"empty\":\"\"}");

	assert_non_null(json_member(object, "text", json_type_string));
	assert_null(json_member(object, "text", json_type_object));
	assert_null(json_member(object, "null", json_type_string));
	assert_null(json_member(object, "none", json_type_string));
	assert_null(json_member(NULL, "text", json_type_string));
	assert_null(
		json_member(json_member(object, "text", json_type_string), "x", json_type_string));
	assert_string_equal(json_text(object, "text"), "x");
	assert_string_equal(json_text(object, "empty"), "");
	assert_null(json_text(object, "number"));
	assert_null(json_text(object, "null"));
	assert_null(json_text(NULL, "text"));
}

static void test_integers_have_64_bits_and_nothing_else_passes(void **state)
{
	_cleanup_json_ struct json_object *object =
		read_object("{\"nano\":1795475395860134083,\"least\":-9223372036854775808,"
			    "\"half\":0.5,\"text\":\"1\",\"null\":null,\"bool\":true}");
	static const char *const others[] = { "half", "text", "null", "bool", "none" };
	int64_t n = 7;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(json_integer(object, others[i], &n), -EBADMSG);
		assert_int_equal(n, 7);
	}
	assert_int_equal(json_integer(NULL, "nano", &n), -EBADMSG);
	/* Above 2^53, where a double loses digits. */
	assert_int_equal(json_integer(object, "nano", &n), 0);
	assert_nsec_equal(n, 1795475395860134083);
	assert_int_equal(json_integer(object, "least", &n), 0);
	assert_nsec_equal(n, INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_object_and_an_array_are_read),
		cmocka_unit_test(test_another_type_is_refused),
		cmocka_unit_test(test_what_ends_too_early_is_refused),
		cmocka_unit_test(test_what_is_no_json_is_refused_with_the_place),
		cmocka_unit_test(test_nothing_may_follow),
		cmocka_unit_test(test_nothing_may_follow_behind_a_nul_either),
		cmocka_unit_test(test_nesting_has_a_limit),
		cmocka_unit_test(test_more_than_an_int_is_refused_unread),
		cmocka_unit_test(test_members_are_told_from_missing_null_and_other_types),
		cmocka_unit_test(test_integers_have_64_bits_and_nothing_else_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
