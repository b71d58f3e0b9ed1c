/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The last removals, and those that did not come about: for those who miss an image. */

#include "core/base.h"
#include "core/plan.h"

#define REMOVAL_LOG_MAX 200

struct logged_removal {
	nsec_t time;
	char *id;
	struct strings references; /* canonical */
	enum reason reason; /* that it was to go for */
	struct bounds bytes; /* that it freed, or would have */
	char *outcome; /* "removed", or what the engine said */
};

struct removal_log {
	struct logged_removal items[REMOVAL_LOG_MAX];
	size_t count; /* in all; the item of number n is at n % REMOVAL_LOG_MAX */
};

void removal_log_finish(struct removal_log *log);

/* Takes the contents over; forgets the oldest if there are too many. */
void removal_log_add(struct removal_log *log, struct logged_removal *removal);

/* How many are still known, and one of them, the oldest first. */
size_t removal_log_length(const struct removal_log *log);
const struct logged_removal *removal_log_get(const struct removal_log *log, size_t i);
