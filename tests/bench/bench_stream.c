/* SPDX-License-Identifier: Apache-2.0 */
/* Events from bytes to the ledger, beside json-c's parser alone on the same bytes. */
#include "bench.h"
#include "crowd.h"
#include "recording.h"

#include "codec/json.h"
#include "codec/lines.h"
#include "daemon/apply.h"

#include <string.h>

#define IMAGES 10000
#define EVENTS ((size_t)1000000)
#define ROUNDS 20 /* each with its own part of the events */
#define PART (EVENTS / ROUNDS)
#define CHUNK ((size_t)16384) /* as libcurl hands them over */
#define LINE_MAX_SIZE ((size_t)1 << 20)

struct streams {
	struct crowd crowd;
	struct apply apply;
	struct recording *recording;
	struct bytes bytes; /* of this round */
	struct lines lines;
	struct json_tokener *tokener;
	nsec_t time;
	size_t parts; /* played so far */
	size_t events, known, open, size; /* counted */
};

static void on_open(void *userdata, struct question *question)
{
	struct streams *streams = userdata;

	streams->open++;
	question_finish(question);
}

static void on_doubt(void *userdata, const char *why)
{
	bench_require(false, why);
}

static void on_arrived(void *userdata, const struct image *image)
{
}

static void on_grown(void *userdata)
{
}

static bool is_awaited(void *userdata, const char *canonical, const char **ret_id)
{
	return false;
}

static void prepare(void *userdata)
{
	struct streams *streams = userdata;

	recording_play(streams->recording, &streams->crowd, PART, streams->time, &streams->bytes);
	streams->time += (nsec_t)PART * NSEC_PER_MSEC;
	streams->size += streams->bytes.count;
	streams->parts++;
}

/* What no reader of JSON on json-c can do without. */
static void parse_alone(void *userdata)
{
	struct streams *streams = userdata;
	const char *line = streams->bytes.items, *end = line + streams->bytes.count, *newline;

	for (; line < end; line = newline + 1) {
		struct json_object *object;

		newline = memchr(line, '\n', (size_t)(end - line));
		object = json_tokener_parse_ex(streams->tokener, line, (int)(newline - line));
		bench_require(object, "no JSON");
		json_object_put(object);
	}
}

static void take_line(struct streams *streams, const char *line, size_t length)
{
	struct engine_event event = {};

	bench_require(decode_event(line, length, &event, NULL) == 0, "no event");
	streams->events++;
	streams->known += event.kind != EVENT_OTHER;
	apply_event(&streams->apply, &event, streams->crowd.now);
	engine_event_finish(&event);
}

static void read_all(void *userdata)
{
	struct streams *streams = userdata;
	const struct bytes *bytes = &streams->bytes;

	for (size_t i = 0; i < bytes->count; i += CHUNK) {
		const char *line;
		size_t length;

		lines_feed(&streams->lines, bytes->items + i, MIN(CHUNK, bytes->count - i));
		while ((line = lines_next(&streams->lines, &length)))
			take_line(streams, line, length);
	}
}

static void streams_init(struct streams *streams, const char *const *folders, size_t count)
{
	nsec_t now = 1764000000 * NSEC_PER_SEC;

	crowd_init(&streams->crowd, IMAGES, now);
	streams->recording = recording_create(folders, count);
	streams->tokener = json_tokener_new();
	bench_require(streams->tokener, "no memory");
	lines_init(&streams->lines, LINE_MAX_SIZE);
	streams->time = now - 24 * 3600 * NSEC_PER_SEC;
	streams->apply = (struct apply){
		.inventory = &streams->crowd.inventory,
		.ledger = &streams->crowd.ledger,
		.policy = &streams->crowd.settings.policy,
		.digests_prove_pull = true,
		.handler = { on_open, on_doubt, on_arrived, on_grown, is_awaited },
		.userdata = streams,
	};
}

static void streams_finish(struct streams *streams)
{
	json_tokener_free(streams->tokener);
	lines_finish(&streams->lines);
	recording_destroy(streams->recording);
	free(streams->bytes.items);
	crowd_finish(&streams->crowd);
}

static bool compare(struct streams *streams, const char *name)
{
	struct bench bench = {
		.prepare = prepare, .a = parse_alone, .b = read_all, .rounds = ROUNDS
	};
	uint64_t generation = streams->crowd.ledger.generation;
	struct bench_result cost;
	size_t expected;
	bool fast;

	streams->parts = streams->events = streams->known = streams->open = streams->size = 0;
	cost = bench_run(&bench, streams);
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
	_cleanup_(streams_finish) struct streams streams = {};
	bool fast;

	bench_require(argc > 1, "no recorded events");
	streams_init(&streams, (const char *const *)argv + 1, (size_t)argc - 1);
	fast = compare(&streams, "stream-of-all-events");
	recording_filter(streams.recording);
	fast &= compare(&streams, "stream-as-filtered");
	return fast ? EXIT_SUCCESS : EXIT_FAILURE;
}
