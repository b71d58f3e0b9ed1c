/* SPDX-License-Identifier: Apache-2.0 */
/* What people, engines and machines do, at random. Each is a line that can be read again. */
#include "model.h"

#include <signal.h>
#include <stdio.h>

#include "core/units.h"
#include "daemon/cycle.h"

static nsec_t next_operation, phase_limit;
static unsigned until_quiet;
static bool liveness_due;

static enum phase {
	PHASE_BUSY,
	PHASE_QUIET, /* until all has settled */
	PHASE_LONG, /* until all that was due must have been done */
} phase;

/* "app1:2", or "i12" for an image without a name. */
static const char *show(size_t thing)
{
	static char text[24];

	for (size_t i = 0; i < NAMES; i++)
		if (world.names[i] == thing)
			return docker_familiar(i);
	snprintf(text, sizeof(text), "i%zu", thing);
	return text;
}

static size_t some_name(void)
{
	return random_below(world.scale.repositories * TAGS);
}

/* A present image; most of the time one with a name. */
static size_t some_thing(void)
{
	size_t name = some_name();

	if (random_chance(70) && world.names[name] != NOBODY)
		return world.names[name];
	for (unsigned i = 0; i < 20 && world.things.count > 0; i++) {
		size_t thing = random_below(world.things.count);

		if (at(thing)->present)
			return thing;
	}
	return NOBODY;
}

static size_t some_box(void)
{
	for (unsigned i = 0; i < 10 && world.boxes.count > 0; i++) {
		size_t last = MIN(world.boxes.count, (size_t)12),
		       box = world.boxes.count - 1 - random_below(last);

		if (world.boxes.items[box].state != BOX_GONE)
			return box;
	}
	return NOBODY;
}

/* What users do */

static void publish(void)
{
	size_t name = some_name(), base = NOBODY;

	if (world.things.count > 0 && random_chance(40))
		base = random_below(world.things.count);
	note("publish %s", docker_familiar(name));
	world.registry[name] = docker_make_image(base, 1 + random_below(3), NOBODY);
}

static void pull(void)
{
	size_t name = some_name();

	if (world.registry[name] == NOBODY)
		publish();
	if (world.registry[name] == NOBODY)
		return;
	note("pull %s", docker_familiar(name));
	docker_pull(name);
}

static void run(void)
{
	size_t thing = some_thing(), box;

	if (thing == NOBODY)
		return;
	note("create c%zu %s", world.boxes.count, show(thing));
	/* Docker tells what was typed; without a name that is the ID. */
	box = docker_create(thing, docker_count_names(thing) > 0 ? show(thing) : at(thing)->id);
	if (random_chance(80)) {
		note("start c%zu", box);
		docker_start(box);
	}
	if (random_chance(40)) {
		note("rm c%zu", box);
		docker_destroy(box);
	}
}

static void change_box(void)
{
	size_t box = some_box();

	if (box == NOBODY)
		return;
	if (random_chance(50)) {
		note("rm c%zu", box);
		docker_destroy(box);
	} else if (world.boxes.items[box].state == BOX_RUNNING) {
		note("stop c%zu", box);
		docker_die(box);
	} else {
		note("start c%zu", box);
		docker_start(box);
	}
}

static void tag(void)
{
	size_t thing = some_thing(), name = some_name();

	if (thing == NOBODY || thing == 0)
		return;
	note("tag %s %s", show(thing), docker_familiar(name));
	docker_tag(thing, name, false);
}

static void untag(void)
{
	size_t name = some_name(), thing = world.names[name];
	_cleanup_(removal_finish) struct removal removal = {};

	if (thing == NOBODY)
		return;
	note("rmi %s", docker_familiar(name));
	docker_remove(thing, name, NOBODY, true, &removal);
}

static void remove_thing(void)
{
	size_t thing = some_thing();
	_cleanup_(removal_finish) struct removal removal = {};

	if (thing == NOBODY || thing == 0)
		return;
	note("rmi --id %s", show(thing));
	docker_remove(thing, NOBODY, NOBODY, random_chance(80), &removal);
}

static void load(void)
{
	size_t name = some_name(), thing = some_thing();
	bool named = random_chance(80);

	/* An image that is there, or one of elsewhere. */
	if (thing == NOBODY || thing == 0 || random_chance(60))
		thing = docker_make_image(random_chance(50) ? thing : NOBODY, 2, NOBODY);
	note("load i%zu %s", thing, named ? docker_familiar(name) : "-");
	docker_load(thing, named ? name : NOBODY);
}

static void build(void)
{
	bool classic = world.scale.graph_driver && random_chance(50), silent = random_chance(10),
	     named = !silent || (random_chance(50) && !world.scale.faults);
	size_t base = some_thing(), name = some_name(), steps = classic ? 1 + random_below(4) : 0;

	if (base == 0 || random_chance(15))
		base = NOBODY;
	note("build %s%s from %s, %zu steps", named ? docker_familiar(name) : "-",
		silent ? " silently" : "", base == NOBODY ? "scratch" : show(base), steps);
	docker_build(base, named ? name : NOBODY, steps, silent);
}

static void touch(void)
{
	size_t thing = some_thing(), name = some_name();

	if (thing == NOBODY)
		return;
	if (random_chance(40) && world.names[name] != NOBODY) {
		note("push %s", docker_familiar(name));
		docker_push(name);
	} else {
		note("save %s", show(thing));
		docker_touch(thing, EVENT_IMAGE_SAVE);
	}
}

static void make_noise(void)
{
	size_t count = random_below(world.scale.ring * 2);

	note("noise %zu", count);
	docker_noise(count);
}

static void fill(void)
{
	world.other_bytes = SIZE_STEP * random_below(world.scale.repositories * 4);
	note("fill %llu", (unsigned long long)world.other_bytes);
}

void operations_race(size_t thing)
{
	if (!world.faults || random_chance(85))
		return;
	if (random_chance(50))
		remove_thing();
	else if (random_chance(40))
		fill();
	else if (at(thing)->present) {
		note("create c%zu %s", world.boxes.count, show(thing));
		docker_create(thing, docker_count_names(thing) > 0 ? show(thing) : at(thing)->id);
	}
}

/* So that worlds stay small: all that nobody holds, but for some. */
static void tidy(void)
{
	_cleanup_(removal_finish) struct removal removal = {};
	size_t present = 0;

	for (size_t i = 1; i < world.things.count; i++)
		present += at(i)->present;
	if (present < world.scale.crowd)
		return;
	note("tidy");
	for (size_t i = 0; i < world.boxes.count; i++)
		if (world.boxes.items[i].state != BOX_GONE && random_chance(80))
			docker_destroy(i);
	for (size_t i = world.things.count; i-- > 1;)
		for (size_t j = 0; at(i)->present && random_chance(70) && j <= NAMES; j++)
			if (j == NAMES || world.names[j] == i)
				docker_remove(i, j == NAMES ? NOBODY : j, NOBODY, true, &removal);
}

/* What goes wrong */

static void cut(void)
{
	note("cut");
	stream_cut();
}

static void perform(bool daemon);

/* The stream breaks, and by the time that it is back the engine has forgotten what happened. */
static void lose_events(void)
{
	cut();
	for (uint64_t i = random_below(5); i > 0; i--)
		perform(false);
	note("noise %zu", world.scale.ring);
	docker_noise(world.scale.ring);
}

static void stop_engine(void)
{
	note("engine stops");
	world.up = false;
	stream_cut();
	requests_engine_gone();
}

static void start_engine(void)
{
	note("engine starts");
	world.up = true;
	docker_restart();
}

/* Events that are on their way for longer than from one gap to the next nobody dates. */
static bool is_calm(void)
{
	return world.disturbances.count == 0 ||
		world.awake - world.disturbances.items[world.disturbances.count - 1].when > MINUTE;
}

/* So fast that the daemon does not find it gone. */
static void restart_engine(void)
{
	stop_engine();
	start_engine();
}

static void sleep_on(void)
{
	char text[FORMAT_MAX];
	nsec_t length = random_between(SECOND, 3 * world.scale.interval);

	if (!is_calm())
		return;
	note("sleep %s", format_duration(length, text));
	world.asleep += length;
	truth_disturbed(0);
}

static void set_clock(void)
{
	char text[FORMAT_MAX];
	nsec_t change = random_between(SECOND, 3 * world.scale.interval);
	bool back = random_chance(50);

	if (!is_calm())
		return;
	note("clock %s %s", back ? "back" : "on", format_duration(change, text));
	world.offset += back ? -change : change;
	world.set_back += back ? change : 0;
	truth_disturbed(0);
}

static void reload(void)
{
	note("reload");
	world.policy_seed = random_next();
	loop_signal(SIGHUP);
}

static void collect(void)
{
	note("collect");
	loop_signal(SIGUSR1);
}

static void stop_daemon(void)
{
	world.crashed = random_chance(50);
	note(world.crashed ? "daemon crashes" : "daemon stops");
	if (world.crashed)
		loop_break();
	else
		loop_signal(SIGTERM);
}

struct operation {
	void (*perform)(void);
	unsigned weight;
	bool of_users; /* happens without a daemon as well */
	bool fault;
};

static const struct operation operations[] = {
	{ pull, 160, true, false },
	{ publish, 50, true, false },
	{ run, 160, true, false },
	{ change_box, 150, true, false },
	{ tag, 60, true, false },
	{ untag, 60, true, false },
	{ remove_thing, 20, true, false },
	{ load, 30, true, false },
	{ build, 60, true, false },
	{ touch, 30, true, false },
	{ make_noise, 10, true, false },
	{ fill, 10, true, false },
	{ tidy, 30, true, false },
	{ sleep_on, 10, true, false },
	{ set_clock, 5, true, true },
	{ cut, 20, false, true },
	{ lose_events, 10, false, true },
	{ stop_engine, 8, false, true },
	{ restart_engine, 4, false, true },
	{ reload, 8, false, false },
	{ collect, 15, false, false },
	{ stop_daemon, 5, false, true },
};

static void perform(bool daemon)
{
	unsigned all = 0, dice;
	const struct operation *operation = operations;

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		all += operations[i].weight;
	dice = (unsigned)random_below(all);
	for (; dice >= operation->weight; operation++)
		dice -= operation->weight;
	world.operations++;
	if ((!operation->of_users && !daemon) || (operation->fault && !world.scale.faults) ||
		(operation->perform == set_clock && !world.scale.clock_changes))
		return;
	operation->perform();
}

/* Bursts, work, coffee, weekends. */
static nsec_t some_pause(void)
{
	unsigned dice = (unsigned)random_below(100);

	return dice < 55    ? random_between(0, 50 * MSEC)
		: dice < 80 ? random_between(0, 10 * SECOND)
		: dice < 95 ? random_between(0, world.scale.interval)
			    : random_between(0, world.scale.max_unused);
}

static void begin_busy(void)
{
	phase = PHASE_BUSY;
	world.faults = world.scale.faults;
	until_quiet = (unsigned)random_between(10, 80);
	next_operation = world.awake + some_pause();
}

static void begin_quiet(void)
{
	phase = PHASE_QUIET;
	if (!world.up)
		start_engine();
	world.faults = false;
	liveness_due = random_chance(20);
	phase_limit = world.awake + 2 * world.scale.interval + HOUR;
	next_operation = world.awake + 3 * world.scale.delay + SECOND;
}

static bool is_quiet(void)
{
	return !requests_wait() && stream_is_idle() && !world.list_failed && world.met_change > 0 &&
		cycle_state(world.cycle) == CYCLE_IDLE;
}

static void look_at_quiet(void)
{
	if (is_quiet()) {
		oracle_check_settled();
		if (!liveness_due) {
			begin_busy();
			return;
		}
		phase = PHASE_LONG;
		next_operation = world.awake + 2 * world.scale.interval + 2 * MINUTE;
		return;
	}
	if (world.awake > phase_limit)
		fail("liveness", "nothing goes wrong, and it never settles");
	next_operation = world.awake + random_between(SECOND / 10, SECOND);
}

static void look_after_long(void)
{
	if (!is_quiet()) {
		next_operation = world.awake + SECOND;
		return;
	}
	oracle_check_settled();
	oracle_check_liveness();
	begin_busy();
}

static void operate(void)
{
	if (!world.up && random_chance(60))
		start_engine();
	if (world.up)
		perform(true);
	if (--until_quiet == 0)
		begin_quiet();
	else
		next_operation =
			world.awake + (world.up ? some_pause() : random_between(0, 2 * MINUTE));
}

void operations_live(void)
{
	if (world.operations >= world.operations_max) {
		world.crashed = true;
		loop_break();
		return;
	}
	if (loop_step(next_operation))
		return;
	switch (phase) {
	case PHASE_BUSY:
		operate();
		break;
	case PHASE_QUIET:
		look_at_quiet();
		break;
	case PHASE_LONG:
		look_after_long();
		break;
	}
}

void operations_pass(void)
{
	unsigned count = (unsigned)random_below(8);

	if (!world.up)
		start_engine();
	while (count-- > 0) {
		world.awake += some_pause();
		perform(false);
	}
	world.awake += some_pause();
	begin_busy();
}

void operations_begin(void)
{
	unsigned count = (unsigned)random_below(8);

	begin_busy();
	/* One that stays, so that it is always the same engine. */
	docker_load(docker_make_image(NOBODY, 1, NOBODY), NOBODY);
	at(0)->labelled = true;
	while (count-- > 0) {
		world.awake += random_between(SECOND, HOUR);
		perform(false);
	}
}
