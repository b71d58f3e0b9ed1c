/* SPDX-License-Identifier: Apache-2.0 */
#include "io/clock.h"

#include <time.h>

nsec_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

void timer_arm(struct event *timer, nsec_t delay)
{
	struct timeval tv = { delay / NSEC_PER_SEC, delay % NSEC_PER_SEC / 1000 };

	if (event_add(timer, &tv) < 0)
		abort();
}
