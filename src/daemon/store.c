/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/ledger_json.h"
#include "core/units.h"
#include "daemon/heap.h"
#include "io/clock.h"
#include "io/log.h"

/* Writes are at least this far apart, and come this soon after something was learned. */
#define SAVE_INTERVAL (5 * NSEC_PER_SEC)
#define SAVE_DELAY (200 * NSEC_PER_MSEC)

static void on_timer(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct store *store = userdata;

	store_flush(store, store->problem);
}

static void tell(struct store *store)
{
	if (store->changed)
		store->changed(store->userdata);
}

static void note_problem(struct store *store, const struct error *error)
{
	if (!store->problem)
		log_error("cannot write what was learned, trying again: %s", error->message);
	store->failures++;
	free(store->problem);
	store->problem = xasprintf("cannot write the cache file: %s", error->message);
	timer_arm(store->timer, SAVE_INTERVAL);
	tell(store);
}

/* A file that makes no sense is kept under another name, for people. */
static int set_aside(struct store *store, const char *suffix, const char *why, struct error *error)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (!store->keeps) {
		log_warning("%s: %s; what is present counts as existing", store->file.path, why);
		return 0;
	}
	r = cache_file_set_aside(&store->file, suffix, &path, error);
	if (r < 0)
		return r;
	log_warning("%s: %s; set aside as %s, what is present counts as existing", store->file.path,
		why, path);
	return 0;
}

static int load(struct store *store, struct error *error)
{
	_cleanup_error_ struct error why = {};
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r = cache_file_load(&store->file, &text, &length, error);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = ledger_decode(text, length, store->ledger, &why);
	if (r < 0)
		return set_aside(store, r == -EPROTO ? "newer" : "damaged", why.message, error);
	store->saved_generation = store->ledger->generation;
	log_info("cache file %s: %u images known, %zu asked for", store->file.path,
		HASH_COUNT(store->ledger->entries), store->ledger->tracked.count);
	return 0;
}

int store_open(struct store *store, const char *setting, bool keeps, struct event_base *base,
	struct error *error)
{
	store->keeps = keeps;
	store->timer = evtimer_new(base, on_timer, store);
	if (!store->timer)
		abort();
	cache_file_init(&store->file, setting);
	if (keeps) {
		_cleanup_error_ struct error why = {};
		int r = cache_file_lock(&store->file, &why);

		if (r == -EBUSY) {
			error_set(error, "%s", why.message);
			return r;
		}
		/* A full or read-only disk may get room again, and collecting may give it. */
		if (r < 0)
			note_problem(store, &why);
	}
	return load(store, error);
}

void store_close(struct store *store)
{
	if (store->timer)
		event_free(store->timer);
	cache_file_finish(&store->file);
	free(store->problem);
	*store = (struct store){ .file.lock_fd = -1 };
}

void store_note(struct store *store)
{
	nsec_t since;

	if (!store->keeps || store->ledger->generation == store->saved_generation ||
		evtimer_pending(store->timer, NULL))
		return;
	/* A clock that was set back must not put it off for long. */
	since = MAX(clock_now() - store->saved_at, (nsec_t)0);
	timer_arm(store->timer, MAX(SAVE_INTERVAL - since, SAVE_DELAY));
}

static int save_as(struct store *store, const struct cache_file *file, struct error *error)
{
	_cleanup_free_ char *text = NULL;

	store->ledger->open_since = store->open_since(store->userdata);
	text = ledger_encode(store->ledger, store->inventory, store->policy);
	return cache_file_save(file, text, error);
}

static int save(struct store *store, struct error *error)
{
	/* It could not be had at the start. */
	int r = store->file.lock_fd < 0 ? cache_file_lock(&store->file, error) : 0;

	return r < 0 ? r : save_as(store, &store->file, error);
}

void store_flush(struct store *store, bool anyway)
{
	_cleanup_error_ struct error error = {};
	bool had_problem = store->problem;
	int r;

	if (!store->keeps || (!anyway && store->ledger->generation == store->saved_generation))
		return;
	store->saved_at = clock_now();
	r = save(store, &error);
	heap_trim();
	if (r < 0) {
		note_problem(store, &error);
		return;
	}
	store->writes++;
	store->written_at = store->saved_at;
	if (store->problem)
		log_info("%s is written again", store->file.path);
	freep(&store->problem);
	store->problem = NULL;
	store->saved_generation = store->ledger->generation;
	evtimer_del(store->timer);
	if (had_problem)
		tell(store);
}

static void start_afresh(struct store *store, const char *engine_id)
{
	ledger_finish(store->ledger);
	ledger_init(store->ledger);
	store->ledger->engine_id = xstrdup(engine_id);
	store->ledger->generation = ++store->saved_generation + 1;
}

/* What is kept beside the cache file for an engine, if it is there and makes sense. */
static bool load_engine(struct store *store, const char *path, struct ledger *ret)
{
	const struct cache_file file = { .path = (char *)path, .lock_fd = -1 };
	_cleanup_error_ struct error error = {};
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r = cache_file_load(&file, &text, &length, &error);

	if (r == -ENOENT)
		return false;
	if (r == 0)
		r = ledger_decode(text, length, ret, &error);
	if (r < 0)
		log_warning("%s is of no use: %s", path, error.message);
	return r == 0;
}

/* Puts `next` in force, or nothing where that is NULL, and keeps what was there at `path`. */
static void change_ledger(
	struct store *store, const char *path, const struct ledger *next, const char *engine_id)
{
	const struct cache_file aside = { .path = (char *)path, .lock_fd = -1 };
	_cleanup_error_ struct error error = {};

	if (store->keeps && save_as(store, &aside, &error) < 0)
		log_error("what was learned of the other engine is lost: %s", error.message);
	start_afresh(store, engine_id);
	if (next) {
		ledger_finish(store->ledger);
		*store->ledger = *next;
		store->ledger->generation = store->saved_generation + 1;
	}
}

void store_meet_engine(struct store *store, const char *engine_id)
{
	_cleanup_free_ char *path = NULL, *own_path = NULL;
	_cleanup_(ledger_finish) struct ledger known = {};
	bool found;

	if (!store->ledger->engine_id) {
		store->ledger->engine_id = xstrdup(engine_id);
		store->ledger->generation++;
	}
	if (streq(store->ledger->engine_id, engine_id))
		return;
	path = cache_file_engine_path(&store->file, store->ledger->engine_id);
	own_path = cache_file_engine_path(&store->file, engine_id);
	found = load_engine(store, own_path, &known) && streq(known.engine_id, engine_id);
	change_ledger(store, path, found ? &known : NULL, engine_id);
	if (found)
		known = (struct ledger){};
	log_warning("this is another engine than the one of the cache file: %s; what was known is "
		    "kept in %s",
		found ? "going on with what was learned of this one before"
		      : "all that is present counts as existing",
		path);
}

void store_meet_storage(struct store *store)
{
	_cleanup_(ledger_finish) struct ledger known = {};
	_cleanup_free_ char *engine_id = NULL, *path = NULL;
	bool found;

	if (!ledger_is_foreign(store->ledger, store->inventory))
		return;
	engine_id = xstrdup(store->ledger->engine_id);
	path = cache_file_engine_path(&store->file, engine_id);
	found = load_engine(store, path, &known) && !ledger_is_foreign(&known, store->inventory);
	change_ledger(store, path, found ? &known : NULL, engine_id);
	if (found)
		known = (struct ledger){};
	log_warning("the engine has none of the images of the cache file: %s; what was known is "
		    "kept in %s",
		found ? "going on with what was learned of these before"
		      : "all that is present counts as existing",
		path);
}
