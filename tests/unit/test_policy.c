/* SPDX-License-Identifier: Apache-2.0 */
/* The reason for each verdict. Order, size and ancestors have suites of their own. */
#include "test.h"

#include "core/policy.h"

static enum reason check(struct world *w, const char *name, enum reason planned)
{
	return policy_check(&w->policy, &w->ledger, world_image(w, name), planned, w->now);
}

static void test_reasons_have_the_words_of_the_contract(void **state)
{
	static const char *const words[] = { "unused", "over-size", "low-space", "kept-rule",
		"kept-label", "in-use", "unmanaged", "grace", "has-children", "failed",
		"within-limits" };

	assert_int_equal(ARRAY_SIZE(words), REASON_COUNT);
	for (enum reason reason = 0; reason < REASON_COUNT; reason++) {
		assert_string_equal(reason_name(reason), words[reason]);
		assert_int_equal(reason_removes(reason), reason <= REASON_LOW_SPACE);
	}
}

static void test_finish_takes_the_empty(void **state)
{
	struct policy policy = {};
	struct plan plan = {};

	policy_finish(&policy);
	plan_finish(&plan);
}

static void test_an_empty_engine_has_an_empty_plan(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = DAY;
	assert_plan(w, "");
	assert_int_equal(w->plan.removals, 0);
	assert_int_equal(w->plan.missing, 0);
}

static void test_unused_for_longer_than_its_limit_goes(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = DAY;
	world_add(w, .name = "a", .tags = "a", .idle = DAY + 1);
	world_add(w, .name = "b", .tags = "b", .idle = DAY);
	assert_plan(w, "a=unused b=within-limits");
	assert_int_equal(w->plan.removals, 1);
	assert_int_equal(w->plan.reasons[REASON_UNUSED], 1);
	assert_int_equal(w->plan.reasons[REASON_WITHIN_LIMITS], 1);
	assert_true(w->plan.items[0].expired);
	assert_nsec_equal(w->plan.items[0].unused, DAY + 1);
	assert_nsec_equal(w->plan.items[0].last_used, w->now - DAY - 1);
	assert_ptr_equal(w->plan.items[0].entry, world_entry(w, "a"));
}

static void test_limits_at_zero_are_off(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .size = GB, .idle = 52 * WEEK);
	world_measure(w, 1000 * GB);
	assert_plan(w, "a=within-limits");
	assert_false(w->plan.over_size);
}

/*
 * The image has all reasons to stay. They are taken away one after the other, in the order of the
 * contract, and each time the next one must show, in the plan and in the last check.
 */
static void test_b23_the_first_reason_that_holds(void **state)
{
	struct world *w = *state;
	struct image *image;
	struct ledger_entry *entry;

	w->policy.max_unused = MINUTE;
	world_rule(w, "a:1")->keep = true;
	image = world_add(w, .name = "a", .tags = "a:1",
		.labels = "dockergcd.keep=", .origin = "existing", .layers = "1",
		.idle = 30 * MINUTE);
	world_add(w, .name = "b", .tags = "b", .layers = "1 2", .origin = "existing",
		.idle = 30 * MINUTE);
	world_run(w, "c", "a");
	image->failed = true;
	entry = world_entry(w, "a");
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_KEPT_RULE);
	w->policy.rules.items[0].match[0] = 'x';
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_KEPT_LABEL);
	image->labels.items[0].key[0] = 'x';
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_IN_USE);
	inventory_remove_container(&w->inventory, "c");
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_UNMANAGED);
	entry->origin = ORIGIN_PULLED;
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_GRACE);
	w->policy.grace = 30 * MINUTE;
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_HAS_CHILDREN);
	inventory_remove_image(&w->inventory, world_id("b"));
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_FAILED);
	image->failed = false;
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_UNUSED);
	w->policy.max_unused = DAY;
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_WITHIN_LIMITS);
	assert_int_equal(check(w, "a", REASON_OVER_SIZE), REASON_WITHIN_LIMITS);
	world_limit(w, GB);
	assert_int_equal(check(w, "a", REASON_OVER_SIZE), REASON_OVER_SIZE);
	assert_int_equal(check(w, "a", REASON_LOW_SPACE), REASON_WITHIN_LIMITS);
	w->policy.min_free_space.bytes = GB;
	assert_int_equal(check(w, "a", REASON_LOW_SPACE), REASON_LOW_SPACE);
}

/* The same in a plan, under size pressure. `b` stays throughout, whatever happens to `a`. */
static void test_b23_the_plan_tells_the_same_reasons(void **state)
{
	struct world *w = *state;
	struct image *image;

	world_limit(w, 1);
	world_measure(w, GB);
	world_rule(w, "a:1")->keep = true;
	image = world_add(w, .name = "a", .tags = "a:1",
		.labels = "dockergcd.keep=", .origin = "existing", .layers = "1",
		.idle = 30 * MINUTE);
	world_add(w, .name = "b", .tags = "b", .layers = "1 2", .origin = "existing",
		.idle = 30 * MINUTE);
	world_run(w, "c", "a");
	image->failed = true;
	assert_plan(w, "b=unmanaged a=kept-rule");
	w->policy.rules.items[0].match[0] = 'x';
	assert_plan(w, "b=unmanaged a=kept-label");
	image->labels.items[0].key[0] = 'x';
	assert_plan(w, "b=unmanaged a=in-use");
	inventory_remove_container(&w->inventory, "c");
	assert_plan(w, "b=unmanaged a=unmanaged");
	world_entry(w, "a")->origin = ORIGIN_PULLED;
	assert_plan(w, "b=unmanaged a=grace");
	w->policy.grace = 30 * MINUTE;
	assert_plan(w, "b=unmanaged a=has-children");
	inventory_remove_image(&w->inventory, world_id("b"));
	assert_plan(w, "a=failed");
	image->failed = false;
	assert_plan(w, "a=over-size");
	world_measure(w, 1);
	assert_plan(w, "a=within-limits");
}

static void test_a_base_within_its_limits_says_that_it_has_children(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .layers = "1", .idle = DAY);
	world_add(w, .name = "b", .tags = "b", .layers = "1 2", .idle = DAY);
	assert_plan(w, "b=within-limits a=has-children");
}

static void test_keep_label_values(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = DAY;
	world_add(w, .name = "a", .tags = "a", .idle = WEEK, .labels = "dockergcd.keep=");
	world_add(w, .name = "b", .tags = "b", .idle = WEEK, .labels = "dockergcd.keep=true");
	world_add(w, .name = "c", .tags = "c", .idle = WEEK, .labels = "dockergcd.keep=false");
	world_add(w, .name = "d", .tags = "d", .idle = WEEK, .labels = "dockergcd.keeper=true");
	assert_plan(w, "c=unused d=unused a=kept-label b=kept-label");
	/* Switched off. */
	w->policy.keep_label[0] = '\0';
	assert_plan(w, "a=unused b=unused c=unused d=unused");
	free(TAKE_PTR(w->policy.keep_label));
	assert_plan(w, "a=unused b=unused c=unused d=unused");
}

static void test_b23_grace_beats_every_rule(void **state)
{
	struct world *w = *state;
	struct rule *rule = world_rule(w, "*");

	rule->has_max_unused = true;
	rule->max_unused = MINUTE;
	world_limit(w, 1);
	world_measure(w, 100 * GB);
	world_add(w, .name = "a", .tags = "a", .size = GB, .idle = HOUR - 1);
	world_add(w, .name = "b", .tags = "b", .size = GB, .idle = HOUR);
	assert_plan(w, "b=unused a=grace");
	/* Unless the rule has a grace of its own. */
	rule->has_grace = true;
	rule->grace = 2 * HOUR;
	assert_plan(w, "b=grace a=grace");
	rule->grace = 0;
	assert_plan(w, "b=unused a=unused");
}

static void test_b12_grace_counts_watched_time(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = DAY;
	world_gap(w, 30 * MINUTE, WEEK);
	/* Used 20 minutes before a week in which nobody watched, that ended half an hour ago. */
	world_add(w, .name = "a", .tags = "a", .idle = WEEK + 50 * MINUTE);
	world_add(w, .name = "b", .tags = "b", .idle = WEEK + 70 * MINUTE);
	world_add(w, .name = "c", .tags = "c", .idle = WEEK + DAY + HOUR);
	assert_plan(w, "c=unused b=within-limits a=grace");
}

static void test_b6_in_use_by_whatever_container(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = DAY;
	world_add(w, .name = "a", .tags = "a", .idle = WEEK);
	world_run(w, "1", "a");
	world_run(w, "2", "a");
	assert_plan(w, "a=in-use");
	inventory_remove_container(&w->inventory, "1");
	assert_plan(w, "a=in-use");
	inventory_remove_container(&w->inventory, "2");
	assert_plan(w, "a=unused");
}

static void test_b22_usage_unknown_leaves_the_age_rule_at_work(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = DAY;
	world_limit(w, GB);
	w->usage.images = 100 * GB; /* an old figure: known is false */
	w->progress.over_size = true;
	world_add(w, .name = "a", .tags = "a", .size = GB, .idle = WEEK);
	world_add(w, .name = "b", .tags = "b", .size = GB, .idle = 2 * HOUR);
	assert_plan(w, "a=unused b=within-limits");
	assert_false(w->plan.over_size);
	assert_int_equal(w->plan.missing, 0);
}

static void test_b7_yesterdays_latest_is_collected_like_any_other(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = WEEK;
	world_add(w, .name = "old", .tags = "a", .idle = 2 * WEEK);
	world_add(w, .name = "new", .tags = "a", .idle = HOUR);
	assert_plan(w, "old=unused new=within-limits");
	assert_int_equal(world_image(w, "old")->references.count, 0);
}

static void test_max_removals_caps_all_rules_together(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = WEEK;
	world_limit(w, GB);
	w->policy.max_removals = 2;
	world_measure(w, 10 * GB);
	world_add(w, .name = "a", .tags = "a", .size = MB, .idle = 3 * WEEK);
	world_add(w, .name = "b", .tags = "b", .size = MB, .idle = DAY);
	world_add(w, .name = "c", .tags = "c", .size = MB, .idle = HOUR);
	assert_plan(w, "a=unused b=over-size c=within-limits");
	assert_true(w->plan.capped);
	/* The next round of the same collection. */
	w->progress.removed = 1;
	assert_plan(w, "a=unused b=within-limits c=within-limits");
	w->progress.removed = 2;
	assert_plan(w, "a=within-limits b=within-limits c=within-limits");
	assert_true(w->plan.capped);
	w->progress.removed = 0;
	w->policy.max_removals = 3;
	assert_plan(w, "a=unused b=over-size c=over-size");
	assert_false(w->plan.capped);
}

static void test_check_takes_what_happened_since_the_plan(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = DAY;
	world_limit(w, GB);
	world_add(w, .name = "a", .tags = "a", .idle = WEEK);
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_UNUSED);
	ledger_touch(&w->ledger, world_id("a"), w->now - 2 * HOUR, w->now);
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_WITHIN_LIMITS);
	assert_int_equal(check(w, "a", REASON_OVER_SIZE), REASON_OVER_SIZE);
	ledger_touch(&w->ledger, world_id("a"), w->now, w->now);
	assert_int_equal(check(w, "a", REASON_OVER_SIZE), REASON_GRACE);
	/* Its entry is gone: nothing is known any more. */
	ledger_remove(&w->ledger, world_id("a"));
	assert_int_equal(check(w, "a", REASON_UNUSED), REASON_UNMANAGED);
}

static void test_an_image_without_entry_counts_as_just_used(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = DAY;
	world_add(w, .name = "a", .tags = "a", .origin = "none");
	assert_plan(w, "a=unmanaged");
	world_rule(w, "a");
	assert_plan(w, "a=grace");
	assert_null(w->plan.items[0].entry);
	assert_nsec_equal(w->plan.items[0].last_used, w->now);
}

static void test_manages_tells_what_may_go_at_all(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a");
	world_add(w, .name = "b", .tags = "b", .origin = "existing");
	assert_true(policy_manages(&w->policy, world_image(w, "a"), world_entry(w, "a")));
	assert_false(policy_manages(&w->policy, world_image(w, "b"), world_entry(w, "b")));
	assert_false(policy_manages(&w->policy, world_image(w, "a"), NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons_have_the_words_of_the_contract),
		cmocka_unit_test(test_finish_takes_the_empty),
		world_test(test_an_empty_engine_has_an_empty_plan),
		world_test(test_unused_for_longer_than_its_limit_goes),
		world_test(test_limits_at_zero_are_off),
		world_test(test_b23_the_first_reason_that_holds),
		world_test(test_b23_the_plan_tells_the_same_reasons),
		world_test(test_a_base_within_its_limits_says_that_it_has_children),
		world_test(test_keep_label_values),
		world_test(test_b23_grace_beats_every_rule),
		world_test(test_b12_grace_counts_watched_time),
		world_test(test_b6_in_use_by_whatever_container),
		world_test(test_b22_usage_unknown_leaves_the_age_rule_at_work),
		world_test(test_b7_yesterdays_latest_is_collected_like_any_other),
		world_test(test_max_removals_caps_all_rules_together),
		world_test(test_check_takes_what_happened_since_the_plan),
		world_test(test_an_image_without_entry_counts_as_just_used),
		world_test(test_manages_tells_what_may_go_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
