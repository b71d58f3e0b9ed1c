/* SPDX-License-Identifier: Apache-2.0 */
#include "io/past_events.h"

#include <string.h>

#include "core/hash.h"

static struct past_event describe(const struct engine_event *event)
{
	struct past_event described = { .time = event->time };

	HASH_VALUE(event->actor, strlen(event->actor), described.what);
	described.what += event->kind;
	return described;
}

void past_events_add(struct past_events *past, const struct engine_event *event)
{
	*array_push(past) = describe(event);
}

void past_events_rewind(struct past_events *past)
{
	past->next = 0;
}

void past_events_finish(struct past_events *past)
{
	free(past->items);
	*past = (struct past_events){};
}

static bool is_at(const struct past_events *past, size_t i, const struct past_event *event)
{
	return past->items[i].time == event->time && past->items[i].what == event->what;
}

bool past_events_tell_again(struct past_events *past, const struct engine_event *event)
{
	const struct past_event described = describe(event);
	size_t i = past->next;

	while (past->next == 0 && i < past->count && !is_at(past, i, &described))
		i++;
	if (i < past->count && is_at(past, i, &described)) {
		past->next = i + 1;
		return true;
	}
	past_events_finish(past);
	return false;
}
