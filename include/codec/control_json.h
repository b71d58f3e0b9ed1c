/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The control socket's answers and requests as JSON. Times are RFC 3339, sizes bytes, references
 * canonical; what is not known is null. The caller frees what encode_…() returns.
 */

#include "core/base.h"
#include "core/plan.h"
#include "core/removal_log.h"
#include "core/tracking.h"

/* { "message": … } */
char *encode_message(const char *message) _warn_unused_;

/* A collection that has ended. */
struct collection_record {
	nsec_t time; /* 0: none yet */
	uint64_t removed, failed;
	struct usage before, after;
	bool finished; /* it came to its end */
};

/* Until when nothing is collected; 0: not paused, NSEC_MAX: until somebody says otherwise. */
typedef nsec_t pause_t;

/* Things that can be wrong until somebody does something about them. */
#define STATUS_PROBLEMS 5

struct control_status {
	const char *state; /* waiting, watching, collecting, stopping */
	pause_t paused_until;
	const char *host, *engine_id;
	const char *version, *api_version; /* NULL without an engine */
	size_t images, managed;
	struct usage usage;
	struct limits limits;
	nsec_t max_unused;
	bool enabled, dry_run;
	struct collection_record last;
	nsec_t next; /* 0: nobody knows */
	int64_t unobserved; /* seconds */
	const char *errors[STATUS_PROBLEMS]; /* that persist; NULL for none */
};

char *encode_status(const struct control_status *status) _warn_unused_;

/* All images, in the order of eviction. */
char *encode_images(const struct inventory *inventory, const struct plan *plan) _warn_unused_;

/* One of them, with what its verdict depends on. */
char *encode_image(const struct inventory *inventory, const struct plan *plan,
	const struct plan_item *item) _warn_unused_;

/* What a collection now would do. */
char *encode_plan(const struct plan *plan, const struct usage *usage, bool enabled) _warn_unused_;

/* What came of a collection. */
char *encode_collection(const struct collection_record *record) _warn_unused_;

char *encode_removal_log(const struct removal_log *log) _warn_unused_;

char *encode_pause(pause_t paused_until) _warn_unused_;

/* What became of references, one result for each. */
char *encode_tracking(
	const struct strings *references, const enum tracking_result *results) _warn_unused_;

/*
 * { "images": [ "ref", … ] }, appended as they were typed. Returns 0, or -EBADMSG with *error.
 */
int decode_references(
	const char *data, size_t length, struct strings *ret, struct error *error) _warn_unused_;
