/* SPDX-License-Identifier: Apache-2.0 */
#include "core/removal_log.h"

static void finish(struct logged_removal *removal)
{
	free(removal->id);
	strings_finish(&removal->references);
	free(removal->outcome);
	*removal = (struct logged_removal){};
}

void removal_log_finish(struct removal_log *log)
{
	for (size_t i = 0; i < REMOVAL_LOG_MAX; i++)
		finish(&log->items[i]);
	log->count = 0;
}

void removal_log_add(struct removal_log *log, struct logged_removal *removal)
{
	struct logged_removal *place = &log->items[log->count++ % REMOVAL_LOG_MAX];

	finish(place);
	*place = *removal;
	*removal = (struct logged_removal){};
}

size_t removal_log_length(const struct removal_log *log)
{
	return MIN(log->count, (size_t)REMOVAL_LOG_MAX);
}

const struct logged_removal *removal_log_get(const struct removal_log *log, size_t i)
{
	return &log->items[(log->count - removal_log_length(log) + i) % REMOVAL_LOG_MAX];
}
