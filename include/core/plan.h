/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is decided: from what the engine holds, what we know, what was configured and the time now,
 * the order of eviction, with a verdict and a reason for every image. No I/O, no clock, no log: the
 * same input gives the same plan, always.
 */

#include "core/policy.h"

/* One image's verdict. Points into inventory and ledger: good until one of them changes. */
struct plan_item {
	const struct image *image;
	const struct ledger_entry *entry; /* NULL for an image that we know nothing of */
	enum reason reason;
	bool managed;
	bool expired; /* unused for longer than its limit */
	nsec_t last_used; /* of it or of an image that is built on it, the later one */
	nsec_t unused; /* watched time since then */
	nsec_t max_unused, grace; /* that hold for it; max_unused 0: none */
	const struct rule *kept_by; /* that protects it, or NULL; the policy's */
	size_t ahead; /* images that go, or would go next, before it */
	uint64_t freed_ahead; /* bytes that those free at most */
	struct bounds reclaims;
	unsigned rank, height; /* parts of the sort key */
};

struct plan {
	struct plan_item *items; /* every image, in the order of eviction */
	size_t count;
	struct limits limits; /* that it was made for */
	size_t removals;
	size_t reasons[REASON_COUNT]; /* how many images have each */
	bool over_size; /* usage is (or was, see plan_make) above the limit */
	bool low_space; /* less is free than there should be */
	bool capped; /* max_removals kept some */
	uint64_t before; /* bytes; of use only if over_size */
	uint64_t free; /* bytes; of use only if low_space */
	struct bounds reclaims; /* all removals together */
	/* Bytes by which target and min_free are missed with all candidates gone. */
	uint64_t missing, missing_space;
};

void plan_finish(struct plan *plan);

/* Where a collection stands when it makes a plan. */
struct progress {
	bool over_size; /* it started above the limit, and goes on to the target */
	uint64_t removed; /* images so far, for max_removals */
};

/*
 * The plan for a collection now. Without known usage the size limit is left alone, without a known
 * file system the limit by space. Removals are sure to be needed: one more is only taken if, with
 * the most that those before it can free, usage is still above the target or space still low. So
 * with uncertain sizes the plan may stop short: measure and plan again with the progress made.
 */
void plan_make(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct usage *usage, const struct progress *progress,
	nsec_t now, struct plan *ret);
