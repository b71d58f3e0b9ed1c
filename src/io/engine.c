/* SPDX-License-Identifier: Apache-2.0 */
#include "io/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "codec/event_json.h"
#include "io/api_version.h"
#include "io/clock.h"
#include "io/files.h"

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
	struct engine *engine;
	struct http_call *http_call;
	enum engine_request request;
	char *path;
	nsec_t timeout;
	nsec_t sent;
	/* Makes a value of a good answer's body. */
	engine_decode_fn *decode;
	/* Set for the steps of engine_connect(), which go on instead of answering. */
	void (*step)(struct engine_call *call, const struct http_answer *answer);
	engine_fn fn;
	void *userdata;
	struct event *retry;
	nsec_t retries_left;
	LIST_ENTRY(engine_call) link;
};

struct engine {
	struct event_base *base;
	struct http *http;
	struct endpoint endpoint;
	struct http_server server;
	struct engine_timeouts timeouts;
	struct engine_version version;
	struct engine_info info;
	struct api_version api;
	char *api_text; /* "1.41", or as pinned */
	struct request_stats stats;
	LIST_HEAD(, engine_call) calls;
};

struct engine *engine_create(struct event_base *base)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));

	engine->base = base;
	LIST_INIT(&engine->calls);
	engine->http = http_create(base);
	return engine;
}

static void call_free(struct engine_call *call)
{
	LIST_REMOVE(call, link);
	http_cancel(call->http_call);
	if (call->retry)
		event_free(call->retry);
	free(call->path);
	free(call);
}

void engine_cancel(struct engine_call *call)
{
	if (call)
		call_free(call);
}

static void forget_engine(struct engine *engine)
{
	struct engine_call *call;

	while ((call = LIST_FIRST(&engine->calls)))
		call_free(call);
	engine_version_finish(&engine->version);
	engine_info_finish(&engine->info);
	freep(&engine->api_text);
	engine->api_text = NULL;
}

void engine_destroy(struct engine *engine)
{
	if (!engine)
		return;
	forget_engine(engine);
	http_destroy(engine->http);
	endpoint_finish(&engine->endpoint);
	request_stats_finish(&engine->stats);
	free(engine);
}

void engine_set_endpoint(
	struct engine *engine, struct endpoint *endpoint, const struct engine_timeouts *timeouts)
{
	forget_engine(engine);
	endpoint_finish(&engine->endpoint);
	engine->endpoint = *endpoint;
	*endpoint = (struct endpoint){};
	engine->timeouts = *timeouts;
	engine->server = (struct http_server){
		.base_url = engine->endpoint.base_url,
		.unix_socket = engine->endpoint.unix_socket,
		.tls_verify = engine->endpoint.tls_verify,
		.tls_ca = engine->endpoint.tls_ca,
		.tls_cert = engine->endpoint.tls_cert,
		.tls_key = engine->endpoint.tls_key,
	};
}

const struct endpoint *engine_endpoint(const struct engine *engine)
{
	return &engine->endpoint;
}

nsec_t engine_connect_timeout(const struct engine *engine)
{
	return engine->timeouts.connect;
}

const struct engine_version *engine_version(const struct engine *engine)
{
	return &engine->version;
}

const struct engine_info *engine_info(const struct engine *engine)
{
	return &engine->info;
}

const struct request_stats *engine_request_stats(const struct engine *engine)
{
	return &engine->stats;
}

const char *engine_api_version(const struct engine *engine)
{
	return engine->api_text ? engine->api_text : "";
}

char *engine_identity(const struct engine *engine)
{
	/* podman makes a new ID for each answer. */
	if (engine->version.is_podman)
		return xasprintf("podman %s %s", engine->endpoint.url, engine->info.root_directory);
	return xasprintf(
		"%s %s %s", engine->info.id, engine->info.root_directory, engine->info.driver);
}

bool engine_has_graph_driver(const struct engine *engine)
{
	return !engine->info.is_containerd && !engine->version.is_podman;
}

bool engine_tells_pulls_of_runs(const struct engine *engine)
{
	return engine->version.is_podman;
}

bool engine_tells_beginnings(const struct engine *engine)
{
	return engine->version.is_podman && strtoul(engine->version.version, NULL, 10) < 5;
}

int engine_space(const struct engine *engine, struct space *ret, struct error *error)
{
	const char *path = engine->info.root_directory;
	int r;

	if (!engine->endpoint.unix_socket || engine->info.is_in_vm) {
		error_set(error, "%s is not on this machine", engine->endpoint.url);
		return -EREMOTE;
	}
	r = path && *path ? file_system_space(path, ret) : -ENOENT;
	if (r < 0)
		error_set(error, "root directory of %s: %s: %s", engine->endpoint.url,
			path ? path : "", strerror(-r));
	return r;
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

static void fail_call(struct engine_call *call, int result, const char *why)
{
	_cleanup_free_ char *message =
		xasprintf("%s %s: %s", requests[call->request].method, call->path, why);
	struct engine_answer answer = { .result = result, .message = message };

	answer_call(call, &answer);
}

static void fail_status(struct engine_call *call, const struct http_answer *answer)
{
	_cleanup_free_ char *text = decode_message(answer->body, answer->length);
	_cleanup_free_ char *why = xasprintf("%d %s", answer->status, text);
	int result = answer->status == 404 ? (int)ENGINE_NOT_FOUND
		: answer->status == 409    ? (int)ENGINE_CONFLICT
					   : -EREMOTEIO;

	fail_call(call, result, why);
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
		return call->request == REQUEST_IMAGES && call->engine->info.is_containerd;
	return answer->status == 500 && strstr(answer->body, "already running");
}

static bool retry_later(struct engine_call *call, const struct http_answer *answer)
{
	struct timeval tv = { BUSY_RETRY_MSEC / 1000, BUSY_RETRY_MSEC % 1000 * 1000 };

	if (call->retries_left <= 0 || !is_for_now(call, answer))
		return false;
	call->retries_left -= BUSY_RETRY_MSEC * NSEC_PER_MSEC;
	if (!call->retry)
		call->retry = evtimer_new(call->engine->base, on_retry, call);
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
	request_stats_count(&call->engine->stats, call->request,
		http_answer->error < 0 ? http_answer->error : http_answer->status,
		clock_read().elapsed - call->sent);
	if (http_answer->error < 0) {
		fail_call(call, http_answer->error, http_answer->message);
	} else if (call->step) {
		call->step(call, http_answer);
	} else if (http_answer->status < 200 || http_answer->status >= 300) {
		if (!retry_later(call, http_answer))
			fail_status(call, http_answer);
	} else if ((r = call->decode(http_answer->body, http_answer->length, &answer, &error))) {
		fail_call(call, r, error.message);
	} else {
		if (call->engine->info.is_containerd)
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
		.connect_timeout = call->engine->timeouts.connect,
		.timeout = call->timeout,
		.done = on_done,
		.userdata = call,
	};

	call->sent = clock_read().elapsed;
	call->http_call = http_start(call->engine->http, &call->engine->server, &request);
}

/* Takes the path over. */
static struct engine_call *call_new(struct engine *engine, enum engine_request request, char *path,
	engine_fn fn, void *userdata)
{
	struct engine_call *call = xcalloc(1, sizeof(*call));

	call->engine = engine;
	call->request = request;
	call->path = path;
	call->timeout = engine->timeouts.request;
	call->fn = fn;
	call->userdata = userdata;
	call->retries_left = engine->timeouts.request;
	LIST_INSERT_HEAD(&engine->calls, call, link);
	return call;
}

/* engine_connect(): each step sends the next on the same call. */
static void go_on(struct engine_call *call, enum engine_request request, const char *path,
	void (*step)(struct engine_call *, const struct http_answer *))
{
	call->request = request;
	free(call->path);
	call->path = xstrdup(path);
	call->timeout = call->engine->timeouts.request;
	call->step = step;
	send_call(call);
}

static void on_info(struct engine_call *call, const struct http_answer *http_answer)
{
	_cleanup_error_ struct error error = {};
	struct engine_answer answer = {};
	struct engine_info info;

	if (http_answer->status != 200) {
		fail_status(call, http_answer);
		return;
	}
	if (decode_info(http_answer->body, http_answer->length, &info, &error) < 0) {
		fail_call(call, -EBADMSG, error.message);
		return;
	}
	engine_info_finish(&call->engine->info);
	call->engine->info = info;
	answer_call(call, &answer);
}

static void ask_info(struct engine_call *call)
{
	struct engine *engine = call->engine;
	const char *pinned = engine->endpoint.api_version;
	_cleanup_error_ struct error error = {};
	_cleanup_free_ char *path = NULL;
	int r;

	r = pinned ? api_version_pin(pinned, &engine->api, &error)
		   : api_version_negotiate(engine->version.min_api_version,
			     engine->version.api_version, &engine->api, &error);
	if (r < 0) {
		fail_call(call, r, error.message);
		return;
	}
	free(engine->api_text);
	engine->api_text = xasprintf("%u.%u", engine->api.major, engine->api.minor);
	path = xasprintf("/v%s/info", engine->api_text);
	go_on(call, REQUEST_INFO, path, on_info);
}

static void on_version(struct engine_call *call, const struct http_answer *http_answer)
{
	_cleanup_error_ struct error error = {};
	struct engine_version version;

	if (http_answer->status != 200) {
		/* A proxy may not let it through; the header of /_ping told enough, if it was
		 * there. */
		if (call->engine->version.api_version)
			ask_info(call);
		else
			fail_status(call, http_answer);
		return;
	}
	if (decode_version(http_answer->body, http_answer->length, &version, &error) < 0) {
		fail_call(call, -EBADMSG, error.message);
		return;
	}
	engine_version_finish(&call->engine->version);
	call->engine->version = version;
	ask_info(call);
}

static void on_ping(struct engine_call *call, const struct http_answer *http_answer)
{
	struct engine_version *version = &call->engine->version;

	if (http_answer->status != 200) {
		fail_status(call, http_answer);
		return;
	}
	engine_version_finish(version);
	if (http_answer->api_version)
		*version = (struct engine_version){
			.version = xstrdup("unknown"),
			.api_version = xstrdup(http_answer->api_version),
			.min_api_version = xstrdup(""),
		};
	go_on(call, REQUEST_VERSION, "/version", on_version);
}

struct engine_call *engine_connect(struct engine *engine, engine_fn fn, void *userdata)
{
	struct engine_call *call = call_new(engine, REQUEST_PING, xstrdup("/_ping"), fn, userdata);

	call->step = on_ping;
	/* No work for an engine that lives: one that hangs shall not look like a slow one. */
	call->timeout = engine->timeouts.connect;
	send_call(call);
	return call;
}

/* Takes the path over. */
static struct engine_call *ask(struct engine *engine, enum engine_request request, char *path,
	engine_decode_fn *decode, engine_fn fn, void *userdata)
{
	struct engine_call *call = call_new(engine, request, path, fn, userdata);

	call->decode = decode;
	send_call(call);
	return call;
}

struct engine_call *engine_list_images(struct engine *engine, engine_fn fn, void *userdata)
{
	struct engine_call *call =
		ask(engine, REQUEST_IMAGES, xasprintf("/v%s/images/json?all=1", engine->api_text),
			engine_answer_read_images, fn, userdata);

	call->retries_left = MIN(call->retries_left, LIST_RETRIES_MAX);
	return call;
}

struct engine_call *engine_inspect_image(
	struct engine *engine, const char *name, engine_fn fn, void *userdata)
{
	_cleanup_free_ char *escaped = http_escape(name);

	return ask(engine, REQUEST_IMAGE,
		xasprintf("/v%s/images/%s/json", engine->api_text, escaped),
		engine_answer_read_image, fn, userdata);
}

struct engine_call *engine_image_history(
	struct engine *engine, const char *name, engine_fn fn, void *userdata)
{
	_cleanup_free_ char *escaped = http_escape(name);

	return ask(engine, REQUEST_HISTORY,
		xasprintf("/v%s/images/%s/history", engine->api_text, escaped),
		engine_answer_read_history, fn, userdata);
}

struct engine_call *engine_list_containers(struct engine *engine, engine_fn fn, void *userdata)
{
	return ask(engine, REQUEST_CONTAINERS,
		xasprintf("/v%s/containers/json?all=1", engine->api_text),
		engine_answer_read_containers, fn, userdata);
}

struct engine_call *engine_inspect_container(
	struct engine *engine, const char *id, engine_fn fn, void *userdata)
{
	_cleanup_free_ char *escaped = http_escape(id);

	return ask(engine, REQUEST_CONTAINER,
		xasprintf("/v%s/containers/%s/json", engine->api_text, escaped),
		engine_answer_read_container, fn, userdata);
}

static bool is_at_least(const struct engine *engine, unsigned minor)
{
	return api_version_compare(engine->api, (struct api_version){ 1, minor }) >= 0;
}

struct engine_call *engine_measure(
	struct engine *engine, bool build_cache, engine_fn fn, void *userdata)
{
	/* Before Docker 29 the containerd store counts all that it has unpacked, for whomever. */
	bool cache_is_counted = engine->info.is_containerd && !is_at_least(engine, 52);
	engine_decode_fn *decode = cache_is_counted ? engine_answer_read_usage_beside_cache
		: build_cache                       ? engine_answer_read_usage_and_cache
						    : engine_answer_read_usage;
	/* type= is known from 1.42 on; before, it is ignored. */
	const char *images = is_at_least(engine, 42) ? "?type=image" : "",
		   *cache = *images && (build_cache || cache_is_counted) ? "&type=build-cache" : "";

	return ask(engine, REQUEST_SYSTEM_DF,
		xasprintf("/v%s/system/df%s%s", engine->api_text, images, cache), decode, fn,
		userdata);
}

bool engine_prunes_within_limits(const struct engine *engine)
{
	return !engine->version.is_podman && is_at_least(engine, 39);
}

struct engine_call *engine_prune_unused(
	struct engine *engine, nsec_t unused_for, engine_fn fn, void *userdata)
{
	_cleanup_free_ char *filters =
		xasprintf("{\"until\":[\"%lldms\"]}", (long long)(unused_for / NSEC_PER_MSEC));
	_cleanup_free_ char *escaped = http_escape(filters);

	return ask(engine, REQUEST_BUILD_PRUNE,
		xasprintf("/v%s/build/prune?filters=%s", engine->api_text, escaped),
		engine_answer_read_pruned, fn, userdata);
}

struct engine_call *engine_prune_down_to(
	struct engine *engine, uint64_t bytes, engine_fn fn, void *userdata)
{
	/* An engine ignores the one that it does not know, and then all of it would go. */
	const char *name = is_at_least(engine, 48) ? "max-used-space" : "keep-storage";

	return ask(engine, REQUEST_BUILD_PRUNE,
		xasprintf("/v%s/build/prune?%s=%" PRIu64, engine->api_text, name, bytes),
		engine_answer_read_pruned, fn, userdata);
}

struct engine_call *engine_remove(
	struct engine *engine, const char *name, bool prune, engine_fn fn, void *userdata)
{
	_cleanup_free_ char *escaped = http_escape(name);

	/* podman 4 takes no notice of noprune in Docker's API, but does in its own. */
	if (!prune && engine->version.is_podman)
		return ask(engine, REQUEST_IMAGE_REMOVE,
			xasprintf("/v4.0.0/libpod/images/remove?images=%s&noprune=true", escaped),
			engine_answer_read_podman_removal, fn, userdata);
	return ask(engine, REQUEST_IMAGE_REMOVE,
		xasprintf("/v%s/images/%s%s", engine->api_text, escaped, prune ? "" : "?noprune=1"),
		engine_answer_read_removal, fn, userdata);
}

static struct http_call *open_events(struct engine *engine, nsec_t since, const char *more,
	http_header_fn header, http_data_fn data, http_done_fn done, void *userdata)
{
	_cleanup_free_ char *filters = http_escape(event_filters);
	_cleanup_free_ char *path =
		xasprintf("/v%s/events?filters=%s&since=%lld.%09lld%s", engine->api_text, filters,
			(long long)(since / NSEC_PER_SEC), (long long)(since % NSEC_PER_SEC), more);
	struct http_request request = {
		.method = "GET",
		.path = path,
		.max_body = OBJECT_MAX,
		.connect_timeout = engine->timeouts.connect,
		.header = header,
		.data = data,
		.done = done,
		.userdata = userdata,
	};

	return http_start(engine->http, &engine->server, &request);
}

struct http_call *engine_open_events(struct engine *engine, nsec_t since, http_header_fn header,
	http_data_fn data, http_done_fn done, void *userdata)
{
	return open_events(engine, since, "", header, data, done, userdata);
}

bool engine_tells_past_late(const struct engine *engine)
{
	return engine->version.is_podman;
}

struct http_call *engine_open_past_events(
	struct engine *engine, nsec_t since, http_data_fn data, http_done_fn done, void *userdata)
{
	return open_events(engine, since, "&stream=false", NULL, data, done, userdata);
}
