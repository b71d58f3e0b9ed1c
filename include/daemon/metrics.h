/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What Prometheus is told, as text: how things stand, and what has been since the start. */

#include "core/base.h"
#include "daemon/removal.h"
#include "daemon/report.h"
#include "daemon/status.h"
#include "daemon/store.h"
#include "io/event_stream.h"

/* What nobody else counts. */
struct metrics {
	uint64_t removals[REASON_KEPT_RULE][REMOVAL_RESULT_COUNT];
	uint64_t reclaimed, cache_reclaimed; /* bytes */
	uint64_t finished, failed; /* collections */
	uint64_t missing, missing_space; /* by the last collection */
};

void metrics_count_removal(struct metrics *metrics, enum reason reason, enum removal_result result);
void metrics_count_collection(struct metrics *metrics, const struct collection_outcome *outcome);

struct metrics_sources {
	const struct metrics *metrics;
	const struct status *status;
	const struct event_stream_counters *events;
	const struct store *store;
	size_t differences;
	bool reloaded; /* the last reload went well, or there was none */
};

/* In the text exposition format; the caller frees. */
char *metrics_describe(const struct metrics_sources *sources) _warn_unused_;
