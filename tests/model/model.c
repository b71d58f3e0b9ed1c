/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model [--seed N] [--steps N] [--world N] [--print-operations] [--verbose]
 *
 * Makes random worlds, one after the other, until so many steps are done: what people do, and each
 * answer, event and timer. What goes wrong is told with the command that makes it happen again.
 */
#include "model.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "codec/ledger_json.h"
#include "core/units.h"
#include "daemon/cycle.h"
#include "daemon/watch.h"

#define WORLD_OPERATIONS 2000
#define START (1700000000 * SECOND)

struct world world;

/* The last operations, for who has to find out what went wrong. */
static char lines[40][120];
static size_t line_count;

void note(const char *format, ...)
{
	char *line = lines[line_count++ % ARRAY_SIZE(lines)];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(*lines), format, args);
	va_end(args);
	if (world.print_operations)
		puts(line);
	trace("* %s", line);
}

void trace(const char *format, ...)
{
	char now[FORMAT_MAX];
	va_list args;

	if (!world.verbose)
		return;
	printf("%s %.6f ", format_time(world_real(), now), (double)world.awake / SECOND);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static const char *program;

void fail(const char *invariant, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "model: %s: ", invariant);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr,
		"\nseed %" PRIu64 ", world %" PRIu64 ", operation %" PRIu64 ", step %" PRIu64
		"; the last operations:\n",
		world.seed, world.number, world.operations, world.steps);
	for (size_t i = subtract_saturating(line_count, ARRAY_SIZE(lines)); i < line_count; i++)
		fprintf(stderr, "  %s\n", lines[i % ARRAY_SIZE(lines)]);
	fprintf(stderr, "again: %s --seed %" PRIu64 " --world %" PRIu64 " --verbose\n", program,
		world.seed, world.number);
	exit(1);
}

/* What the daemon is made of. */

struct watch *__real_watch_create(struct event_base *base, struct engine *engine,
	struct inventory *inventory, struct ledger *ledger, const struct policy *policy,
	const struct watch_handler *handler, void *userdata);
struct watch *__wrap_watch_create(struct event_base *base, struct engine *engine,
	struct inventory *inventory, struct ledger *ledger, const struct policy *policy,
	const struct watch_handler *handler, void *userdata);
struct cycle *__real_cycle_create(const struct removal_context *context,
	const struct settings *settings, const struct cycle_handler *handler, void *userdata);
struct cycle *__wrap_cycle_create(const struct removal_context *context,
	const struct settings *settings, const struct cycle_handler *handler, void *userdata);

struct watch *__wrap_watch_create(struct event_base *base, struct engine *engine,
	struct inventory *inventory, struct ledger *ledger, const struct policy *policy,
	const struct watch_handler *handler, void *userdata)
{
	world.inventory = inventory;
	world.ledger = ledger;
	world.policy = policy;
	world.watch =
		__real_watch_create(base, engine, inventory, ledger, policy, handler, userdata);
	return world.watch;
}

struct cycle *__wrap_cycle_create(const struct removal_context *context,
	const struct settings *settings, const struct cycle_handler *handler, void *userdata)
{
	struct cycle *cycle = __real_cycle_create(context, settings, handler, userdata);

	world.cycle = cycle;
	return cycle;
}

/* What is known while nobody is there. */
static struct ledger left;

static void leave(void)
{
	ledger_finish(&left);
	ledger_init(&left);
	if (world.file && ledger_decode(world.file, strlen(world.file), &left, NULL) < 0)
		fail("round trip", "the cache file cannot be read");
	/* It crashed before it had saved that it met the engine: it meets it again. */
	if (left.met == 0)
		world.met_change = 0;
	world.ledger = &left;
	world.inventory = NULL;
	world.policy = NULL;
	world.cycle = NULL;
}

static void live(void)
{
	const struct daemon_options options = { .load_settings = policy_load };
	_cleanup_error_ struct error error = {};
	struct settings settings;
	struct daemon *daemon;

	world.crashed = false;
	world.list_failed = false;
	stream_begin();
	told_loaded();
	policy_load(NULL, &settings, NULL, NULL);
	if (daemon_create(&options, &settings, &daemon, &error) != 0)
		fail("start", "%s", error.message);
	daemon_run(daemon);
	daemon_destroy(daemon);
	loop_reset();
	leave();
}

static struct scale make_scale(void)
{
	static const nsec_t intervals[] = { MINUTE, 10 * MINUTE, HOUR, DAY };
	nsec_t interval = intervals[random_below(ARRAY_SIZE(intervals))];

	return (struct scale){
		.interval = interval,
		.settle = random_chance(50) ? 5 * SECOND : 0,
		.max_unused = random_between(2, 15) * interval,
		.grace = random_chance(50) ? random_between(SECOND, interval) : 5 * SECOND,
		.delay = random_chance(50)  ? 5 * MSEC
			: random_chance(80) ? 200 * MSEC
					    : 2 * SECOND,
		.graph_driver = random_chance(75),
		.faults = random_chance(70),
		.clock_changes = random_chance(40),
		.ring = random_chance(50) ? 256 : 4 + random_below(30),
		.repositories = 1 + random_below(REPOSITORIES),
		.crowd = 4 + random_below(30),
	};
}

static void world_init(uint64_t seed, uint64_t number, uint64_t operations)
{
	bool verbose = world.verbose, print_operations = world.print_operations;
	uint64_t steps = world.steps;

	world = (struct world){
		.seed = seed,
		.number = number,
		.verbose = verbose,
		.print_operations = print_operations,
		.steps = steps,
		.operations_max = operations,
		.awake = DAY,
		.offset = START,
		.up = true,
		.instance = 1,
	};
	random_seed(seed + (number + 1) * 0x632be59bd9b4e019);
	world.scale = make_scale();
	world.policy_seed = random_next();
	for (size_t i = 0; i < NAMES; i++)
		world.names[i] = world.registry[i] = world.loaded_from[i] = NOBODY;
	for (size_t i = 0; i < LAYERS; i++)
		world.layer_sizes[i] = i < 4 ? 0 : SIZE_STEP * (1 + random_below(4));
	line_count = 0;
	leave();
	operations_begin();
}

static void world_finish(void)
{
	for (size_t i = 0; i < world.boxes.count; i++)
		free(world.boxes.items[i].text);
	free(world.boxes.items);
	free(world.things.items);
	free(world.ring.items);
	free(world.gaps.items);
	free(world.disturbances.items);
	free(world.file);
	ledger_finish(&left);
}

static void run_world(uint64_t seed, uint64_t number, uint64_t operations)
{
	world_init(seed, number, operations);
	while (world.operations < operations) {
		live();
		if (world.operations < operations)
			operations_pass();
	}
	world_finish();
}

static uint64_t to_number(const char *text)
{
	char *end;
	uint64_t number = strtoull(text, &end, 0);

	if (*end || !*text) {
		fprintf(stderr, "%s: no number: %s\n", program, text);
		exit(2);
	}
	return number;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 'n' },
		{ "world", required_argument, NULL, 'w' },
		{ "print-operations", no_argument, NULL, 'p' },
		{ "verbose", no_argument, NULL, 'v' },
		{},
	};
	struct timespec now;
	uint64_t seed, steps = 1000000, only = UINT64_MAX, number = 0;
	int option;

	program = argv[0];
	clock_gettime(CLOCK_REALTIME, &now);
	seed = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			seed = to_number(optarg);
			break;
		case 'n':
			steps = to_number(optarg);
			break;
		case 'w':
			only = to_number(optarg);
			break;
		case 'p':
			world.print_operations = true;
			break;
		case 'v':
			world.verbose = true;
			break;
		default:
			return 2;
		}
	}
	printf("seed %" PRIu64 "\n", seed);
	if (only != UINT64_MAX) {
		run_world(seed, only, WORLD_OPERATIONS);
		return 0;
	}
	while (world.steps < steps)
		run_world(seed, number++, WORLD_OPERATIONS);
	printf("%" PRIu64 " steps in %" PRIu64 " worlds: all is well\n", world.steps, number);
	return 0;
}
