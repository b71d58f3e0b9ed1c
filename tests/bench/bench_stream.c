/* SPDX-License-Identifier: Apache-2.0 */
/* Events from bytes to the ledger, beside json-c's parser alone on the same bytes. */
#include "bench.h"
#include "streams.h"

#include "codec/json.h"

#include <string.h>

#define EVENTS ((size_t)1000000)
#define ROUNDS 20 /* each with its own part of the events */
#define PART (EVENTS / ROUNDS)

struct sides {
	struct streams streams;
	struct json_tokener *tokener;
};

static void prepare(void *userdata)
{
	struct sides *sides = userdata;

	streams_play(&sides->streams, PART);
}

/* What no reader of JSON on json-c can do without. */
static void parse_alone(void *userdata)
{
	struct sides *sides = userdata;
	const struct bytes *bytes = &sides->streams.bytes;
	const char *line = bytes->items, *end = line + bytes->count, *newline;

	for (; line < end; line = newline + 1) {
		struct json_object *object;

		newline = memchr(line, '\n', (size_t)(end - line));
		object = json_tokener_parse_ex(sides->tokener, line, (int)(newline - line));
		bench_require(object, "no JSON");
		json_object_put(object);
	}
}

static void read_all(void *userdata)
{
	struct sides *sides = userdata;

	streams_read(&sides->streams);
}

static bool compare(struct sides *sides, const char *name)
{
	struct streams *streams = &sides->streams;
	struct bench bench = {
		.prepare = prepare, .a = parse_alone, .b = read_all, .rounds = ROUNDS
	};
	uint64_t generation = streams->crowd.ledger.generation;
	struct bench_result cost;
	size_t expected;
	bool fast;

	streams->parts = streams->events = streams->known = streams->open = streams->size = 0;
	cost = bench_run(&bench, sides);
	expected = streams->parts * PART;
	bench_require(streams->events == expected, "events are missing");
	bench_require(streams->crowd.ledger.generation - generation > streams->known / 2,
		"events that change nothing");
	fast = bench_at_least(name, (double)cost.a / (double)cost.b, 0.7, "%.2f us beside %.2f us",
		(double)cost.b / (double)PART / 1000, (double)cost.a / (double)PART / 1000);
	bench_note("", "%zu events of %zu bytes, %.0f %% of interest, %.1f %% open, %.0f MB/s",
		streams->events, streams->size / streams->events,
		100.0 * (double)streams->known / (double)expected,
		100.0 * (double)streams->open / (double)expected,
		(double)streams->size / (double)streams->parts * 1000 / (double)cost.b);
	return fast;
}

/* bench_stream FOLDER…, with recorded events */
int main(int argc, char **argv)
{
	struct sides sides = { .tokener = json_tokener_new() };
	bool fast;

	bench_require(argc > 1, "no recorded events");
	bench_require(sides.tokener, "no memory");
	streams_init(&sides.streams, (const char *const *)argv + 1, (size_t)argc - 1);
	fast = compare(&sides, "stream-of-all-events");
	recording_filter(sides.streams.recording);
	fast &= compare(&sides, "stream-as-filtered");
	streams_finish(&sides.streams);
	json_tokener_free(sides.tokener);
	return fast ? EXIT_SUCCESS : EXIT_FAILURE;
}
