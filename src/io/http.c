/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "io/tls.h"

struct http_call {
	struct http *http;
	struct http_server server;
	CURL *easy;
	char error_text[CURL_ERROR_SIZE];
	size_t max_body;
	http_done_fn done;
	http_header_fn header;
	http_data_fn data;
	void *userdata;

	ARRAY(char) body; /* of a stream: what was not handed on yet */
	bool header_passed;
	bool too_big;
	bool finished; /* libcurl is through with it */
	CURLcode result;
	LIST_ENTRY(http_call) link;
};

struct http {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	struct event *drain;
	LIST_HEAD(, http_call) calls;
};

/* Answers are handed on from here, in a turn of the loop of its own. */
static void schedule_drain(struct http *http)
{
	event_active(http->drain, 0, 0);
}

static void collect_finished(struct http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		CURL *easy = message->easy_handle;
		CURLcode result = message->data.result; /* gone with the handle's removal */
		struct http_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
		curl_multi_remove_handle(http->multi, easy);
		call->finished = true;
		call->result = result;
		schedule_drain(http);
	}
}

static void on_socket_event(evutil_socket_t fd, short what, void *userdata)
{
	struct http *http = userdata;
	int mask = ((what & EV_READ) ? CURL_CSELECT_IN : 0) |
		((what & EV_WRITE) ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(http->multi, fd, mask, &running);
	collect_finished(http);
}

static void on_timer(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct http *http = userdata;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_finished(http);
}

/* libcurl must not be called from here, so that even 0 ms go by the loop. */
static int on_set_timer(CURLM *multi _unused_, long milliseconds, void *userdata)
{
	struct http *http = userdata;
	struct timeval tv = { milliseconds / 1000, milliseconds % 1000 * 1000 };

	if (milliseconds < 0)
		evtimer_del(http->timer);
	else
		evtimer_add(http->timer, &tv);
	return 0;
}

static int on_set_socket(
	CURL *easy _unused_, curl_socket_t fd, int what, void *userdata, void *socket_data)
{
	struct http *http = userdata;
	struct event *watch = socket_data;
	short kind = EV_PERSIST;

	if (watch)
		event_free(watch);
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(http->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		kind |= EV_READ;
	if (what & CURL_POLL_OUT)
		kind |= EV_WRITE;
	watch = event_new(http->base, fd, kind, on_socket_event, http);
	if (!watch || event_add(watch, NULL) < 0)
		abort();
	curl_multi_assign(http->multi, fd, watch);
	return 0;
}

static bool is_good_stream(const struct http_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	return call->data && status >= 200 && status < 300;
}

static size_t on_body(char *data, size_t size, size_t count, void *userdata)
{
	struct http_call *call = userdata;

	size *= count;
	if (!is_good_stream(call) && call->body.count + size > call->max_body) {
		call->too_big = true;
		return 0;
	}
	if (call->body.count + size + 1 > call->body.allocated) {
		call->body.allocated = MAX(call->body.count + size + 1, call->body.allocated * 2);
		call->body.items = xreallocarray(call->body.items, call->body.allocated, 1);
	}
	memcpy(call->body.items + call->body.count, data, size);
	call->body.count += size;
	if (call->data)
		schedule_drain(call->http);
	return size;
}

/* The empty line ends the header; one of an interim answer (100) has no say. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static size_t on_header(char *line, size_t size, size_t count, void *userdata)
{
	struct http_call *call = userdata;

	size *= count;
	if (call->header && size <= 2 && (*line == '\r' || *line == '\n'))
		schedule_drain(call->http);
	return size;
}

static void call_free(struct http_call *call)
{
	LIST_REMOVE(call, link);
	if (call->easy) {
		/* Or the removal waits for a name look-up that is under way. */
		curl_easy_setopt(call->easy, CURLOPT_QUICK_EXIT, 1L);
		if (!call->finished)
			curl_multi_remove_handle(call->http->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	free(call->body.items);
	free(call);
}

void http_cancel(struct http_call *call)
{
	if (call)
		call_free(call);
}

static int error_of(const struct http_call *call)
{
	long os_error = 0;

	if (call->too_big || call->result == CURLE_FILESIZE_EXCEEDED)
		return -EFBIG;
	switch ((int)call->result) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_error);
		return os_error > 0 ? -(int)os_error : -ECONNREFUSED;
	default:
		return -EIO;
	}
}

static char *message_of(const struct http_call *call, int error, int status)
{
	const char *text = *call->error_text ? call->error_text : curl_easy_strerror(call->result);
	char *explained = NULL;
	long connects = 0;

	if (error == -EFBIG)
		return xstrdup("the answer is too large");
	if (call->result == CURLE_COULDNT_CONNECT && error != -ECONNREFUSED)
		return xstrdup(strerror(-error));
	curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (tls_is_used(&call->server))
		explained =
			tls_explain(&call->server, call->result, text, connects > 0 && status == 0);
	return explained ? explained : xstrdup(text);
}

static void finish(struct http_call *call)
{
	struct http_answer answer = { .error = error_of(call), .body = "" };
	struct curl_header *header;
	http_done_fn done = call->done;
	void *userdata = call->userdata;
	_cleanup_free_ char *message = NULL;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	answer.status = (int)status;
	if (answer.error < 0)
		message = message_of(call, answer.error, answer.status);
	answer.message = message;
	if (call->body.count > 0) {
		call->body.items[call->body.count] = '\0';
		answer.body = call->body.items;
		answer.length = call->body.count;
	}
	if (curl_easy_header(call->easy, "Api-Version", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		answer.api_version = header->value;
	/* A callback may end everything, this call included: it is out of reach by then. */
	LIST_REMOVE(call, link);
	done(userdata, &answer);
	curl_easy_cleanup(call->easy);
	free(call->body.items);
	free(call);
}

/* Hands on what one call has for its owner; false if it has nothing. */
static bool deliver(struct http_call *call)
{
	long status = 0;

	if (call->header && !call->header_passed) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
		if (status >= 200) {
			call->header_passed = true;
			call->header(call->userdata, (int)status);
			return true;
		}
	}
	if (call->body.count > 0 && is_good_stream(call)) {
		_cleanup_free_ char *data = TAKE_PTR(call->body.items);
		size_t size = call->body.count;

		call->body.count = call->body.allocated = 0;
		call->data(call->userdata, data, size);
		return true;
	}
	if (call->finished) {
		finish(call);
		return true;
	}
	return false;
}

static void on_drain(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct http *http = userdata;
	struct http_call *call;

	/* Each delivery may change the list: start again after it. */
	do {
		LIST_FOREACH(call, &http->calls, link)
		if (deliver(call))
			break;
	} while (call);
}

struct http *http_create(struct event_base *base)
{
	struct http *http = xcalloc(1, sizeof(*http));

	LIST_INIT(&http->calls);
	http->base = base;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		http->multi = curl_multi_init();
	http->timer = evtimer_new(base, on_timer, http);
	http->drain = event_new(base, -1, 0, on_drain, http);
	if (!http->multi || !http->timer || !http->drain)
		abort();
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_set_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	return http;
}

void http_destroy(struct http *http)
{
	struct http_call *call;

	if (!http)
		return;
	while ((call = LIST_FIRST(&http->calls)))
		call_free(call);
	curl_multi_cleanup(http->multi);
	event_free(http->timer);
	event_free(http->drain);
	free(http);
	curl_global_cleanup();
}

static long milliseconds(nsec_t duration)
{
	/* Rounded up: 0 would mean none at all. */
	return (long)((duration + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static void set_server(CURL *easy, const struct http_server *server)
{
	if (server->unix_socket)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, server->unix_socket);
	else
		curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	if (tls_is_used(server))
		tls_set_up(easy, server);
}

struct http_call *http_start(
	struct http *http, const struct http_server *server, const struct http_request *request)
{
	struct http_call *call = xcalloc(1, sizeof(*call));
	_cleanup_free_ char *url = xasprintf("%s%s", server->base_url, request->path);
	CURL *easy = curl_easy_init();

	if (!easy)
		abort();
	call->http = http;
	call->server = *server;
	call->easy = easy;
	call->max_body = request->max_body;
	call->done = request->done;
	call->header = request->header;
	call->data = request->data;
	call->userdata = request->userdata;
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(
		easy, CURLOPT_PROXY, ""); /* the engine is none of a web proxy's business */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "dockergcd");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request->connect_timeout));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(request->timeout));
	if (!request->data)
		curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->max_body);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error_text);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	set_server(easy, server);
	LIST_INSERT_HEAD(&http->calls, call, link);
	if (curl_multi_add_handle(http->multi, easy) != CURLM_OK)
		abort();
	return call;
}

char *http_escape(const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789-._~/:@";
	char *escaped = xcalloc(strlen(text) * 3 + 1, 1), *end = escaped;

	for (; *text; text++) {
		if (strchr(kept, *text)) {
			*end++ = *text;
		} else {
			*end++ = '%';
			*end++ = hex[(unsigned char)*text >> 4];
			*end++ = hex[*text & 15];
		}
	}
	return escaped;
}
