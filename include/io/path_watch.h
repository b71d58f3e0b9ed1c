/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Tells when a file appears, by inotify(7) on its folder or the nearest one above that is there. */

#include <event2/event.h>

#include "core/base.h"

struct path_watch;

typedef void (*path_watch_fn)(void *userdata);

/* Calls fn each time something of that name appears. Returns 0 or -errno. */
int path_watch_create(struct event_base *base, const char *path, path_watch_fn fn, void *userdata,
	struct path_watch **ret) _warn_unused_;
void path_watch_destroy(struct path_watch *watch);
