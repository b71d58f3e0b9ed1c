/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/record.h"

static void test_labels_are_found_by_key(void **state)
{
	struct labels labels = {};

	assert_null(labels_get(&labels, "a"));
	labels_add(&labels, "a", "1");
	labels_add(&labels, "b", "");
	assert_string_equal(labels_get(&labels, "a"), "1");
	assert_string_equal(labels_get(&labels, "b"), "");
	assert_null(labels_get(&labels, "A"));
	labels_finish(&labels);
	assert_null(labels_get(&labels, "a"));
}

static void test_labels_copy_is_independent(void **state)
{
	struct labels labels = {}, copy;

	labels_add(&labels, "a", "1");
	copy = labels_copy(&labels);
	labels_finish(&labels);
	assert_string_equal(labels_get(&copy, "a"), "1");
	labels_finish(&copy);
}

static void test_labels_equal_by_keys_and_values(void **state)
{
	struct labels labels = {}, other = {};

	assert_true(labels_equal(&labels, &other));
	labels_add(&labels, "a", "1");
	assert_false(labels_equal(&labels, &other));
	labels_add(&other, "a", "2");
	assert_false(labels_equal(&labels, &other));
	labels_finish(&other);
	labels_add(&other, "b", "1");
	assert_false(labels_equal(&labels, &other));
	labels_finish(&other);
	labels_add(&other, "a", "1");
	assert_true(labels_equal(&labels, &other));
	labels_finish(&labels);
	labels_finish(&other);
}

static void test_finish_takes_empty_and_half_built_records(void **state)
{
	struct image_record image = {};
	struct container_record container = {};

	image_record_finish(&image);
	image.id = xstrdup("x");
	strings_add(&image.layers, "l");
	image_record_finish(&image);
	assert_null(image.id);
	assert_int_equal(image.layers.count, 0);

	container_record_finish(&container);
	container.image_text = xstrdup("x");
	container_record_finish(&container);
	assert_null(container.image_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels_are_found_by_key),
		cmocka_unit_test(test_labels_copy_is_independent),
		cmocka_unit_test(test_labels_equal_by_keys_and_values),
		cmocka_unit_test(test_finish_takes_empty_and_half_built_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
