/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "exchange.h"
#include "scratch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void assert_data(const struct exchange *exchange, const char *expected)
{
	assert_int_equal(exchange->data.count, strlen(expected));
	if (*expected)
		assert_memory_equal(exchange->data.items, expected, strlen(expected));
}

/* One stream to its end. */
static void play(struct bench *bench, struct exchange *exchange, const struct script *script)
{
	struct http_request request = bench_stream(exchange);

	bench_serve(bench, script);
	bench_run(bench, exchange, &request);
}

static void test_chunks_come_as_they_are_sent(void **state)
{
	const struct script script = { .answer = CHUNKED "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
		.piece = 1 };
	_cleanup_(exchange_finish) struct exchange exchange = {};

	play(*state, &exchange, &script);
	assert_int_equal(exchange.headers, 1);
	assert_int_equal(exchange.header_status, 200);
	assert_data(&exchange, "abcdefg");
	assert_true(exchange.chunks >= 2);
	assert_int_equal(exchange.error, 0);
	assert_int_equal(exchange.status, 200);
	assert_string_equal(exchange.body, "");
}

static void test_the_header_is_told_before_anything_comes(void **state)
{
	const struct script script = { .answer = CHUNKED };
	_cleanup_(exchange_finish) struct exchange exchange = {};
	struct bench *bench = *state;
	struct http_request request = bench_stream(&exchange);

	bench_serve(bench, &script);
	bench_start(bench, &exchange, &request);
	scratch_run_for(bench->base, 100 * NSEC_PER_MSEC);
	assert_int_equal(exchange.headers, 1);
	assert_int_equal(exchange.chunks, 0);
	assert_false(exchange.done);
	http_cancel(exchange.call);
}

static void test_b13_a_silent_stream_outlives_a_requests_time(void **state)
{
	const struct script silent = { .answer = CHUNKED };
	_cleanup_(exchange_finish) struct exchange stream = {}, request = {};
	struct bench *bench = *state;
	struct http_request events = bench_stream(&stream), info = bench_request(&request);

	/* As long as a connection may take, and as the request beside it. */
	events.connect_timeout = 100 * NSEC_PER_MSEC;
	info.timeout = 100 * NSEC_PER_MSEC;
	bench_serve(bench, &silent);
	bench_start(bench, &stream, &events);
	bench_run(bench, &request, &info);
	assert_int_equal(request.error, -ETIMEDOUT);
	scratch_run_for(bench->base, 300 * NSEC_PER_MSEC);
	assert_false(stream.done);
	http_cancel(stream.call);
}

static void test_b11_an_engine_that_ends_without_the_last_chunk(void **state)
{
	/* Docker 20.10 does. */
	const struct script script = { .answer = CHUNKED "2\r\n{}\r\n", .close = true };
	_cleanup_(exchange_finish) struct exchange exchange = {};

	play(*state, &exchange, &script);
	/* What came before is told first. */
	assert_data(&exchange, "{}");
	assert_int_equal(exchange.error, -EIO);
	assert_non_null(exchange.message);
}

static void test_a_refusal_comes_with_its_body(void **state)
{
	const struct script script = { .answer =
					       "HTTP/1.1 400 Bad Request\r\nContent-Length: 17\r\n"
					       "\r\n{\"message\":\"old\"}" };
	_cleanup_(exchange_finish) struct exchange exchange = {};

	play(*state, &exchange, &script);
	assert_int_equal(exchange.headers, 1);
	assert_int_equal(exchange.header_status, 400);
	assert_int_equal(exchange.chunks, 0);
	assert_int_equal(exchange.error, 0);
	assert_int_equal(exchange.status, 400);
	assert_string_equal(exchange.body, "{\"message\":\"old\"}");
}

static void test_a_refusal_without_end_ends_at_the_cap(void **state)
{
	const struct script script = { .answer = "HTTP/1.1 502 Bad Gateway\r\n\r\n",
		.endlessly = "<html>0123456789" };
	_cleanup_(exchange_finish) struct exchange exchange = {};

	play(*state, &exchange, &script);
	assert_int_equal(exchange.error, -EFBIG);
	assert_int_equal(exchange.chunks, 0);
}

static void test_an_interim_answer_has_no_say(void **state)
{
	const struct script script = {
		.answer = "HTTP/1.1 100 Continue\r\n\r\n" CHUNKED "2\r\nok\r\n0\r\n\r\n", .piece = 2
	};
	_cleanup_(exchange_finish) struct exchange exchange = {};

	play(*state, &exchange, &script);
	assert_int_equal(exchange.headers, 1);
	assert_int_equal(exchange.header_status, 200);
	assert_data(&exchange, "ok");
}

static void test_a_stream_has_no_cap(void **state)
{
	static char answer[300000];
	const struct script script = { .answer = answer };
	_cleanup_(exchange_finish) struct exchange exchange = {};
	size_t length = 0;

	/* Of a request it would be a thousand bytes. */
	length = (size_t)snprintf(answer, sizeof(answer), CHUNKED "40000\r\n");
	memset(answer + length, 'x', 0x40000);
	strcpy(answer + length + 0x40000, "\r\n0\r\n\r\n");
	play(*state, &exchange, &script);
	assert_int_equal(exchange.error, 0);
	assert_int_equal(exchange.data.count, 0x40000);
}

static void test_a_stream_may_be_cancelled_from_its_header(void **state)
{
	const struct script script = { .answer = CHUNKED "1\r\na\r\n", .endlessly = "1\r\nb\r\n" };
	_cleanup_(exchange_finish) struct exchange exchange = {};
	struct bench *bench = *state;
	struct http_request request = bench_stream(&exchange);

	exchange.cancel_in_header = &exchange.call;
	bench_serve(bench, &script);
	bench_start(bench, &exchange, &request);
	scratch_run_for(bench->base, 100 * NSEC_PER_MSEC);
	assert_int_equal(exchange.headers, 1);
	assert_int_equal(exchange.chunks, 0);
	assert_false(exchange.done);
	assert_int_equal(bench->server->closed, 1);
}

static void test_a_stream_may_be_cancelled_from_its_data(void **state)
{
	const struct script script = { .answer = CHUNKED "1\r\na\r\n", .endlessly = "1\r\nb\r\n" };
	_cleanup_(exchange_finish) struct exchange exchange = {};
	struct bench *bench = *state;
	struct http_request request = bench_stream(&exchange);

	exchange.cancel_in_data = &exchange.call;
	bench_serve(bench, &script);
	bench_start(bench, &exchange, &request);
	scratch_run_for(bench->base, 100 * NSEC_PER_MSEC);
	assert_int_equal(exchange.chunks, 1);
	assert_false(exchange.done);
	assert_null(exchange.call);
	assert_int_equal(bench->server->closed, 1);
}

static void test_a_callback_may_cancel_another_call(void **state)
{
	const struct script script = { .answer = CHUNKED "1\r\na\r\n" };
	struct exchange exchanges[3] = {};
	struct bench *bench = *state;
	unsigned heard = 0;

	/* Whoever hears first ends the other two. */
	bench_serve(bench, &script);
	for (size_t i = 0; i < 3; i++) {
		struct http_request request = bench_stream(&exchanges[i]);

		exchanges[i].cancel_in_header = &exchanges[(i + 1) % 3].call;
		exchanges[i].cancel_in_data = &exchanges[(i + 2) % 3].call;
		bench_start(bench, &exchanges[i], &request);
	}
	scratch_run_for(bench->base, 100 * NSEC_PER_MSEC);
	for (size_t i = 0; i < 3; i++) {
		heard += exchanges[i].chunks;
		assert_false(exchanges[i].done);
		http_cancel(exchanges[i].call);
		exchange_finish(&exchanges[i]);
	}
	assert_int_equal(heard, 1);
}

static void test_a_call_may_be_cancelled_when_another_is_done(void **state)
{
	const struct script script = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
	_cleanup_(exchange_finish) struct exchange a = {}, b = {};
	struct bench *bench = *state;
	struct http_request first = bench_request(&a), second = bench_request(&b);

	a.cancel_in_done = &b.call;
	b.cancel_in_done = &a.call;
	bench_serve(bench, &script);
	bench_start(bench, &a, &first);
	bench_start(bench, &b, &second);
	scratch_run_for(bench->base, 100 * NSEC_PER_MSEC);
	assert_int_equal(a.done + b.done, 1);
	assert_null(a.call);
	assert_null(b.call);
}

static void start_again(struct exchange *exchange)
{
	struct bench *bench = exchange->userdata;
	struct exchange *next = xcalloc(1, sizeof(*next));
	struct http_request request = bench_request(next);

	exchange->userdata = next;
	bench_start(bench, next, &request);
}

static void test_a_callback_may_start_the_next_request(void **state)
{
	const struct script script = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" };
	_cleanup_(exchange_finish) struct exchange first = {};
	struct bench *bench = *state;
	struct http_request request = bench_request(&first);
	struct exchange *next;

	first.then = start_again;
	first.userdata = bench;
	bench_serve(bench, &script);
	bench_run(bench, &first, &request);
	next = first.userdata;
	scratch_run(bench->base, &next->done);
	assert_int_equal(next->error, 0);
	assert_string_equal(next->body, "x");
	assert_int_equal(bench->server->requests, 2);
	/* On the same connection. */
	assert_int_equal(bench->server->connections, 1);
	exchange_finish(next);
	free(next);
}

static void test_what_is_cancelled_at_once_is_never_heard_of(void **state)
{
	const struct script script = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
	_cleanup_(exchange_finish) struct exchange exchange = {};
	struct bench *bench = *state;
	struct http_request request = bench_request(&exchange);

	bench_serve(bench, &script);
	bench_start(bench, &exchange, &request);
	http_cancel(exchange.call);
	http_cancel(NULL);
	scratch_run_for(bench->base, 50 * NSEC_PER_MSEC);
	assert_false(exchange.done);
	assert_int_equal(bench->server->requests, 0);
}

static void test_destroying_cancels_what_is_under_way(void **state)
{
	const struct script script = { .answer = CHUNKED "1\r\na\r\n" };
	struct exchange exchanges[10] = {};
	struct bench *bench = *state;
	size_t before;

	bench_serve(bench, &script);
	before = scratch_count_descriptors();
	for (size_t i = 0; i < ARRAY_SIZE(exchanges); i++) {
		struct http_request request =
			i % 2 ? bench_stream(&exchanges[i]) : bench_request(&exchanges[i]);

		bench_start(bench, &exchanges[i], &request);
		if (i == 5)
			scratch_run_for(bench->base, 30 * NSEC_PER_MSEC);
	}
	http_destroy(TAKE_PTR(bench->http));
	scratch_run_for(bench->base, 30 * NSEC_PER_MSEC);
	/* Those of the client itself went with it. */
	assert_true(scratch_count_descriptors() < before);
	for (size_t i = 0; i < ARRAY_SIZE(exchanges); i++) {
		assert_false(exchanges[i].done);
		exchange_finish(&exchanges[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		bench_test(test_chunks_come_as_they_are_sent),
		bench_test(test_the_header_is_told_before_anything_comes),
		bench_test(test_b13_a_silent_stream_outlives_a_requests_time),
		bench_test(test_b11_an_engine_that_ends_without_the_last_chunk),
		bench_test(test_a_refusal_comes_with_its_body),
		bench_test(test_a_refusal_without_end_ends_at_the_cap),
		bench_test(test_an_interim_answer_has_no_say),
		bench_test(test_a_stream_has_no_cap),
		bench_test(test_a_stream_may_be_cancelled_from_its_header),
		bench_test(test_a_stream_may_be_cancelled_from_its_data),
		bench_test(test_a_callback_may_cancel_another_call),
		bench_test(test_a_call_may_be_cancelled_when_another_is_done),
		bench_test(test_a_callback_may_start_the_next_request),
		bench_test(test_what_is_cancelled_at_once_is_never_heard_of),
		bench_test(test_destroying_cancels_what_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
