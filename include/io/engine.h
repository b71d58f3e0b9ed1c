/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The engine's API: who it is, and one typed call for each endpoint. Every answer comes by callback
 * from the loop, once, failures included; its message names the request. Paths and meanings are
 * those of the Docker Engine API reference, 1.24 to 1.55.
 */

#include <event2/event.h>

#include "codec/engine_json.h"
#include "core/base.h"
#include "io/endpoint.h"
#include "io/engine_answer.h"
#include "io/engine_call.h"
#include "io/http.h"
#include "io/request_stats.h"

struct engine;

struct engine *engine_create(struct event_base *base);
/* Cancels what is under way, without callbacks. Not from a callback. */
void engine_destroy(struct engine *engine);

/* Talks to this engine from now on; takes *endpoint over. Cancels what is under way. */
void engine_set_endpoint(
	struct engine *engine, struct endpoint *endpoint, const struct engine_timeouts *timeouts);

const struct endpoint *engine_endpoint(const struct engine *engine);

/*
 * Who is there? /_ping, /version and /info, and the API version to use: the newest that both sides
 * know, or the one pinned. Only after this succeeded anything else may be asked.
 */
struct engine_call *engine_connect(struct engine *engine, engine_fn fn, void *userdata);

/* How long a connection may take, by the configuration. */
nsec_t engine_connect_timeout(const struct engine *engine);

/* What engine_connect() learned; empty before it. An engine that tells no time has ours. */
const struct engine_version *engine_version(const struct engine *engine);
const struct engine_info *engine_info(const struct engine *engine);
const char *engine_api_version(const struct engine *engine);

/* All that was asked so far, of whatever engine. */
const struct request_stats *engine_request_stats(const struct engine *engine);

/* Who the engine is, told apart from others on the same socket or machine. The caller frees. */
char *engine_identity(const struct engine *engine) _warn_unused_;

/*
 * Whether images are in Docker's own store, on a graph driver: there a digest of an image proves
 * that it was pulled, and usage is the bytes of all images' layers, each counted once.
 */
bool engine_has_graph_driver(const struct engine *engine);

/* Whether a create or run tells a pull as well, though the image was there: podman. */
bool engine_tells_pulls_of_runs(const struct engine *engine);

/* Whether a pull or a load is told when it begins: podman 4. */
bool engine_tells_beginnings(const struct engine *engine);

/*
 * The file system that holds the engine's root directory, by statvfs(). Returns 0, or -errno with
 * the reason in *error: an engine that is not on this machine, a directory that is not there.
 */
int engine_space(const struct engine *engine, struct space *ret, struct error *error) _warn_unused_;

/* GET /images/json?all=1: intermediates too, so that it is known what stands on what. */
struct engine_call *engine_list_images(struct engine *engine, engine_fn fn, void *userdata);
/* GET /images/{name}/json by full ID or canonical reference. */
struct engine_call *engine_inspect_image(
	struct engine *engine, const char *name, engine_fn fn, void *userdata);
/* GET /images/{name}/history */
struct engine_call *engine_image_history(
	struct engine *engine, const char *name, engine_fn fn, void *userdata);
/* GET /containers/json?all=1 */
struct engine_call *engine_list_containers(struct engine *engine, engine_fn fn, void *userdata);
/* GET /containers/{id}/json */
struct engine_call *engine_inspect_container(
	struct engine *engine, const char *id, engine_fn fn, void *userdata);
/*
 * GET /system/df: what images take, and what the build cache holds if that is asked for. One at a
 * time below API 1.42: waits while somebody else's is running. On the containerd store the answer
 * has the sizes of images as well, which inspect does not tell; before Docker 29 the build cache is
 * taken off there.
 */
struct engine_call *engine_measure(
	struct engine *engine, bool build_cache, engine_fn fn, void *userdata);
/*
 * Whether the build cache can be pruned within limits: podman has none, and below API 1.39 limits
 * are ignored, and all of it goes.
 */
bool engine_prunes_within_limits(const struct engine *engine);
/*
 * POST /build/prune: the records of the build cache that were not used for that long, or the least
 * recently used ones until all of them take no more than that. Not what images share.
 */
struct engine_call *engine_prune_unused(
	struct engine *engine, nsec_t unused_for, engine_fn fn, void *userdata);
struct engine_call *engine_prune_down_to(
	struct engine *engine, uint64_t bytes, engine_fn fn, void *userdata);
/*
 * DELETE /images/{name}, never with force. A reference is untagged; the image goes with its last
 * one. prune: nameless ancestors go along. Of podman that is asked by its own API if they must not.
 */
struct engine_call *engine_remove(
	struct engine *engine, const char *name, bool prune, engine_fn fn, void *userdata);

/* Ends a request without its callback. NULL is fine; not for one whose callback ran. */
void engine_cancel(struct engine_call *call);

/*
 * The stream of events since a time, by the engine's clock, that one included. Not counted among
 * requests: it has no time-out. The callbacks are http.h's.
 */
struct http_call *engine_open_events(struct engine *engine, nsec_t since, http_header_fn header,
	http_data_fn data, http_done_fn done, void *userdata);

/*
 * The events since that time that it had at engine_connect(), and then the end. The stream tells
 * them as well, but nothing says when it has, and lists can be ahead of it.
 */
struct http_call *engine_open_past_events(struct engine *engine, nsec_t since,
	http_header_fn header, http_data_fn data, http_done_fn done, void *userdata);

/* Whether there can be any. */
bool engine_has_past(const struct engine *engine, nsec_t since);

/* Whether the stream tells them only after a while, and this takes one as well: podman. */
bool engine_tells_past_late(const struct engine *engine);
