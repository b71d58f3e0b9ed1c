/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/cache_file.h"
#include "scratch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct cache_file at(const char *folder, const char *name)
{
	_cleanup_free_ char *path = scratch_path(folder, name);
	struct cache_file file;

	cache_file_init(&file, path);
	return file;
}

static void assert_place(const char *setting, const char *expected)
{
	_cleanup_(cache_file_finish) struct cache_file file;

	cache_file_init(&file, setting);
	assert_string_equal(file.path, expected);
	assert_int_equal(file.lock_fd, -1);
}

static void test_its_place(void **state)
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0), *relative = xasprintf("%s/c.json", cwd);

	setenv("HOME", "/home/u", 1);
	assert_place("", "/home/u/.cache/dockergcd/docker-images-gc.json");
	setenv("XDG_CACHE_HOME", "/xdg", 1);
	assert_place("", "/xdg/dockergcd/docker-images-gc.json");
	setenv("CACHE_DIRECTORY", "/var/cache/dockergcd:/var/cache/other", 1);
	assert_place("", "/var/cache/dockergcd/docker-images-gc.json");
	setenv("CACHE_DIRECTORY", "", 1);
	assert_place("", "/xdg/dockergcd/docker-images-gc.json");
	assert_place("/c.json", "/c.json");
	/* Before the daemon goes to the root folder. */
	assert_place("c.json", relative);
}

static void save(const struct cache_file *file, const char *text)
{
	_cleanup_error_ struct error error = {};

	if (cache_file_save(file, text, &error) < 0)
		fail_msg("%s", error.message);
}

static void assert_content(const struct cache_file *file, const char *expected)
{
	_cleanup_error_ struct error error = {};
	_cleanup_free_ char *text = NULL;
	size_t length = 0;

	assert_int_equal(cache_file_load(file, &text, &length, &error), 0);
	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(expected));
}

static void test_b15_what_is_saved_is_loaded(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "new/folder/c.json");
	_cleanup_free_ char *folder = scratch_path(*state, "new/folder");
	_cleanup_free_ char *temporary = xasprintf("%s.new", file.path), *none = NULL;
	_cleanup_error_ struct error error = {};
	struct stat st;
	size_t length;

	assert_int_equal(cache_file_load(&file, &none, &length, &error), -ENOENT);
	assert_null(error.message);
	assert_int_equal(cache_file_lock(&file, &error), 0);
	save(&file, "one");
	assert_content(&file, "one");
	save(&file, "the second one");
	assert_content(&file, "the second one");
	assert_int_equal(stat(file.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_false(scratch_exists(temporary));
}

static void test_b15_each_save_is_a_new_file(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");
	_cleanup_free_ char *other = scratch_path(*state, "other"), *text = NULL;
	_cleanup_free_ char *temporary = xasprintf("%s.new", file.path);

	/* A reader that has the old one open keeps all of it, and old rights are not kept. */
	scratch_write(file.path, "old");
	assert_int_equal(link(file.path, other), 0);
	assert_int_equal(chmod(file.path, 0666), 0);
	/* What a crash left is no obstacle. */
	scratch_write(temporary, "left by a crash, and longer than what comes now");
	save(&file, "new");
	assert_content(&file, "new");
	text = scratch_read(other);
	assert_string_equal(text, "old");
	assert_false(scratch_exists(temporary));
}

static void test_b16_a_full_disk_leaves_the_old_one(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");
	_cleanup_free_ char *long_text = xcalloc(10001, 1);
	_cleanup_free_ char *temporary = xasprintf("%s.new", file.path);
	_cleanup_error_ struct error error = {};
	struct rlimit old, small;
	int r;

	memset(long_text, 'x', 10000);
	save(&file, "old");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = cache_file_save(&file, long_text, &error);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(error.message, file.path));
	assert_content(&file, "old");
	assert_false(scratch_exists(temporary));
	/* And the next one goes well again. */
	save(&file, long_text);
	assert_content(&file, long_text);
}

static void test_b16_a_folder_that_went_away(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "gone/c.json");
	_cleanup_error_ struct error error = {};

	assert_int_equal(cache_file_save(&file, "x", &error), -ENOENT);
	assert_non_null(strstr(error.message, file.path));
	assert_false(scratch_exists(file.path));
}

static void test_b16_a_folder_in_its_place(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");
	_cleanup_free_ char *temporary = xasprintf("%s.new", file.path), *none = NULL;
	_cleanup_error_ struct error error = {}, why = {};
	size_t length;

	assert_int_equal(mkdir(file.path, 0700), 0);
	assert_int_equal(cache_file_save(&file, "x", &error), -EISDIR);
	assert_false(scratch_exists(temporary));
	assert_int_equal(cache_file_load(&file, &none, &length, &why), -EINVAL);
	assert_non_null(strstr(why.message, "c.json is no regular file"));
	assert_null(none);
}

static void test_a_fifo_makes_nobody_wait(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");
	_cleanup_error_ struct error error = {};
	char *none = NULL;
	size_t length;

	assert_int_equal(mkfifo(file.path, 0600), 0);
	assert_int_equal(cache_file_load(&file, &none, &length, &error), -EINVAL);
	assert_null(none);
	/* Saving puts a file in its place. */
	save(&file, "x");
	assert_content(&file, "x");
}

static void test_a_symlink_is_read_and_then_replaced(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");
	_cleanup_free_ char *target = scratch_path(*state, "target"), *text = NULL;
	struct stat st;

	scratch_write(target, "of the target");
	assert_int_equal(symlink(target, file.path), 0);
	assert_content(&file, "of the target");
	save(&file, "new");
	assert_content(&file, "new");
	assert_int_equal(lstat(file.path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	text = scratch_read(target);
	assert_string_equal(text, "of the target");
}

static void test_a_temporary_symlink_is_not_followed(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");
	_cleanup_free_ char *target = scratch_path(*state, "target"), *text = NULL;
	_cleanup_free_ char *temporary = xasprintf("%s.new", file.path);

	scratch_write(target, "precious");
	assert_int_equal(symlink(target, temporary), 0);
	save(&file, "x");
	text = scratch_read(target);
	assert_string_equal(text, "precious");
}

static void test_another_users_file(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file;
	_cleanup_error_ struct error error = {};
	uid_t me = geteuid();
	char *none = NULL;
	size_t length;
	int r;

	/* Root's, seen by somebody else: by us, or by nobody. */
	cache_file_init(&file, "/etc/passwd");
	if (me == 0)
		assert_int_equal(seteuid(65534), 0);
	r = cache_file_load(&file, &none, &length, &error);
	if (me == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, -EINVAL);
	assert_string_equal(error.message, "/etc/passwd belongs to another user");
	assert_null(none);
}

/* A child that locks the file, says so and waits for its end. */
static pid_t start_holder(struct cache_file *file)
{
	char byte = 0;
	int fds[2];
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		if (cache_file_lock(file, NULL) == 0 && write(fds[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	return child;
}

static void test_b17_a_second_one_hears_who_holds_it(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");
	pid_t child = start_holder(&file);
	_cleanup_free_ char *expected =
		xasprintf("%s is held by another dockergcd, process %ld", file.path, (long)child);
	_cleanup_error_ struct error error = {};
	int r = cache_file_lock(&file, &error);

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(r, -EBUSY);
	assert_string_equal(error.message, expected);
	assert_int_equal(file.lock_fd, -1);
	/* It died without a word, and the lock with it. */
	assert_int_equal(cache_file_lock(&file, NULL), 0);
}

static void test_b17_the_lock_ends_with_the_file(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file first = at(*state, "c.json");
	_cleanup_(cache_file_finish) struct cache_file second = at(*state, "c.json");
	_cleanup_error_ struct error error = {};
	struct stat st;
	_cleanup_free_ char *lock = xasprintf("%s.lock", first.path);

	assert_int_equal(cache_file_lock(&first, &error), 0);
	assert_int_equal(cache_file_lock(&second, &error), -EBUSY);
	/* Saving replaces the file, not the lock. */
	save(&first, "x");
	assert_int_equal(cache_file_lock(&second, &error), -EBUSY);
	assert_int_equal(stat(lock, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	cache_file_finish(&first);
	assert_int_equal(cache_file_lock(&second, &error), 0);
}

static void test_b17_a_folder_that_cannot_be_made(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "f/below/c.json");
	_cleanup_free_ char *path = scratch_path(*state, "f");
	_cleanup_error_ struct error error = {};

	scratch_write(path, "a file");
	assert_int_equal(cache_file_lock(&file, &error), -ENOTDIR);
	assert_non_null(strstr(error.message, "Not a directory"));
	assert_int_equal(file.lock_fd, -1);
}

static void test_b17_a_lock_by_way_of_a_symlink_is_refused(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");
	_cleanup_free_ char *lock = xasprintf("%s.lock", file.path);
	_cleanup_free_ char *target = scratch_path(*state, "target"), *text = NULL;

	scratch_write(target, "precious");
	assert_int_equal(symlink(target, lock), 0);
	assert_int_equal(cache_file_lock(&file, NULL), -ELOOP);
	text = scratch_read(target);
	assert_string_equal(text, "precious");
}

static void test_b16_set_aside_under_a_new_name_each_time(void **state)
{
	static const char *const names[] = { "c.json.damaged", "c.json.damaged.1",
		"c.json.damaged.2" };
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *expected = scratch_path(*state, names[i]), *path = NULL;
		_cleanup_free_ char *text = NULL;

		scratch_write(file.path, names[i]);
		assert_int_equal(cache_file_set_aside(&file, "damaged", &path, NULL), 0);
		assert_string_equal(path, expected);
		text = scratch_read(path);
		assert_string_equal(text, names[i]);
		assert_false(scratch_exists(file.path));
	}
	/* None of those before was touched. */
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = scratch_path(*state, names[i]);
		_cleanup_free_ char *text = scratch_read(path);

		assert_string_equal(text, names[i]);
	}
}

static void test_b16_nothing_to_set_aside(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");
	_cleanup_error_ struct error error = {};
	char *path = NULL;

	assert_int_equal(cache_file_set_aside(&file, "damaged", &path, &error), -ENOENT);
	assert_null(path);
	assert_non_null(error.message);
}

static void test_each_engine_has_a_file_of_its_own(void **state)
{
	_cleanup_(cache_file_finish) struct cache_file file = at(*state, "c.json");
	_cleanup_free_ char *a = cache_file_engine_path(&file, "ID/../../etc"),
			    *again = cache_file_engine_path(&file, "ID/../../etc"),
			    *b = cache_file_engine_path(&file, "ID/../../etd");

	assert_string_equal(a, again);
	assert_string_not_equal(a, b);
	assert_memory_equal(a, file.path, strlen(file.path));
	assert_null(strchr(a + strlen(file.path), '/'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_its_place),
		scratch_test(test_b15_what_is_saved_is_loaded),
		scratch_test(test_b15_each_save_is_a_new_file),
		scratch_test(test_b16_a_full_disk_leaves_the_old_one),
		scratch_test(test_b16_a_folder_that_went_away),
		scratch_test(test_b16_a_folder_in_its_place),
		scratch_test(test_a_fifo_makes_nobody_wait),
		scratch_test(test_a_symlink_is_read_and_then_replaced),
		scratch_test(test_a_temporary_symlink_is_not_followed),
		scratch_test(test_another_users_file),
		scratch_test(test_b17_a_second_one_hears_who_holds_it),
		scratch_test(test_b17_the_lock_ends_with_the_file),
		scratch_test(test_b17_a_folder_that_cannot_be_made),
		scratch_test(test_b17_a_lock_by_way_of_a_symlink_is_refused),
		scratch_test(test_b16_set_aside_under_a_new_name_each_time),
		scratch_test(test_b16_nothing_to_set_aside),
		scratch_test(test_each_engine_has_a_file_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
