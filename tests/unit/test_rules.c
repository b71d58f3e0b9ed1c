/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/rules.h"

static struct treatment treat(struct world *w, const char *name)
{
	const char *id = world_id(name);

	return rules_apply(&w->policy, world_image(w, name), ledger_find(&w->ledger, id));
}

static void limit(struct world *w, const char *match, nsec_t max_unused)
{
	struct rule *rule = world_rule(w, match);

	rule->has_max_unused = true;
	rule->max_unused = max_unused;
}

static void keep(struct world *w, const char *match)
{
	world_rule(w, match)->keep = true;
}

static void test_without_rules_the_origin_decides(void **state)
{
	struct world *w = *state;
	static const char *const origins[] = { "existing", "pulled", "built", "loaded" };

	w->policy.max_unused = 4 * WEEK;
	w->policy.manage[ORIGIN_LOADED] = true;
	for (size_t i = 0; i < ARRAY_SIZE(origins); i++) {
		struct treatment treatment;

		world_add(w, .name = origins[i], .origin = origins[i], .tags = origins[i]);
		treatment = treat(w, origins[i]);
		assert_int_equal(treatment.managed,
			streq(origins[i], "pulled") || streq(origins[i], "loaded"));
		assert_null(treatment.kept_by);
		assert_nsec_equal(treatment.max_unused, 4 * WEEK);
		assert_nsec_equal(treatment.grace, HOUR);
	}
}

static void test_an_unknown_image_is_unmanaged_unless_a_rule_matches(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ORIGIN_COUNT; i++)
		w->policy.manage[i] = true;
	world_add(w, .name = "x", .tags = "a", .origin = "none");
	assert_false(treat(w, "x").managed);
	world_rule(w, "a");
	assert_true(treat(w, "x").managed);
}

static void test_b9_tracked_is_managed_and_forgotten_is_not(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "x", .tags = "a", .origin = "existing");
	world_entry(w, "x")->tracked = true;
	assert_true(treat(w, "x").managed);
	world_entry(w, "x")->forgotten = true;
	assert_false(treat(w, "x").managed);
	world_rule(w, "*");
	assert_false(treat(w, "x").managed);
}

static void test_a_rule_manages_and_replaces_limits(void **state)
{
	struct world *w = *state;
	struct rule *rule;

	w->policy.max_unused = 4 * WEEK;
	world_add(w, .name = "x", .tags = "a", .origin = "existing");
	rule = world_rule(w, "a:*");
	assert_true(treat(w, "x").managed);
	assert_nsec_equal(treat(w, "x").max_unused, 4 * WEEK);
	assert_nsec_equal(treat(w, "x").grace, HOUR);
	rule->has_max_unused = rule->has_grace = true;
	rule->max_unused = DAY;
	rule->grace = 0;
	assert_nsec_equal(treat(w, "x").max_unused, DAY);
	assert_nsec_equal(treat(w, "x").grace, 0);
}

static void test_the_first_match_wins(void **state)
{
	struct world *w = *state;

	limit(w, "a:1", DAY);
	keep(w, "a");
	limit(w, "*", WEEK);
	world_add(w, .name = "x", .tags = "a:1");
	world_add(w, .name = "y", .tags = "a:2");
	world_add(w, .name = "z", .tags = "b:2");
	assert_null(treat(w, "x").kept_by);
	assert_nsec_equal(treat(w, "x").max_unused, DAY);
	assert_non_null(treat(w, "y").kept_by);
	assert_nsec_equal(treat(w, "z").max_unused, WEEK);
}

/* Each pulled image has a digest beside its tag, which nobody has typed. */
static void test_the_first_match_wins_for_pulled_images_too(void **state)
{
	struct world *w = *state;

	limit(w, "a:1", DAY);
	limit(w, "*", WEEK);
	world_add(w, .name = "x", .tags = "a:1", .digests = "a@1");
	assert_nsec_equal(treat(w, "x").max_unused, DAY);
}

static void test_of_several_names_any_keep_wins(void **state)
{
	struct world *w = *state;

	limit(w, "a", DAY);
	keep(w, "b");
	world_add(w, .name = "x", .tags = "a b");
	assert_non_null(treat(w, "x").kept_by);
	world_add(w, .name = "y", .tags = "a:2 c");
	assert_null(treat(w, "y").kept_by);
}

static void test_of_several_names_the_longest_limits_win(void **state)
{
	struct world *w = *state;
	struct rule *rule;

	limit(w, "a", WEEK);
	w->policy.rules.items[0].has_grace = true;
	w->policy.rules.items[0].grace = MINUTE;
	limit(w, "b", DAY);
	rule = &w->policy.rules.items[1];
	rule->has_grace = true;
	rule->grace = 2 * HOUR;
	world_add(w, .name = "x", .tags = "a b");
	assert_nsec_equal(treat(w, "x").max_unused, WEEK);
	assert_nsec_equal(treat(w, "x").grace, 2 * HOUR);
	/* 0 is off: the longest of all, in whichever order. */
	limit(w, "c", 0);
	world_add(w, .name = "y", .tags = "a:2 c");
	assert_nsec_equal(treat(w, "y").max_unused, 0);
	world_add(w, .name = "z", .tags = "b:2 c:2");
	assert_nsec_equal(treat(w, "z").max_unused, 0);
}

static void test_rules_for_origins(void **state)
{
	struct world *w = *state;
	struct rule *rule;

	keep(w, "elastic-*");
	rule = &w->policy.rules.items[0];
	for (size_t i = 0; i < ORIGIN_COUNT; i++)
		rule->origins[i] = i == ORIGIN_BUILT;
	world_add(w, .name = "x", .tags = "elastic-x", .origin = "built");
	world_add(w, .name = "y", .tags = "elastic-y", .origin = "pulled");
	world_add(w, .name = "z", .tags = "elastic-z", .origin = "none");
	assert_non_null(treat(w, "x").kept_by);
	assert_null(treat(w, "y").kept_by);
	assert_null(treat(w, "z").kept_by);
}

static void test_rules_by_label(void **state)
{
	static const struct {
		const char *match;
		bool matches;
	} cases[] = {
		{ "label:team", true },
		{ "label:team=core", true },
		{ "label:team=c*", true },
		{ "label:team=", false },
		{ "label:team=core2", false },
		{ "label:tea", false },
		{ "label:empty", true },
		{ "label:empty=", true },
		{ "label:absent", false },
	};
	struct world *w = *state;

	world_add(w, .name = "x", .tags = "a", .labels = "team=core empty=");
	world_add(w, .name = "nameless", .labels = "team=core empty=");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		keep(w, cases[i].match);
		if (!!treat(w, "x").kept_by != cases[i].matches ||
			!!treat(w, "nameless").kept_by != cases[i].matches)
			fail_msg("%s", cases[i].match);
		free(w->policy.rules.items[0].match);
		w->policy.rules.count = 0;
	}
}

static void test_rules_by_id_and_digest(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *digest = xasprintf("a@%s", world_id("1"));

	world_add(w, .name = "x");
	world_add(w, .name = "y", .tags = "b");
	world_add(w, .name = "z", .tags = "c", .digests = "a@1");
	keep(w, world_id("x"));
	keep(w, world_id("y") + 7);
	keep(w, digest);
	assert_non_null(treat(w, "x").kept_by);
	assert_non_null(treat(w, "y").kept_by);
	assert_non_null(treat(w, "z").kept_by);
	world_add(w, .name = "other", .tags = "d", .digests = "a@2");
	assert_null(treat(w, "other").kept_by);
}

static void test_a_rule_by_the_begin_of_an_id(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *begin = NULL;

	world_add(w, .name = "x", .tags = "a");
	world_add(w, .name = "y", .tags = "b");
	begin = xasprintf("%.30s*", world_id("x"));
	keep(w, begin);
	assert_non_null(treat(w, "x").kept_by);
	assert_null(treat(w, "y").kept_by);
	keep(w, "sha256:*");
	assert_non_null(treat(w, "y").kept_by);
}

static void test_a_name_pattern_does_not_match_the_nameless(void **state)
{
	struct world *w = *state;

	keep(w, "*");
	world_add(w, .name = "x");
	assert_null(treat(w, "x").kept_by);
	assert_true(treat(w, "x").managed);
}

static void test_b33_a_keep_rule_that_protects_nothing_is_told(void **state)
{
	struct world *w = *state;
	_cleanup_strings_ struct strings matches = {};

	world_add(w, .name = "x", .tags = "app:1");
	world_rule(w, "app:*")->keep = true;
	world_rule(w, "typo:*")->keep = true;
	/* Shadowed by the first one. */
	world_rule(w, "app:1")->keep = true;
	/* Rules without keep may well have nothing to do. */
	world_rule(w, "none:*");
	rules_list_idle(&w->policy, &w->inventory, &w->ledger, true, &matches);
	assert_int_equal(matches.count, 2);
	assert_string_equal(matches.items[0], "typo:*");
	assert_string_equal(matches.items[1], "app:1");
	rules_list_idle(&w->policy, &w->inventory, &w->ledger, false, &matches);
	assert_int_equal(matches.count, 2 + 3);
	assert_string_equal(matches.items[4], "none:*");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_without_rules_the_origin_decides),
		world_test(test_an_unknown_image_is_unmanaged_unless_a_rule_matches),
		world_test(test_b9_tracked_is_managed_and_forgotten_is_not),
		world_test(test_b33_a_keep_rule_that_protects_nothing_is_told),
		world_test(test_a_rule_manages_and_replaces_limits),
		world_test(test_the_first_match_wins),
		world_test(test_the_first_match_wins_for_pulled_images_too),
		world_test(test_of_several_names_any_keep_wins),
		world_test(test_of_several_names_the_longest_limits_win),
		world_test(test_rules_for_origins),
		world_test(test_rules_by_label),
		world_test(test_rules_by_id_and_digest),
		world_test(test_a_rule_by_the_begin_of_an_id),
		world_test(test_a_name_pattern_does_not_match_the_nameless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
