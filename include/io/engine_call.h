/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One request to the engine: sent, sent again while the engine says that it is busy, counted, and
 * answered by callback from the loop, once, failures included. Knows no paths.
 */

#include <event2/event.h>
#include <sys/queue.h>

#include "codec/engine_json.h"
#include "core/base.h"
#include "io/engine_answer.h"
#include "io/http.h"
#include "io/request_stats.h"

struct engine_call;

typedef void (*engine_fn)(void *userdata, struct engine_answer *answer);

struct engine_timeouts {
	nsec_t connect, request;
};

/* Where calls go, and all that are under way. */
struct engine_calls {
	/* The caller's. */
	struct event_base *base;
	struct http *http;
	struct http_server server;
	struct engine_timeouts timeouts;
	const struct engine_info *info; /* whose answers they are: what is there when one comes */

	LIST_HEAD(, engine_call) under_way;
	struct request_stats stats; /* of all that were answered so far */
};

/* Ends all of them without their callbacks. */
void engine_calls_cancel(struct engine_calls *calls);

/* The same, and forgets what was counted. */
void engine_calls_finish(struct engine_calls *calls);

/*
 * Sends a request. Takes the path over, with query and already escaped; its method and how much may
 * be answered are the request's. What a 2xx brings is read by `decode`; the message of any other
 * answer names the request. Where the engine is busy for a moment, it is asked again for as long as
 * a request may take.
 */
struct engine_call *engine_call_start(struct engine_calls *calls, enum engine_request request,
	char *path, engine_decode_fn *decode, engine_fn fn, void *userdata);

/* Ends it without its callback. NULL is fine; not for one whose callback ran. */
void engine_call_cancel(struct engine_call *call);

/*
 * A call of several requests. Each has a step, which looks at an answer of whatever status and
 * then, before it returns, ends the call or sends the next request.
 */
typedef void (*engine_step_fn)(
	void *stepdata, struct engine_call *call, const struct http_answer *answer);

/* The first request, which may take as long as a connection. Without an answer the call fails. */
struct engine_call *engine_call_start_steps(struct engine_calls *calls, enum engine_request request,
	const char *path, engine_step_fn step, void *stepdata, engine_fn fn, void *userdata);

/* In a step: the next request; has the time of its own that any request has. */
void engine_call_go_on(struct engine_call *call, enum engine_request request, const char *path,
	engine_step_fn step);

/* In a step: the call is over, and all is well. */
void engine_call_succeed(struct engine_call *call);

/* In a step: the call is over with this result, -errno, and why. */
void engine_call_fail(struct engine_call *call, int result, const char *why);

/* In a step: the call is over, for the engine has answered with an error. */
void engine_call_fail_status(struct engine_call *call, const struct http_answer *answer);
