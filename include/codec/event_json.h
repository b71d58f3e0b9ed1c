/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The engine's events: one line each, rules and errors as in engine_json.h. */

#include "core/base.h"

/* What an event is to us. */
enum event_kind {
	EVENT_OTHER, /* of no interest */
	EVENT_CONTAINER_CREATE,
	EVENT_CONTAINER_START,
	EVENT_CONTAINER_DIE,
	EVENT_CONTAINER_DESTROY,
	EVENT_IMAGE_PULL,
	EVENT_IMAGE_TAG,
	EVENT_IMAGE_UNTAG,
	EVENT_IMAGE_LOAD,
	EVENT_IMAGE_IMPORT,
	EVENT_IMAGE_CREATE,
	EVENT_IMAGE_PUSH,
	EVENT_IMAGE_SAVE,
	EVENT_IMAGE_DELETE,
};
#define EVENT_KIND_COUNT (EVENT_IMAGE_DELETE + 1)

/* Docker's words for it: "image", "pull"; NULL for EVENT_OTHER. */
const char *event_kind_type(enum event_kind kind);
const char *event_kind_action(enum event_kind kind);

/*
 * One line of GET /events. Read from Type, Action, Actor and timeNano alone: the legacy fields are
 * gone from API 1.52 on.
 */
struct engine_event {
	enum event_kind kind;
	char *actor; /* Actor.ID, may be "" */
	char *image; /* a container's: what the user typed; may be "" */
	char *name; /* an image's reference or ID; may be "" */
	nsec_t time;
};
void engine_event_finish(struct engine_event *event);
int decode_event(const char *line, size_t length, struct engine_event *ret,
	struct error *error) _warn_unused_;

/* The `filters` of GET /events that ask for just what decode_event() knows, as JSON. */
extern const char event_filters[];
