/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Keeps the ledger in the cache file: loads it, saves it at most once in five seconds however much
 * is learned, and changes files where the engine turns out to be another one.
 */

#include <event2/event.h>

#include "core/base.h"
#include "core/ledger.h"
#include "core/policy.h"
#include "io/cache_file.h"

struct store {
	struct cache_file file;
	bool keeps; /* false: nothing is locked or saved (--dry-run --once) */
	struct ledger *ledger;
	const struct inventory *inventory;
	const struct policy *policy;
	struct event *timer;
	uint64_t saved_generation;
	nsec_t saved_at;
	nsec_t written_at; /* by the wall clock, in this process; 0: not yet */
	uint64_t writes, failures; /* so far */
	char *problem; /* why the file cannot be written, or NULL */
	/* Since when events wait for answers, and are not in the ledger; NSEC_MAX: none does. */
	nsec_t (*open_since)(void *userdata);
	void (*changed)(void *userdata); /* `problem`; NULL: nobody wants to know */
	void *userdata;
};

/*
 * Opens and locks the cache file and loads the ledger; a damaged file is set aside. Returns 0, or
 * -errno with *error where dockergcd must not start: another one holds it, or it is no file of
 * ours.
 */
int store_open(struct store *store, const char *setting, bool keeps, struct event_base *base,
	struct error *error) _warn_unused_;
void store_close(struct store *store);

/* Something may have been learned: it will be saved soon. */
void store_note(struct store *store);

/* Saves now if anything is new, or `anyway`. */
void store_flush(struct store *store, bool anyway);

/*
 * The engine is this one. If the ledger is another's, it is set aside under a name of its engine's,
 * and what was learned of this one is taken up again, if anything was.
 */
void store_meet_engine(struct store *store, const char *engine_id);

/*
 * The engine has none of the images that we know: somebody gave it new storage. Sets the ledger
 * aside and takes up the one that was before it, if that fits, else starts afresh.
 */
void store_meet_storage(struct store *store);
