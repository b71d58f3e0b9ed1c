/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the suites of io/http share: a client, a server, and what came back. */

#include "io/http.h"
#include "server.h"

/* One request and what was heard of it. */
struct exchange {
	struct http_call *call;
	bool done;
	int error, status;
	char *message, *body, *api_version;
	size_t length;
	/* Of a stream. */
	unsigned headers, chunks;
	int header_status;
	ARRAY(char) data;
	/* What its callbacks do. */
	struct http_call **cancel_in_header, **cancel_in_data, **cancel_in_done;
	void (*then)(struct exchange *exchange); /* when it is done */
	void *userdata;
};
void exchange_finish(struct exchange *exchange);

/* A test's state. */
struct bench {
	char *folder;
	struct event_base *base;
	struct http *http;
	struct server *server;
	char *path; /* of the server's socket */
	char *base_url;
	struct http_server address;
};
int bench_setup(void **state);
int bench_teardown(void **state);

/* Starts the server on a Unix socket, or on 127.0.0.1. */
void bench_serve(struct bench *bench, const struct script *script);
void bench_serve_tcp(struct bench *bench, const struct script *script);

/* A request with generous limits, for changes before it is started. */
struct http_request bench_request(struct exchange *exchange);
struct http_request bench_stream(struct exchange *exchange);

/* Starts it; nothing is heard before the loop turns. */
void bench_start(
	struct bench *bench, struct exchange *exchange, const struct http_request *request);
/* And waits for its end. */
void bench_run(struct bench *bench, struct exchange *exchange, const struct http_request *request);

#define bench_test(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
