/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rules.h"

#include "core/reference.h"

#include <string.h>

static bool matches_label(const char *pattern, const struct labels *labels)
{
	const char *equals = strchr(pattern, '=');
	_cleanup_free_ char *key = xstrndup(pattern, strcspn(pattern, "="));
	const char *value = labels_get(labels, key);

	return value && (!equals || glob_match(equals + 1, value));
}

static bool matches_id(const char *pattern, const char *id)
{
	_cleanup_free_ char *normalised = NULL;

	if (image_id_normalise(pattern, &normalised) == 0)
		return streq(normalised, id);
	return strncmp(pattern, "sha256:", 7) == 0 && glob_match(pattern, id);
}

/* name is NULL for an image without any: label and ID match all the same. */
static bool rule_matches(const struct rule *rule, const struct image *image,
	const struct ledger_entry *entry, const char *name)
{
	if (!rule->origins[entry ? entry->origin : ORIGIN_EXISTING])
		return false;
	if (strncmp(rule->match, "label:", 6) == 0)
		return matches_label(rule->match + 6, &image->labels);
	return matches_id(rule->match, image->id) || (name && reference_match(rule->match, name));
}

static const struct rule *first_match(const struct policy *policy, const struct image *image,
	const struct ledger_entry *entry, const char *name)
{
	for (size_t i = 0; i < policy->rules.count; i++)
		if (rule_matches(&policy->rules.items[i], image, entry, name))
			return &policy->rules.items[i];
	return NULL;
}

/* 0 is no limit at all, the longest. */
static nsec_t longer_limit(nsec_t a, nsec_t b)
{
	return a == 0 || b == 0 ? 0 : MAX(a, b);
}

struct matches {
	bool any, keep;
	nsec_t max_unused, grace;
};

static void add_match(const struct policy *policy, const struct rule *rule, struct matches *matches)
{
	nsec_t max_unused, grace;

	if (!rule)
		return;
	if (rule->keep) {
		matches->keep = true;
		return;
	}
	max_unused = rule->has_max_unused ? rule->max_unused : policy->max_unused;
	grace = rule->has_grace ? rule->grace : policy->grace;
	matches->max_unused =
		matches->any ? longer_limit(matches->max_unused, max_unused) : max_unused;
	matches->grace = matches->any ? MAX(matches->grace, grace) : grace;
	matches->any = true;
}

static bool is_managed(const struct policy *policy, const struct ledger_entry *entry, bool by_rule)
{
	if (!entry)
		return by_rule;
	if (entry->forgotten)
		return false;
	return by_rule || entry->tracked || policy->manage[entry->origin];
}

struct treatment rules_apply(
	const struct policy *policy, const struct image *image, const struct ledger_entry *entry)
{
	const struct strings *lists[] = { &image->references, &image->digests };
	struct matches matches = {};
	size_t names = 0;

	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		for (size_t i = 0; i < lists[l]->count; i++, names++)
			add_match(policy, first_match(policy, image, entry, lists[l]->items[i]),
				&matches);
	}
	if (names == 0)
		add_match(policy, first_match(policy, image, entry, NULL), &matches);
	return (struct treatment){
		.keep = matches.keep,
		.managed = is_managed(policy, entry, matches.any),
		.max_unused = matches.any ? matches.max_unused : policy->max_unused,
		.grace = matches.any ? matches.grace : policy->grace,
	};
}
