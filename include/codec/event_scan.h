/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reads plain events in place. An engine can send thousands in a second, and building json-c's tree
 * of one takes longer than all that is done with it. Plain is what engines send: compact, ASCII
 * without escapes; texts, whole numbers and objects. Whatever else comes, wrong or merely unusual,
 * is left to json-c.
 */

#include "core/base.h"

struct text_slice {
	const char *at; /* in the line, without a NUL behind it; NULL: missing */
	size_t length;
};

/* What decode_event() wants to know. */
struct event_scan {
	struct text_slice type, action, actor, image, name;
	nsec_t time;
};

/*
 * Whether the line is a plain event that has all it must have. Then *ret is what json-c would have
 * found; else it is untouched.
 */
bool event_scan(const char *line, size_t length, struct event_scan *ret) _warn_unused_;

bool text_slice_is(const struct text_slice *slice, const char *text);
