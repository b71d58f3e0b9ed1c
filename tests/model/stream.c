/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How events come to the daemon, those of the past as well, in place of io/http.c's streams: in
 * order, some late, some in pieces. A stream that ends loses none, but an engine forgets.
 */
#include "model.h"

#include <errno.h>
#include <stdio.h>

struct http_call {
	struct due due;
	http_header_fn header;
	http_data_fn data;
	http_done_fn done;
	void *userdata;
	nsec_t since;
	nsec_t until; /* 0: it goes on */
	bool open, cut;
	bool resuming; /* no engine_connect() came before it */
	size_t told; /* events by this stream */
	size_t next; /* in the ring */
	uint64_t listed; /* world.listed when it was opened */
};

static struct http_call *stream;
static uint64_t streams; /* so far */
static bool connected; /* by engine_connect(), and no stream since */
/* What the ring held then, and how much of it has been told before the stream. */
static size_t connected_end, past_end;
static unsigned connected_instance;
/* What the daemon has had of the events. */
static unsigned told_instance;
static size_t told_next;
static nsec_t told_time, broken_since;

static void end_stream(struct due *due)
{
	struct http_call *call = (struct http_call *)due;
	struct http_answer answer = { .status = 200, .body = "" };

	stream = NULL;
	if (call->open && !call->until)
		broken_since = world.awake;
	else if (!call->open || call->cut)
		answer = (struct http_answer){ .error = -ECONNREFUSED, .message = "refused" };
	trace("the stream has ended");
	call->done(call->userdata, &answer);
	free(call);
}

static size_t write_event(const struct happening *happening, char *line, size_t size)
{
	const struct thing *thing = at(happening->thing);
	const struct box *box =
		happening->box == NOBODY ? NULL : &world.boxes.items[happening->box];
	const char *actor = thing->id, *key = "name", *value = thing->id;

	if (box) {
		actor = box->id;
		key = "image";
		value = box->text;
	} else if (happening->name != NOBODY) {
		value = docker_familiar(happening->name);
		if (happening->kind != EVENT_IMAGE_TAG)
			actor = value;
	}
	return (size_t)snprintf(line, size,
		"{\"Type\":\"%s\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"%s\",\"Attributes\":"
		"{\"%s\":\"%s\"}},\"scope\":\"local\",\"timeNano\":%lld}\n",
		event_kind_type(happening->kind), event_kind_action(happening->kind), actor, key,
		value, (long long)happening->time);
}

static void send_event(struct http_call *call, const struct happening *happening)
{
	char line[512];
	size_t length = write_event(happening, line, sizeof(line)),
	       cut = random_chance(5) ? random_below(length) : 0;

	if (cut > 0)
		call->data(call->userdata, line, cut);
	call->data(call->userdata, line + cut, length - cut);
}

static void go_on(struct due *due);

static void end_past(struct due *due)
{
	past_end = connected_end;
	end_stream(due);
}

static bool is_for(const struct http_call *call, const struct happening *happening)
{
	return happening->thing != NOBODY && (!call->until || happening->time <= call->until);
}

static void wait_for_next(struct http_call *call)
{
	if (call->cut || call->due.waiting)
		return;
	while (call->next < world.ring.count && !is_for(call, &world.ring.items[call->next]))
		call->next++;
	if (call->next == world.ring.count && !call->until)
		return;
	call->due.happen = call->next == world.ring.count ? end_past : go_on;
	due_at(&call->due,
		call->until || random_chance(70) ? random_between(0, MSEC) : some_delay());
}

static void go_on(struct due *due)
{
	struct http_call *call = (struct http_call *)due;
	struct happening happening = world.ring.items[call->next++];
	/* Else it connects anew and lists: this one is void. */
	bool taken = !call->resuming || call->told > 0 || happening.time == told_time;
	uint64_t before = streams;

	call->told++;
	trace("event: %s %s %zu", event_kind_type(happening.kind),
		event_kind_action(happening.kind), happening.thing);
	if (taken && !call->until) {
		told_instance = world.instance;
		told_next = call->next;
		told_time = happening.time;
	}
	if (taken)
		told_event(&happening);
	send_event(call, &happening);
	if (stream && streams == before)
		wait_for_next(call);
}

/* Whether all events since the last one that was read are there to be read. */
static bool has_missed_nothing(void)
{
	return told_instance == world.instance && told_next > world.forgotten;
}

static void note_stream(void)
{
	if (world.met_change > 0 && !has_missed_nothing())
		truth_gap(broken_since, world.awake);
	else
		truth_disturbed(world.awake - broken_since);
}

/* As moby looks: from the last one back to the first that is too old, and no further. */
static size_t find_since(nsec_t since)
{
	size_t next = world.ring.count;

	while (next > world.forgotten && world.ring.items[next - 1].time >= since)
		next--;
	return next;
}

static void open_stream(struct due *due)
{
	struct http_call *call = (struct http_call *)due;
	uint64_t before = streams;

	if (!world.up) {
		end_stream(due);
		return;
	}
	call->open = true;
	call->listed = world.listed;
	call->next = find_since(call->since);
	trace(call->until ? "the past is told" : "the stream is open");
	if (!call->until)
		note_stream();
	call->header(call->userdata, 200);
	if (!stream || streams != before)
		return;
	wait_for_next(call);
	/* Nothing says when it has told what it had. */
	if (!call->until && call->due.waiting && random_chance(20))
		due_at(&call->due, random_between(0, 5 * SECOND));
}

static void start_stream(nsec_t since, nsec_t until, http_header_fn header, http_data_fn data,
	http_done_fn done, void *userdata)
{
	stream = xcalloc(1, sizeof(*stream));
	streams++;
	*stream = (struct http_call){
		.due.happen = open_stream,
		.header = header,
		.data = data,
		.done = done,
		.userdata = userdata,
		.since = since,
		.until = until,
		.resuming = !connected,
	};
	due_at(&stream->due, world.faults && random_chance(1) ? 15 * SECOND : some_delay());
}

/* What it had when it was met must be known before it is listed. */
static void check_past(const struct engine *engine, nsec_t since)
{
	const struct happening *happening;

	if (connected_instance != world.instance)
		return;
	for (size_t i = MAX(past_end, world.forgotten); i < connected_end; i++) {
		happening = &world.ring.items[i];
		if (happening->thing != NOBODY && happening->time >= since &&
			happening->time < engine_info(engine)->system_time)
			fail("past", "the stream is opened before it was told");
	}
}

struct http_call *engine_open_events(struct engine *engine, nsec_t since, http_header_fn header,
	http_data_fn data, http_done_fn done, void *userdata)
{
	if (connected)
		check_past(engine, since);
	start_stream(since, 0, header, data, done, userdata);
	connected = false;
	return stream;
}

struct http_call *engine_open_past_events(struct engine *engine, nsec_t since,
	http_header_fn header, http_data_fn data, http_done_fn done, void *userdata)
{
	start_stream(since, engine_info(engine)->system_time, header, data, done, userdata);
	return stream;
}

void http_cancel(struct http_call *call)
{
	if (!call)
		return;
	if (call->open && !call->until)
		broken_since = world.awake;
	due_cancel(&call->due);
	stream = NULL;
	free(call);
}

void stream_note_past(void)
{
	connected_end = world.ring.count;
	connected_instance = world.instance;
	past_end = 0;
}

void stream_connected(void)
{
	connected = true;
}

void stream_reset(void)
{
	if (stream)
		http_cancel(stream);
	connected = false;
	told_instance = 0;
}

void stream_tell(const struct happening *happening _unused_)
{
	if (stream && stream->open)
		wait_for_next(stream);
}

void stream_cut(void)
{
	if (!stream)
		return;
	stream->cut = true;
	stream->due.happen = end_stream;
	due_at(&stream->due, some_delay());
}

void stream_begin(void)
{
	broken_since = world.saved_awake;
	told_time = 0;
}

bool stream_is_whole(void)
{
	return stream && stream->open && !stream->until &&
		(stream->told > 0 || stream->listed < world.listed);
}

bool stream_is_idle(void)
{
	return stream && stream->open && !stream->until && !stream->due.waiting && !stream->cut;
}
