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
