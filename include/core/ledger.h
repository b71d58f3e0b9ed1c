/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What only we know and the cache file keeps: which image was used when, how it came, what was
 * asked for, and how much of the time somebody watched. Keyed by image ID: a tag that moves takes
 * no history along.
 */

#include "core/base.h"
#include "core/inventory.h"

enum origin {
	ORIGIN_EXISTING, /* was there when we first met this engine */
	ORIGIN_PULLED,
	ORIGIN_BUILT,
	ORIGIN_LOADED, /* load and import */
	ORIGIN_COUNT,
};

/* "existing", "pulled", "built", "loaded". */
const char *origin_name(enum origin origin);
/* Returns 0 or -EINVAL. */
int origin_parse(const char *name, enum origin *ret) _warn_unused_;

struct ledger_entry {
	char *id;
	enum origin origin;
	bool inferred; /* origin guessed from a list; the event that brought it may follow */
	bool tracked; /* asked for by name: managed whatever its origin */
	bool forgotten; /* no longer managed, until tracked again */
	bool named; /* had a name or came by itself: no mere step of a build */
	struct strings references;
	nsec_t first_seen, last_used;
	int64_t unobserved; /* ledger's total at last use, seconds */
	UT_hash_handle hh;
};

/* A reference that was asked for and is not there yet. */
struct tracked_reference {
	char *canonical;
	nsec_t last_used;
	bool imported; /* from elastic-package's cache: managed even if it was there before us */
};

/* The same moment by three clocks: only together they tell sleep and a changed clock from time. */
struct clocks {
	nsec_t real; /* CLOCK_REALTIME: can be set */
	nsec_t elapsed; /* CLOCK_BOOTTIME: goes on while the machine sleeps */
	nsec_t awake; /* CLOCK_MONOTONIC: does not */
};

struct ledger {
	char *engine_id; /* NULL: no engine met yet */
	nsec_t met; /* when we first met it; 0: not yet */
	nsec_t observed_until; /* somebody watched up to here; 0: never */
	nsec_t open_since; /* what was told from then on is not all in here yet; NSEC_MAX: it is */
	int64_t unobserved; /* seconds nobody watched, in total */
	struct clocks observed; /* when we watched last, in this process; zero: not yet */
	bool watched; /* somebody watches now */
	nsec_t gap_end; /* the last such gap, for events replayed from within it */
	nsec_t gap_length;
	/*
	 * When it showed that the clock had been set back while nobody watched: events from before
	 * that come with times by the clock as it was, and nobody knows what was watched since.
	 */
	nsec_t doubt_until;
	struct ledger_entry *entries; /* uthash by ID */
	ARRAY(struct tracked_reference) tracked;
	uint64_t generation; /* goes up with each change worth saving */
};

void ledger_init(struct ledger *ledger);
void ledger_finish(struct ledger *ledger);

struct ledger_entry *ledger_find(const struct ledger *ledger, const char *id);

/* Adds an image that has no entry yet, used and first seen at `when`. */
struct ledger_entry *ledger_add(
	struct ledger *ledger, const char *id, enum origin origin, nsec_t when);
void ledger_remove(struct ledger *ledger, const char *id);

/*
 * Forgets an image that was a mere step of a build and has become the parent of the next: nobody
 * sees it any more.
 */
void ledger_drop_step(struct ledger *ledger, const struct image *image);

/*
 * The image was used at `when`. Never lowers its time; the future is taken as now, what is in doubt
 * as when the doubt ended. Nothing happens for an image without entry.
 */
void ledger_touch(struct ledger *ledger, const char *id, nsec_t when, nsec_t now);

/*
 * An event told how the image came that a list had shown without saying. The list was at most a
 * moment ahead of its event; later events do not change where an image came from.
 */
void ledger_learn_origin(
	struct ledger *ledger, struct ledger_entry *entry, enum origin origin, nsec_t when);

/* Brings the entry's names up to date. */
void ledger_sync_names(
	struct ledger *ledger, struct ledger_entry *entry, const struct image *image);

/*
 * The image was last used at `last_used`, long before we watched: none of the time from then to now
 * counts as watched.
 */
void ledger_backdate(
	struct ledger *ledger, struct ledger_entry *entry, nsec_t last_used, nsec_t now);

/*
 * The inventory has just been replaced by a full list: new images get an entry, those that are gone
 * lose theirs, those in use are touched. On the first meeting with the engine what is there is
 * `existing`; later an image without event is `pulled` where digests prove a pull, else `built`.
 */
void ledger_reconcile(struct ledger *ledger, const struct inventory *inventory,
	bool digests_prove_pull, nsec_t now);

/*
 * Somebody watches from now on: what lies since observed_until was unobserved. Where the clock was
 * set back meanwhile, all times move along, so that nothing looks used later than now.
 */
void ledger_watch_begin(struct ledger *ledger, const struct clocks *now);

/* Nobody watches from now on, until somebody begins again or it turns out that they went on. */
void ledger_watch_end(struct ledger *ledger);
/* Nothing was missed since then: as if it had not ended. */
void ledger_watch_resume(struct ledger *ledger, const struct clocks *now);

/*
 * When somebody watched last, by the clock as it is now: events from before that are known, if the
 * clock was not set back meanwhile. Where it was and nobody knows by how much: 1, before all times.
 */
nsec_t ledger_known_until(const struct ledger *ledger, const struct clocks *now);

/*
 * While somebody watches: they have watched until now, but for the time that the machine slept.
 * What a clock that was set forward has skipped counts as unobserved, one that was set back takes
 * all times along, even if nobody watches. Not worth saving by itself.
 */
void ledger_observe(struct ledger *ledger, const struct clocks *now);

/* Watched time since `since`, when the ledger's unobserved total was `unobserved`; at least 0. */
nsec_t ledger_watched_since(
	const struct ledger *ledger, nsec_t since, int64_t unobserved, nsec_t now);

/* How long the image has been unused while somebody watched. */
nsec_t ledger_unused(const struct ledger *ledger, const struct ledger_entry *entry, nsec_t now);

/* A reference of a cache file that was asked for at `last_used`. Takes canonical over. */
void ledger_add_tracked(struct ledger *ledger, char *canonical, nsec_t last_used, bool imported);

/* Whether none of the images that we know is in the inventory, though we know some. */
bool ledger_is_foreign(const struct ledger *ledger, const struct inventory *inventory);
