/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/files.h"
#include "scratch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_a_file_is_read_whole(void **state)
{
	_cleanup_free_ char *path = scratch_path(*state, "f"), *data = NULL;
	size_t length = 0;
	FILE *file = fopen(path, "we");

	assert_int_equal(fwrite("a\0b\n", 1, 4, file), 4);
	fclose(file);
	assert_int_equal(file_read(path, 100, &data, &length), 0);
	assert_int_equal(length, 4);
	assert_memory_equal(data, "a\0b\n", 5);
}

static void test_an_empty_file(void **state)
{
	_cleanup_free_ char *path = scratch_path(*state, "f"), *data = NULL;
	size_t length = 7;

	scratch_write(path, "");
	assert_int_equal(file_read(path, 0, &data, &length), 0);
	assert_int_equal(length, 0);
	assert_string_equal(data, "");
}

static void test_the_limit(void **state)
{
	_cleanup_free_ char *path = scratch_path(*state, "f"), *data = NULL;
	char *none = NULL;
	size_t length = 7;

	scratch_write(path, "12345");
	assert_int_equal(file_read(path, 4, &none, &length), -EFBIG);
	assert_null(none);
	assert_int_equal(length, 7);
	assert_int_equal(file_read(path, 5, &data, &length), 0);
	assert_string_equal(data, "12345");
}

static void test_what_is_no_file(void **state)
{
	_cleanup_free_ char *missing = scratch_path(*state, "none");
	_cleanup_free_ char *fifo = scratch_path(*state, "fifo");
	_cleanup_free_ char *below = scratch_path(*state, "f/below"),
			    *f = scratch_path(*state, "f");
	char *none = NULL;
	size_t length;

	scratch_write(f, "");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(file_read(missing, 10, &none, &length), -ENOENT);
	assert_int_equal(file_read(below, 10, &none, &length), -ENOTDIR);
	assert_int_equal(file_read(*state, 10, &none, &length), -EISDIR);
	/* Nobody writes to it: this must not wait. */
	assert_int_equal(file_read(fifo, 10, &none, &length), -EINVAL);
	assert_null(none);
}

static void test_dev_null_is_nothing(void **state)
{
	_cleanup_free_ char *data = NULL;
	size_t length = 7;

	assert_int_equal(file_read("/dev/null", 10, &data, &length), 0);
	assert_int_equal(length, 0);
}

static void test_folders_are_made_for_their_owner_alone(void **state)
{
	_cleanup_free_ char *path = scratch_path(*state, "a//b/c"), *a = scratch_path(*state, "a");
	_cleanup_free_ char *file = scratch_path(*state, "f"), *below = scratch_path(*state, "f/x");
	struct stat st;

	assert_int_equal(directory_make(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(a, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* Those that are there stay as they are. */
	assert_int_equal(chmod(a, 0755), 0);
	assert_int_equal(directory_make(path), 0);
	assert_int_equal(stat(a, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(directory_make("/"), 0);
	scratch_write(file, "");
	assert_int_equal(directory_make(below), -ENOTDIR);
}

static void test_paths_become_absolute(void **state)
{
	_cleanup_free_ char *same = path_absolute("/a/b"), *cwd = getcwd(NULL, 0);
	_cleanup_free_ char *made = path_absolute("a/b"), *expected = xasprintf("%s/a/b", cwd);

	assert_string_equal(same, "/a/b");
	assert_string_equal(made, expected);
}

static void test_an_empty_variable_is_unset(void **state)
{
	setenv("DOCKER_HOST", "", 1);
	assert_null(environment_get("DOCKER_HOST"));
	setenv("DOCKER_HOST", "x", 1);
	assert_string_equal(environment_get("DOCKER_HOST"), "x");
	unsetenv("DOCKER_HOST");
	assert_null(environment_get("DOCKER_HOST"));
}

static void test_home(void **state)
{
	_cleanup_free_ char *home = NULL, *without = NULL;

	setenv("HOME", "/somewhere", 1);
	home = home_directory();
	assert_string_equal(home, "/somewhere");
	unsetenv("HOME");
	without = home_directory();
	assert_int_equal(*without, '/');
	assert_string_not_equal(without, "/somewhere");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_a_file_is_read_whole),
		scratch_test(test_an_empty_file),
		scratch_test(test_the_limit),
		scratch_test(test_what_is_no_file),
		scratch_test(test_dev_null_is_nothing),
		scratch_test(test_folders_are_made_for_their_owner_alone),
		scratch_test(test_paths_become_absolute),
		scratch_test(test_an_empty_variable_is_unset),
		scratch_test(test_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
