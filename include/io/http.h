/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTP requests by libcurl's multi interface on libevent's loop: over a Unix socket, TCP or TLS,
 * whole answers and endless streams. Knows no Docker. Callbacks come from the loop, never from
 * within a call of this module or of libcurl, and may start and cancel requests at will.
 */

#include <event2/event.h>

#include "core/base.h"

struct http;
struct http_call;

/* Where requests go. The strings stay the caller's and outlive the calls. */
struct http_server {
	const char *base_url; /* "http://localhost", without a slash at the end */
	const char *unix_socket; /* path, or NULL */
	const char *tls_ca, *tls_cert, *tls_key;
	bool tls_verify;
};

struct http_answer {
	/* 0, or -errno if there is no whole answer: -ETIMEDOUT, -EFBIG, -ECONNREFUSED, -EIO … */
	int error;
	const char *message; /* for people, if error */
	int status; /* 200; 0 if none came */
	const char *body; /* NUL-terminated behind length bytes; "" for streams */
	size_t length;
	const char *api_version; /* header Api-Version, or NULL */
};

/* The call is over and released when this returns; what answer points to goes with it. */
typedef void (*http_done_fn)(void *userdata, const struct http_answer *answer);
/* Called once with the status when the header of a stream is complete. */
typedef void (*http_header_fn)(void *userdata, int status);
/* A chunk of a stream whose status was 2xx; others' bodies come with the answer. */
typedef void (*http_data_fn)(void *userdata, const char *data, size_t size);

struct http_request {
	const char *method; /* "GET" */
	const char *path; /* "/v1.41/info", with query, already escaped */
	size_t max_body; /* more bytes than this fail with -EFBIG; for streams: of an error */
	nsec_t connect_timeout;
	nsec_t timeout; /* of the whole answer; 0: none */
	http_done_fn done;
	/* Both or none: a stream. */
	http_header_fn header;
	http_data_fn data;
	void *userdata;
};

struct http *http_create(struct event_base *base);
/* Cancels what is under way. Not from a callback. */
void http_destroy(struct http *http);

/* Starts a request; `done` tells of every failure. Copies what it needs of *request. */
struct http_call *http_start(
	struct http *http, const struct http_server *server, const struct http_request *request);

/* Ends a call without its callbacks. NULL is fine; a call that is done is no more. */
void http_cancel(struct http_call *call);

/* Percent-encodes all but the characters that image names have and paths may keep. Caller frees. */
char *http_escape(const char *text) _warn_unused_;
