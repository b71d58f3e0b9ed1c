/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A stream of events as a real engine sends it: recorded operations, over and over, many at a
 * time, on images picked at random, with IDs, names and times of their own.
 */

#include "core/base.h"
#include "crowd.h"

struct recording;

/* Reads the recorded events of these folders, engine by engine. */
struct recording *recording_create(const char *const *folders, size_t count) _warn_unused_;
void recording_destroy(struct recording *recording);

/* Leaves out what event_filters would keep an engine from sending. */
void recording_filter(struct recording *recording);

struct bytes {
	char *items;
	size_t count, allocated;
};

/* Replaces bytes with so many events, a line each, from this time on, a millisecond apart. */
void recording_play(struct recording *recording, const struct crowd *crowd, size_t events,
	nsec_t begin, struct bytes *bytes);
