/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the daemon says of images, plans and collections: one place for the words of the log. */

#include "codec/usage_json.h"
#include "core/base.h"
#include "core/plan.h"

/* What is told of an image after it has gone: taken down before. */
struct image_summary {
	char *id, *title;
	struct strings references; /* canonical */
	enum reason reason;
	nsec_t last_used, unused;
	struct bounds reclaims;
};

struct image_summary summary_of(const struct plan_item *item);
void image_summary_finish(struct image_summary *summary);

/* "removed …", with fields for the journal. */
void report_removed(const struct image_summary *summary);

/* "kept …": the engine refused, or the verdict changed right before the removal. With fields. */
void report_kept(const struct image_summary *summary, const char *why);

/* An error: no answer, or none that helps, so the collection stops here. With fields. */
void report_failed(const struct image_summary *summary, const char *why);

/* "would remove …" for each image that the plan removes. */
void report_removals(const struct plan *plan);

/*
 * All of the plan as a table, to stdout. Returns 0, or -errno after a line in the log: not all of
 * it is written.
 */
int report_table(const struct plan *plan) _warn_unused_;

/* A line on all of the plan. */
void report_plan(const struct plan *plan, const char *why_nothing_happens);

/* A warning: limits are missed, and nothing is left that could be removed. */
void report_stuck(const struct plan *plan);

/* "3 in-use, 2 unmanaged": how many images are kept for what. The caller frees. */
char *describe_kept(const struct plan *plan) _warn_unused_;

/* "pruned …" for what the engine took out of its build cache. */
void report_pruned(enum reason reason, const struct pruned *pruned);

/* "would prune …" */
void report_cache_plan(const struct cache_plan *plan);

/* What came of a collection. */
struct collection_outcome {
	bool asked_for; /* by a person, who wants an answer */
	int result; /* 0, or -errno: it did not come to its end */
	uint64_t removed, refused;
	struct bounds freed; /* by removals, as predicted */
	uint64_t pruned; /* bytes of the build cache */
	uint64_t missing, missing_space; /* to the limits, and nothing was left to remove */
	struct usage before, after; /* known only if measured */
};

/* Bytes: what was measured, within what is certain and what is possible. */
uint64_t collection_freed(const struct collection_outcome *outcome);

void report_outcome(const struct collection_outcome *outcome);

/* For people who wonder why an image is only known to free something between bounds. */
void report_unsized(const struct image *image);

/* A new image: how it came and whether it is managed. */
void report_arrival(const struct image *image, const struct ledger_entry *entry, bool managed);
