/* SPDX-License-Identifier: Apache-2.0 */
#include "io/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_length)
{
	/* A FIFO must not make us wait. */
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *data = NULL;
	size_t length = 0, size;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* /dev/null is a fine way to say "nothing". */
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (st.st_size > 0 && (size_t)st.st_size > max)
		return -EFBIG;
	size = S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : 4096;
	data = xcalloc(size + 1, 1);
	while (length < size) {
		ssize_t n = read(fd, data + length, size - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	data[length] = '\0';
	*ret = TAKE_PTR(data);
	*ret_length = length;
	return 0;
}

int file_system_space(const char *path, struct space *ret)
{
	struct statvfs fs;

	if (statvfs(path, &fs) < 0)
		return -errno;
	*ret = (struct space){
		.known = true,
		.total = (uint64_t)fs.f_blocks * fs.f_frsize,
		.free = (uint64_t)fs.f_bavail * fs.f_frsize,
	};
	return 0;
}

int directory_make(const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);

	for (char *slash = copy + 1; slash; slash = slash ? slash + 1 : NULL) {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return -errno;
		if (!slash)
			break;
		*slash = '/';
	}
	return 0;
}

char *path_absolute(const char *path)
{
	_cleanup_free_ char *directory = *path == '/' ? NULL : getcwd(NULL, 0);

	return directory ? xasprintf("%s/%s", directory, path) : xstrdup(path);
}

const char *environment_get(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value ? value : NULL;
}

char *home_directory(void)
{
	const char *home = environment_get("HOME");
	struct passwd *user = home ? NULL : getpwuid(getuid());

	return xstrdup(home ? home : user ? user->pw_dir : "/");
}
