/* SPDX-License-Identifier: Apache-2.0 */
#include "io/event_stream.h"

#include <errno.h>
#include <event2/util.h>

#include "codec/lines.h"
#include "io/clock.h"
#include "io/log.h"
#include "io/past_events.h"
#include "io/path_watch.h"

#define EVENT_MAX ((size_t)1 << 20)
#define RETRY_FIRST (NSEC_PER_SEC / 4)
#define RETRY_MAX (30 * NSEC_PER_SEC)
/* A reason that is another one is told when tries are so far apart. */
#define RETELL_DELAY (4 * NSEC_PER_SEC)
#define RESUME_DELAY (50 * NSEC_PER_MSEC)
#define RESUME_DELAY_MAX NSEC_PER_SEC
/* The engine replays at once what it has; its last event is back within this or not at all. */
#define RESUME_WAIT (NSEC_PER_SEC * 3 / 4)
/* Docker tells the past in one go: silent for so long, and not at its end, it ignores `until`. */
#define PAST_WAIT (2 * NSEC_PER_SEC)
/* So many streams in a row that bring nothing but the last event, and it is skipped. */
#define STALE_MAX 3

enum stream_state {
	STREAM_AWAY, /* a retry is due */
	STREAM_CONNECTING, /* engine_connect(), the past, then the subscription */
	STREAM_WATCHING,
	STREAM_REOPENING, /* closed under our hands, a new one is due or on its way */
	STREAM_RESUMING, /* open again, waiting for the last event to come back */
};

struct event_stream {
	struct event_base *base;
	struct engine *engine;
	struct event_stream_handler handler;
	void *userdata;

	enum stream_state state;
	struct engine_call *connect;
	struct http_call *http_call, *past_call;
	struct event *timer;
	struct path_watch *socket_watch;
	struct lines lines;
	nsec_t since; /* while the past is asked for: what from */
	bool past_begun; /* it is being told */
	struct past_events past; /* what was told of it */
	nsec_t last; /* time of the last event seen; 0: none */
	nsec_t known; /* all that happened until then has come; 0: nothing has */
	nsec_t opened; /* when the present stream was asked for, by CLOCK_BOOTTIME */
	bool fresh; /* it brought an event that was not known before */
	unsigned stale; /* so many streams in a row brought none, and went at once */
	nsec_t delay; /* before the next try */
	char *told; /* why it is away, as the handler knows; NULL: it is not */
	char *failed; /* of what the last try failed */
	struct event_stream_counters counters;
};

/* Up to a quarter more or less, so that many daemons do not come back as one. */
static nsec_t jitter(nsec_t delay)
{
	uint16_t random;

	evutil_secure_rng_get_bytes(&random, sizeof(random));
	return delay - delay / 4 + delay / 2 * random / UINT16_MAX;
}

/* Nothing but the last event comes through: ask for what comes after it, and list. */
static bool is_stuck(const struct event_stream *stream)
{
	return stream->stale >= STALE_MAX;
}

/* An engine that tells the past late would be waited for in vain. */
static bool can_resume(const struct event_stream *stream)
{
	return stream->last > 0 && !is_stuck(stream) && !engine_tells_past_late(stream->engine);
}

static void close_stream(struct event_stream *stream)
{
	engine_cancel(TAKE_PTR(stream->connect));
	http_cancel(TAKE_PTR(stream->http_call));
	http_cancel(TAKE_PTR(stream->past_call));
	evtimer_del(stream->timer);
	lines_reset(&stream->lines);
}

static void connect_engine(struct event_stream *stream);

static void on_socket_appeared(void *userdata)
{
	struct event_stream *stream = userdata;

	/* It may not listen yet: the next tries are close together again. */
	stream->delay = RETRY_FIRST / 4;
	if (stream->state == STREAM_AWAY)
		connect_engine(stream);
}

static void watch_socket(struct event_stream *stream)
{
	const char *path = engine_endpoint(stream->engine)->unix_socket;

	if (path && !stream->socket_watch &&
		path_watch_create(
			stream->base, path, on_socket_appeared, stream, &stream->socket_watch) < 0)
		stream->socket_watch = NULL; /* no inotify to be had: retries will do */
}

/* While an engine restarts, reasons come and go. One that stays is news. */
static bool is_news(const struct event_stream *stream, const char *why)
{
	return !stream->told ||
		(stream->delay >= RETELL_DELAY && streq(stream->failed, why) &&
			!streq(stream->told, why));
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = value ? xstrdup(value) : NULL;
}

static void go_away(struct event_stream *stream, const char *why)
{
	bool news;

	close_stream(stream);
	stream->state = STREAM_AWAY;
	watch_socket(stream);
	timer_arm(stream->timer, MIN(jitter(stream->delay), RETRY_MAX));
	log_debug("no engine, next try in at most %lld ms: %s",
		(long long)(MIN(stream->delay * 5 / 4, RETRY_MAX) / NSEC_PER_MSEC), why);
	stream->delay = MIN(stream->delay * 2, RETRY_MAX);
	news = is_news(stream, why);
	set_text(&stream->failed, why);
	if (!news)
		return;
	set_text(&stream->told, why);
	stream->handler.away(stream->userdata, why);
}

static void start_watching(struct event_stream *stream)
{
	path_watch_destroy(TAKE_PTR(stream->socket_watch));
	evtimer_del(stream->timer);
	stream->state = STREAM_WATCHING;
	set_text(&stream->told, NULL);
	stream->delay = RETRY_FIRST;
}

static void on_header(void *userdata, int status)
{
	struct event_stream *stream = userdata;

	if (status < 200 || status >= 300)
		return; /* on_done() tells */
	if (stream->state == STREAM_REOPENING) {
		stream->state = STREAM_RESUMING;
		timer_arm(stream->timer, RESUME_WAIT);
		return;
	}
	start_watching(stream);
	stream->handler.watching(stream->userdata);
}

/* Whether the stream goes on: the last event is back, or it was not interrupted. */
static bool check_resumed(struct event_stream *stream, const struct engine_event *event)
{
	if (stream->state != STREAM_RESUMING)
		return stream->state == STREAM_WATCHING;
	if (event->time != stream->last) {
		connect_engine(stream);
		return false;
	}
	log_debug("event stream resumed, nothing missed");
	start_watching(stream);
	stream->handler.resumed(stream->userdata);
	return true;
}

static int read_event(
	struct event_stream *stream, const char *line, size_t length, struct engine_event *ret)
{
	_cleanup_error_ struct error error = {};
	int r = decode_event(line, length, ret, &error);

	if (r < 0) {
		stream->counters.malformed++;
		/* Never the line itself: commands in it can hold secrets. */
		log_debug("skipped a malformed event of %zu bytes: %s", length, error.message);
	}
	return r;
}

static void take_line(struct event_stream *stream, const char *line, size_t length)
{
	_cleanup_(engine_event_finish) struct engine_event event = {};
	bool again = stream->state == STREAM_RESUMING;

	if (read_event(stream, line, length, &event) < 0)
		return;
	if (!check_resumed(stream, &event))
		return;
	stream->counters.kinds[event.kind] += !again;
	/* In the order of arrival: a time from the future must not hide what comes after it. */
	stream->fresh = stream->fresh || event.time != stream->last;
	stream->last = event.time;
	stream->known = MIN(event.time, clock_now());
	if (event.kind != EVENT_OTHER && !past_events_tell_again(&stream->past, &event))
		stream->handler.event(stream->userdata, &event);
}

/* A handler or a line may end the call; what is left of it is void then. */
static void take_lines(struct event_stream *stream, struct http_call *const *call, const char *data,
	size_t size, void (*take)(struct event_stream *stream, const char *line, size_t length))
{
	const struct http_call *before = *call;
	const char *line;
	size_t length;

	lines_feed(&stream->lines, data, size);
	while (*call == before && (line = lines_next(&stream->lines, &length)))
		take(stream, line, length);
}

static void on_data(void *userdata, const char *data, size_t size)
{
	struct event_stream *stream = userdata;

	take_lines(stream, &stream->http_call, data, size, take_line);
	stream->counters.too_long = stream->lines.skipped;
}

static char *describe_end(const struct http_answer *answer)
{
	_cleanup_free_ char *text = NULL;

	if (answer->error < 0)
		return xasprintf("GET /events: %s", answer->message);
	if (answer->status < 300)
		return xstrdup("GET /events: the stream was closed");
	text = decode_message(answer->body, answer->length);
	return xasprintf("GET /events: %d %s", answer->status, text);
}

static void on_done(void *userdata, const struct http_answer *answer)
{
	struct event_stream *stream = userdata;
	_cleanup_free_ char *why = describe_end(answer);
	bool was_open = stream->state == STREAM_WATCHING || stream->state == STREAM_RESUMING, stale;

	stream->http_call = NULL;
	if (stream->state == STREAM_WATCHING)
		stream->handler.broken(stream->userdata);
	if (!was_open) {
		go_away(stream, why);
		return;
	}
	/* A proxy or a restart: often it goes on where it stopped, and nobody needs to know. */
	log_debug("%s; opening it again", why);
	close_stream(stream);
	stale = !stream->fresh && clock_read().elapsed - stream->opened < RESUME_WAIT;
	stream->stale = stale ? stream->stale + 1 : 0;
	stream->counters.reconnects++;
	stream->state = STREAM_REOPENING;
	timer_arm(stream->timer, MAX(stream->delay / 4, RESUME_DELAY));
	stream->delay = MIN(stream->delay * 2, RESUME_DELAY_MAX);
}

static void open_stream(struct event_stream *stream, nsec_t since)
{
	lines_reset(&stream->lines);
	stream->opened = clock_read().elapsed;
	stream->fresh = false;
	past_events_rewind(&stream->past);
	/* Its header comes at once, or this is no engine that lives. */
	timer_arm(stream->timer, engine_connect_timeout(stream->engine));
	stream->http_call =
		engine_open_events(stream->engine, since, on_header, on_data, on_done, stream);
}

static bool past_may_stream_on(const struct event_stream *stream)
{
	return stream->past_call && stream->past_begun && !engine_tells_past_late(stream->engine);
}

static void await_past(struct event_stream *stream)
{
	timer_arm(stream->timer,
		past_may_stream_on(stream) ? PAST_WAIT : engine_connect_timeout(stream->engine));
}

static void on_past_header(void *userdata, int status)
{
	struct event_stream *stream = userdata;

	stream->past_begun = status >= 200 && status < 300;
	await_past(stream);
}

/* The stream will tell this as well, when it is no news any more. */
static void take_past_line(struct event_stream *stream, const char *line, size_t length)
{
	_cleanup_(engine_event_finish) struct engine_event event = {};

	if (read_event(stream, line, length, &event) < 0 || event.kind == EVENT_OTHER)
		return;
	past_events_add(&stream->past, &event);
	stream->handler.event(stream->userdata, &event);
}

static void on_past_data(void *userdata, const char *data, size_t size)
{
	struct event_stream *stream = userdata;

	await_past(stream);
	take_lines(stream, &stream->past_call, data, size, take_past_line);
}

static void on_past_done(void *userdata, const struct http_answer *answer)
{
	struct event_stream *stream = userdata;
	_cleanup_free_ char *why = describe_end(answer);

	stream->past_call = NULL;
	if (answer->error < 0 || answer->status >= 300)
		go_away(stream, why);
	else
		open_stream(stream, stream->since);
}

/* What happened while nobody watched must be known before anything is listed and removed. */
static void ask_past(struct event_stream *stream)
{
	lines_reset(&stream->lines);
	stream->past_begun = false;
	timer_arm(stream->timer, engine_connect_timeout(stream->engine));
	stream->past_call = engine_open_past_events(
		stream->engine, stream->since, on_past_header, on_past_data, on_past_done, stream);
}

/* It has told what it had. */
static void skip_past(struct event_stream *stream)
{
	http_cancel(TAKE_PTR(stream->past_call));
	open_stream(stream, stream->since);
}

static void on_connected(void *userdata, struct engine_answer *answer)
{
	struct event_stream *stream = userdata;

	stream->connect = NULL;
	if (answer->result != ENGINE_OK) {
		go_away(stream, answer->message);
		return;
	}
	stream->since = stream->handler.connected(
		stream->userdata, stream->known > 0 ? stream->known + is_stuck(stream) : 0);
	if (engine_has_past(stream->engine, stream->since))
		ask_past(stream);
	else
		open_stream(stream, stream->since);
}

static void connect_engine(struct event_stream *stream)
{
	close_stream(stream);
	past_events_finish(&stream->past);
	stream->state = STREAM_CONNECTING;
	stream->connect = engine_connect(stream->engine, on_connected, stream);
}

static void on_timer(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct event_stream *stream = userdata;

	if (past_may_stream_on(stream))
		skip_past(stream);
	else if (stream->past_call || (stream->http_call && stream->state != STREAM_RESUMING))
		go_away(stream, "GET /events: no answer");
	else if (stream->state == STREAM_REOPENING && can_resume(stream))
		open_stream(stream, stream->last);
	else
		connect_engine(stream);
}

struct event_stream *event_stream_create(struct event_base *base, struct engine *engine,
	const struct event_stream_handler *handler, void *userdata)
{
	struct event_stream *stream = xcalloc(1, sizeof(*stream));

	stream->base = base;
	stream->engine = engine;
	stream->handler = *handler;
	stream->userdata = userdata;
	stream->delay = RETRY_FIRST;
	stream->timer = evtimer_new(base, on_timer, stream);
	if (!stream->timer)
		abort();
	lines_init(&stream->lines, EVENT_MAX);
	return stream;
}

void event_stream_stop(struct event_stream *stream)
{
	close_stream(stream);
	path_watch_destroy(TAKE_PTR(stream->socket_watch));
	stream->state = STREAM_AWAY;
}

void event_stream_destroy(struct event_stream *stream)
{
	if (!stream)
		return;
	event_stream_stop(stream);
	event_free(stream->timer);
	lines_finish(&stream->lines);
	past_events_finish(&stream->past);
	free(stream->told);
	free(stream->failed);
	free(stream);
}

void event_stream_start(struct event_stream *stream)
{
	stream->last = stream->known = 0;
	stream->delay = RETRY_FIRST;
	set_text(&stream->told, NULL);
	connect_engine(stream);
}

const struct event_stream_counters *event_stream_counters(const struct event_stream *stream)
{
	return &stream->counters;
}
