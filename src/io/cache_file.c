/* SPDX-License-Identifier: Apache-2.0 */
#include "io/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/files.h"

#define FILE_NAME "docker-images-gc.json"
#define FILE_MAX ((size_t)256 << 20)

static char *default_path(void)
{
	const char *directory = environment_get("CACHE_DIRECTORY");
	const char *cache = environment_get("XDG_CACHE_HOME");
	_cleanup_free_ char *home = NULL;

	/* systemd may name several, colon-separated: the first is ours. */
	if (directory)
		return xasprintf("%.*s/" FILE_NAME, (int)strcspn(directory, ":"), directory);
	if (cache)
		return xasprintf("%s/dockergcd/" FILE_NAME, cache);
	home = home_directory();
	return xasprintf("%s/.cache/dockergcd/" FILE_NAME, home);
}

void cache_file_init(struct cache_file *file, const char *setting)
{
	*file = (struct cache_file){
		.path = *setting ? path_absolute(setting) : default_path(),
		.lock_fd = -1,
	};
}

void cache_file_finish(struct cache_file *file)
{
	if (file->path && file->lock_fd >= 0)
		close(file->lock_fd);
	free(file->path);
	*file = (struct cache_file){ .lock_fd = -1 };
}

static char *directory_of(const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);

	return xstrdup(dirname(copy));
}

static int fail(struct error *error, int r, const char *path)
{
	error_set(error, "%s: %s", path, strerror(-r));
	return r;
}

int cache_file_lock(struct cache_file *file, struct error *error)
{
	_cleanup_free_ char *directory = directory_of(file->path);
	_cleanup_free_ char *path = xasprintf("%s.lock", file->path);
	char holder[32] = "";
	ssize_t n;
	int fd, r;

	r = directory_make(directory);
	if (r < 0)
		return fail(error, r, directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(error, -errno, path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
		n = read(fd, holder, sizeof(holder) - 1);
		close(fd);
		if (r != -EBUSY)
			return fail(error, r, path);
		error_set(error, "%s is held by another dockergcd, process %.*s", file->path,
			n > 0 ? (int)strcspn(holder, "\n") : 7, n > 0 ? holder : "unknown");
		return r;
	}
	/* Who we are, for the second one's message. The lock counts, not what stands there. */
	n = snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == 0 && pwrite(fd, holder, (size_t)n, 0) != n)
		(void)ftruncate(fd, 0);
	file->lock_fd = fd;
	return 0;
}

int cache_file_load(
	const struct cache_file *file, char **ret, size_t *ret_length, struct error *error)
{
	struct stat st;
	int r;

	if (stat(file->path, &st) < 0) {
		r = -errno;
		return r == -ENOENT ? r : fail(error, r, file->path);
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(error, "%s is no regular file", file->path);
		return -EINVAL;
	}
	if (st.st_uid != geteuid() && geteuid() != 0) {
		error_set(error, "%s belongs to another user", file->path);
		return -EINVAL;
	}
	r = file_read(file->path, FILE_MAX, ret, ret_length);
	return r < 0 ? fail(error, r, file->path) : 0;
}

static int write_all(int fd, const char *text)
{
	size_t length = strlen(text);

	while (length > 0) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		length -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* So that the new name outlives a power cut, too. */
static int sync_directory(const char *path)
{
	_cleanup_free_ char *directory = directory_of(path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int cache_file_save(const struct cache_file *file, const char *text, struct error *error)
{
	/* One name, since only one daemon holds the lock: what a crash left is overwritten. */
	_cleanup_free_ char *temporary = xasprintf("%s.new", file->path);
	int fd, r;

	if (unlink(temporary) < 0 && errno != ENOENT)
		return fail(error, -errno, temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(error, -errno, temporary);
	r = write_all(fd, text);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, file->path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary);
		return fail(error, r, file->path);
	}
	r = sync_directory(file->path);
	return r < 0 ? fail(error, r, file->path) : 0;
}

int cache_file_set_aside(
	const struct cache_file *file, const char *suffix, char **ret_path, struct error *error)
{
	_cleanup_free_ char *path = xasprintf("%s.%s", file->path, suffix);

	for (unsigned i = 1; i < 1000; i++) {
		struct stat st;

		if (lstat(path, &st) < 0 && errno == ENOENT) {
			if (rename(file->path, path) < 0)
				return fail(error, -errno, file->path);
			*ret_path = TAKE_PTR(path);
			return 0;
		}
		free(path);
		path = xasprintf("%s.%s.%u", file->path, suffix, i);
	}
	return fail(error, -EEXIST, path);
}

/* The name differs from engine to engine; the file says whose it is. */
char *cache_file_engine_path(const struct cache_file *file, const char *engine_id)
{
	return xasprintf("%s.engine-%016llx", file->path,
		(unsigned long long)hash_bytes(engine_id, strlen(engine_id)));
}
