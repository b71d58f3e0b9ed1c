/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What was configured about images, and what of it holds for one of them: limits, reasons to go or
 * to stay.
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

struct treatment; /* rules.h */

/* The first reason to keep it whatever the limits say, WITHIN_LIMITS if there is none. */
enum reason policy_protects(const struct policy *policy, const struct image *image,
	const struct treatment *treatment, nsec_t unused);

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
 * build. *ret_base, which may be NULL, is set then: the image of its own that they stand on, or
 * NULL.
 */
bool policy_may_prune(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct image *image, nsec_t now,
	const struct image **ret_base);
