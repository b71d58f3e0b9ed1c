/* SPDX-License-Identifier: Apache-2.0 */
#include "io/past_events.h"

#include <string.h>

#include "core/hash.h"

static unsigned describe(const struct engine_event *event)
{
	unsigned what;

	HASH_VALUE(event->actor, strlen(event->actor), what);
	return what + event->kind;
}

void past_events_finish(struct past_events *past)
{
	free(past->items);
	*past = (struct past_events){};
}

void past_events_add(struct past_events *past, const struct engine_event *event)
{
	*array_push(past) = (struct past_event){ event->time, describe(event) };
}

void past_events_rewind(struct past_events *past)
{
	past->next = 0;
}

static bool is_it(const struct past_event *told, const struct engine_event *event)
{
	return told->time == event->time && told->what == describe(event);
}

bool past_events_tell_again(struct past_events *past, const struct engine_event *event)
{
	size_t i = past->next;

	/* The oldest of them may be forgotten. */
	while (past->next == 0 && i < past->count && !is_it(&past->items[i], event))
		i++;
	if (i < past->count && is_it(&past->items[i], event)) {
		past->next = i + 1;
		return true;
	}
	past_events_finish(past);
	return false;
}
