/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "exchange.h"
#include "scratch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OK(length) "HTTP/1.1 200 OK\r\nContent-Length: " #length "\r\n\r\n"

/* One request to a server on a Unix socket that follows the script. */
static void ask(struct bench *bench, struct exchange *exchange, const struct script *script)
{
	struct http_request request = bench_request(exchange);

	bench_serve(bench, script);
	bench_run(bench, exchange, &request);
}

static void test_an_answer_over_a_unix_socket(void **state)
{
	const struct script script = { .answer = "HTTP/1.1 200 OK\r\nApi-Version: 1.55\r\n"
						 "Content-Length: 2\r\n\r\n{}" };
	_cleanup_(exchange_finish) struct exchange exchange = {};
	struct bench *bench = *state;

	ask(bench, &exchange, &script);
	assert_int_equal(exchange.error, 0);
	assert_null(exchange.message);
	assert_int_equal(exchange.status, 200);
	assert_string_equal(exchange.body, "{}");
	assert_int_equal(exchange.length, 2);
	assert_string_equal(exchange.api_version, "1.55");
	assert_memory_equal(bench->server->request, "GET /v1.41/info HTTP/1.1\r\n", 26);
	assert_non_null(strstr(bench->server->request, "\r\nHost: localhost\r\n"));
	assert_non_null(strstr(bench->server->request, "\r\nUser-Agent: dockergcd"));
}

static void test_an_answer_over_tcp(void **state)
{
	const struct script script = { .answer = OK(3) "abc" };
	_cleanup_(exchange_finish) struct exchange exchange = {};
	struct bench *bench = *state;
	struct http_request request = bench_request(&exchange);

	request.method = "DELETE";
	request.path = "/images/x?noprune=1";
	/* The engine is none of a web proxy's business. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	bench_serve_tcp(bench, &script);
	bench_run(bench, &exchange, &request);
	assert_int_equal(exchange.error, 0);
	assert_string_equal(exchange.body, "abc");
	assert_null(exchange.api_version);
	assert_memory_equal(bench->server->request, "DELETE /images/x?noprune=1 HTTP/1.1\r\n", 37);
}

static void test_a_status_is_no_failure(void **state)
{
	const struct script script = { .answer =
					       "HTTP/1.1 409 Conflict\r\nContent-Length: 17\r\n\r\n"
					       "{\"message\":\"use\"}" };
	_cleanup_(exchange_finish) struct exchange exchange = {};

	ask(*state, &exchange, &script);
	assert_int_equal(exchange.error, 0);
	assert_int_equal(exchange.status, 409);
	assert_string_equal(exchange.body, "{\"message\":\"use\"}");
}

static void test_a_redirect_is_not_followed(void **state)
{
	const struct script script = { .answer = "HTTP/1.1 301 Moved\r\nLocation: /other\r\n"
						 "Content-Length: 0\r\n\r\n" };
	_cleanup_(exchange_finish) struct exchange exchange = {};
	struct bench *bench = *state;

	ask(bench, &exchange, &script);
	assert_int_equal(exchange.status, 301);
	assert_string_equal(exchange.body, "");
	assert_int_equal(bench->server->requests, 1);
}

static void test_a_nul_in_the_body(void **state)
{
	static const char answer[] = OK(3) "a\0b";
	const struct script script = { .answer = answer, .length = sizeof(answer) - 1 };
	_cleanup_(exchange_finish) struct exchange exchange = {};

	ask(*state, &exchange, &script);
	assert_int_equal(exchange.length, 3);
	assert_memory_equal(exchange.body, "a\0b", 4);
}

static void test_an_answer_in_pieces(void **state)
{
	const struct script script = { .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
						 "\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
		.piece = 3 };
	_cleanup_(exchange_finish) struct exchange exchange = {};

	ask(*state, &exchange, &script);
	assert_int_equal(exchange.error, 0);
	assert_string_equal(exchange.body, "abcde");
}

/* Asks with a cap of 10 bytes. */
static void ask_capped(struct bench *bench, struct exchange *exchange, const char *answer)
{
	const struct script script = { .answer = answer };
	struct http_request request = bench_request(exchange);

	request.max_body = 10;
	bench_serve(bench, &script);
	bench_run(bench, exchange, &request);
}

static void test_an_answer_as_large_as_the_cap(void **state)
{
	_cleanup_(exchange_finish) struct exchange exchange = {};

	ask_capped(*state, &exchange, OK(10) "0123456789");
	assert_int_equal(exchange.error, 0);
	assert_string_equal(exchange.body, "0123456789");
}

static void test_an_answer_that_announces_more_than_the_cap(void **state)
{
	_cleanup_(exchange_finish) struct exchange exchange = {};

	ask_capped(*state, &exchange, OK(11) "0123456789a");
	assert_int_equal(exchange.error, -EFBIG);
	assert_string_equal(exchange.message, "the answer is too large");
	assert_string_equal(exchange.body, "");
}

static void test_an_answer_that_turns_out_larger_than_the_cap(void **state)
{
	_cleanup_(exchange_finish) struct exchange exchange = {};

	ask_capped(*state, &exchange,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n");
	assert_int_equal(exchange.error, -EFBIG);
	assert_string_equal(exchange.message, "the answer is too large");
}

static void test_an_answer_without_end_ends_at_the_cap(void **state)
{
	const struct script script = { .answer = "HTTP/1.1 200 OK\r\n\r\n",
		.endlessly = "0123456789" };
	_cleanup_(exchange_finish) struct exchange exchange = {};

	ask(*state, &exchange, &script);
	assert_int_equal(exchange.error, -EFBIG);
	assert_true(exchange.length <= 1000);
}

static void assert_no_answer(void **state, const struct script *script)
{
	_cleanup_(exchange_finish) struct exchange exchange = {};

	ask(*state, &exchange, script);
	assert_int_equal(exchange.error, -EIO);
	assert_true(strlen(exchange.message) > 5);
}

static void test_b32_a_body_cut_short(void **state)
{
	assert_no_answer(state, &(struct script){ .answer = OK(100) "[{\"Id\":", .close = true });
}

static void test_b32_chunks_cut_short(void **state)
{
	assert_no_answer(state,
		&(struct script){ .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
					    "2\r\n[]\r\n",
			.close = true });
}

static void test_a_header_cut_short(void **state)
{
	assert_no_answer(state, &(struct script){ .answer = "HTTP/1.1 200 O", .close = true });
}

static void test_what_is_no_http(void **state)
{
	assert_no_answer(
		state, &(struct script){ .answer = "SSH-2.0-OpenSSH_9.2\r\n", .close = true });
}

static void assert_no_connection(struct bench *bench, int error, const char *message)
{
	_cleanup_(exchange_finish) struct exchange exchange = {};
	struct http_request request = bench_request(&exchange);

	bench_run(bench, &exchange, &request);
	assert_int_equal(exchange.error, error);
	assert_non_null(strstr(exchange.message, message));
	assert_int_equal(exchange.status, 0);
	assert_string_equal(exchange.body, "");
}

static void test_b19_no_such_socket(void **state)
{
	struct bench *bench = *state;

	bench->address =
		(struct http_server){ .base_url = "http://localhost", .unix_socket = bench->path };
	assert_no_connection(bench, -ENOENT, "No such file or directory");
}

static void test_b19_a_socket_that_nobody_listens_on(void **state)
{
	struct bench *bench = *state;

	bench_serve(bench, &(struct script){});
	server_destroy(TAKE_PTR(bench->server));
	assert_no_connection(bench, -ECONNREFUSED, "onnect");
}

static void test_b19_a_port_that_nobody_listens_on(void **state)
{
	struct bench *bench = *state;

	bench_serve_tcp(bench, &(struct script){});
	server_destroy(TAKE_PTR(bench->server));
	assert_no_connection(bench, -ECONNREFUSED, "onnect");
}

static nsec_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* A request that may take 200 ms takes them, and not much more. */
static void assert_times_out(struct bench *bench, const struct script *script)
{
	_cleanup_(exchange_finish) struct exchange exchange = {};
	struct http_request request = bench_request(&exchange);
	nsec_t start = monotonic();

	request.timeout = 200 * NSEC_PER_MSEC;
	bench_serve(bench, script);
	bench_run(bench, &exchange, &request);
	assert_int_equal(exchange.error, -ETIMEDOUT);
	assert_true(monotonic() - start >= 195 * NSEC_PER_MSEC);
	assert_true(monotonic() - start < 5 * NSEC_PER_SEC);
}

static void test_silence(void **state)
{
	assert_times_out(*state, &(struct script){});
}

static void test_silence_within_a_body(void **state)
{
	assert_times_out(*state, &(struct script){ .answer = OK(100) "[" });
}

static void test_a_header_without_end(void **state)
{
	assert_times_out(*state,
		&(struct script){ .answer = "HTTP/1.1 200 OK\r\n", .endlessly = "X: y\r\n" });
}

static void test_a_thousandth_of_a_second_is_not_endless(void **state)
{
	_cleanup_(exchange_finish) struct exchange exchange = {};
	struct bench *bench = *state;
	struct http_request request = bench_request(&exchange);

	/* Rounded down it would be 0, which is for ever. */
	request.timeout = 1;
	bench_serve(bench, &(struct script){});
	bench_run(bench, &exchange, &request);
	assert_int_equal(exchange.error, -ETIMEDOUT);
}

static void test_many_at_once(void **state)
{
	const struct script script = { .answer = OK(2) "{}", .piece = 5 };
	struct exchange exchanges[20] = {};
	struct bench *bench = *state;

	bench_serve(bench, &script);
	for (size_t i = 0; i < ARRAY_SIZE(exchanges); i++) {
		struct http_request request = bench_request(&exchanges[i]);

		bench_start(bench, &exchanges[i], &request);
	}
	for (size_t i = 0; i < ARRAY_SIZE(exchanges); i++) {
		scratch_run(bench->base, &exchanges[i].done);
		assert_int_equal(exchanges[i].error, 0);
		assert_string_equal(exchanges[i].body, "{}");
		exchange_finish(&exchanges[i]);
	}
}

static void test_a_thousand_requests_leave_no_descriptor(void **state)
{
	const struct script script = { .answer = OK(2) "{}" };
	struct bench *bench = *state;
	size_t before, after;

	bench_serve(bench, &script);
	before = scratch_count_descriptors();
	for (int i = 0; i < 1000; i++) {
		_cleanup_(exchange_finish) struct exchange exchange = {};
		struct http_request request = bench_request(&exchange);

		bench_run(bench, &exchange, &request);
		assert_int_equal(exchange.error, 0);
	}
	after = scratch_count_descriptors();
	/* At most a few connections are kept for the next one. */
	assert_true(after <= before + 10);
	assert_int_equal(bench->server->requests, 1000);
	http_destroy(TAKE_PTR(bench->http));
	scratch_run_for(bench->base, 20 * NSEC_PER_MSEC);
	/* Those of the client itself went with it. */
	assert_true(scratch_count_descriptors() < before);
}

static void test_failures_leave_no_descriptor(void **state)
{
	struct bench *bench = *state;
	size_t before = scratch_count_descriptors();

	bench->address =
		(struct http_server){ .base_url = "http://localhost", .unix_socket = bench->path };
	for (int i = 0; i < 100; i++)
		assert_no_connection(bench, -ENOENT, "No such file");
	assert_true(scratch_count_descriptors() <= before + 2);
}

static void assert_escaped(const char *text, const char *expected)
{
	_cleanup_free_ char *escaped = http_escape(text);

	assert_string_equal(escaped, expected);
}

static void test_escaping(void **state)
{
	assert_escaped("", "");
	assert_escaped("host:5000/a/b_c-d.e:tag", "host:5000/a/b_c-d.e:tag");
	assert_escaped("x@sha256:0af", "x@sha256:0af");
	assert_escaped("a b?c#d%e&f+g", "a%20b%3Fc%23d%25e%26f%2Bg");
	assert_escaped("{\"a\":[1]}", "%7B%22a%22:%5B1%5D%7D");
	assert_escaped("\xc3\xbc\n\177", "%C3%BC%0A%7F");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		bench_test(test_an_answer_over_a_unix_socket),
		bench_test(test_an_answer_over_tcp),
		bench_test(test_a_status_is_no_failure),
		bench_test(test_a_redirect_is_not_followed),
		bench_test(test_a_nul_in_the_body),
		bench_test(test_an_answer_in_pieces),
		bench_test(test_an_answer_as_large_as_the_cap),
		bench_test(test_an_answer_that_announces_more_than_the_cap),
		bench_test(test_an_answer_that_turns_out_larger_than_the_cap),
		bench_test(test_an_answer_without_end_ends_at_the_cap),
		bench_test(test_b32_a_body_cut_short),
		bench_test(test_b32_chunks_cut_short),
		bench_test(test_a_header_cut_short),
		bench_test(test_what_is_no_http),
		bench_test(test_b19_no_such_socket),
		bench_test(test_b19_a_socket_that_nobody_listens_on),
		bench_test(test_b19_a_port_that_nobody_listens_on),
		bench_test(test_silence),
		bench_test(test_silence_within_a_body),
		bench_test(test_a_header_without_end),
		bench_test(test_a_thousandth_of_a_second_is_not_endless),
		bench_test(test_many_at_once),
		bench_test(test_a_thousand_requests_leave_no_descriptor),
		bench_test(test_failures_leave_no_descriptor),
		cmocka_unit_test(test_escaping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
