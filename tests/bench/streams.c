/* SPDX-License-Identifier: Apache-2.0 */
#include "streams.h"

#include "bench.h"

#include <string.h>

#define IMAGES 10000
#define CHUNK ((size_t)16384) /* as libcurl hands them over */
#define LINE_MAX_SIZE ((size_t)1 << 20)

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

void streams_play(struct streams *streams, size_t count)
{
	recording_play(streams->recording, &streams->crowd, count, streams->time, &streams->bytes);
	streams->time += (nsec_t)count * NSEC_PER_MSEC;
	streams->size += streams->bytes.count;
	streams->parts++;
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

void streams_read(struct streams *streams)
{
	const struct bytes *bytes = &streams->bytes;

	for (size_t i = 0; i < bytes->count; i += CHUNK) {
		const char *line;
		size_t length;

		lines_feed(&streams->lines, bytes->items + i, MIN(CHUNK, bytes->count - i));
		while ((line = lines_next(&streams->lines, &length)))
			take_line(streams, line, length);
	}
}

void streams_init(struct streams *streams, const char *const *folders, size_t count)
{
	nsec_t now = 1764000000 * NSEC_PER_SEC;

	crowd_init(&streams->crowd, IMAGES, now);
	streams->recording = recording_create(folders, count);
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

void streams_finish(struct streams *streams)
{
	lines_finish(&streams->lines);
	recording_destroy(streams->recording);
	free(streams->bytes.items);
	crowd_finish(&streams->crowd);
}
