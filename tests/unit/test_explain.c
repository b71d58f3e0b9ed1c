/* SPDX-License-Identifier: Apache-2.0 */
/* B40: every image has a verdict, a reason, and words for what it depends on. */
#include "test.h"

#include "core/explain.h"

#include <string.h>

static void assert_explained(struct world *w, const char *name, const char *expected)
{
	free(world_plan(w));
	for (size_t i = 0; i < w->plan.count; i++) {
		_cleanup_free_ char *text = NULL;

		if (!streq(world_name(w->plan.items[i].image->id), name))
			continue;
		text = explain_item(&w->plan, &w->plan.items[i]);
		assert_string_equal(text, expected);
		return;
	}
	fail_msg("no %s in the plan", name);
}

static void test_b40_by_age(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "a", .tags = "a", .idle = 3 * DAY + 4 * HOUR);
	assert_explained(w, "a", "no limit is set");
	w->policy.max_unused = 4 * WEEK;
	assert_explained(w, "a", "unused 3d4h of 28d");
	w->policy.max_unused = 3 * DAY;
	assert_explained(w, "a", "unused 3d4h of 3d");
	w->policy.max_removals = 1;
	w->progress.removed = 1;
	assert_explained(w, "a", "unused 3d4h of 3d; max_removals is reached");
}

/* Whatever else holds, above the mark it goes and at the mark it stays. */
static void check_mark(struct world *w, const char *name, uint64_t mark)
{
	_cleanup_free_ char *goes = xasprintf("%s=over-size", name),
			    *stays = xasprintf("%s=within-limits", name), *above = NULL, *at = NULL;

	world_measure(w, mark + 1);
	above = world_plan(w);
	assert_non_null(strstr(above, goes));
	world_measure(w, mark);
	at = world_plan(w);
	assert_non_null(strstr(at, stays));
}

static void test_b40_by_size(void **state)
{
	struct world *w = *state;

	world_limit(w, 10 * GB);
	world_add(w, .name = "a", .tags = "a", .size = GB, .idle = 3 * DAY);
	world_add(w, .name = "b", .tags = "b", .size = 2 * GB, .idle = 2 * DAY);
	world_add(w, .name = "c", .tags = "c", .size = GB, .idle = DAY);
	world_measure(w, 9 * GB);
	assert_explained(w, "a", "unused 3d; 0 before it; goes above 10GB");
	assert_explained(w, "c", "unused 1d; 2 before it; goes above 13GB");
	world_measure(w, 12 * GB);
	assert_explained(w, "a", "unused 3d; 0 before it; goes above 10GB");
	assert_explained(w, "b", "unused 2d; 1 before it; goes above 11GB");
	assert_explained(w, "c", "unused 1d; 2 before it; goes above 13GB");
	check_mark(w, "a", 10 * GB);
	check_mark(w, "b", 11 * GB);
	check_mark(w, "c", 13 * GB);
	/* From the limit down to the target. */
	world_target(w, 5 * GB);
	world_measure(w, 9 * GB);
	assert_explained(w, "c", "unused 1d; 2 before it; goes above 10GB");
	check_mark(w, "c", 10 * GB);
	world_measure(w, 12 * GB);
	assert_explained(w, "c", "unused 1d; 2 before it; goes above 8GB");
}

static void test_b40_by_space(void **state)
{
	struct world *w = *state;

	w->policy.min_free_space.bytes = 10 * GB;
	w->usage.space = (struct space){ .known = true, .total = 100 * GB, .free = 9 * GB };
	world_add(w, .name = "a", .tags = "a", .size = GB, .idle = 3 * DAY);
	world_add(w, .name = "b", .tags = "b", .size = GB, .idle = 2 * DAY);
	assert_explained(w, "a", "unused 3d; 0 before it; goes below 10GB free");
	assert_explained(w, "b", "unused 2d; 1 before it; goes below 9GB free");
}

static void test_b40_what_keeps_it(void **state)
{
	struct world *w = *state;

	w->policy.max_unused = DAY;
	world_rule(w, "kept*")->keep = true;
	world_add(w, .name = "k", .tags = "kept:1", .idle = WEEK);
	world_add(w, .name = "l", .tags = "l", .labels = "dockergcd.keep=1", .idle = WEEK);
	world_add(w, .name = "u", .tags = "u", .idle = WEEK);
	world_run(w, "1", "u");
	world_run(w, "2", "u");
	world_add(w, .name = "m", .tags = "m", .origin = "existing", .idle = WEEK);
	world_add(w, .name = "f", .tags = "f", .idle = WEEK);
	world_entry(w, "f")->forgotten = true;
	world_add(w, .name = "n", .tags = "n", .origin = "none", .idle = WEEK);
	world_add(w, .name = "g", .tags = "g", .idle = 10 * MINUTE);
	world_add(w, .name = "p", .tags = "p", .layers = "1", .idle = WEEK);
	world_add(w, .name = "q", .tags = "q", .layers = "1 2", .origin = "built", .idle = WEEK);
	world_add(w, .name = "r", .tags = "r", .idle = WEEK);
	world_image(w, "r")->failed = true;
	assert_explained(w, "k", "rule \"kept*\"");
	assert_explained(w, "l", "its label");
	assert_explained(w, "u", "2 containers");
	assert_explained(w, "m", "existing: not in images.manage, no rule");
	assert_explained(w, "f", "forgotten, until it is tracked again");
	assert_explained(w, "n", "nothing is known of it yet");
	assert_explained(w, "g", "unused 10m, 1h at least");
	assert_explained(w, "p", "1 image stands on it");
	assert_explained(w, "r", "the engine refused to remove it");
}

static size_t columns_of(const char *line, size_t bytes)
{
	size_t columns = 0;

	for (size_t i = 0; i < bytes; i++)
		columns += ((unsigned char)line[i] & 0xc0) != 0x80;
	return columns;
}

static void test_b40_the_table_fits_its_columns(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *table = NULL;
	size_t lines = 0;

	w->policy.max_unused = 4 * WEEK;
	world_limit(w, 60 * GB);
	world_measure(w, 61 * GB);
	world_rule(w, "größer/größer/größer/größer/größer/größer/größer")->keep = true;
	world_add(w, .name = "a", .tags = "registry.example.com/a-rather-long/name/of-an-image:1",
		.size = 2 * GB, .idle = 2 * DAY);
	world_add(w, .name = "b", .digests = "b@b", .size = 1234567890, .idle = 2 * WEEK);
	world_add(w, .name = "c", .tags = "x", .idle = 10 * WEEK);
	world_image(w, "c")->has_size = false;
	free(world_plan(w));
	w->plan.items[2].reason = REASON_KEPT_RULE;
	w->plan.items[2].kept_by = &w->policy.rules.items[0];
	table = explain_table(&w->plan);
	for (const char *line = table, *end; (end = strchr(line, '\n')); line = end + 1) {
		assert_true(columns_of(line, (size_t)(end - line)) <= EXPLAIN_COLUMNS);
		lines++;
	}
	assert_int_equal(lines, 4);
	assert_non_null(strstr(table, "…"));
}

static void test_b40_the_table(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *table = NULL;

	w->policy.max_unused = 4 * WEEK;
	world_limit(w, 10 * GB);
	world_measure(w, 11 * GB);
	world_add(w, .name = "a", .tags = "node:18", .size = 2 * GB, .idle = 5 * WEEK);
	world_add(w, .name = "b", .tags = "python:3.12", .size = GB, .idle = DAY);
	world_add(w, .name = "c", .tags = "jdk:21", .size = GB, .idle = HOUR);
	world_run(w, "1", "c");
	free(world_plan(w));
	table = explain_table(&w->plan);
	assert_string_equal(table,
		"VERDICT  REASON         IMAGE        FREES  WHY\n"
		"remove   unused         node:18      <=2GB  unused 35d of 28d\n"
		"keep     within-limits  python:3.12  <=1GB  unused 1d of 28d; 1 before it; goes "
		"above 12GB\n"
		"keep     in-use         jdk:21       <=1GB  1 container\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_b40_by_age),
		world_test(test_b40_by_size),
		world_test(test_b40_by_space),
		world_test(test_b40_what_keeps_it),
		world_test(test_b40_the_table_fits_its_columns),
		world_test(test_b40_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
