/* SPDX-License-Identifier: Apache-2.0 */
/* The rest of what the daemon has outside: the cache file, and what is of no interest here. */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/heap.h"
#include "io/cache_file.h"
#include "io/control.h"
#include "io/log.h"
#include "io/path_watch.h"
#include "io/service.h"

/* io/cache_file.h */

void cache_file_init(struct cache_file *file, const char *setting _unused_)
{
	*file = (struct cache_file){ .path = xstrdup("cache"), .lock_fd = -1 };
}

void cache_file_finish(struct cache_file *file)
{
	free(file->path);
	file->path = NULL;
}

int cache_file_lock(struct cache_file *file, struct error *error _unused_)
{
	file->lock_fd = 0;
	return 0;
}

int cache_file_load(
	const struct cache_file *file, char **ret, size_t *ret_length, struct error *error _unused_)
{
	if (!world.file || !streq(file->path, "cache"))
		return -ENOENT;
	*ret = xstrdup(world.file);
	*ret_length = strlen(world.file);
	return 0;
}

int cache_file_save(const struct cache_file *file, const char *text, struct error *error)
{
	if (!streq(file->path, "cache"))
		fail("one engine", "its ledger is put aside");
	/* One that is lost when the daemon crashes is none. */
	if (world.crashed)
		return 0;
	if (world.faults && random_chance(1)) {
		error_set(error, "disk full");
		return -ENOSPC;
	}
	told_saved(text);
	free(world.file);
	world.file = xstrdup(text);
	return 0;
}

int cache_file_set_aside(const struct cache_file *file _unused_, const char *suffix,
	char **ret_path _unused_, struct error *error _unused_)
{
	fail("round trip", "the cache file is found to be %s", suffix);
}

char *cache_file_engine_path(const struct cache_file *file _unused_, const char *engine_id _unused_)
{
	return xstrdup("aside");
}

/* io/log.h */

const struct log_field log_error_id = { "MESSAGE_ID", "" };

void log_set_level(enum log_level level _unused_)
{
}

int log_level_parse(const char *name _unused_, enum log_level *ret)
{
	*ret = LEVEL_DEBUG;
	return 0;
}

void log_write(enum log_level level _unused_, const struct log_field *fields _unused_,
	size_t field_count _unused_, const char *format, ...)
{
	va_list args;
	_cleanup_free_ char *text = NULL;

	if (!world.verbose)
		return;
	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	trace("daemon: %s", text);
}

/* io/endpoint.h */

int endpoint_find(const struct endpoint_settings *settings _unused_, struct endpoint *ret,
	struct error *error _unused_)
{
	*ret = (struct endpoint){
		.url = xstrdup("unix:///model"),
		.source = xstrdup("the model"),
		.unix_socket = xstrdup("/model/none"),
	};
	return 0;
}

void endpoint_finish(struct endpoint *endpoint)
{
	free(endpoint->url);
	free(endpoint->source);
	free(endpoint->unix_socket);
	*endpoint = (struct endpoint){};
}

char *endpoint_warn_of_key(const struct endpoint *endpoint _unused_)
{
	return NULL;
}

int path_watch_create(struct event_base *base _unused_, const char *path _unused_,
	path_watch_fn fn _unused_, void *userdata _unused_, struct path_watch **ret _unused_)
{
	return -ENOSYS;
}

void path_watch_destroy(struct path_watch *watch _unused_)
{
}

/* io/service.h */

void service_ready(void)
{
}

void service_reloading(void)
{
}

void service_stopping(void)
{
}

void service_status(const char *text)
{
	trace("status: %s", text);
}

/* Memory is given back by a process. */
void heap_trim(void)
{
}

void heap_trim_later(struct event_base *base _unused_)
{
}

struct event *service_watchdog_create(struct event_base *base _unused_)
{
	return NULL;
}

/* io/control.h: nobody calls. */

void control_find_sockets(struct strings *ret)
{
	strings_add(ret, "/model/none");
}

struct control *control_create(struct event_base *base _unused_,
	const struct control_route *routes _unused_, size_t count _unused_, void *userdata _unused_)
{
	return NULL;
}

int control_listen(
	struct control *control _unused_, const char *path _unused_, struct error *error _unused_)
{
	return 0;
}

int control_listen_tcp(struct control *control _unused_, const char *address _unused_,
	struct error *error _unused_)
{
	return 0;
}

void control_destroy(struct control *control _unused_)
{
}

const char *control_rest(const struct control_call *call _unused_)
{
	return NULL;
}

const char *control_parameter(const struct control_call *call _unused_, const char *name _unused_)
{
	return NULL;
}

const char *control_body(struct control_call *call _unused_, size_t *ret_length _unused_)
{
	return NULL;
}

void control_reply(
	struct control_call *call _unused_, int status _unused_, const char *json _unused_)
{
}

void control_reply_text(struct control_call *call _unused_, const char *content_type _unused_,
	const char *text _unused_)
{
}

void control_fail(
	struct control_call *call _unused_, int status _unused_, const char *format _unused_, ...)
{
}
