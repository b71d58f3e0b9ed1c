/* SPDX-License-Identifier: Apache-2.0 */
/* B9: what was asked for by name. */
#include "test.h"

#include "core/tracking.h"

#define A "docker.io/library/a:latest"

static void ask(struct world *w, nsec_t when, bool imported)
{
	ledger_add_tracked(&w->ledger, xstrdup(A), when, imported);
}

/* Nothing is managed for its origin: what is, is so because somebody asked for it. */
static int setup(void **state)
{
	struct world *w;

	world_setup(state);
	w = *state;
	memset(w->policy.manage, 0, sizeof(w->policy.manage));
	return 0;
}

#define tracking_test(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

static bool manages(const struct world *w, const char *name)
{
	return policy_manages(
		&w->policy, world_image(w, name), ledger_find(&w->ledger, world_id(name)));
}

static void test_b9_what_was_absent_is_managed_once_it_arrives(void **state)
{
	struct world *w = *state;

	ask(w, w->now - DAY, false);
	world_add(w, .name = "x", .tags = "a", .origin = "none");
	ledger_add(&w->ledger, world_id("x"), ORIGIN_PULLED, w->now);
	world_sync(w, "x");
	assert_true(manages(w, "x"));
	assert_int_equal(w->ledger.tracked.count, 0);
}

static void test_b9_what_arrived_while_nobody_watched_is_managed(void **state)
{
	struct world *w = *state;

	w->ledger.met = w->now - WEEK;
	ask(w, w->now - DAY, false);
	world_add(w, .name = "x", .tags = "a", .origin = "none");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	tracking_settle_all(&w->policy, &w->ledger, &w->inventory, w->now);
	assert_true(manages(w, "x"));
}

static void test_b9_what_is_managed_is_touched(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "x", .tags = "a", .idle = WEEK);
	world_entry(w, "x")->tracked = true;
	ask(w, w->now - DAY, false);
	world_sync(w, "x");
	assert_nsec_equal(world_entry(w, "x")->last_used, w->now - DAY);
	/* And never the other way round. */
	ask(w, w->now - WEEK, false);
	world_sync(w, "x");
	assert_nsec_equal(world_entry(w, "x")->last_used, w->now - DAY);
}

static void test_b9_what_is_there_and_unmanaged_is_left_alone(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "x", .tags = "a", .idle = WEEK, .origin = "loaded");
	ask(w, w->now, false);
	world_sync(w, "x");
	assert_false(manages(w, "x"));
	assert_nsec_equal(world_entry(w, "x")->last_used, w->now - WEEK);
	assert_int_equal(w->ledger.tracked.count, 0);
}

static void test_b9_what_was_there_before_us_is_left_alone(void **state)
{
	struct world *w = *state;

	w->ledger.met = 0;
	ask(w, w->now - DAY, false);
	world_add(w, .name = "x", .tags = "a", .origin = "none");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	tracking_settle_all(&w->policy, &w->ledger, &w->inventory, w->now);
	assert_int_equal(world_entry(w, "x")->origin, ORIGIN_EXISTING);
	assert_false(manages(w, "x"));
}

static void test_b9_what_elastic_package_brought_is_managed_even_so(void **state)
{
	struct world *w = *state;

	w->ledger.met = 0;
	ask(w, w->now - DAY, true);
	world_add(w, .name = "x", .tags = "a", .origin = "none");
	ledger_reconcile(&w->ledger, &w->inventory, true, w->now);
	tracking_settle_all(&w->policy, &w->ledger, &w->inventory, w->now);
	assert_true(manages(w, "x"));
	assert_nsec_equal(world_entry(w, "x")->last_used, w->now - DAY);
}

static void test_b9_forgotten_stays_forgotten_unless_it_arrives_anew(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "x", .tags = "a", .idle = DAY);
	world_entry(w, "x")->forgotten = true;
	ask(w, w->now, false);
	world_sync(w, "x");
	assert_true(world_entry(w, "x")->forgotten);
	ask(w, w->now, true);
	world_sync(w, "x");
	assert_false(world_entry(w, "x")->forgotten);
	assert_true(manages(w, "x"));
}

static void test_b9_other_names_stay_asked_for(void **state)
{
	struct world *w = *state;

	ask(w, w->now, false);
	world_add(w, .name = "x", .tags = "b", .idle = DAY);
	world_sync(w, "x");
	assert_int_equal(w->ledger.tracked.count, 1);
	assert_string_equal(w->ledger.tracked.items[0].canonical, A);
}

static enum tracking_result track(struct world *w, const char *canonical)
{
	return tracking_track(&w->policy, &w->ledger, &w->inventory, canonical, w->now);
}

static enum tracking_result forget(struct world *w, const char *canonical)
{
	return tracking_forget(&w->ledger, &w->inventory, canonical);
}

static void test_b9_track(void **state)
{
	struct world *w = *state;

	w->policy.manage[ORIGIN_PULLED] = true;
	/* Absent, and once more. */
	assert_int_equal(track(w, A), TRACKING_TRACKED);
	assert_int_equal(track(w, A), TRACKING_TRACKED);
	assert_int_equal(w->ledger.tracked.count, 1);
	world_add(w, .name = "x", .tags = "x", .idle = DAY);
	assert_int_equal(track(w, "docker.io/library/x:latest"), TRACKING_TOUCHED);
	assert_nsec_equal(world_entry(w, "x")->last_used, w->now);
	world_add(w, .name = "y", .tags = "y", .origin = "existing", .idle = DAY);
	assert_int_equal(track(w, "docker.io/library/y:latest"), TRACKING_PRESENT);
	assert_nsec_equal(world_entry(w, "y")->last_used, w->now - DAY);
	assert_false(manages(w, "y"));
}

static void test_b9_forget(void **state)
{
	struct world *w = *state;
	uint64_t generation;

	w->policy.manage[ORIGIN_PULLED] = true;
	assert_int_equal(forget(w, A), TRACKING_UNKNOWN);
	track(w, A);
	assert_int_equal(forget(w, A), TRACKING_FORGOTTEN);
	assert_int_equal(w->ledger.tracked.count, 0);
	world_add(w, .name = "x", .tags = "x", .idle = DAY);
	generation = w->ledger.generation;
	assert_int_equal(forget(w, "docker.io/library/x:latest"), TRACKING_FORGOTTEN);
	assert_true(w->ledger.generation > generation);
	assert_false(manages(w, "x"));
	assert_int_equal(track(w, "docker.io/library/x:latest"), TRACKING_TRACKED);
	assert_true(manages(w, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tracking_test(test_b9_what_was_absent_is_managed_once_it_arrives),
		tracking_test(test_b9_what_arrived_while_nobody_watched_is_managed),
		tracking_test(test_b9_what_is_managed_is_touched),
		tracking_test(test_b9_what_is_there_and_unmanaged_is_left_alone),
		tracking_test(test_b9_what_was_there_before_us_is_left_alone),
		tracking_test(test_b9_what_elastic_package_brought_is_managed_even_so),
		tracking_test(test_b9_forgotten_stays_forgotten_unless_it_arrives_anew),
		tracking_test(test_b9_other_names_stay_asked_for),
		tracking_test(test_b9_track),
		tracking_test(test_b9_forget),
	};

	return cmocka_run_group_tests_name("tracking", tests, NULL, NULL);
}
