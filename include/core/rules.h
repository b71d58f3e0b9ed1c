/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* images.rules and images.manage: what holds for one image before anything is weighed. */

#include "core/policy.h"

struct treatment {
	const struct rule *kept_by; /* a rule protects it */
	bool managed; /* by rule, by origin or because it was asked for */
	nsec_t max_unused, grace;
};

/* Whether it is too much to be unused for so long. */
static inline bool treatment_is_over(const struct treatment *treatment, nsec_t unused)
{
	return treatment->max_unused > 0 && unused > treatment->max_unused;
}

/*
 * For each of the image's names the first rule that matches; any that keeps wins, else the longest
 * limits. entry may be NULL: an image that we know nothing of is unmanaged unless a rule matches.
 */
struct treatment rules_apply(
	const struct policy *policy, const struct image *image, const struct ledger_entry *entry);

/*
 * Whether the rule at this place can never be the first to match: earlier ones surely take all
 * images that it is for, or it is for none.
 */
bool rules_shadow(const struct rules *rules, size_t index);

/*
 * Rules without any image now: none matches, or earlier rules take all that do. What each is to
 * match, appended to `matches`; with `keeps` those alone that were to protect something. A person
 * should know: it may be a slip of the pen.
 */
void rules_list_idle(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, bool keeps, struct strings *matches);
