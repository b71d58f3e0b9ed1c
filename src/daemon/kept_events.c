/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/kept_events.h"

#include "core/reference.h"
#include "daemon/observe.h"

enum event_subject event_subject(const struct engine_event *event)
{
	return event->kind >= EVENT_CONTAINER_CREATE && event->kind <= EVENT_CONTAINER_DESTROY
		? OF_CONTAINERS
		: OF_IMAGES;
}

/* The image that the event's container is known to hold, NULL if it is not. */
static const char *known_image(const struct inventory *inventory, const struct engine_event *event)
{
	const struct container *container = event_subject(event) == OF_CONTAINERS
		? inventory_find_container(inventory, event->actor)
		: NULL;

	return container ? container->image_id : NULL;
}

void kept_events_add(struct kept_events *events, const struct engine_event *event,
	const struct inventory *inventory)
{
	const char *image = known_image(inventory, event);

	*array_push(events) = (struct engine_event){
		.kind = event->kind,
		.actor = xstrdup(event->actor),
		.image = xstrdup(image ? image : event->image),
		.name = xstrdup(event->name),
		.time = event->time,
	};
}

void kept_events_apply(struct kept_events *events, const struct apply *apply,
	enum event_subject subjects, enum event_subject keep)
{
	struct kept_events taken = *events;

	*events = (struct kept_events){};
	for (size_t i = 0; i < taken.count; i++) {
		struct engine_event *event = &taken.items[i];
		enum event_subject subject = event_subject(event);

		if (subject & subjects)
			apply_event(apply, event, observe_now(apply->ledger));
		if (subject & keep)
			*array_push(events) = *event;
		else
			engine_event_finish(event);
	}
	free(taken.items);
}

static bool is_by_name(const struct engine_event *event)
{
	_cleanup_free_ char *id = NULL;

	return image_id_normalise(event->actor, &id) < 0;
}

static bool is_of_name_in(const struct engine_event *event, const struct strings *names)
{
	_cleanup_free_ char *name = NULL;

	return is_by_name(event) && reference_canonicalise(event->actor, &name) == 0 &&
		strings_contain(names, name);
}

/* A use of who has the name, and no more than that. */
static void doubt_pull(struct engine_event *event)
{
	event->kind = EVENT_IMAGE_SAVE;
}

void kept_events_drop_tags(struct kept_events *events)
{
	_cleanup_strings_ struct strings given = {};

	for (size_t i = events->count; i > 0; i--) {
		struct engine_event *event = &events->items[i - 1];
		char *name;

		if (event->kind == EVENT_IMAGE_TAG) {
			if (reference_canonicalise(event->name, &name) == 0)
				strings_take(&given, name);
			*event->name = '\0';
		} else if (event->kind == EVENT_IMAGE_PULL && is_of_name_in(event, &given)) {
			doubt_pull(event);
		}
	}
}

void kept_events_doubt_names(struct kept_events *events)
{
	kept_events_drop_tags(events);
	for (size_t i = 0; i < events->count; i++) {
		struct engine_event *event = &events->items[i];

		if (event->kind == EVENT_IMAGE_PULL && is_by_name(event))
			doubt_pull(event);
	}
}

nsec_t kept_events_since(const struct kept_events *events)
{
	nsec_t since = NSEC_MAX;

	for (size_t i = 0; i < events->count; i++)
		since = MIN(since, events->items[i].time);
	return since;
}

void kept_events_drop(struct kept_events *events)
{
	for (size_t i = 0; i < events->count; i++)
		engine_event_finish(&events->items[i]);
	free(events->items);
	*events = (struct kept_events){};
}
