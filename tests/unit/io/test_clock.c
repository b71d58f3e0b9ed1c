/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/clock.h"
#include "scratch.h"

#include <time.h>

struct ticks {
	bool came;
	int count;
};

static void on_tick(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct ticks *ticks = userdata;

	ticks->came = true;
	ticks->count++;
}

static nsec_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static void test_now_is_the_wall_clocks(void **state)
{
	time_t before = time(NULL);
	nsec_t now = clock_now();

	/* time() may lag by a tick of the kernel. */
	assert_true(now / NSEC_PER_SEC >= before);
	assert_true(now / NSEC_PER_SEC <= time(NULL) + 1);
}

static void test_a_timer_fires_once_and_not_early(void **state)
{
	struct event_base *base = event_base_new();
	struct ticks ticks = {};
	struct event *timer = evtimer_new(base, on_tick, &ticks);
	nsec_t start = monotonic();

	timer_arm(timer, 50 * NSEC_PER_MSEC);
	scratch_run(base, &ticks.came);
	/* libevent counts whole milliseconds. */
	assert_true(monotonic() - start >= 48 * NSEC_PER_MSEC);
	scratch_run_for(base, 120 * NSEC_PER_MSEC);
	assert_int_equal(ticks.count, 1);
	event_free(timer);
	event_base_free(base);
}

static void test_arming_again_starts_anew(void **state)
{
	struct event_base *base = event_base_new();
	struct ticks ticks = {};
	struct event *timer = evtimer_new(base, on_tick, &ticks);
	nsec_t start = monotonic();

	timer_arm(timer, NSEC_PER_MSEC);
	timer_arm(timer, 100 * NSEC_PER_MSEC);
	scratch_run(base, &ticks.came);
	assert_true(monotonic() - start >= 98 * NSEC_PER_MSEC);
	assert_int_equal(ticks.count, 1);
	event_free(timer);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_now_is_the_wall_clocks),
		cmocka_unit_test(test_a_timer_fires_once_and_not_early),
		cmocka_unit_test(test_arming_again_starts_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
