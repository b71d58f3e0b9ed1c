/* SPDX-License-Identifier: Apache-2.0 */
#include "io/peer.h"

#include <errno.h>

#include "io/clock.h"

void peer_finish(struct peer *peer)
{
	engine_version_finish(&peer->version);
	engine_info_finish(&peer->info);
	freep(&peer->api_text);
	peer->api_text = NULL;
}

static void on_info(void *userdata, struct engine_call *call, const struct http_answer *http_answer)
{
	struct peer *peer = userdata;
	_cleanup_error_ struct error error = {};
	struct engine_info info;

	if (http_answer->status != 200) {
		engine_call_fail_status(call, http_answer);
		return;
	}
	if (decode_info(http_answer->body, http_answer->length, &info, &error) < 0) {
		engine_call_fail(call, -EBADMSG, error.message);
		return;
	}
	engine_info_finish(&peer->info);
	peer->info = info;
	if (peer->info.system_time == 0)
		peer->info.system_time = clock_now();
	engine_call_succeed(call);
}

static void ask_info(struct peer *peer, struct engine_call *call)
{
	_cleanup_error_ struct error error = {};
	_cleanup_free_ char *path = NULL;
	int r;

	r = peer->pinned ? api_version_pin(peer->pinned, &peer->api, &error)
			 : api_version_negotiate(peer->version.min_api_version,
				   peer->version.api_version, &peer->api, &error);
	if (r < 0) {
		engine_call_fail(call, r, error.message);
		return;
	}
	free(peer->api_text);
	peer->api_text = xasprintf("%u.%u", peer->api.major, peer->api.minor);
	path = xasprintf("/v%s/info", peer->api_text);
	engine_call_go_on(call, REQUEST_INFO, path, on_info);
}

static void on_version(
	void *userdata, struct engine_call *call, const struct http_answer *http_answer)
{
	struct peer *peer = userdata;
	_cleanup_error_ struct error error = {};
	struct engine_version version;

	if (http_answer->status != 200) {
		/* A proxy may not let it through; the header of /_ping told enough, if it was
		 * there. */
		if (peer->version.api_version)
			ask_info(peer, call);
		else
			engine_call_fail_status(call, http_answer);
		return;
	}
	if (decode_version(http_answer->body, http_answer->length, &version, &error) < 0) {
		engine_call_fail(call, -EBADMSG, error.message);
		return;
	}
	engine_version_finish(&peer->version);
	peer->version = version;
	ask_info(peer, call);
}

static void on_ping(void *userdata, struct engine_call *call, const struct http_answer *http_answer)
{
	struct peer *peer = userdata;
	struct engine_version *version = &peer->version;

	if (http_answer->status != 200) {
		engine_call_fail_status(call, http_answer);
		return;
	}
	engine_version_finish(version);
	if (http_answer->api_version)
		*version = (struct engine_version){
			.version = xstrdup("unknown"),
			.api_version = xstrdup(http_answer->api_version),
			.min_api_version = xstrdup(""),
		};
	engine_call_go_on(call, REQUEST_VERSION, "/version", on_version);
}

struct engine_call *peer_greet(struct peer *peer, const char *pinned, struct engine_calls *calls,
	engine_fn fn, void *userdata)
{
	peer->pinned = pinned;
	return engine_call_start_steps(calls, REQUEST_PING, "/_ping", on_ping, peer, fn, userdata);
}

bool peer_talks(const struct peer *peer, unsigned minor)
{
	return api_version_compare(peer->api, (struct api_version){ 1, minor }) >= 0;
}
