/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/base.h"

#include <string.h>

static void test_allocation_of_nothing_is_not_null(void **state)
{
	_cleanup_free_ char *a = xcalloc(0, 0), *b = xreallocarray(NULL, 0, 8);

	assert_non_null(a);
	assert_non_null(b);
}

static void test_calloc_zeroes(void **state)
{
	_cleanup_free_ char *a = xcalloc(3, 4);

	for (size_t i = 0; i < 12; i++)
		assert_int_equal(a[i], 0);
}

static void test_strndup_stops_at_max_and_at_nul(void **state)
{
	_cleanup_free_ char *a = xstrndup("abc", 2), *b = xstrndup("abc", 9);

	assert_string_equal(a, "ab");
	assert_string_equal(b, "abc");
}

static void test_asprintf_formats(void **state)
{
	_cleanup_free_ char *s = xasprintf("%s-%d", "x", 7);

	assert_string_equal(s, "x-7");
}

static void test_take_ptr_leaves_null_behind(void **state)
{
	char *a = xstrdup("x");
	_cleanup_free_ char *b = TAKE_PTR(a);

	assert_null(a);
	assert_string_equal(b, "x");
}

static void test_min_and_max_evaluate_once(void **state)
{
	int i = 1;

	assert_int_equal(MAX(i++, 0), 1);
	assert_int_equal(MIN(i++, 9), 2);
	assert_int_equal(i, 3);
}

static void test_compare_strings_sorts_null_first(void **state)
{
	assert_true(compare_strings(NULL, NULL) == 0);
	assert_true(compare_strings(NULL, "") < 0);
	assert_true(compare_strings("", NULL) > 0);
	assert_true(compare_strings("a", "b") < 0);
	assert_true(streq("a", "a"));
	assert_false(streq("a", NULL));
}

static void test_error_keeps_the_last_message(void **state)
{
	_cleanup_error_ struct error error = {};

	error_set(&error, "no %s", "file");
	assert_string_equal(error.message, "no file");
	error_set(&error, "while reading: %s", error.message);
	assert_string_equal(error.message, "while reading: no file");
	error_finish(&error);
	assert_null(error.message);
}

static void test_error_may_be_null(void **state)
{
	error_set(NULL, "nobody wants to know");
}

static void test_array_push_zeroes_each_item(void **state)
{
	ARRAY(uint64_t) array = {};

	for (uint64_t i = 0; i < 100; i++) {
		uint64_t *item = array_push(&array);

		assert_int_equal(*item, 0);
		*item = i + 1;
	}
	assert_int_equal(array.count, 100);
	assert_true(array.allocated >= array.count);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(array.items[i], i + 1);
	/* A place that is used again is zeroed too. */
	array.count--;
	assert_int_equal(*array_push(&array), 0);
	free(array.items);
}

static void test_strings_copy_what_they_own(void **state)
{
	_cleanup_strings_ struct strings strings = {};
	char text[] = "a";

	strings_add(&strings, text);
	text[0] = 'z';
	strings_take(&strings, xstrdup("b"));
	strings_addf(&strings, "%c", 'c');
	assert_int_equal(strings.count, 3);
	assert_string_equal(strings.items[0], "a");
	assert_string_equal(strings.items[1], "b");
	assert_string_equal(strings.items[2], "c");
	strings_finish(&strings);
	assert_int_equal(strings.count, 0);
	assert_null(strings.items);
}

static void test_strings_remove_the_first_and_keep_the_order(void **state)
{
	_cleanup_strings_ struct strings strings = {};
	_cleanup_free_ char *joined = NULL;

	strings_add(&strings, "b");
	strings_add(&strings, "a");
	strings_add(&strings, "c");
	strings_add(&strings, "a");
	assert_true(strings_contain(&strings, "a"));
	assert_true(strings_remove(&strings, "a"));
	assert_false(strings_remove(&strings, "x"));
	joined = strings_join(&strings, " ");
	assert_string_equal(joined, "b c a");
}

static void test_strings_sort(void **state)
{
	_cleanup_strings_ struct strings strings = {};
	_cleanup_free_ char *joined = NULL;

	strings_sort(&strings);
	strings_add(&strings, "b");
	strings_add(&strings, "B");
	strings_add(&strings, "a");
	strings_sort(&strings);
	joined = strings_join(&strings, ", ");
	assert_string_equal(joined, "B, a, b");
}

static void test_strings_join_nothing_is_empty(void **state)
{
	_cleanup_strings_ struct strings strings = {};
	_cleanup_free_ char *joined = strings_join(&strings, ", ");

	assert_string_equal(joined, "");
}

static void test_strings_copies_are_equal_and_independent(void **state)
{
	_cleanup_strings_ struct strings a = {}, b = {};

	strings_add(&a, "x");
	strings_add(&a, "y");
	b = strings_copy(&a);
	assert_true(strings_equal(&a, &b));
	strings_remove(&b, "y");
	assert_false(strings_equal(&a, &b));
	strings_add(&b, "z");
	assert_false(strings_equal(&a, &b));
	assert_string_equal(a.items[1], "y");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allocation_of_nothing_is_not_null),
		cmocka_unit_test(test_calloc_zeroes),
		cmocka_unit_test(test_strndup_stops_at_max_and_at_nul),
		cmocka_unit_test(test_asprintf_formats),
		cmocka_unit_test(test_take_ptr_leaves_null_behind),
		cmocka_unit_test(test_min_and_max_evaluate_once),
		cmocka_unit_test(test_compare_strings_sorts_null_first),
		cmocka_unit_test(test_error_keeps_the_last_message),
		cmocka_unit_test(test_error_may_be_null),
		cmocka_unit_test(test_array_push_zeroes_each_item),
		cmocka_unit_test(test_strings_copy_what_they_own),
		cmocka_unit_test(test_strings_remove_the_first_and_keep_the_order),
		cmocka_unit_test(test_strings_sort),
		cmocka_unit_test(test_strings_join_nothing_is_empty),
		cmocka_unit_test(test_strings_copies_are_equal_and_independent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
