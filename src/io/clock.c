/* SPDX-License-Identifier: Apache-2.0 */
#include "io/clock.h"

#include <time.h>

static nsec_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

nsec_t clock_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

struct clocks clock_read(void)
{
	return (struct clocks){
		.real = read_clock(CLOCK_REALTIME),
		.elapsed = read_clock(CLOCK_BOOTTIME),
		.awake = read_clock(CLOCK_MONOTONIC),
	};
}

void timer_arm(struct event *timer, nsec_t delay)
{
	struct timeval tv = { delay / NSEC_PER_SEC, delay % NSEC_PER_SEC / 1000 };

	if (event_add(timer, &tv) < 0)
		abort();
}
