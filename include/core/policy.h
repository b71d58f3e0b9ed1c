/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is decided: from what the engine holds, what we know, what was configured and the time now,
 * an ordered plan with a reason for every image. No I/O, no clock, no log: the same input gives the
 * same plan, always.
 */

#include "core/base.h"
#include "core/build_cache.h"
#include "core/inventory.h"
#include "core/ledger.h"
#include "core/record.h"
#include "core/units.h"

/* images.rules: an image that it matches is protected, or managed with limits of its own. */
struct rule {
	char *match;
	bool keep;
	bool origins[ORIGIN_COUNT]; /* that it is for */
	bool has_max_unused, has_grace;
	nsec_t max_unused, grace;
};

struct rules {
	struct rule *items;
	size_t count, allocated;
};

struct policy {
	nsec_t max_unused; /* 0: off */
	struct amount max_total_size;
	struct amount target_total_size; /* only if has_target, else the same as max_total_size */
	bool has_target;
	struct amount min_free_space;
	nsec_t cache_max_unused; /* of BuildKit's records; 0: off */
	struct amount cache_max_total_size;
	nsec_t grace;
	uint64_t max_removals; /* 0: no cap */
	bool manage[ORIGIN_COUNT];
	char *keep_label;
	struct rules rules;
};

void policy_finish(struct policy *policy);

/* The limits in bytes, 0: off. target_total_size is not above max_total_size. */
struct limits {
	uint64_t max_total_size, target_total_size, min_free_space;
};

/* As long as the file system is not known, nothing goes for its sake: percentages are off. */
struct limits policy_limits(const struct policy *policy, const struct space *space);

/* The same for the build cache. */
struct cache_limits policy_cache_limits(const struct policy *policy, const struct space *space);

/* Whether there is one. */
bool policy_limits_cache(const struct policy *policy);

/* Whether the file system has to be known. */
bool policy_needs_space(const struct policy *policy);

/* Whether there is a limit by size or by space. */
bool policy_limits_size(const struct policy *policy);

/* Why an image goes or stays. The words for them never change: reason_name(). */
enum reason {
	REASON_UNUSED,
	REASON_OVER_SIZE,
	REASON_LOW_SPACE,
	/* Reasons to keep, the first that holds. */
	REASON_KEPT_RULE,
	REASON_KEPT_LABEL,
	REASON_IN_USE,
	REASON_UNMANAGED,
	REASON_GRACE,
	REASON_HAS_CHILDREN,
	REASON_FAILED,
	REASON_WITHIN_LIMITS,
	REASON_COUNT,
};

const char *reason_name(enum reason reason);

static inline bool reason_removes(enum reason reason)
{
	return reason < REASON_KEPT_RULE;
}

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
	bool over_size; /* usage is (or was, see policy_plan) above the limit */
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
void policy_plan(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct usage *usage, const struct progress *progress,
	nsec_t now, struct plan *ret);

/*
 * The verdict on one image taken again, right before it is removed for `planned`: planned if it
 * still holds, else the reason to keep it.
 */
enum reason policy_check(const struct policy *policy, const struct ledger *ledger,
	const struct image *image, enum reason planned, nsec_t now);

/* Whether the image is one that may be removed at all. entry may be NULL. */
bool policy_manages(
	const struct policy *policy, const struct image *image, const struct ledger_entry *entry);

/*
 * Whether removing the image may take its nameless ancestors along (the engine does that unless
 * told not to): only if each is managed and not within grace, or was never more than a step of a
 * build.
 */
bool policy_may_prune(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct image *image, nsec_t now);
