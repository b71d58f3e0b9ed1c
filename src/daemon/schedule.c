/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/schedule.h"

#include "core/units.h"
#include "io/clock.h"
#include "io/log.h"

#define SETTLE_MAX (30 * NSEC_PER_SEC)
/* Doubled with each failure in a row, up to the interval. */
#define BACKOFF_FIRST NSEC_PER_SEC

struct schedule {
	struct schedule_handler handler;
	void *userdata;
	struct event *interval_timer, *settle_timer, *backoff_timer;
	nsec_t interval, settle;
	nsec_t backoff; /* the next one's length */
	nsec_t grown_since; /* the first change that settle_timer is armed for; 0: none */
};

static void on_interval(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct schedule *schedule = userdata;

	timer_arm(schedule->interval_timer, schedule->interval);
	schedule->handler.interval(schedule->userdata);
}

static void on_settle(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct schedule *schedule = userdata;

	schedule->grown_since = 0;
	/* After a failure, the retry will do. */
	if (!evtimer_pending(schedule->backoff_timer, NULL))
		schedule->handler.settled(schedule->userdata);
}

static void on_backoff(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct schedule *schedule = userdata;

	schedule->handler.retry(schedule->userdata);
}

struct schedule *schedule_create(
	struct event_base *base, const struct schedule_handler *handler, void *userdata)
{
	struct schedule *schedule = xcalloc(1, sizeof(*schedule));

	schedule->handler = *handler;
	schedule->userdata = userdata;
	schedule->backoff = BACKOFF_FIRST;
	schedule->interval_timer = evtimer_new(base, on_interval, schedule);
	schedule->settle_timer = evtimer_new(base, on_settle, schedule);
	schedule->backoff_timer = evtimer_new(base, on_backoff, schedule);
	if (!schedule->interval_timer || !schedule->settle_timer || !schedule->backoff_timer)
		abort();
	return schedule;
}

void schedule_destroy(struct schedule *schedule)
{
	if (!schedule)
		return;
	event_free(schedule->interval_timer);
	event_free(schedule->settle_timer);
	event_free(schedule->backoff_timer);
	free(schedule);
}

void schedule_set(struct schedule *schedule, nsec_t interval, nsec_t settle)
{
	schedule->interval = interval;
	schedule->settle = settle;
	timer_arm(schedule->interval_timer, interval);
}

void schedule_grown(struct schedule *schedule, nsec_t now)
{
	nsec_t waited;

	if (schedule->grown_since == 0)
		schedule->grown_since = now;
	/* A clock that was set back must not put it off for long. */
	waited = MAX(now - schedule->grown_since, (nsec_t)0);
	timer_arm(
		schedule->settle_timer, MAX(MIN(schedule->settle, SETTLE_MAX - waited), (nsec_t)0));
}

void schedule_failed(struct schedule *schedule)
{
	nsec_t delay = MIN(schedule->backoff, schedule->interval);
	char text[FORMAT_MAX];

	log_debug("next try in %s", format_duration(delay, text));
	timer_arm(schedule->backoff_timer, delay);
	schedule->backoff = MIN(schedule->backoff * 2, schedule->interval);
}

void schedule_succeeded(struct schedule *schedule)
{
	schedule->backoff = BACKOFF_FIRST;
}

void schedule_idle(struct schedule *schedule)
{
	schedule->grown_since = 0;
	evtimer_del(schedule->settle_timer);
	evtimer_del(schedule->backoff_timer);
}

nsec_t schedule_next(const struct schedule *schedule)
{
	struct timeval tv = {};

	evtimer_pending(schedule->interval_timer, &tv);
	return tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * 1000;
}
