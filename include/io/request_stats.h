/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What was asked of the engine, what it answered, and how long it took. */

#include "core/base.h"

/* Each endpoint that is asked; the stream of events is none of them. */
enum engine_request {
	REQUEST_PING,
	REQUEST_VERSION,
	REQUEST_INFO,
	REQUEST_IMAGES,
	REQUEST_IMAGE,
	REQUEST_HISTORY,
	REQUEST_CONTAINERS,
	REQUEST_CONTAINER,
	REQUEST_SYSTEM_DF,
	REQUEST_BUILD_PRUNE,
	REQUEST_IMAGE_REMOVE,
	REQUEST_COUNT,
};

/* "images" */
const char *engine_request_name(enum engine_request request);

/* Upper bounds by which durations are counted, ascending. */
#define REQUEST_BOUNDS 9
extern const nsec_t request_bounds[REQUEST_BOUNDS];

struct request_stats {
	struct {
		/* By HTTP status; -ETIMEDOUT, or -EIO for all else that is no answer. */
		ARRAY(struct {
			int code;
			uint64_t count;
		})
		codes;
		uint64_t counts[REQUEST_BOUNDS + 1]; /* up to each bound; longer */
		nsec_t sum;
	} requests[REQUEST_COUNT];
};

void request_stats_finish(struct request_stats *stats);

/* An answer came, or none will: code is an HTTP status or -errno. */
void request_stats_count(
	struct request_stats *stats, enum engine_request request, int code, nsec_t duration);
