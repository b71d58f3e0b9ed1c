/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/late.h"

#include "io/clock.h"

#define FIRST NSEC_PER_SEC
#define LAST (16 * NSEC_PER_SEC)

static void begin(struct late *late)
{
	late->again = false;
	late->next = FIRST;
	timer_arm(late->timer, late->next);
}

static void on_timer(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct late *late = userdata;

	late->look(late->userdata);
	if (late->next < LAST) {
		late->next *= 2;
		timer_arm(late->timer, late->next);
		return;
	}
	late->next = 0;
	if (late->again) {
		begin(late);
		return;
	}
	late_forget(late);
	late->over(late->userdata);
}

void late_init(struct late *late, struct event_base *base, void (*look)(void *userdata),
	void (*over)(void *userdata), void *userdata)
{
	*late = (struct late){ .look = look, .over = over, .userdata = userdata };
	late->timer = evtimer_new(base, on_timer, late);
	if (!late->timer)
		abort();
}

void late_finish(struct late *late)
{
	event_free(late->timer);
	late_forget(late);
	*late = (struct late){};
}

void late_expect(struct late *late)
{
	if (late->next > 0)
		late->again = true;
	else
		begin(late);
}

void late_expect_pull(struct late *late, const struct question *question)
{
	/* No use: that is told now, and once. */
	struct question expected = {
		.kind = QUESTION_IMAGE,
		.name = xstrdup(question->name),
		.has_origin = true,
		.origin = question->origin,
		.when = question->when,
	};

	questions_add(&late->names, &expected);
	late_expect(late);
}

void late_forget(struct late *late)
{
	questions_finish(&late->names);
}

void late_cancel(struct late *late)
{
	evtimer_del(late->timer);
	late->next = 0;
	late->again = false;
}
