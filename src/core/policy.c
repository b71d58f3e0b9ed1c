/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policy.h"

#include "core/rules.h"

static const char *const reason_names[] = {
	[REASON_UNUSED] = "unused",
	[REASON_OVER_SIZE] = "over-size",
	[REASON_LOW_SPACE] = "low-space",
	[REASON_KEPT_RULE] = "kept-rule",
	[REASON_KEPT_LABEL] = "kept-label",
	[REASON_IN_USE] = "in-use",
	[REASON_UNMANAGED] = "unmanaged",
	[REASON_GRACE] = "grace",
	[REASON_HAS_CHILDREN] = "has-children",
	[REASON_FAILED] = "failed",
	[REASON_WITHIN_LIMITS] = "within-limits",
};

const char *reason_name(enum reason reason)
{
	return reason_names[reason];
}

void policy_finish(struct policy *policy)
{
	for (size_t i = 0; i < policy->rules.count; i++)
		free(policy->rules.items[i].match);
	free(policy->rules.items);
	free(policy->keep_label);
	*policy = (struct policy){};
}

static uint64_t limit_of(struct amount amount, const struct space *space)
{
	return amount.share > 0 && !space->known ? 0 : amount_of(amount, space->total);
}

struct limits policy_limits(const struct policy *policy, const struct space *space)
{
	uint64_t max = limit_of(policy->max_total_size, space);
	/* A target that cannot be told is the limit itself: remove less. */
	bool has_target =
		policy->has_target && (policy->target_total_size.share == 0 || space->known);
	uint64_t target = has_target ? amount_of(policy->target_total_size, space->total) : max;

	target = MIN(target, max);
	return (struct limits){
		.max_total_size = max,
		.target_total_size = target,
		.min_free_space = space->known ? limit_of(policy->min_free_space, space) : 0,
	};
}

struct cache_limits policy_cache_limits(const struct policy *policy, const struct space *space)
{
	return (struct cache_limits){
		.max_unused = policy->cache_max_unused,
		.max_total_size = limit_of(policy->cache_max_total_size, space),
	};
}

bool policy_limits_cache(const struct policy *policy)
{
	return policy->cache_max_unused > 0 || amount_is_set(policy->cache_max_total_size);
}

bool policy_needs_space(const struct policy *policy)
{
	return policy->max_total_size.share > 0 || policy->cache_max_total_size.share > 0 ||
		amount_is_set(policy->min_free_space) ||
		(policy->has_target && policy->target_total_size.share > 0);
}

bool policy_limits_size(const struct policy *policy)
{
	return amount_is_set(policy->max_total_size) || amount_is_set(policy->min_free_space);
}

static bool is_protected_by_label(const struct policy *policy, const struct image *image)
{
	const char *value;

	if (!policy->keep_label || !*policy->keep_label)
		return false;
	value = labels_get(&image->labels, policy->keep_label);
	return value && !streq(value, "false") && !streq(value, "0");
}

enum reason policy_protects(const struct policy *policy, const struct image *image,
	const struct treatment *treatment, nsec_t unused)
{
	if (treatment->kept_by)
		return REASON_KEPT_RULE;
	if (is_protected_by_label(policy, image))
		return REASON_KEPT_LABEL;
	if (image->containers > 0)
		return REASON_IN_USE;
	if (!treatment->managed)
		return REASON_UNMANAGED;
	if (unused < treatment->grace)
		return REASON_GRACE;
	return REASON_WITHIN_LIMITS;
}

/* A reload may have lifted the limit since the plan was made. */
static bool is_limit_lifted(const struct policy *policy, enum reason planned)
{
	return (planned == REASON_OVER_SIZE && !amount_is_set(policy->max_total_size)) ||
		(planned == REASON_LOW_SPACE && !amount_is_set(policy->min_free_space));
}

enum reason policy_check(const struct policy *policy, const struct ledger *ledger,
	const struct image *image, enum reason planned, nsec_t now)
{
	const struct ledger_entry *entry = ledger_find(ledger, image->id);
	struct treatment treatment = rules_apply(policy, image, entry);
	nsec_t unused = entry ? ledger_unused(ledger, entry, now) : 0;
	enum reason reason = policy_protects(policy, image, &treatment, unused);

	if (reason != REASON_WITHIN_LIMITS)
		return reason;
	/* Those that stood on it when the plan was made are gone, or it does not go. */
	if (image_has_children(image))
		return REASON_HAS_CHILDREN;
	if (image->failed)
		return REASON_FAILED;
	if (planned == REASON_UNUSED && !treatment_is_over(&treatment, unused))
		return REASON_WITHIN_LIMITS;
	if (is_limit_lifted(policy, planned))
		return REASON_WITHIN_LIMITS;
	return planned;
}

bool policy_manages(
	const struct policy *policy, const struct image *image, const struct ledger_entry *entry)
{
	return rules_apply(policy, image, entry).managed;
}

static bool may_go_along(const struct policy *policy, const struct ledger *ledger,
	const struct image *image, nsec_t now)
{
	const struct ledger_entry *entry = ledger_find(ledger, image->id);
	struct treatment treatment = rules_apply(policy, image, entry);

	if (treatment.kept_by || is_protected_by_label(policy, image))
		return false;
	if (entry && !entry->named)
		return true;
	if (treatment.managed)
		return !entry || ledger_unused(ledger, entry, now) >= treatment.grace;
	/* A step of a build has no entry. One from before our time may have been an image once. */
	if (!entry)
		return ledger->met > 0 && image->created >= ledger->met;
	return false;
}

bool policy_may_prune(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct image *image, nsec_t now,
	const struct image **ret_base)
{
	size_t left = HASH_COUNT(inventory->images);
	const struct image *base = NULL;

	for (; image->parent; left--) {
		image = inventory_find_image(inventory, image->parent);
		/* Out of sight is in doubt, and so is a circle. */
		if (!image || left == 0)
			return false;
		if (!image_is_intermediate(image)) {
			base = image;
			break;
		}
		if (!may_go_along(policy, ledger, image, now))
			return false;
	}
	if (ret_base)
		*ret_base = base;
	return true;
}
