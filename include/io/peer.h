/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who the engine is by its own word, and the version of the API to talk to it in. */

#include "codec/engine_json.h"
#include "core/base.h"
#include "io/api_version.h"
#include "io/engine_call.h"

struct peer {
	/* Empty until it has been told. */
	struct engine_version version;
	struct engine_info info;
	struct api_version api;
	char *api_text; /* "1.41", or as pinned */

	const char *pinned; /* of peer_greet() */
};

void peer_finish(struct peer *peer);

/*
 * Asks for /_ping, /version and /info, and settles the version of the API: the newest that both
 * sides know, or the one pinned, unless that is NULL. What was known is replaced as answers come.
 * The call's answer has nothing in it. The peer and the text of `pinned` stay the caller's, and
 * outlive the call.
 */
struct engine_call *peer_greet(struct peer *peer, const char *pinned, struct engine_calls *calls,
	engine_fn fn, void *userdata);

/* Whether the version to talk in is 1.minor or newer. */
bool peer_talks(const struct peer *peer, unsigned minor);
