/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* images.rules and images.manage: what holds for one image before anything is weighed. */

#include "core/policy.h"

struct treatment {
	bool keep; /* a rule protects it */
	bool managed; /* by rule, by origin or because it was asked for */
	nsec_t max_unused, grace;
};

/*
 * For each of the image's names the first rule that matches; any that keeps wins, else the longest
 * limits. entry may be NULL: an image that we know nothing of is unmanaged unless a rule matches.
 */
struct treatment rules_apply(
	const struct policy *policy, const struct image *image, const struct ledger_entry *entry);

/*
 * Rules that protect nothing: no image matches them, or an earlier rule takes all that do. What
 * each was to match, appended to `matches`. A person should know: it may be a slip of the pen.
 */
void rules_list_idle_keeps(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, struct strings *matches);
