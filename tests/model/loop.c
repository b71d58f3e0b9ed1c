/* SPDX-License-Identifier: Apache-2.0 */
/* Time that passes by itself: clocks, what is due when, and of libevent what the daemon calls. */
#include "model.h"

#include <event2/event.h>
#include <event2/util.h>

#include "io/clock.h"

static uint64_t random_state;

uint64_t random_seed(uint64_t seed)
{
	uint64_t before = random_state;

	random_state = seed;
	return before;
}

/* splitmix64 */
uint64_t random_next(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void evutil_secure_rng_get_bytes(void *buffer, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((unsigned char *)buffer)[i] = (unsigned char)random_next();
}

nsec_t world_real(void)
{
	return world.awake + world.asleep + world.offset;
}

nsec_t clock_now(void)
{
	return world_real();
}

struct clocks clock_read(void)
{
	return (struct clocks){
		.real = world_real(),
		.elapsed = world.awake + world.asleep,
		.awake = world.awake,
	};
}

/* What is due, as a heap: the next one is the first. */
static ARRAY(struct due *) heap;
static uint64_t last_order;

static bool is_before(const struct due *a, const struct due *b)
{
	return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void put_at(size_t place, struct due *due)
{
	heap.items[place] = due;
	due->place = place;
}

static void sift(size_t place, struct due *due)
{
	while (place > 0 && is_before(due, heap.items[(place - 1) / 2])) {
		put_at(place, heap.items[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	for (size_t below; (below = place * 2 + 1) < heap.count; place = below) {
		if (below + 1 < heap.count && is_before(heap.items[below + 1], heap.items[below]))
			below++;
		if (!is_before(heap.items[below], due))
			break;
		put_at(place, heap.items[below]);
	}
	put_at(place, due);
}

void due_cancel(struct due *due)
{
	struct due *last;

	if (!due->waiting)
		return;
	due->waiting = false;
	last = heap.items[--heap.count];
	if (last != due)
		sift(due->place, last);
}

void due_at(struct due *due, nsec_t delay)
{
	due_cancel(due);
	due->when = world.awake + MAX(delay, (nsec_t)0);
	due->order = ++last_order;
	due->waiting = true;
	(void)array_push(&heap);
	sift(heap.count - 1, due);
}

bool loop_step(nsec_t until)
{
	struct due *due = heap.count > 0 ? heap.items[0] : NULL;

	if (!due || due->when > until) {
		world.awake = MAX(world.awake, until);
		return false;
	}
	due_cancel(due);
	world.awake = MAX(world.awake, due->when);
	world.steps++;
	due->happen(due);
	return true;
}

/* libevent */

struct event {
	struct due due;
	int number; /* of a signal, or -1 */
	event_callback_fn callback;
	void *userdata;
};

struct event_base {
	bool broken;
};

static struct event_base base;
static ARRAY(struct event *) signals;

static void on_due(struct due *due)
{
	struct event *event = (struct event *)due; /* its first member */

	event->callback(-1, EV_TIMEOUT, event->userdata);
}

struct event_base *event_base_new(void)
{
	base.broken = false;
	return &base;
}

void event_base_free(struct event_base *ignored _unused_)
{
}

int event_base_loopbreak(struct event_base *ignored _unused_)
{
	base.broken = true;
	return 0;
}

void loop_break(void)
{
	base.broken = true;
}

struct event *event_new(struct event_base *ignored _unused_, evutil_socket_t fd, short what,
	event_callback_fn callback, void *userdata)
{
	struct event *event = xcalloc(1, sizeof(*event));

	*event = (struct event){
		.due.happen = on_due,
		.number = what & EV_SIGNAL ? (int)fd : -1,
		.callback = callback,
		.userdata = userdata,
	};
	return event;
}

int event_add(struct event *event, const struct timeval *delay)
{
	if (event->number >= 0)
		*array_push(&signals) = event;
	else
		due_at(&event->due, delay->tv_sec * SECOND + delay->tv_usec * 1000);
	return 0;
}

int event_del(struct event *event)
{
	due_cancel(&event->due);
	return 0;
}

void event_free(struct event *event)
{
	due_cancel(&event->due);
	for (size_t i = 0; i < signals.count; i++)
		if (signals.items[i] == event)
			signals.items[i--] = signals.items[--signals.count];
	free(event);
}

int event_pending(const struct event *event, short what _unused_, struct timeval *ret)
{
	nsec_t real = world_real() + event->due.when - world.awake;

	if (!event->due.waiting)
		return 0;
	if (ret)
		*ret = (struct timeval){ real / SECOND, real % SECOND / 1000 };
	return EV_TIMEOUT;
}

void timer_arm(struct event *timer, nsec_t delay)
{
	struct timeval tv = { delay / SECOND, delay % SECOND / 1000 };

	event_add(timer, &tv);
}

void loop_signal(int number)
{
	for (size_t i = 0; i < signals.count; i++)
		if (signals.items[i]->number == number) {
			signals.items[i]->callback(number, EV_SIGNAL, signals.items[i]->userdata);
			return;
		}
}

/* The daemon's life, until it is stopped or the world ends. */
int event_base_dispatch(struct event_base *ignored _unused_)
{
	while (!base.broken)
		operations_live();
	return 0;
}

void loop_reset(void)
{
	heap.count = signals.count = 0;
}
