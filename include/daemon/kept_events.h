/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Events that came while an answer was under way that may be older than they are: kept in their
 * order, to be applied again after it.
 */

#include "codec/event_json.h"
#include "core/base.h"
#include "core/inventory.h"
#include "daemon/apply.h"

struct kept_events {
	struct engine_event *items;
	size_t count, allocated;
};

/* What an event is of, as flags. */
enum event_subject {
	OF_IMAGES = 1 << 0,
	OF_CONTAINERS = 1 << 1,
	OF_ANYTHING = OF_IMAGES | OF_CONTAINERS,
};

enum event_subject event_subject(const struct engine_event *event);

/*
 * Keeps a copy. A container may be gone by the time it is applied again: what it is known to hold
 * is written down instead of what the event says.
 */
void kept_events_add(struct kept_events *events, const struct engine_event *event,
	const struct inventory *inventory);

/* Applies those of these subjects, in their order. Further answers may undo those of `keep`. */
void kept_events_apply(struct kept_events *events, const struct apply *apply,
	enum event_subject subjects, enum event_subject keep);

/*
 * A list is asked for: it shows whose tags are, by then perhaps another one's. Who was given a name
 * after it was pulled did not come with it.
 */
void kept_events_drop_tags(struct kept_events *events);

/* Later events were missed: who has a name now is perhaps not who was given it, or came with it. */
void kept_events_doubt_names(struct kept_events *events);

/* When the first of them was; NSEC_MAX: there is none. */
nsec_t kept_events_since(const struct kept_events *events);

/* Drops them all. */
void kept_events_drop(struct kept_events *events);
