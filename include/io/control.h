/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The control socket: HTTP/1.1 over a Unix socket, or TCP, by libevent's evhttp, and a table of
 * routes. Knows no images. Clients are bounded in what they may send and how long they may take,
 * and none of them makes the loop wait.
 */

#include <event2/event.h>

#include "core/base.h"

#define CONTROL_BODY_MAX ((size_t)1 << 20)

/* Of answers. */
#define STATUS_OK 200
#define STATUS_ACCEPTED 202
#define STATUS_BAD_REQUEST 400
#define STATUS_NOT_FOUND 404
#define STATUS_CONFLICT 409
#define STATUS_UNAVAILABLE 503

/*
 * Where the socket may be if nobody says, the likeliest place first: the daemon takes that one, a
 * client tries them all. None if the environment tells nothing.
 */
void control_find_sockets(struct strings *ret);

/* Where root's daemon has it, if the service manager gave it no directory. */
#define CONTROL_SYSTEM_DIRECTORY "/run/dockergcd/"

struct control;
/* A request that waits for its answer. */
struct control_call;

struct control_route {
	const char *method; /* "GET" or "POST" */
	/* "/v1/status"; with * at its end anything that is not empty, slashes included. */
	const char *path;
	/* Answers now or later, once; the call is void then. */
	void (*handle)(void *userdata, struct control_call *call);
};

/* The routes stay the caller's. */
struct control *control_create(
	struct event_base *base, const struct control_route *routes, size_t count, void *userdata);

/*
 * Listens on a Unix socket of mode 0600. A file that is left of a daemon that ended is replaced.
 * Returns 0, or -errno with *error: -EADDRINUSE if somebody answers there.
 */
int control_listen(struct control *control, const char *path, struct error *error) _warn_unused_;

/*
 * Listens on a TCP address, a text as listen_address_parse() takes it. Returns 0, or -errno with
 * *error. Nobody is asked who they are: for routes that tell what everybody may know.
 */
int control_listen_tcp(
	struct control *control, const char *text, struct error *error) _warn_unused_;

/* Drops all calls, the socket's file as well. NULL is fine. */
void control_destroy(struct control *control);

/*
 * What stands for the * in the route's path, percent-decoded: UTF-8, as all that calls tell of an
 * address. Good as long as the call.
 */
const char *control_rest(const struct control_call *call);

/* A parameter of the query, percent-decoded; NULL if it is missing. Good as long as the call. */
const char *control_parameter(const struct control_call *call, const char *name);

/* The body, NUL-terminated behind *ret_length bytes. Good as long as the call. */
const char *control_body(struct control_call *call, size_t *ret_length);

/* Answers with JSON. If the client is gone, nobody gets it. */
void control_reply(struct control_call *call, int status, const char *json);

/* Answers with { "message": … }. */
void control_fail(struct control_call *call, int status, const char *format, ...) _printf_(3, 4);

/* Answers 200 with another type of text. */
void control_reply_text(struct control_call *call, const char *content_type, const char *text);
