/* SPDX-License-Identifier: Apache-2.0 */
#include "io/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#define HEADERS_MAX ((size_t)1 << 18)

struct transfer {
	const struct client_request *request;
	CURL *easy;
	char error_text[CURL_ERROR_SIZE];
	ARRAY(char) body;
	size_t header_bytes;
	bool too_big;
};

void client_answer_finish(struct client_answer *answer)
{
	free(answer->body);
	*answer = (struct client_answer){};
}

static size_t on_body(char *data, size_t size, size_t count, void *userdata)
{
	struct transfer *transfer = userdata;

	count *= size;
	if (count > transfer->request->max_body - transfer->body.count) {
		transfer->too_big = true;
		return CURL_WRITEFUNC_ERROR;
	}
	/* One more for the NUL. */
	transfer->body.items = array_grow(transfer->body.items, &transfer->body.allocated,
		transfer->body.count + count + 1, 1);
	memcpy(transfer->body.items + transfer->body.count, data, count);
	transfer->body.count += count;
	return count;
}

/* libcurl keeps headers, as many as come. */
static size_t on_header(char *data _unused_, size_t size, size_t count, void *userdata)
{
	struct transfer *transfer = userdata;

	transfer->header_bytes += size * count;
	return transfer->header_bytes <= HEADERS_MAX ? size * count : CURL_WRITEFUNC_ERROR;
}

static long milliseconds(nsec_t duration)
{
	return (long)((duration + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static void set_options(struct transfer *transfer, const char *url, struct curl_slist *headers)
{
	const struct client_request *request = transfer->request;
	CURL *easy = transfer->easy;

	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->socket);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* $http_proxy has no say here */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "dockergcctl");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request->connect_timeout));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(request->timeout));
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	if (!streq(request->method, "GET")) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	}
}

/* As curl_easy_perform(), with a call of tick() whenever an interval has passed. */
static CURLcode perform_with_ticks(struct transfer *transfer)
{
	CURLM *multi = curl_multi_init();
	CURLcode result;
	CURLMsg *message;
	int running = 1, ready, left;

	if (!multi || curl_multi_add_handle(multi, transfer->easy) != CURLM_OK)
		abort();
	while (running > 0 && curl_multi_perform(multi, &running) == CURLM_OK && running > 0) {
		if (curl_multi_poll(multi, NULL, 0,
			    (int)milliseconds(transfer->request->tick_interval),
			    &ready) != CURLM_OK)
			break;
		if (ready == 0)
			transfer->request->tick(transfer->request->userdata);
	}
	message = curl_multi_info_read(multi, &left);
	result = message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_RECV_ERROR;
	curl_multi_remove_handle(multi, transfer->easy);
	curl_multi_cleanup(multi);
	return result;
}

static int judge(struct transfer *transfer, CURLcode result, struct error *error)
{
	const struct client_request *request = transfer->request;
	long number = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
	if (result == CURLE_OK)
		return 0;
	if (transfer->too_big) {
		error_set(error, "%s: the answer has more than %zu bytes", request->socket,
			request->max_body);
		return -EFBIG;
	}
	if (result == CURLE_OPERATION_TIMEDOUT) {
		error_set(error, "%s: no answer in time", request->socket);
		return -ETIMEDOUT;
	}
	if (result == CURLE_COULDNT_CONNECT &&
		(number == ENOENT || number == ENOTDIR || number == ECONNREFUSED))
		return CLIENT_ABSENT;
	if (result == CURLE_COULDNT_CONNECT) {
		/* No number is told for a queue of connections that is full. */
		error_set(error, "%s: cannot connect: %s", request->socket,
			number != 0 ? strerror((int)number) : "too many others wait");
		return number == EACCES || number == EPERM ? -EACCES : -EIO;
	}
	error_set(error, "%s: %s", request->socket,
		*transfer->error_text ? transfer->error_text : curl_easy_strerror(result));
	return -EIO;
}

static int perform(struct transfer *transfer, struct client_answer *ret, struct error *error)
{
	const struct client_request *request = transfer->request;
	CURLcode result =
		request->tick ? perform_with_ticks(transfer) : curl_easy_perform(transfer->easy);
	int r = judge(transfer, result, error);
	long status = 0;

	if (r != 0)
		return r;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	ret->status = (unsigned)status;
	ret->length = transfer->body.count;
	ret->body = transfer->body.items ? TAKE_PTR(transfer->body.items) : xstrdup("");
	ret->body[ret->length] = '\0';
	return 0;
}

int client_request(
	const struct client_request *request, struct client_answer *ret, struct error *error)
{
	_cleanup_free_ char *url = xasprintf("http://localhost%s", request->target);
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	struct transfer transfer = { .request = request, .easy = curl_easy_init() };
	struct client_answer answer = {};
	int r;

	if (!transfer.easy || !headers)
		abort();
	if (strlen(request->socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		error_set(error, "%s: too long for the path of a socket", request->socket);
		r = -EIO;
	} else {
		set_options(&transfer, url, headers);
		r = perform(&transfer, &answer, error);
	}
	curl_easy_cleanup(transfer.easy);
	curl_slist_free_all(headers);
	free(transfer.body.items);
	if (r == 0)
		*ret = answer;
	return r;
}

char *client_encode(const char *text)
{
	char *encoded = curl_easy_escape(NULL, text, 0), *copy;

	if (!encoded)
		abort();
	copy = xstrdup(encoded);
	curl_free(encoded);
	return copy;
}
