/* SPDX-License-Identifier: Apache-2.0 */
#include "recording.h"

#include "bench.h"
#include "template.h"

#include "codec/event_json.h"

#include <stdio.h>
#include <string.h>

#define FILES_MAX 4
#define FILE_MAX ((size_t)1 << 16)
#define AT_A_TIME 32

/* What people do, by the files in which it was recorded; the container is the same in all. */
static const struct {
	const char *files[FILES_MAX];
	size_t weight; /* so often among so many */
	bool moves; /* the name is given to one image after the other */
} kinds[] = {
	{ { "ctr-run-rm" }, 72, false },
	{ { "ctr-create-by-id", "ctr-start-moved-tag", "ctr-stop", "ctr-rm" }, 16, false },
	{ { "tag" }, 4, true },
	{ { "pull-new" }, 4, false },
	{ { "untag-one-of-several" }, 3, false },
	{ { "build-classic" }, 1, true },
};

struct operation {
	size_t kind;
	char *text[FILES_MAX];
	ARRAY(struct template) lines;
};

/* An operation under way. */
struct running {
	const struct operation *operation; /* NULL: none */
	size_t line; /* the next one */
	char ids[TEMPLATE_IDS][BENCH_HEX];
	const struct image *images[TEMPLATE_IDS];
	char *name;
};

struct recording {
	ARRAY(struct operation) operations;
	struct running running[AT_A_TIME];
	size_t weight; /* of all of them */
	uint64_t random;
};

static char *read_file(const char *folder, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/events-%s.ndjson", folder, name);
	char *text = xcalloc(FILE_MAX, 1);
	FILE *file = fopen(path, "re");

	bench_require(file, path);
	bench_require(fread(text, 1, FILE_MAX, file) < FILE_MAX, "a file larger than expected");
	fclose(file);
	return text;
}

/* Containers come first: whichever other IDs a file has, its first container is number 0. */
static void number_ids(struct template_ids *ids, const char *text)
{
	for (int containers = 1; containers >= 0; containers--)
		for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
			size_t length = strcspn(line, "\n");
			bool is_container = memmem(line, length, "\"Type\":\"container\"", 18);

			if (is_container == (containers > 0))
				template_number(ids, line, length);
		}
}

static void read_operation(struct operation *operation, const char *folder, size_t kind)
{
	operation->kind = kind;
	for (size_t i = 0; i < FILES_MAX && kinds[kind].files[i]; i++) {
		const char *text = operation->text[i] = read_file(folder, kinds[kind].files[i]);
		struct template_ids ids = {};

		number_ids(&ids, text);
		for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
			template_cut(
				array_push(&operation->lines), &ids, line, strcspn(line, "\n"));
	}
	bench_require(operation->lines.count > 0, "a recording without events");
}

struct recording *recording_create(const char *const *folders, size_t count)
{
	struct recording *recording = xcalloc(1, sizeof(*recording));

	recording->random = 60;
	for (size_t i = 0; i < count; i++)
		for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
			read_operation(array_push(&recording->operations), folders[i], kind);
			recording->weight += kinds[kind].weight;
		}
	return recording;
}

void recording_destroy(struct recording *recording)
{
	if (!recording)
		return;
	for (size_t i = 0; i < AT_A_TIME; i++)
		free(recording->running[i].name);
	for (size_t i = 0; i < recording->operations.count; i++) {
		struct operation *operation = &recording->operations.items[i];

		for (size_t j = 0; j < operation->lines.count; j++)
			template_finish(&operation->lines.items[j]);
		for (size_t j = 0; j < FILES_MAX; j++)
			free(operation->text[j]);
		free(operation->lines.items);
	}
	free(recording->operations.items);
	free(recording);
}

static bool is_of_interest(const struct template *line)
{
	const struct piece *first = &line->pieces.items[0];
	size_t length = strcspn(first->text, "\n");
	struct engine_event event = {};
	enum event_kind kind;

	bench_require(decode_event(first->text, length, &event, NULL) == 0, "no event");
	kind = event.kind;
	engine_event_finish(&event);
	return kind != EVENT_OTHER;
}

void recording_filter(struct recording *recording)
{
	for (size_t i = 0; i < recording->operations.count; i++) {
		struct operation *operation = &recording->operations.items[i];
		size_t kept = 0;

		for (size_t j = 0; j < operation->lines.count; j++) {
			struct template *line = &operation->lines.items[j];

			if (is_of_interest(line))
				operation->lines.items[kept++] = *line;
			else
				template_finish(line);
		}
		operation->lines.count = kept;
	}
	/* What is under way may be past its end. */
	for (size_t i = 0; i < AT_A_TIME; i++)
		recording->running[i].operation = NULL;
}

static const struct operation *pick_operation(struct recording *recording)
{
	size_t pick = bench_pick(&recording->random, recording->weight), i = 0;

	while (pick >= kinds[recording->operations.items[i].kind].weight)
		pick -= kinds[recording->operations.items[i++].kind].weight;
	return &recording->operations.items[i];
}

static void begin(struct running *running, struct recording *recording, const struct crowd *crowd)
{
	running->operation = pick_operation(recording);
	running->line = 0;
	for (size_t i = 0; i < TEMPLATE_IDS; i++) {
		bench_hex(&recording->random, running->ids[i]);
		running->images[i] = crowd_pick(crowd, &recording->random);
	}
	free(running->name);
	running->name = kinds[running->operation->kind].moves
		? xasprintf(
			  "moving:%zu", bench_pick(&recording->random, crowd->count / CROWD_GROUP))
		: crowd_name(running->images[0]);
}

static void append(struct bytes *bytes, const char *text, size_t length)
{
	if (bytes->count + length > bytes->allocated) {
		bytes->allocated = MAX(bytes->allocated * 2, bytes->count + length);
		bytes->items = xreallocarray(bytes->items, bytes->allocated, 1);
	}
	memcpy(bytes->items + bytes->count, text, length);
	bytes->count += length;
}

static void play_piece(
	const struct running *running, const struct piece *piece, nsec_t time, struct bytes *bytes)
{
	char number[24];

	switch (piece->kind) {
	case PIECE_TEXT:
		append(bytes, piece->text, piece->length);
		break;
	case PIECE_ID:
		append(bytes, running->ids[piece->number], BENCH_HEX);
		break;
	case PIECE_IMAGE:
		append(bytes, running->images[piece->number]->id + strlen("sha256:"), BENCH_HEX);
		break;
	case PIECE_NAME:
		append(bytes, running->name, strlen(running->name));
		break;
	case PIECE_SECONDS:
	case PIECE_NANOSECONDS:
		if (piece->kind == PIECE_SECONDS)
			time /= NSEC_PER_SEC;
		append(bytes, number,
			(size_t)snprintf(number, sizeof(number), "%lld", (long long)time));
		break;
	}
}

void recording_play(struct recording *recording, const struct crowd *crowd, size_t events,
	nsec_t begin_time, struct bytes *bytes)
{
	bytes->count = 0;
	for (size_t i = 0; i < events; i++) {
		struct running *running =
			&recording->running[bench_pick(&recording->random, AT_A_TIME)];
		const struct template *line;

		if (!running->operation || running->line == running->operation->lines.count)
			begin(running, recording, crowd);
		line = &running->operation->lines.items[running->line++];
		for (size_t j = 0; j < line->pieces.count; j++)
			play_piece(running, &line->pieces.items[j],
				begin_time + (nsec_t)i * NSEC_PER_MSEC, bytes);
		append(bytes, "\n", 1);
	}
}
