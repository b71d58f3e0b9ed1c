/* SPDX-License-Identifier: Apache-2.0 */
#include "io/path_watch.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* The folder itself may go or be moved away, too. */
#define MASK (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct path_watch {
	int fd, wd;
	struct event *event;
	char *path;
	char *next; /* what is waited for: the path itself, or the first of its folders missing */
	path_watch_fn fn;
	void *userdata;
};

static void path_watch_destroyp(struct path_watch **watch)
{
	path_watch_destroy(*watch);
}

/* Watches the path's folder or, where that is missing, the nearest one above it. */
static int arm(struct path_watch *watch)
{
	if (watch->wd >= 0)
		inotify_rm_watch(watch->fd, watch->wd);
	free(watch->next);
	watch->next = xstrdup(watch->path);
	for (;;) {
		_cleanup_free_ char *copy = xstrdup(watch->next), *parent = NULL;
		bool is_top;

		parent = xstrdup(dirname(copy));
		/* IN_ATTRIB: the rights of a socket come after it. */
		watch->wd = inotify_add_watch(watch->fd, parent, MASK);
		if (watch->wd >= 0) {
			/* A folder that came before the watch did tells nothing any more. */
			if (streq(watch->next, watch->path) || access(watch->next, F_OK) < 0)
				return 0;
			inotify_rm_watch(watch->fd, watch->wd);
			free(watch->next);
			watch->next = xstrdup(watch->path);
			continue;
		}
		is_top = streq(parent, watch->next);
		if (is_top || (errno != ENOENT && errno != ENOTDIR))
			return -errno;
		free(watch->next);
		watch->next = TAKE_PTR(parent);
	}
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void on_readable(evutil_socket_t fd, short what _unused_, void *userdata)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct path_watch *watch = userdata;
	bool appeared = false, moved = false;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event =
				(const struct inotify_event *)(void *)at;

			if (event->wd == watch->wd && event->len == 0)
				moved = moved || (event->mask & ~(unsigned)IN_ATTRIB);
			else if (event->wd == watch->wd && streq(event->name, name_of(watch->next)))
				appeared = true;
			at += sizeof(*event) + event->len;
		}
	}
	if (moved || (appeared && !streq(watch->next, watch->path))) {
		if (arm(watch) < 0)
			watch->wd = -1;
		appeared = access(watch->path, F_OK) == 0;
	}
	if (appeared)
		watch->fn(watch->userdata);
}

int path_watch_create(struct event_base *base, const char *path, path_watch_fn fn, void *userdata,
	struct path_watch **ret)
{
	_cleanup_(path_watch_destroyp) struct path_watch *watch = xcalloc(1, sizeof(*watch));
	int r;

	watch->fn = fn;
	watch->userdata = userdata;
	watch->path = xstrdup(path);
	watch->wd = -1;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		return -errno;
	r = arm(watch);
	if (r < 0)
		return r;
	watch->event = event_new(base, watch->fd, EV_READ | EV_PERSIST, on_readable, watch);
	if (!watch->event || event_add(watch->event, NULL) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(watch);
	return 0;
}

void path_watch_destroy(struct path_watch *watch)
{
	if (!watch)
		return;
	if (watch->event)
		event_free(watch->event);
	if (watch->fd >= 0)
		close(watch->fd);
	free(watch->next);
	free(watch->path);
	free(watch);
}
