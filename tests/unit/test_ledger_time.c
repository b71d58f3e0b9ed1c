/* SPDX-License-Identifier: Apache-2.0 */
/* Watched and unwatched time: a clock of its own, moved by the tests. */
#include "test.h"

#include "core/ledger.h"

#define SECOND NSEC_PER_SEC
#define A "docker.io/library/a:latest"
#define B "docker.io/library/b:latest"

/* Somebody watches. */
static int setup(void **state)
{
	struct world *w;

	world_setup(state);
	w = *state;
	ledger_watch_begin(&w->ledger, world_clocks(w->now));
	return 0;
}

#define time_test(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

static struct ledger_entry *add(struct world *w, const char *id)
{
	return ledger_add(&w->ledger, id, ORIGIN_PULLED, w->now);
}

static void watch(struct world *w, nsec_t duration)
{
	w->now += duration;
	ledger_observe(&w->ledger, world_clocks(w->now));
}

/* The daemon is stopped, or the engine away. */
static void be_away(struct world *w, nsec_t duration)
{
	w->now += duration;
	ledger_watch_begin(&w->ledger, world_clocks(w->now));
}

static nsec_t unused(struct world *w, const struct ledger_entry *entry)
{
	return ledger_unused(&w->ledger, entry, w->now);
}

static void test_watched_time_counts(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");

	assert_nsec_equal(unused(w, entry), 0);
	watch(w, 5 * HOUR);
	assert_nsec_equal(unused(w, entry), 5 * HOUR);
}

static void test_b12_absence_does_not_count(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");

	watch(w, HOUR);
	be_away(w, 400 * HOUR);
	assert_int_equal(w->ledger.unobserved, 400 * 3600);
	assert_nsec_equal(unused(w, entry), HOUR);
	watch(w, 335 * HOUR);
	assert_nsec_equal(unused(w, entry), 336 * HOUR);
}

/* B11: by the clock as it is when somebody comes back, events from then on are to be had. */
static void test_b11_known_until_by_a_clock_that_was_set(void **state)
{
	struct world *w = *state;
	struct ledger fresh = { .observed_until = w->now };

	ledger_watch_end(&w->ledger);
	w->clocks = *world_clocks(w->now);
	w->clocks.real += HOUR, w->clocks.elapsed += HOUR, w->clocks.awake += HOUR;
	assert_nsec_equal(ledger_known_until(&w->ledger, &w->clocks), w->now);
	w->clocks.real += DAY;
	assert_nsec_equal(ledger_known_until(&w->ledger, &w->clocks), w->now);
	w->clocks.real -= 2 * DAY;
	assert_nsec_equal(ledger_known_until(&w->ledger, &w->clocks), w->now - DAY);
	/* In a new process only the file tells: nothing is known. */
	assert_nsec_equal(ledger_known_until(&fresh, &w->clocks), 1);
	assert_nsec_equal(ledger_known_until(&fresh, world_clocks(w->now + 1)), w->now);
}

/* As if the stream had not been broken; what clocks did meanwhile counts as always. */
static void test_b12_what_is_resumed_was_watched(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");

	ledger_watch_end(&w->ledger);
	w->now += HOUR;
	ledger_watch_resume(&w->ledger, world_clocks(w->now));
	assert_nsec_equal(unused(w, entry), HOUR);
	assert_int_equal(w->ledger.unobserved, 0);
	watch(w, HOUR);
	assert_nsec_equal(unused(w, entry), 2 * HOUR);
}

/* Set back for less than nobody watched: the file alone could not tell. */
static void test_b12_a_clock_set_back_a_little_while_the_stream_was_broken(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");

	ledger_watch_end(&w->ledger);
	w->clocks = *world_clocks(w->now);
	w->clocks.real += HOUR, w->clocks.elapsed += 2 * HOUR, w->clocks.awake += 2 * HOUR;
	ledger_watch_begin(&w->ledger, &w->clocks);
	assert_int_equal(w->ledger.unobserved, 2 * 3600);
	assert_nsec_equal(ledger_unused(&w->ledger, entry, w->clocks.real), 0);
	assert_nsec_equal(entry->last_used, w->now - HOUR);
}

/* Its end is not known before somebody watches again; until then nothing is observed. */
static void test_b12_what_is_observed_by_nobody_is_not_watched(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");
	nsec_t until;

	watch(w, HOUR);
	until = w->ledger.observed_until;
	ledger_watch_end(&w->ledger);
	watch(w, DAY);
	assert_nsec_equal(w->ledger.observed_until, until);
	be_away(w, DAY);
	assert_nsec_equal(unused(w, entry), HOUR);
	assert_int_equal(w->ledger.unobserved, 2 * DAY / SECOND);
}

static void test_b12_several_absences_add_up(void **state)
{
	struct world *w = *state;
	struct ledger_entry *before = add(w, "x"), *between;

	watch(w, HOUR);
	be_away(w, DAY);
	watch(w, HOUR);
	between = add(w, "y");
	be_away(w, WEEK);
	watch(w, HOUR);
	assert_nsec_equal(unused(w, before), 3 * HOUR);
	assert_nsec_equal(unused(w, between), HOUR);
}

static void test_b12_a_use_after_the_absence_starts_anew(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");

	be_away(w, DAY);
	watch(w, HOUR);
	ledger_touch(&w->ledger, "x", w->now, w->now);
	watch(w, 2 * HOUR);
	assert_nsec_equal(unused(w, entry), 2 * HOUR);
}

static void test_b12_an_event_replayed_from_within_the_gap(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");
	nsec_t used;

	watch(w, HOUR);
	used = w->now + 10 * HOUR;
	be_away(w, 30 * HOUR);
	ledger_touch(&w->ledger, "x", used, w->now);
	assert_nsec_equal(entry->last_used, used);
	/* The 20 hours from then on were not watched. */
	assert_nsec_equal(unused(w, entry), 0);
	watch(w, 3 * HOUR);
	assert_nsec_equal(unused(w, entry), 3 * HOUR);
}

static void test_b12_an_event_replayed_from_before_the_gap(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");
	nsec_t used;

	watch(w, 5 * HOUR);
	used = w->now - HOUR;
	be_away(w, 30 * HOUR);
	ledger_touch(&w->ledger, "x", used, w->now);
	assert_nsec_equal(unused(w, entry), HOUR);
}

static void test_b12_an_event_replayed_over_two_gaps_never_ages(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");
	nsec_t used;

	/* The stream breaks again before it has replayed anything. */
	used = w->now + HOUR;
	be_away(w, 10 * HOUR);
	watch(w, SECOND);
	be_away(w, 10 * HOUR);
	ledger_touch(&w->ledger, "x", used, w->now);
	assert_true(unused(w, entry) <= SECOND);
}

static void test_b12_a_new_image_asked_for_over_two_gaps_is_not_old(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry;
	nsec_t pulled;

	watch(w, HOUR);
	pulled = w->now;
	watch(w, SECOND);
	be_away(w, 50 * HOUR);
	watch(w, SECOND);
	be_away(w, 2 * SECOND);
	entry = ledger_add(&w->ledger, "x", ORIGIN_PULLED, pulled);
	assert_true(unused(w, entry) <= 2 * SECOND);
}

static void test_b12_fractions_of_seconds_keep_longer(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");

	watch(w, HOUR);
	be_away(w, SECOND / 2);
	assert_int_equal(w->ledger.unobserved, 1);
	assert_true(unused(w, entry) <= HOUR);
	assert_true(unused(w, entry) >= HOUR - SECOND);
	/* A replayed use never looks older than it is either. */
	ledger_touch(&w->ledger, "x", w->now - SECOND / 4, w->now);
	assert_nsec_equal(unused(w, entry), 0);
}

static void test_b12_once_from_cron_ages_nothing(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");

	for (int day = 0; day < 60; day++)
		be_away(w, DAY);
	assert_nsec_equal(unused(w, entry), 0);
}

static void test_the_first_watch_has_no_gap(void **state)
{
	struct world *w = *state;

	w->ledger.observed_until = 0;
	ledger_watch_begin(&w->ledger, world_clocks(w->now));
	assert_int_equal(w->ledger.unobserved, 0);
	assert_nsec_equal(w->ledger.observed_until, w->now);
}

/* Time passes by some of the three clocks. */
static void pass(struct world *w, nsec_t real, nsec_t elapsed, nsec_t awake)
{
	w->now += real;
	w->clocks.real += real;
	w->clocks.elapsed += elapsed;
	w->clocks.awake += awake;
	ledger_observe(&w->ledger, &w->clocks);
}

static void start_clocks(struct world *w)
{
	w->clocks = (struct clocks){ w->now, HOUR, HOUR };
	ledger_watch_begin(&w->ledger, &w->clocks);
}

static void test_b12_sleep_does_not_count(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");

	start_clocks(w);
	pass(w, HOUR, HOUR, HOUR);
	pass(w, 3 * DAY + MINUTE, 3 * DAY + MINUTE, MINUTE);
	assert_int_equal(w->ledger.unobserved, 3 * DAY / NSEC_PER_SEC);
	assert_nsec_equal(unused(w, entry), HOUR + MINUTE);
}

static void test_b12_a_clock_set_forward_ages_nothing(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x"), *later = add(w, "y");

	start_clocks(w);
	pass(w, HOUR, HOUR, HOUR);
	pass(w, 365 * DAY + MINUTE, MINUTE, MINUTE);
	assert_int_equal(w->ledger.unobserved, 365 * DAY / NSEC_PER_SEC);
	assert_nsec_equal(unused(w, entry), HOUR + MINUTE);
	/* An event from right before, which is a year ago by now. */
	ledger_touch(&w->ledger, "y", w->now - 365 * DAY - MINUTE, w->now);
	assert_nsec_equal(unused(w, later), MINUTE);
}

static void test_b12_a_clock_set_back_takes_all_times_along(void **state)
{
	struct world *w = *state;
	struct ledger_entry *older = add(w, "x"), *newer;

	start_clocks(w);
	pass(w, HOUR, HOUR, HOUR);
	newer = add(w, "y");
	ledger_add_tracked(&w->ledger, xstrdup(A), w->now - HOUR, true);
	pass(w, MINUTE - 365 * DAY, MINUTE, MINUTE);
	assert_int_equal(w->ledger.unobserved, 0);
	assert_nsec_equal(w->now - w->ledger.tracked.items[0].last_used, HOUR + MINUTE);
	assert_nsec_equal(unused(w, older), HOUR + MINUTE);
	assert_nsec_equal(unused(w, newer), MINUTE);
	assert_true(older->last_used < newer->last_used && newer->last_used < w->now);
	/* And what is used from now on counts. */
	ledger_touch(&w->ledger, "x", w->now, w->now);
	assert_nsec_equal(unused(w, older), 0);
	/* There and back again is as if nothing had been. */
	pass(w, 365 * DAY, 0, 0);
	assert_nsec_equal(unused(w, newer), MINUTE);
}

static void test_b12_a_disciplined_clock_is_no_gap(void **state)
{
	struct world *w = *state;

	start_clocks(w);
	pass(w, HOUR + NSEC_PER_SEC - 1, HOUR, HOUR);
	pass(w, HOUR - NSEC_PER_SEC + 1, HOUR, HOUR);
	assert_int_equal(w->ledger.unobserved, 0);
}

static void test_b12_a_clock_set_back_while_nobody_watched(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");

	watch(w, HOUR);
	w->ledger.observed = (struct clocks){}; /* another process comes */
	be_away(w, -DAY);
	assert_int_equal(w->ledger.unobserved, 0);
	assert_nsec_equal(unused(w, entry), HOUR);
	watch(w, HOUR);
	assert_nsec_equal(unused(w, entry), 2 * HOUR);
}

/* A laptop wakes up, and its clock is put right: backwards. */
static void test_b12_a_clock_set_back_during_sleep(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");

	start_clocks(w);
	pass(w, HOUR, HOUR, HOUR);
	/* An event is on its way. */
	pass(w, 2 * HOUR - 30 * MINUTE, 2 * HOUR, 0);
	ledger_touch(&w->ledger, "x", w->now - HOUR, w->now);
	assert_nsec_equal(unused(w, entry), 0);
}

/* A list that was asked for before shows an image meanwhile. */
static void test_b12_what_comes_after_a_clock_was_set_back_while_nobody_watched(void **state)
{
	struct world *w = *state;
	struct ledger_entry *before = add(w, "x"), *meanwhile;

	start_clocks(w);
	pass(w, HOUR, HOUR, HOUR);
	ledger_watch_end(&w->ledger);
	pass(w, MINUTE - DAY, MINUTE, MINUTE);
	meanwhile = add(w, "y");
	assert_nsec_equal(w->now - before->last_used, HOUR + MINUTE);
	assert_nsec_equal(ledger_known_until(&w->ledger, &w->clocks), w->now - MINUTE);
	w->now += MINUTE, w->clocks.real += MINUTE, w->clocks.elapsed += MINUTE;
	w->clocks.awake += MINUTE;
	ledger_watch_begin(&w->ledger, &w->clocks);
	assert_nsec_equal(meanwhile->last_used, w->now - MINUTE);
	assert_int_equal(w->ledger.unobserved, 2 * 60);
	assert_nsec_equal(unused(w, before), HOUR);
	assert_nsec_equal(unused(w, meanwhile), 0);
}

static void test_b12_what_comes_again_after_a_clock_was_set_back_never_ages(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry = add(w, "x");
	nsec_t when = w->now + MINUTE;

	start_clocks(w);
	pass(w, 10 * MINUTE, 10 * MINUTE, 10 * MINUTE);
	pass(w, 2 * HOUR, 2 * HOUR, 0);
	w->ledger.observed = (struct clocks){}; /* another process comes */
	be_away(w, -HOUR);
	/* It has the time of a clock that went on for two hours that nobody watched. */
	ledger_touch(&w->ledger, "x", when, w->now);
	assert_nsec_equal(unused(w, entry), 0);
	watch(w, MINUTE);
	assert_nsec_equal(unused(w, entry), MINUTE);
}

static void test_watched_since_a_point_in_time(void **state)
{
	struct world *w = *state;
	nsec_t since = w->now;
	int64_t then = w->ledger.unobserved;

	watch(w, HOUR);
	be_away(w, DAY);
	assert_nsec_equal(ledger_watched_since(&w->ledger, since, then, w->now), HOUR);
	assert_nsec_equal(ledger_watched_since(&w->ledger, w->now + HOUR, then, w->now), 0);
}

/* An image that was asked for, seen for the first time now. */
static struct ledger_entry *adopt(struct world *w, const char *name, const char *tags)
{
	struct image *image = world_add(w, .name = name, .tags = tags, .origin = "none");

	add(w, image->id);
	return world_sync(w, name);
}

static void test_b9_adopted_images_keep_their_times_and_their_order(void **state)
{
	struct world *w = *state;
	struct ledger_entry *known = add(w, "known"), *a, *b;

	watch(w, HOUR);
	ledger_add_tracked(&w->ledger, xstrdup(A), w->now - 4 * WEEK, true);
	ledger_add_tracked(&w->ledger, xstrdup(B), w->now - DAY, true);
	b = adopt(w, "b", "b");
	a = adopt(w, "a", "a");
	assert_nsec_equal(a->last_used, w->now - 4 * WEEK);
	assert_nsec_equal(b->last_used, w->now - DAY);
	/* But nobody watched all that time. */
	assert_nsec_equal(unused(w, a), 0);
	assert_nsec_equal(unused(w, b), 0);
	assert_nsec_equal(unused(w, known), HOUR);
	watch(w, 2 * HOUR);
	assert_nsec_equal(unused(w, a), 2 * HOUR);
	assert_nsec_equal(unused(w, b), 2 * HOUR);
	assert_nsec_equal(unused(w, known), 3 * HOUR);
}

static void test_b9_adopted_under_two_names_has_the_later_time(void **state)
{
	struct world *w = *state;

	ledger_add_tracked(&w->ledger, xstrdup(A), w->now - DAY, true);
	ledger_add_tracked(&w->ledger, xstrdup(B), w->now - WEEK, true);
	assert_nsec_equal(adopt(w, "x", "a b")->last_used, w->now - DAY);
	assert_int_equal(w->ledger.tracked.count, 0);

	ledger_add_tracked(&w->ledger, xstrdup(A), w->now - WEEK, true);
	ledger_add_tracked(&w->ledger, xstrdup(B), w->now - DAY, true);
	assert_nsec_equal(adopt(w, "y", "a b")->last_used, w->now - DAY);
}

static void test_b9_adoption_never_lowers_a_known_time(void **state)
{
	struct world *w = *state;

	world_add(w, .name = "x", .tags = "a", .idle = HOUR);
	ledger_add_tracked(&w->ledger, xstrdup(A), w->now - WEEK, true);
	world_sync(w, "x");
	assert_true(world_entry(w, "x")->tracked);
	assert_nsec_equal(world_entry(w, "x")->last_used, w->now - HOUR);
}

static void test_b9_asked_for_in_the_future_is_now(void **state)
{
	struct world *w = *state;

	ledger_add_tracked(&w->ledger, xstrdup(A), w->now + WEEK, true);
	assert_nsec_equal(adopt(w, "x", "a")->last_used, w->now);
}

static void test_b9_an_adopted_image_is_touched_by_its_event(void **state)
{
	struct world *w = *state;
	struct ledger_entry *entry;

	ledger_add_tracked(&w->ledger, xstrdup(A), w->now - WEEK, true);
	entry = adopt(w, "x", "a");
	ledger_touch(&w->ledger, entry->id, w->now, w->now);
	assert_nsec_equal(entry->last_used, w->now);
	watch(w, HOUR);
	assert_nsec_equal(unused(w, entry), HOUR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		time_test(test_watched_time_counts),
		time_test(test_b12_absence_does_not_count),
		time_test(test_b12_what_is_observed_by_nobody_is_not_watched),
		time_test(test_b11_known_until_by_a_clock_that_was_set),
		time_test(test_b12_what_is_resumed_was_watched),
		time_test(test_b12_a_clock_set_back_a_little_while_the_stream_was_broken),
		time_test(test_b12_several_absences_add_up),
		time_test(test_b12_a_use_after_the_absence_starts_anew),
		time_test(test_b12_an_event_replayed_from_within_the_gap),
		time_test(test_b12_an_event_replayed_from_before_the_gap),
		time_test(test_b12_an_event_replayed_over_two_gaps_never_ages),
		time_test(test_b12_a_new_image_asked_for_over_two_gaps_is_not_old),
		time_test(test_b12_fractions_of_seconds_keep_longer),
		time_test(test_b12_once_from_cron_ages_nothing),
		time_test(test_the_first_watch_has_no_gap),
		time_test(test_b12_sleep_does_not_count),
		time_test(test_b12_a_clock_set_forward_ages_nothing),
		time_test(test_b12_a_clock_set_back_takes_all_times_along),
		time_test(test_b12_a_disciplined_clock_is_no_gap),
		time_test(test_b12_a_clock_set_back_while_nobody_watched),
		time_test(test_b12_a_clock_set_back_during_sleep),
		time_test(test_b12_what_comes_after_a_clock_was_set_back_while_nobody_watched),
		time_test(test_b12_what_comes_again_after_a_clock_was_set_back_never_ages),
		time_test(test_watched_since_a_point_in_time),
		time_test(test_b9_adopted_images_keep_their_times_and_their_order),
		time_test(test_b9_adopted_under_two_names_has_the_later_time),
		time_test(test_b9_adoption_never_lowers_a_known_time),
		time_test(test_b9_asked_for_in_the_future_is_now),
		time_test(test_b9_an_adopted_image_is_touched_by_its_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
