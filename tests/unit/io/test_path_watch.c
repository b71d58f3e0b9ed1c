/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/path_watch.h"
#include "scratch.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct seen {
	struct event_base *base;
	struct path_watch *watch;
	bool came, destroys;
	int count;
};

static void on_appeared(void *userdata)
{
	struct seen *seen = userdata;

	seen->came = true;
	seen->count++;
	if (seen->destroys) {
		path_watch_destroy(seen->watch);
		seen->watch = NULL;
	}
}

static void begin(struct seen *seen, const char *path)
{
	seen->base = event_base_new();
	assert_int_equal(path_watch_create(seen->base, path, on_appeared, seen, &seen->watch), 0);
}

static void end(struct seen *seen)
{
	path_watch_destroy(seen->watch);
	event_base_free(seen->base);
}

/* It came, and not more often than it had reason to. */
static void assert_appears(struct seen *seen)
{
	seen->came = false;
	scratch_run(seen->base, &seen->came);
}

static void assert_nothing(struct seen *seen)
{
	int before = seen->count;

	scratch_run_for(seen->base, 50 * NSEC_PER_MSEC);
	assert_int_equal(seen->count, before);
}

static void test_b11_it_tells_when_the_file_appears(void **state)
{
	_cleanup_free_ char *path = scratch_path(*state, "docker.sock");
	struct seen seen = {};

	begin(&seen, path);
	assert_nothing(&seen);
	scratch_write(path, "");
	assert_appears(&seen);
	/* And each time again. */
	unlink(path);
	assert_nothing(&seen);
	scratch_write(path, "");
	assert_appears(&seen);
	end(&seen);
}

static void test_b11_moved_there_and_opened_to_us(void **state)
{
	_cleanup_free_ char *path = scratch_path(*state, "docker.sock");
	_cleanup_free_ char *other = scratch_path(*state, "other");
	struct seen seen = {};

	begin(&seen, path);
	scratch_write(other, "");
	assert_nothing(&seen);
	assert_int_equal(rename(other, path), 0);
	assert_appears(&seen);
	assert_nothing(&seen);
	/* A socket's rights come after it. */
	assert_int_equal(chmod(path, 0660), 0);
	assert_appears(&seen);
	end(&seen);
}

static void test_others_do_not_count(void **state)
{
	_cleanup_free_ char *path = scratch_path(*state, "docker.sock");
	static const char *const names[] = { "docker.soc", "docker.sock2", "docker.sock.lock",
		"x" };
	struct seen seen = {};

	begin(&seen, path);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *other = scratch_path(*state, names[i]);

		scratch_write(other, "");
	}
	assert_nothing(&seen);
	end(&seen);
}

static void test_many_at_once(void **state)
{
	_cleanup_free_ char *path = scratch_path(*state, "docker.sock");
	struct seen seen = {};

	/* More than one read of inotify's takes. */
	begin(&seen, path);
	for (int i = 0; i < 300; i++) {
		_cleanup_free_ char *name = xasprintf("file-%d", i);
		_cleanup_free_ char *other = scratch_path(*state, name);

		scratch_write(other, "");
	}
	scratch_write(path, "");
	assert_appears(&seen);
	assert_int_equal(seen.count, 1);
	assert_nothing(&seen);
	end(&seen);
}

static void test_it_may_be_destroyed_from_its_callback(void **state)
{
	_cleanup_free_ char *path = scratch_path(*state, "docker.sock");
	struct seen seen = { .destroys = true };

	begin(&seen, path);
	scratch_write(path, "");
	assert_appears(&seen);
	unlink(path);
	scratch_write(path, "");
	assert_nothing(&seen);
	end(&seen);
}

static void test_b11_folders_may_come_later_and_go_again(void **state)
{
	_cleanup_free_ char *outer = scratch_path(*state, "outer");
	_cleanup_free_ char *inner = scratch_path(*state, "outer/inner");
	_cleanup_free_ char *path = scratch_path(*state, "outer/inner/docker.sock");
	size_t before = scratch_count_descriptors();
	struct seen seen = {};

	begin(&seen, path);
	for (int round = 0; round < 2; round++) {
		assert_nothing(&seen);
		assert_int_equal(mkdir(outer, 0700), 0);
		assert_nothing(&seen);
		assert_int_equal(mkdir(inner, 0700), 0);
		scratch_write(path, "");
		assert_appears(&seen);
		scratch_run_for(seen.base, 50 * NSEC_PER_MSEC);
		unlink(path);
		assert_int_equal(rmdir(inner), 0);
		assert_int_equal(rmdir(outer), 0);
	}
	end(&seen);
	path_watch_destroy(NULL);
	assert_int_equal(scratch_count_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_b11_it_tells_when_the_file_appears),
		scratch_test(test_b11_moved_there_and_opened_to_us),
		scratch_test(test_others_do_not_count),
		scratch_test(test_many_at_once),
		scratch_test(test_it_may_be_destroyed_from_its_callback),
		scratch_test(test_b11_folders_may_come_later_and_go_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
