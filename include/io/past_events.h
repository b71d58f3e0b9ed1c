/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an engine told when it was asked for the past. The stream that is opened after that tells it
 * once more, in the same order, less what the engine has forgotten by then. Who has a name now is
 * not who was given it back then.
 */

#include "codec/event_json.h"
#include "core/base.h"

struct past_event {
	nsec_t time;
	unsigned what; /* a hash of what happened, and to whom */
};

struct past_events {
	struct past_event *items;
	size_t count, allocated;
	size_t next; /* those before it have been told again */
};

void past_events_finish(struct past_events *past);

/* One that was told. */
void past_events_add(struct past_events *past, const struct engine_event *event);

/* The stream begins. */
void past_events_rewind(struct past_events *past);

/*
 * Whether what the stream tells now is the next of them. If it is none, all that follows is taken
 * for news: with a clock that was set back, what was not of the past comes among it.
 */
bool past_events_tell_again(struct past_events *past, const struct engine_event *event);
