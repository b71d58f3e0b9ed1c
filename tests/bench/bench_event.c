/* SPDX-License-Identifier: Apache-2.0 */
/* One event, applied to what we know of many images and of few. */
#include "bench.h"
#include "crowd.h"
#include "lives.h"

#include "daemon/apply.h"
#include "daemon/watch.h"
#include "io/clock.h"

#define FEW 100
#define MANY 100000
#define EVENTS 40000
#define MINUTE (60 * NSEC_PER_SEC)

/* Defined below, called in the place of io/engine's: nothing is asked, the lists are at hand. */
struct engine_call *__wrap_engine_list_images(struct engine *engine, engine_fn fn, void *userdata);
struct engine_call *__wrap_engine_list_containers(
	struct engine *engine, engine_fn fn, void *userdata);
struct clocks __wrap_clock_read(void);
struct clocks __real_clock_read(void);

/* Far enough back for all rounds to lie in the past, and after the lists. */
#define BEGIN (600 * MINUTE)
static nsec_t clock_behind;

struct clocks __wrap_clock_read(void)
{
	struct clocks clocks = __real_clock_read();

	clocks.real -= clock_behind;
	clocks.elapsed -= clock_behind;
	clocks.awake -= clock_behind;
	return clocks;
}

/* One of the two sizes. */
struct side {
	struct crowd crowd;
	struct lives containers, tags;
	struct apply apply;
	struct watch *watch;
	const struct lives *played; /* what is measured now */
};

struct sides {
	struct side few, many;
};

static void on_open(void *userdata, struct question *question)
{
	bench_require(false, "an event that leaves something open");
}

static void on_text(void *userdata, const char *why)
{
	bench_require(false, why);
}

static void on_image(void *userdata, const struct image *image)
{
}

static void on_nothing(void *userdata)
{
}

static bool is_awaited(void *userdata, const char *canonical, const char **ret_id)
{
	return false;
}

static void prepare(void *userdata)
{
	struct sides *sides = userdata;

	/* Each round is later than the one before: what is used again is used anew. */
	lives_delay(&sides->few.containers, MINUTE);
	lives_delay(&sides->few.tags, MINUTE);
	lives_delay(&sides->many.containers, MINUTE);
	lives_delay(&sides->many.tags, MINUTE);
}

static void apply_all(struct side *side)
{
	for (size_t i = 0; i < side->played->count; i++)
		apply_event(&side->apply, &side->played->items[i], side->crowd.now);
}

static void apply_to_few(void *userdata)
{
	struct sides *sides = userdata;

	apply_all(&sides->few);
}

static void apply_to_many(void *userdata)
{
	struct sides *sides = userdata;

	apply_all(&sides->many);
}

static void watch_all(struct side *side)
{
	for (size_t i = 0; i < side->played->count; i++)
		watch_event(side->watch, &side->played->items[i]);
}

static void watch_few(void *userdata)
{
	struct sides *sides = userdata;

	watch_all(&sides->few);
}

static void watch_many(void *userdata)
{
	struct sides *sides = userdata;

	watch_all(&sides->many);
}

/* What watch has asked for: the images that are there already, and their containers. */
static struct {
	engine_fn fn;
	void *userdata;
} awaited;

static struct engine_call *await(engine_fn fn, void *userdata)
{
	awaited.fn = fn;
	awaited.userdata = userdata;
	return (struct engine_call *)&awaited;
}

struct engine_call *__wrap_engine_list_images(struct engine *engine, engine_fn fn, void *userdata)
{
	return await(fn, userdata);
}

struct engine_call *__wrap_engine_list_containers(
	struct engine *engine, engine_fn fn, void *userdata)
{
	return await(fn, userdata);
}

static void answer_lists(const struct crowd *crowd)
{
	struct engine_answer images = {}, containers = {};
	struct container *container, *next;

	for (size_t i = 0; i < crowd->count; i++)
		*array_push(&images.images) = crowd_record(i);
	awaited.fn(awaited.userdata, &images);
	HASH_ITER (hh, crowd->inventory.containers, container, next) {
		struct container_record *record = array_push(&containers.containers);

		record->id = xstrdup(container->id);
		record->image_id = xstrdup(container->image_id);
	}
	awaited.fn(awaited.userdata, &containers);
	container_records_finish(&containers.containers);
}

static void side_init(
	struct side *side, struct event_base *base, struct engine *engine, size_t count)
{
	static const struct watch_handler handler = {
		.listed = on_nothing,
		.reconciled = on_nothing,
		.failed = on_text,
		.arrived = on_image,
		.grown = on_nothing,
		.settled = on_nothing,
	};

	crowd_init(&side->crowd, count, clock_now());
	lives_init_containers(&side->containers, &side->crowd, EVENTS, side->crowd.now - BEGIN);
	lives_init_tags(&side->tags, &side->crowd, EVENTS, side->crowd.now - BEGIN);
	side->apply = (struct apply){
		.inventory = &side->crowd.inventory,
		.ledger = &side->crowd.ledger,
		.policy = &side->crowd.settings.policy,
		.digests_prove_pull = true,
		.handler = { on_open, on_text, on_image, on_nothing, is_awaited },
	};
	side->watch = watch_create(base, engine, &side->crowd.inventory, &side->crowd.ledger,
		&side->crowd.settings.policy, &handler, NULL);
	clock_behind = BEGIN + MINUTE;
	watch_reconcile(side->watch);
	answer_lists(&side->crowd);
	clock_behind = 0;
	bench_require(watch_is_settled(side->watch), "nothing watches");
}

static void side_finish(struct side *side)
{
	watch_destroy(side->watch);
	lives_finish(&side->containers);
	lives_finish(&side->tags);
	crowd_finish(&side->crowd);
}

/*
 * Applied to few and to many. A use finds one entry. A tag that moves finds two images, two entries
 * and a name, all of them by chance where no cache holds them: that is told, and has no bound.
 */
static bool compare(struct sides *sides, const char *name, bool tags, bool watched)
{
	struct bench bench = {
		.prepare = prepare,
		.a = watched ? watch_few : apply_to_few,
		.b = watched ? watch_many : apply_to_many,
		.rounds = 20,
	};
	struct bench_result cost;

	sides->few.played = tags ? &sides->few.tags : &sides->few.containers;
	sides->many.played = tags ? &sides->many.tags : &sides->many.containers;
	cost = bench_run(&bench, sides);
	if (tags) {
		bench_note(name, "%.0f ns beside %.0f ns, %.1f times as much",
			(double)cost.b / EVENTS, (double)cost.a / EVENTS,
			(double)cost.b / (double)cost.a);
		return true;
	}
	return bench_at_most(name, (double)cost.b / (double)cost.a, 3, "%.0f ns beside %.0f ns",
		(double)cost.b / EVENTS, (double)cost.a / EVENTS);
}

int main(void)
{
	struct event_base *base = event_base_new();
	struct engine *engine = NULL;
	struct sides sides = {};
	bool fast;

	bench_require(base, "no loop");
	engine = engine_create(base);
	side_init(&sides.few, base, engine, FEW);
	side_init(&sides.many, base, engine, MANY);
	fast = compare(&sides, "event-container", false, false);
	fast &= compare(&sides, "event-tag", true, false);
	fast &= compare(&sides, "watch-container", false, true);
	fast &= compare(&sides, "watch-tag", true, true);
	side_finish(&sides.few);
	side_finish(&sides.many);
	engine_destroy(engine);
	event_base_free(base);
	return fast ? EXIT_SUCCESS : EXIT_FAILURE;
}
