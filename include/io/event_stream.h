/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The engine's events, for as long as there is an engine: connects, subscribes, comes back after
 * whatever happens, and says whether something was missed meanwhile.
 */

#include "codec/event_json.h"
#include "core/base.h"
#include "io/engine.h"

struct event_stream;

struct event_stream_handler {
	/*
	 * engine_connect() succeeded: who it is can be asked now. Returns the time to have events
	 * from, by the engine's clock; all that happened until `known` has come, as far as the time
	 * of the last event and that of its arrival tell, 0 if there was none.
	 */
	nsec_t (*connected)(void *userdata, nsec_t known);
	/* Subscribed. Something may have been missed: reconcile. */
	void (*watching)(void *userdata);
	/* Before `watching` too: what happened while nobody watched. */
	void (*event)(void *userdata, const struct engine_event *event);
	/* The stream broke. What comes next is resumed, watching or away. */
	void (*broken)(void *userdata);
	/* It goes on as if nothing had been. */
	void (*resumed)(void *userdata);
	/*
	 * No engine, for people why. Told once until it is watching again, and once more when the
	 * reason has become another one and stays; retries go on.
	 */
	void (*away)(void *userdata, const char *why);
};

struct event_stream_counters {
	uint64_t kinds[EVENT_KIND_COUNT]; /* what came, but for the one that shows where a stream
	                                     goes on */
	uint64_t malformed, too_long, reconnects;
};

struct event_stream *event_stream_create(struct event_base *base, struct engine *engine,
	const struct event_stream_handler *handler, void *userdata);
void event_stream_destroy(struct event_stream *stream);

/* (Re)starts with the engine's present endpoint, which may be another engine. */
void event_stream_start(struct event_stream *stream);
/* Closes it, without telling. */
void event_stream_stop(struct event_stream *stream);

const struct event_stream_counters *event_stream_counters(const struct event_stream *stream);
