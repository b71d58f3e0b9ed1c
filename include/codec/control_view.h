/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the control socket answers, for people. Nothing of it is trusted. */

#include "core/base.h"

struct view {
	nsec_t now;
	size_t columns; /* of the terminal; 0: lines may be of any length */
	bool colours;
};

enum view_kind {
	VIEW_STATUS,
	VIEW_IMAGES,
	VIEW_IMAGE,
	VIEW_PLAN,
	VIEW_STARTED, /* a collection that nobody waits for */
	VIEW_COLLECTION,
	VIEW_HISTORY,
	VIEW_NAMES,
	VIEW_PAUSE,
};

/*
 * A body as lines, without control characters. Returns 0, or -EBADMSG with *error if it is no JSON
 * object or has not got what it is about. The caller frees *ret.
 */
int view_format(enum view_kind kind, const char *data, size_t length, const struct view *view,
	char **ret, struct error *error) _warn_unused_;

/* Whether a body is one JSON object: 0, or -EBADMSG with *error. */
int view_check(const char *data, size_t length, struct error *error) _warn_unused_;

/* An error's message, on one line; NULL if there is none. The caller frees. */
char *view_message(const char *data, size_t length) _warn_unused_;

/* Whether a collection says of itself that it did not get to its end. */
bool view_has_failed(const char *data, size_t length);

/* From a status: how far a collection is, in few words; NULL if it does not tell. Caller frees. */
char *view_progress(const char *data, size_t length) _warn_unused_;
