/* SPDX-License-Identifier: Apache-2.0 */
#include "io/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codec/event_json.h"
#include "io/files.h"
#include "io/peer.h"

/* Of an answer in place of the stream. */
#define EVENTS_ERROR_MAX ((size_t)16 << 20)

struct engine {
	struct endpoint endpoint;
	struct peer peer;
	struct engine_calls calls;
};

struct engine *engine_create(struct event_base *base)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));

	engine->calls.base = base;
	engine->calls.http = http_create(base);
	engine->calls.info = &engine->peer.info;
	return engine;
}

void engine_cancel(struct engine_call *call)
{
	engine_call_cancel(call);
}

static void forget_engine(struct engine *engine)
{
	engine_calls_cancel(&engine->calls);
	peer_finish(&engine->peer);
}

void engine_destroy(struct engine *engine)
{
	if (!engine)
		return;
	forget_engine(engine);
	http_destroy(engine->calls.http);
	endpoint_finish(&engine->endpoint);
	engine_calls_finish(&engine->calls);
	free(engine);
}

void engine_set_endpoint(
	struct engine *engine, struct endpoint *endpoint, const struct engine_timeouts *timeouts)
{
	forget_engine(engine);
	endpoint_finish(&engine->endpoint);
	engine->endpoint = *endpoint;
	*endpoint = (struct endpoint){};
	engine->calls.timeouts = *timeouts;
	engine->calls.server = (struct http_server){
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
	return engine->calls.timeouts.connect;
}

const struct engine_version *engine_version(const struct engine *engine)
{
	return &engine->peer.version;
}

const struct engine_info *engine_info(const struct engine *engine)
{
	return &engine->peer.info;
}

const struct request_stats *engine_request_stats(const struct engine *engine)
{
	return &engine->calls.stats;
}

const char *engine_api_version(const struct engine *engine)
{
	return engine->peer.api_text ? engine->peer.api_text : "";
}

char *engine_identity(const struct engine *engine)
{
	/* podman makes a new ID for each answer. */
	if (engine->peer.version.is_podman)
		return xasprintf(
			"podman %s %s", engine->endpoint.url, engine->peer.info.root_directory);
	return xasprintf("%s %s %s", engine->peer.info.id, engine->peer.info.root_directory,
		engine->peer.info.driver);
}

bool engine_has_graph_driver(const struct engine *engine)
{
	return !engine->peer.info.is_containerd && !engine->peer.version.is_podman;
}

bool engine_tells_pulls_of_runs(const struct engine *engine)
{
	return engine->peer.version.is_podman;
}

bool engine_tells_beginnings(const struct engine *engine)
{
	return engine->peer.version.is_podman &&
		strtoul(engine->peer.version.version, NULL, 10) < 5;
}

int engine_space(const struct engine *engine, struct space *ret, struct error *error)
{
	const char *path = engine->peer.info.root_directory;
	int r;

	if (!engine->endpoint.unix_socket || engine->peer.info.is_in_vm) {
		error_set(error, "%s is not on this machine", engine->endpoint.url);
		return -EREMOTE;
	}
	r = path && *path ? file_system_space(path, ret) : -ENOENT;
	if (r < 0)
		error_set(error, "root directory of %s: %s: %s", engine->endpoint.url,
			path ? path : "", strerror(-r));
	return r;
}

struct engine_call *engine_connect(struct engine *engine, engine_fn fn, void *userdata)
{
	return peer_greet(
		&engine->peer, engine->endpoint.api_version, &engine->calls, fn, userdata);
}

struct engine_call *engine_list_images(struct engine *engine, engine_fn fn, void *userdata)
{
	return engine_call_start(&engine->calls, REQUEST_IMAGES,
		xasprintf("/v%s/images/json?all=1", engine->peer.api_text),
		engine_answer_read_images, fn, userdata);
}

struct engine_call *engine_inspect_image(
	struct engine *engine, const char *name, engine_fn fn, void *userdata)
{
	_cleanup_free_ char *escaped = http_escape(name);

	return engine_call_start(&engine->calls, REQUEST_IMAGE,
		xasprintf("/v%s/images/%s/json", engine->peer.api_text, escaped),
		engine_answer_read_image, fn, userdata);
}

struct engine_call *engine_image_history(
	struct engine *engine, const char *name, engine_fn fn, void *userdata)
{
	_cleanup_free_ char *escaped = http_escape(name);

	return engine_call_start(&engine->calls, REQUEST_HISTORY,
		xasprintf("/v%s/images/%s/history", engine->peer.api_text, escaped),
		engine_answer_read_history, fn, userdata);
}

struct engine_call *engine_list_containers(struct engine *engine, engine_fn fn, void *userdata)
{
	return engine_call_start(&engine->calls, REQUEST_CONTAINERS,
		xasprintf("/v%s/containers/json?all=1", engine->peer.api_text),
		engine_answer_read_containers, fn, userdata);
}

struct engine_call *engine_inspect_container(
	struct engine *engine, const char *id, engine_fn fn, void *userdata)
{
	_cleanup_free_ char *escaped = http_escape(id);

	return engine_call_start(&engine->calls, REQUEST_CONTAINER,
		xasprintf("/v%s/containers/%s/json", engine->peer.api_text, escaped),
		engine_answer_read_container, fn, userdata);
}

struct engine_call *engine_measure(
	struct engine *engine, bool build_cache, engine_fn fn, void *userdata)
{
	/* Before Docker 29 the containerd store counts all that it has unpacked, for whomever. */
	bool cache_is_counted = engine->peer.info.is_containerd && !peer_talks(&engine->peer, 52);
	engine_decode_fn *decode = cache_is_counted ? engine_answer_read_usage_beside_cache
		: build_cache                       ? engine_answer_read_usage_and_cache
						    : engine_answer_read_usage;
	/* type= is known from 1.42 on; before, it is ignored. */
	const char *images = peer_talks(&engine->peer, 42) ? "?type=image" : "",
		   *cache = *images && (build_cache || cache_is_counted) ? "&type=build-cache" : "";

	return engine_call_start(&engine->calls, REQUEST_SYSTEM_DF,
		xasprintf("/v%s/system/df%s%s", engine->peer.api_text, images, cache), decode, fn,
		userdata);
}

bool engine_prunes_within_limits(const struct engine *engine)
{
	return !engine->peer.version.is_podman && peer_talks(&engine->peer, 39);
}

struct engine_call *engine_prune_unused(
	struct engine *engine, nsec_t unused_for, engine_fn fn, void *userdata)
{
	_cleanup_free_ char *filters =
		xasprintf("{\"until\":[\"%lldms\"]}", (long long)(unused_for / NSEC_PER_MSEC));
	_cleanup_free_ char *escaped = http_escape(filters);

	return engine_call_start(&engine->calls, REQUEST_BUILD_PRUNE,
		xasprintf("/v%s/build/prune?filters=%s", engine->peer.api_text, escaped),
		engine_answer_read_pruned, fn, userdata);
}

struct engine_call *engine_prune_down_to(
	struct engine *engine, uint64_t bytes, engine_fn fn, void *userdata)
{
	/* An engine ignores the one that it does not know, and then all of it would go. */
	const char *name = peer_talks(&engine->peer, 48) ? "max-used-space" : "keep-storage";

	return engine_call_start(&engine->calls, REQUEST_BUILD_PRUNE,
		xasprintf("/v%s/build/prune?%s=%" PRIu64, engine->peer.api_text, name, bytes),
		engine_answer_read_pruned, fn, userdata);
}

struct engine_call *engine_remove(
	struct engine *engine, const char *name, bool prune, engine_fn fn, void *userdata)
{
	_cleanup_free_ char *escaped = http_escape(name);

	/* podman 4 takes no notice of noprune in Docker's API, but does in its own. */
	if (!prune && engine->peer.version.is_podman)
		return engine_call_start(&engine->calls, REQUEST_IMAGE_REMOVE,
			xasprintf("/v4.0.0/libpod/images/remove?images=%s&noprune=true", escaped),
			engine_answer_read_podman_removal, fn, userdata);
	return engine_call_start(&engine->calls, REQUEST_IMAGE_REMOVE,
		xasprintf("/v%s/images/%s%s", engine->peer.api_text, escaped,
			prune ? "" : "?noprune=1"),
		engine_answer_read_removal, fn, userdata);
}

/* As `since` and `until` are taken to the nanosecond. */
static char *seconds_of(nsec_t time)
{
	return xasprintf(
		"%lld.%09lld", (long long)(time / NSEC_PER_SEC), (long long)(time % NSEC_PER_SEC));
}

static struct http_call *open_events(struct engine *engine, nsec_t since, const char *more,
	http_header_fn header, http_data_fn data, http_done_fn done, void *userdata)
{
	_cleanup_free_ char *filters = http_escape(event_filters);
	_cleanup_free_ char *begin = seconds_of(since);
	_cleanup_free_ char *path = xasprintf(
		"/v%s/events?filters=%s&since=%s%s", engine->peer.api_text, filters, begin, more);
	struct http_request request = {
		.method = "GET",
		.path = path,
		.max_body = EVENTS_ERROR_MAX,
		.connect_timeout = engine->calls.timeouts.connect,
		.header = header,
		.data = data,
		.done = done,
		.userdata = userdata,
	};

	return http_start(engine->calls.http, &engine->calls.server, &request);
}

struct http_call *engine_open_events(struct engine *engine, nsec_t since, http_header_fn header,
	http_data_fn data, http_done_fn done, void *userdata)
{
	return open_events(engine, since, "", header, data, done, userdata);
}

bool engine_tells_past_late(const struct engine *engine)
{
	return engine->peer.version.is_podman;
}

bool engine_has_past(const struct engine *engine, nsec_t since)
{
	/* Docker refuses the events until a time that comes before their first. */
	return engine->peer.version.is_podman || since < engine->peer.info.system_time;
}

struct http_call *engine_open_past_events(struct engine *engine, nsec_t since,
	http_header_fn header, http_data_fn data, http_done_fn done, void *userdata)
{
	_cleanup_free_ char *end = seconds_of(engine->peer.info.system_time);
	/* podman stops reading where it is when that time has come. */
	_cleanup_free_ char *more = engine->peer.version.is_podman ? xstrdup("&stream=false")
								   : xasprintf("&until=%s", end);

	return open_events(engine, since, more, header, data, done, userdata);
}
