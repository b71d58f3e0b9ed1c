/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tracking.h"

/* All that was asked for under one of the image's names. */
struct wish {
	bool any, imported;
	nsec_t last_used; /* the latest */
};

/* Takes out of the ledger's list what the image settles. */
static struct wish take_wishes(struct ledger *ledger, const struct image *image)
{
	struct wish wish = {};

	for (size_t i = ledger->tracked.count; i > 0; i--) {
		struct tracked_reference *tracked = &ledger->tracked.items[i - 1];

		if (!strings_contain(&image->references, tracked->canonical) &&
			!strings_contain(&image->digests, tracked->canonical))
			continue;
		wish.last_used =
			wish.any ? MAX(wish.last_used, tracked->last_used) : tracked->last_used;
		wish.imported = wish.imported || tracked->imported;
		wish.any = true;
		free(tracked->canonical);
		*tracked = ledger->tracked.items[--ledger->tracked.count];
		ledger->generation++;
	}
	return wish;
}

void tracking_settle(
	const struct policy *policy, struct ledger *ledger, const struct image *image, nsec_t now)
{
	struct ledger_entry *entry = ledger_find(ledger, image->id);
	struct wish wish;
	bool arrived;

	if (!entry || ledger->tracked.count == 0)
		return;
	wish = take_wishes(ledger, image);
	if (!wish.any)
		return;
	arrived = entry->first_seen == now && entry->last_used == now;
	if (wish.imported || (arrived && entry->origin != ORIGIN_EXISTING)) {
		entry->tracked = true;
		entry->forgotten = false;
	} else if (!policy_manages(policy, image, entry)) {
		return;
	}
	/* Its last use so far is only when we saw it, which says less. */
	if (arrived && wish.last_used < now)
		ledger_backdate(ledger, entry, wish.last_used, now);
	else
		ledger_touch(ledger, image->id, wish.last_used, now);
}

void tracking_settle_all(const struct policy *policy, struct ledger *ledger,
	const struct inventory *inventory, nsec_t now)
{
	struct image *image, *next;

	HASH_ITER (hh, inventory->images, image, next)
		tracking_settle(policy, ledger, image, now);
}

const char *tracking_result_name(enum tracking_result result)
{
	static const char *const names[] = { "tracked", "touched", "present", "forgotten",
		"unknown" };

	return names[result];
}

static struct tracked_reference *find_wish(const struct ledger *ledger, const char *canonical)
{
	for (size_t i = 0; i < ledger->tracked.count; i++)
		if (streq(ledger->tracked.items[i].canonical, canonical))
			return &ledger->tracked.items[i];
	return NULL;
}

enum tracking_result tracking_track(const struct policy *policy, struct ledger *ledger,
	const struct inventory *inventory, const char *canonical, nsec_t now)
{
	const struct image *image = inventory_find_reference(inventory, canonical);
	struct ledger_entry *entry = image ? ledger_find(ledger, image->id) : NULL;

	if (entry && entry->forgotten) {
		entry->forgotten = false;
		entry->tracked = true;
		ledger->generation++;
		ledger_touch(ledger, image->id, now, now);
		return TRACKING_TRACKED;
	}
	if (image && !policy_manages(policy, image, entry))
		return TRACKING_PRESENT;
	if (image) {
		ledger_touch(ledger, image->id, now, now);
		return TRACKING_TOUCHED;
	}
	ledger_add_tracked(ledger, xstrdup(canonical), now, false);
	return TRACKING_TRACKED;
}

enum tracking_result tracking_forget(
	struct ledger *ledger, const struct inventory *inventory, const char *canonical)
{
	const struct image *image = inventory_find_reference(inventory, canonical);
	struct ledger_entry *entry = image ? ledger_find(ledger, image->id) : NULL;
	struct tracked_reference *wish = find_wish(ledger, canonical);

	if (!entry && !wish)
		return TRACKING_UNKNOWN;
	if (entry) {
		entry->tracked = false;
		entry->forgotten = true;
	}
	if (wish) {
		free(wish->canonical);
		*wish = ledger->tracked.items[--ledger->tracked.count];
	}
	ledger->generation++;
	return TRACKING_FORGOTTEN;
}
