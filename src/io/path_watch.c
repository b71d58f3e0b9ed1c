/* SPDX-License-Identifier: Apache-2.0 */
#include "io/path_watch.h"

#include <errno.h>
#include <libgen.h>
#include <sys/inotify.h>
#include <unistd.h>

struct path_watch {
	int fd;
	struct event *event;
	char *name;
	path_watch_fn fn;
	void *userdata;
};

static void path_watch_destroyp(struct path_watch **watch)
{
	path_watch_destroy(*watch);
}

static void on_readable(evutil_socket_t fd, short what _unused_, void *userdata)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct path_watch *watch = userdata;
	bool appeared = false;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event =
				(const struct inotify_event *)(void *)at;

			if (event->len > 0 && streq(event->name, watch->name))
				appeared = true;
			at += sizeof(*event) + event->len;
		}
	}
	if (appeared)
		watch->fn(watch->userdata);
}

int path_watch_create(struct event_base *base, const char *path, path_watch_fn fn, void *userdata,
	struct path_watch **ret)
{
	_cleanup_free_ char *for_folder = xstrdup(path), *for_name = xstrdup(path);
	_cleanup_(path_watch_destroyp) struct path_watch *watch = xcalloc(1, sizeof(*watch));

	watch->fn = fn;
	watch->userdata = userdata;
	watch->name = xstrdup(basename(for_name));
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	/* IN_ATTRIB: the rights of a socket come after it. */
	if (watch->fd < 0 ||
		inotify_add_watch(
			watch->fd, dirname(for_folder), IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0)
		return -errno;
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
	free(watch->name);
	free(watch);
}
