/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ledger.h"

#include <errno.h>
#include <string.h>

/* A list can show an image this much before the event that brought it. */
#define EVENT_LAG (10 * NSEC_PER_SEC)

static const char *const origin_names[] = {
	[ORIGIN_EXISTING] = "existing",
	[ORIGIN_PULLED] = "pulled",
	[ORIGIN_BUILT] = "built",
	[ORIGIN_LOADED] = "loaded",
};

const char *origin_name(enum origin origin)
{
	return origin_names[origin];
}

int origin_parse(const char *name, enum origin *ret)
{
	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++) {
		if (streq(name, origin_names[origin])) {
			*ret = origin;
			return 0;
		}
	}
	return -EINVAL;
}

void ledger_init(struct ledger *ledger)
{
	*ledger = (struct ledger){ .open_since = NSEC_MAX };
}

void ledger_finish(struct ledger *ledger)
{
	struct ledger_entry *entry, *next;

	HASH_ITER (hh, ledger->entries, entry, next)
		ledger_remove(ledger, entry->id);
	for (size_t i = 0; i < ledger->tracked.count; i++)
		free(ledger->tracked.items[i].canonical);
	free(ledger->tracked.items);
	free(ledger->engine_id);
	*ledger = (struct ledger){};
}

struct ledger_entry *ledger_find(const struct ledger *ledger, const char *id)
{
	struct ledger_entry *entry;

	HASH_FIND_STR(ledger->entries, id, entry);
	return entry;
}

void ledger_remove(struct ledger *ledger, const char *id)
{
	struct ledger_entry *entry = ledger_find(ledger, id);

	if (!entry)
		return;
	HASH_DEL(ledger->entries, entry);
	strings_finish(&entry->references);
	free(entry->id);
	free(entry);
	ledger->generation++;
}

void ledger_drop_step(struct ledger *ledger, const struct image *image)
{
	const struct ledger_entry *entry = ledger_find(ledger, image->id);

	if (entry && !entry->named && image_is_intermediate(image))
		ledger_remove(ledger, image->id);
}

static int64_t seconds_rounded_up(nsec_t duration)
{
	return duration / NSEC_PER_SEC + (duration % NSEC_PER_SEC > 0);
}

/*
 * The ledger's total of unobserved time as it was at `when`, for an entry whose last use before
 * that had `at_least`. All time since then that may have been unobserved counts as such.
 */
static int64_t unobserved_at(const struct ledger *ledger, nsec_t when, int64_t at_least)
{
	nsec_t behind = ledger->gap_end - when;

	if (ledger->gap_length <= 0 || behind <= 0)
		return ledger->unobserved;
	return MAX(ledger->unobserved - seconds_rounded_up(behind), at_least);
}

struct ledger_entry *ledger_add(
	struct ledger *ledger, const char *id, enum origin origin, nsec_t when)
{
	struct ledger_entry *entry = xcalloc(1, sizeof(*entry));

	entry->id = xstrdup(id);
	entry->origin = origin;
	entry->named = origin != ORIGIN_BUILT;
	entry->first_seen = entry->last_used = when;
	/* It may have been asked for since before the last gap, and before others that nobody knows
	 * any more.
	 */
	entry->unobserved = unobserved_at(ledger, when, 0);
	HASH_ADD_KEYPTR(hh, ledger->entries, entry->id, strlen(entry->id), entry);
	ledger->generation++;
	return entry;
}

void ledger_touch(struct ledger *ledger, const char *id, nsec_t when, nsec_t now)
{
	struct ledger_entry *entry = ledger_find(ledger, id);

	when = MIN(MAX(when, ledger->doubt_until), now);
	if (!entry || when <= entry->last_used)
		return;
	entry->last_used = when;
	entry->unobserved = unobserved_at(ledger, when, entry->unobserved);
	ledger->generation++;
}

void ledger_learn_origin(
	struct ledger *ledger, struct ledger_entry *entry, enum origin origin, nsec_t when)
{
	if (!entry->inferred || when > entry->first_seen + EVENT_LAG)
		return;
	entry->inferred = false;
	if (entry->origin == origin)
		return;
	entry->origin = origin;
	entry->named = entry->named || origin != ORIGIN_BUILT;
	ledger->generation++;
}

void ledger_backdate(
	struct ledger *ledger, struct ledger_entry *entry, nsec_t last_used, nsec_t now)
{
	int64_t seconds = seconds_rounded_up(now - last_used), missing;
	struct ledger_entry *other, *next;

	/* Time from before we watched may exceed the total: all move together, so nothing else
	 * changes. */
	missing = MAX(seconds - ledger->unobserved, (int64_t)0);
	ledger->unobserved += missing;
	HASH_ITER (hh, ledger->entries, other, next)
		other->unobserved += missing;
	entry->last_used = last_used;
	entry->unobserved = ledger->unobserved - seconds;
	ledger->generation++;
}

void ledger_sync_names(struct ledger *ledger, struct ledger_entry *entry, const struct image *image)
{
	const struct strings *names =
		image->references.count > 0 ? &image->references : &image->digests;

	if (names->count > 0)
		entry->named = true;
	if (strings_equal(&entry->references, names))
		return;
	strings_finish(&entry->references);
	entry->references = strings_copy(names);
	ledger->generation++;
}

static void reconcile_image(struct ledger *ledger, const struct image *image, bool first_meeting,
	bool digests_prove_pull, nsec_t now)
{
	struct ledger_entry *entry;

	ledger_drop_step(ledger, image);
	entry = ledger_find(ledger, image->id);
	if (!entry) {
		enum origin origin = ORIGIN_BUILT;

		if (image_is_intermediate(image))
			return;
		if (first_meeting)
			origin = ORIGIN_EXISTING;
		else if (digests_prove_pull && image->digests.count > 0)
			origin = ORIGIN_PULLED;
		entry = ledger_add(ledger, image->id, origin, now);
		entry->inferred = !first_meeting;
	}
	ledger_sync_names(ledger, entry, image);
	if (image->containers > 0)
		ledger_touch(ledger, image->id, now, now);
}

void ledger_reconcile(struct ledger *ledger, const struct inventory *inventory,
	bool digests_prove_pull, nsec_t now)
{
	bool first_meeting = ledger->met == 0;
	struct ledger_entry *entry, *next;
	struct image *image, *next_image;

	HASH_ITER (hh, ledger->entries, entry, next)
		if (!inventory_find_image(inventory, entry->id))
			ledger_remove(ledger, entry->id);
	HASH_ITER (hh, inventory->images, image, next_image)
		reconcile_image(ledger, image, first_meeting, digests_prove_pull, now);
	if (first_meeting) {
		ledger->met = now;
		ledger->generation++;
	}
}

/* The length of time before now that nobody watched. */
static void add_gap(struct ledger *ledger, nsec_t length, nsec_t now)
{
	ledger->unobserved += seconds_rounded_up(length);
	ledger->gap_end = now;
	ledger->gap_length = length;
	ledger->generation++;
}

static nsec_t moved(nsec_t time, nsec_t by)
{
	return MAX(time + by, (nsec_t)0);
}

/*
 * The clock was set back: what was written down goes back with it, in the same order and at the
 * same distance from now. `met` stays: the later we came, the less we dare.
 */
static void move_times(struct ledger *ledger, nsec_t by)
{
	struct ledger_entry *entry, *next;

	HASH_ITER (hh, ledger->entries, entry, next) {
		entry->first_seen = moved(entry->first_seen, by);
		entry->last_used = moved(entry->last_used, by);
	}
	for (size_t i = 0; i < ledger->tracked.count; i++)
		ledger->tracked.items[i].last_used = moved(ledger->tracked.items[i].last_used, by);
	ledger->gap_end = moved(ledger->gap_end, by);
	ledger->doubt_until = moved(ledger->doubt_until, by);
	ledger->generation++;
}

/* By how much the clock was set since somebody watched last, as far as it shows. */
static nsec_t clock_change(const struct ledger *ledger, const struct clocks *now)
{
	const struct clocks *before = &ledger->observed;
	nsec_t change = now->real - before->real - (now->elapsed - before->elapsed);

	if (before->elapsed == 0)
		return MIN(now->real - ledger->observed_until, (nsec_t)0);
	/* Below a second it is a clock being disciplined. */
	return change <= -NSEC_PER_SEC || change >= NSEC_PER_SEC ? change : 0;
}

/* The clock was set back while nobody watches: for how long shows once somebody does again. */
static void take_back(struct ledger *ledger, nsec_t change, const struct clocks *now)
{
	if (change >= 0)
		return;
	move_times(ledger, change);
	ledger->observed_until += change;
	ledger->observed.real += change;
	ledger->doubt_until = now->real;
}

void ledger_watch_begin(struct ledger *ledger, const struct clocks *now)
{
	if (ledger->observed_until > 0) {
		take_back(ledger, clock_change(ledger, now), now);
		if (now->real > ledger->observed_until)
			add_gap(ledger, now->real - ledger->observed_until, now->real);
	}
	ledger->observed_until = now->real;
	ledger->observed = *now;
	ledger->watched = true;
	ledger->generation++;
}

void ledger_watch_end(struct ledger *ledger)
{
	ledger->watched = false;
}

void ledger_watch_resume(struct ledger *ledger, const struct clocks *now)
{
	ledger->watched = true;
	ledger_observe(ledger, now);
}

nsec_t ledger_known_until(const struct ledger *ledger, const struct clocks *now)
{
	nsec_t change = clock_change(ledger, now);

	if (change >= 0)
		return ledger->observed_until;
	return ledger->observed.elapsed == 0 ? 1 : moved(ledger->observed_until, change);
}

void ledger_observe(struct ledger *ledger, const struct clocks *now)
{
	const struct clocks *before = &ledger->observed;
	nsec_t asleep, change;

	if (!ledger->watched) {
		if (before->elapsed > 0)
			take_back(ledger, clock_change(ledger, now), now);
		return;
	}
	asleep = now->elapsed - before->elapsed - (now->awake - before->awake);
	change = clock_change(ledger, now);
	ledger->observed = *now;
	ledger->observed_until = now->real;
	/* Before the gap is written down, whose end is by the clock as it is now. */
	if (change < 0)
		move_times(ledger, change);
	if (asleep >= NSEC_PER_SEC)
		add_gap(ledger, asleep, now->real);
	if (change > 0)
		add_gap(ledger, change, now->real);
}

nsec_t ledger_watched_since(
	const struct ledger *ledger, nsec_t since, int64_t unobserved, nsec_t now)
{
	nsec_t away = (ledger->unobserved - unobserved) * NSEC_PER_SEC;

	return MAX(now - since - away, (nsec_t)0);
}

nsec_t ledger_unused(const struct ledger *ledger, const struct ledger_entry *entry, nsec_t now)
{
	return ledger_watched_since(ledger, entry->last_used, entry->unobserved, now);
}

void ledger_add_tracked(struct ledger *ledger, char *canonical, nsec_t last_used, bool imported)
{
	for (size_t i = 0; i < ledger->tracked.count; i++) {
		struct tracked_reference *tracked = &ledger->tracked.items[i];

		if (!streq(tracked->canonical, canonical))
			continue;
		tracked->imported = tracked->imported || imported;
		if (last_used > tracked->last_used) {
			tracked->last_used = last_used;
			ledger->generation++;
		}
		free(canonical);
		return;
	}
	*array_push(&ledger->tracked) = (struct tracked_reference){
		.canonical = canonical,
		.last_used = last_used,
		.imported = imported,
	};
	ledger->generation++;
}

bool ledger_is_foreign(const struct ledger *ledger, const struct inventory *inventory)
{
	struct ledger_entry *entry, *next;

	HASH_ITER (hh, ledger->entries, entry, next)
		if (inventory_find_image(inventory, entry->id))
			return false;
	return ledger->entries;
}
