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

static bool matches_digest(const struct rule *rule, const struct strings *digests)
{
	if (!strchr(rule->match, '@'))
		return false;
	for (size_t i = 0; i < digests->count; i++)
		if (reference_match(rule->match, digests->items[i]))
			return true;
	return false;
}

/* name is NULL for an image without any: label, ID and digest match all the same. */
static bool rule_matches(const struct rule *rule, const struct image *image,
	const struct ledger_entry *entry, const char *name)
{
	if (!rule->origins[entry ? entry->origin : ORIGIN_EXISTING])
		return false;
	if (strncmp(rule->match, "label:", 6) == 0)
		return matches_label(rule->match + 6, &image->labels);
	return matches_id(rule->match, image->id) || matches_digest(rule, &image->digests) ||
		(name && reference_match(rule->match, name));
}

enum match_kind {
	MATCH_LABEL,
	MATCH_ID,
	MATCH_DIGEST,
	MATCH_NAME,
};

static enum match_kind kind_of(const char *pattern)
{
	_cleanup_free_ char *id = NULL;

	if (strncmp(pattern, "label:", 6) == 0)
		return MATCH_LABEL;
	if (strncmp(pattern, "sha256:", 7) == 0 || image_id_normalise(pattern, &id) == 0)
		return MATCH_ID;
	return strchr(pattern, '@') ? MATCH_DIGEST : MATCH_NAME;
}

static bool label_covers(const char *wide, const char *narrow)
{
	size_t key = strcspn(wide, "="), narrow_key = strcspn(narrow, "=");

	if (key != narrow_key || strncmp(wide, narrow, key) != 0)
		return false;
	return wide[key] == '\0' ||
		(narrow[key] == '=' && glob_covers(wide + key + 1, narrow + key + 1));
}

static bool id_covers(const char *wide, const char *narrow)
{
	_cleanup_free_ char *wide_id = NULL, *narrow_id = NULL;

	if (image_id_normalise(wide, &wide_id) == 0)
		wide = wide_id;
	if (image_id_normalise(narrow, &narrow_id) == 0)
		narrow = narrow_id;
	return glob_covers(wide, narrow);
}

/* Names of different kinds have nothing to do with each other: an image may have none of one. */
static bool match_covers(const char *wide, const char *narrow)
{
	enum match_kind kind = kind_of(narrow);

	if (kind_of(wide) != kind)
		return false;
	switch (kind) {
	case MATCH_LABEL:
		return label_covers(wide + 6, narrow + 6);
	case MATCH_ID:
		return id_covers(wide, narrow);
	case MATCH_DIGEST:
		return glob_covers(wide, narrow);
	case MATCH_NAME:
		return reference_pattern_covers(wide, narrow);
	}
	abort();
}

bool rules_shadow(const struct rules *rules, size_t index)
{
	const struct rule *rule = &rules->items[index];

	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++) {
		bool taken = !rule->origins[origin];

		for (size_t i = 0; i < index && !taken; i++)
			taken = rules->items[i].origins[origin] &&
				match_covers(rules->items[i].match, rule->match);
		if (!taken)
			return false;
	}
	return true;
}

/* A tagged image's digests are no names that anybody chose: see matches_digest(). */
static const struct strings *names_of(const struct image *image)
{
	return image->references.count > 0 ? &image->references : &image->digests;
}

static const struct rule *first_match(const struct policy *policy, const struct image *image,
	const struct ledger_entry *entry, const char *name)
{
	for (size_t i = 0; i < policy->rules.count; i++)
		if (rule_matches(&policy->rules.items[i], image, entry, name))
			return &policy->rules.items[i];
	return NULL;
}

/* Whether the rule is the first to match one of the image's names. */
static bool rule_applies(const struct policy *policy, const struct rule *rule,
	const struct image *image, const struct ledger_entry *entry)
{
	const struct strings *names = names_of(image);

	if (names->count == 0)
		return first_match(policy, image, entry, NULL) == rule;
	for (size_t i = 0; i < names->count; i++)
		if (first_match(policy, image, entry, names->items[i]) == rule)
			return true;
	return false;
}

static bool is_idle(const struct policy *policy, const struct rule *rule,
	const struct inventory *inventory, const struct ledger *ledger)
{
	struct image *image, *next;

	HASH_ITER (hh, inventory->images, image, next)
		if (rule_applies(policy, rule, image, ledger_find(ledger, image->id)))
			return false;
	return true;
}

void rules_list_idle(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, bool keeps, struct strings *matches)
{
	for (size_t i = 0; i < policy->rules.count; i++) {
		const struct rule *rule = &policy->rules.items[i];

		if ((rule->keep || !keeps) && is_idle(policy, rule, inventory, ledger))
			strings_add(matches, rule->match);
	}
}

/* 0 is no limit at all, the longest. */
static nsec_t longer_limit(nsec_t a, nsec_t b)
{
	return a == 0 || b == 0 ? 0 : MAX(a, b);
}

struct matches {
	bool any;
	const struct rule *kept_by;
	nsec_t max_unused, grace;
};

static void add_match(const struct policy *policy, const struct rule *rule, struct matches *matches)
{
	nsec_t max_unused, grace;

	if (!rule)
		return;
	if (rule->keep) {
		matches->kept_by = rule;
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
	const struct strings *names = names_of(image);
	struct matches matches = {};

	for (size_t i = 0; i < names->count; i++)
		add_match(policy, first_match(policy, image, entry, names->items[i]), &matches);
	if (names->count == 0)
		add_match(policy, first_match(policy, image, entry, NULL), &matches);
	return (struct treatment){
		.kept_by = matches.kept_by,
		.managed = is_managed(policy, entry, matches.any),
		.max_unused = matches.any ? matches.max_unused : policy->max_unused,
		.grace = matches.any ? matches.grace : policy->grace,
	};
}
