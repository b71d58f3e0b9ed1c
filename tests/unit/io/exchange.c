/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "exchange.h"
#include "scratch.h"

#include <string.h>

void exchange_finish(struct exchange *exchange)
{
	free(exchange->message);
	free(exchange->body);
	free(exchange->api_version);
	free(exchange->data.items);
	*exchange = (struct exchange){};
}

static void cancel(struct http_call **call)
{
	if (call)
		http_cancel(TAKE_PTR(*call));
}

static void on_done(void *userdata, const struct http_answer *answer)
{
	struct exchange *exchange = userdata;

	assert_false(exchange->done);
	assert_int_equal(answer->body[answer->length], '\0');
	exchange->call = NULL;
	exchange->error = answer->error;
	exchange->status = answer->status;
	exchange->message = answer->message ? xstrdup(answer->message) : NULL;
	exchange->body = xcalloc(answer->length + 1, 1);
	memcpy(exchange->body, answer->body, answer->length);
	exchange->length = answer->length;
	exchange->api_version = answer->api_version ? xstrdup(answer->api_version) : NULL;
	exchange->done = true;
	cancel(exchange->cancel_in_done);
	if (exchange->then)
		exchange->then(exchange);
}

static void on_header(void *userdata, int status)
{
	struct exchange *exchange = userdata;

	exchange->headers++;
	exchange->header_status = status;
	cancel(exchange->cancel_in_header);
}

static void on_data(void *userdata, const char *data, size_t size)
{
	struct exchange *exchange = userdata;

	/* The header comes first, the end last. */
	assert_int_equal(exchange->headers, 1);
	assert_false(exchange->done);
	exchange->chunks++;
	for (size_t i = 0; i < size; i++)
		*array_push(&exchange->data) = data[i];
	cancel(exchange->cancel_in_data);
}

int bench_setup(void **state)
{
	struct bench *bench = xcalloc(1, sizeof(*bench));
	void *folder;

	if (scratch_setup(&folder) < 0)
		return -1;
	bench->folder = folder;
	bench->base = event_base_new();
	bench->path = scratch_path(bench->folder, "server.sock");
	*state = bench;
	bench->http = http_create(bench->base);
	return 0;
}

int bench_teardown(void **state)
{
	struct bench *bench = *state;
	void *folder = bench->folder;

	http_destroy(bench->http);
	server_destroy(bench->server);
	event_base_free(bench->base);
	free(bench->path);
	free(bench->base_url);
	free(bench);
	return scratch_teardown(&folder);
}

void bench_serve(struct bench *bench, const struct script *script)
{
	bench->server = server_create(bench->base, bench->path, script);
	bench->address =
		(struct http_server){ .base_url = "http://localhost", .unix_socket = bench->path };
}

void bench_serve_tcp(struct bench *bench, const struct script *script)
{
	bench->server = server_create(bench->base, NULL, script);
	bench->base_url = xasprintf("http://127.0.0.1:%u", bench->server->port);
	bench->address = (struct http_server){ .base_url = bench->base_url };
}

struct http_request bench_request(struct exchange *exchange)
{
	return (struct http_request){ .method = "GET",
		.path = "/v1.41/info",
		.max_body = 1000,
		.connect_timeout = 5 * NSEC_PER_SEC,
		.timeout = 5 * NSEC_PER_SEC,
		.done = on_done,
		.userdata = exchange };
}

struct http_request bench_stream(struct exchange *exchange)
{
	struct http_request request = bench_request(exchange);

	request.path = "/v1.41/events";
	request.timeout = 0;
	request.header = on_header;
	request.data = on_data;
	return request;
}

void bench_start(struct bench *bench, struct exchange *exchange, const struct http_request *request)
{
	exchange->call = http_start(bench->http, &bench->address, request);
	assert_non_null(exchange->call);
	assert_false(exchange->done);
}

void bench_run(struct bench *bench, struct exchange *exchange, const struct http_request *request)
{
	bench_start(bench, exchange, request);
	scratch_run(bench->base, &exchange->done);
}
