/* SPDX-License-Identifier: Apache-2.0 */
#include "io/engine_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/clock.h"

#define LIST_MAX ((size_t)256 << 20)
#define OBJECT_MAX ((size_t)16 << 20)
#define BUSY_RETRY_MSEC 500L
/* A list that is refused for longer is refused for another reason than an image that goes. */
#define LIST_RETRIES_MAX (10 * NSEC_PER_SEC)

static const struct {
	const char *method;
	size_t max_body;
} requests[] = {
	[REQUEST_PING] = { "GET", OBJECT_MAX },
	[REQUEST_VERSION] = { "GET", OBJECT_MAX },
	[REQUEST_INFO] = { "GET", OBJECT_MAX },
	[REQUEST_IMAGES] = { "GET", LIST_MAX },
	[REQUEST_IMAGE] = { "GET", OBJECT_MAX },
	[REQUEST_HISTORY] = { "GET", OBJECT_MAX },
	[REQUEST_CONTAINERS] = { "GET", LIST_MAX },
	[REQUEST_CONTAINER] = { "GET", OBJECT_MAX },
	[REQUEST_SYSTEM_DF] = { "GET", LIST_MAX },
	[REQUEST_BUILD_PRUNE] = { "POST", OBJECT_MAX },
	[REQUEST_IMAGE_REMOVE] = { "DELETE", OBJECT_MAX },
};

struct engine_call {
	struct engine_calls *calls;
	struct http_call *http_call;
	enum engine_request request;
	char *path;
	nsec_t timeout;
	nsec_t sent;
	/* Makes a value of a good answer's body. */
	engine_decode_fn *decode;
	/* Set for a call of several requests, which goes on instead of answering. */
	engine_step_fn step;
	void *stepdata;
	engine_fn fn;
	void *userdata;
	struct event *retry;
	nsec_t retries_left;
	LIST_ENTRY(engine_call) link;
};

static void call_free(struct engine_call *call)
{
	LIST_REMOVE(call, link);
	http_cancel(call->http_call);
	if (call->retry)
		event_free(call->retry);
	free(call->path);
	free(call);
}

void engine_call_cancel(struct engine_call *call)
{
	if (call)
		call_free(call);
}

void engine_calls_cancel(struct engine_calls *calls)
{
	struct engine_call *call;

	while ((call = LIST_FIRST(&calls->under_way)))
		call_free(call);
}

void engine_calls_finish(struct engine_calls *calls)
{
	engine_calls_cancel(calls);
	request_stats_finish(&calls->stats);
}

/* The call is over: whatever the callback does, it is out of its reach. */
static void answer_call(struct engine_call *call, struct engine_answer *answer)
{
	engine_fn fn = call->fn;
	void *userdata = call->userdata;

	call_free(call);
	fn(userdata, answer);
	engine_answer_finish(answer);
}

void engine_call_succeed(struct engine_call *call)
{
	struct engine_answer answer = {};

	answer_call(call, &answer);
}

void engine_call_fail(struct engine_call *call, int result, const char *why)
{
	_cleanup_free_ char *message =
		xasprintf("%s %s: %s", requests[call->request].method, call->path, why);
	struct engine_answer answer = { .result = result, .message = message };

	answer_call(call, &answer);
}

void engine_call_fail_status(struct engine_call *call, const struct http_answer *answer)
{
	_cleanup_free_ char *text = decode_message(answer->body, answer->length);
	_cleanup_free_ char *why = xasprintf("%d %s", answer->status, text);
	int result = answer->status == 404 ? (int)ENGINE_NOT_FOUND
		: answer->status == 409    ? (int)ENGINE_CONFLICT
					   : -EREMOTEIO;

	engine_call_fail(call, result, why);
}

static void send_call(struct engine_call *call);

static void on_retry(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	send_call(userdata);
}

/*
 * Below API 1.42 an engine counts for one client at a time, and refuses the others. The containerd
 * store finds no list while one of its images is going.
 */
static bool is_for_now(const struct engine_call *call, const struct http_answer *answer)
{
	if (answer->status == 404)
		return call->request == REQUEST_IMAGES && call->calls->info->is_containerd;
	return answer->status == 500 && strstr(answer->body, "already running");
}

static bool retry_later(struct engine_call *call, const struct http_answer *answer)
{
	struct timeval tv = { BUSY_RETRY_MSEC / 1000, BUSY_RETRY_MSEC % 1000 * 1000 };

	if (call->retries_left <= 0 || !is_for_now(call, answer))
		return false;
	call->retries_left -= BUSY_RETRY_MSEC * NSEC_PER_MSEC;
	if (!call->retry)
		call->retry = evtimer_new(call->calls->base, on_retry, call);
	if (!call->retry || evtimer_add(call->retry, &tv) < 0)
		abort();
	return true;
}

/* The containerd store counts what it has unpacked in lists alone. A measure has one in it. */
static void set_sizes(struct engine_call *call, const struct http_answer *http_answer,
	struct engine_answer *answer)
{
	answer->image.has_size = false;
	if (call->request == REQUEST_SYSTEM_DF)
		engine_answer_read_sizes(http_answer->body, http_answer->length, answer);
}

static void on_done(void *userdata, const struct http_answer *http_answer)
{
	struct engine_call *call = userdata;
	_cleanup_error_ struct error error = {};
	struct engine_answer answer = {};
	int r;

	call->http_call = NULL;
	request_stats_count(&call->calls->stats, call->request,
		http_answer->error < 0 ? http_answer->error : http_answer->status,
		clock_read().elapsed - call->sent);
	if (http_answer->error < 0) {
		engine_call_fail(call, http_answer->error, http_answer->message);
	} else if (call->step) {
		call->step(call->stepdata, call, http_answer);
	} else if (http_answer->status < 200 || http_answer->status >= 300) {
		if (!retry_later(call, http_answer))
			engine_call_fail_status(call, http_answer);
	} else if ((r = call->decode(http_answer->body, http_answer->length, &answer, &error))) {
		engine_call_fail(call, r, error.message);
	} else {
		if (call->calls->info->is_containerd)
			set_sizes(call, http_answer, &answer);
		answer_call(call, &answer);
	}
}

static void send_call(struct engine_call *call)
{
	struct http_request request = {
		.method = requests[call->request].method,
		.path = call->path,
		.max_body = requests[call->request].max_body,
		.connect_timeout = call->calls->timeouts.connect,
		.timeout = call->timeout,
		.done = on_done,
		.userdata = call,
	};

	call->sent = clock_read().elapsed;
	call->http_call = http_start(call->calls->http, &call->calls->server, &request);
}

/* Takes the path over. */
static struct engine_call *call_new(struct engine_calls *calls, enum engine_request request,
	char *path, engine_fn fn, void *userdata)
{
	struct engine_call *call = xcalloc(1, sizeof(*call));

	call->calls = calls;
	call->request = request;
	call->path = path;
	call->timeout = calls->timeouts.request;
	call->fn = fn;
	call->userdata = userdata;
	call->retries_left = calls->timeouts.request;
	LIST_INSERT_HEAD(&calls->under_way, call, link);
	return call;
}

struct engine_call *engine_call_start(struct engine_calls *calls, enum engine_request request,
	char *path, engine_decode_fn *decode, engine_fn fn, void *userdata)
{
	struct engine_call *call = call_new(calls, request, path, fn, userdata);

	call->decode = decode;
	if (request == REQUEST_IMAGES)
		call->retries_left = MIN(call->retries_left, LIST_RETRIES_MAX);
	send_call(call);
	return call;
}

struct engine_call *engine_call_start_steps(struct engine_calls *calls, enum engine_request request,
	const char *path, engine_step_fn step, void *stepdata, engine_fn fn, void *userdata)
{
	struct engine_call *call = call_new(calls, request, xstrdup(path), fn, userdata);

	call->step = step;
	call->stepdata = stepdata;
	/* No work for an engine that lives: one that hangs shall not look like a slow one. */
	call->timeout = calls->timeouts.connect;
	send_call(call);
	return call;
}

void engine_call_go_on(struct engine_call *call, enum engine_request request, const char *path,
	engine_step_fn step)
{
	call->request = request;
	free(call->path);
	call->path = xstrdup(path);
	call->timeout = call->calls->timeouts.request;
	call->step = step;
	send_call(call);
}
