/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/apply.h"

#include <string.h>

#include "core/reference.h"
#include "core/tracking.h"
#include "daemon/report.h"
#include "io/log.h"

/* What podman builds or commits without a registry's name. */
static bool has_local_names_alone(const struct image *image)
{
	for (size_t i = 0; i < image->references.count; i++)
		if (strncmp(image->references.items[i], "localhost/", 10) != 0)
			return false;
	return image->references.count > 0;
}

/*
 * Whether the event tells how the image came. A pull tells a name alone, which may be another
 * image's by now: what was pulled has a digest. One that podman tells may be a mere run: it has
 * brought nothing that was there before, and no local name. While it cannot be told from what was
 * loaded, we rather keep.
 */
static bool proves_origin(const struct apply *apply, const struct image *image,
	const struct ledger_entry *entry, const struct question *question)
{
	if (!question->has_origin || question->origin != ORIGIN_PULLED)
		return question->has_origin;
	if (apply->digests_prove_pull && image->digests.count == 0)
		return false;
	if (!apply->runs_tell_pulls)
		return true;
	if (entry && question->when > entry->first_seen)
		return false;
	if (apply->unnamed_load > 0 && question->when > apply->unnamed_load)
		return false;
	return !has_local_names_alone(image);
}

/* An image that an event or a list has shown: its entry, and what the event told of it. */
static void note_image(const struct apply *apply, const struct image *image,
	const struct question *question, nsec_t now)
{
	struct ledger_entry *entry = ledger_find(apply->ledger, image->id);
	nsec_t seen = question->is_use ? MIN(question->when, now) : now;
	bool is_new = !entry, proves = proves_origin(apply, image, entry, question);

	if (is_new && image_is_intermediate(image))
		return;
	if (is_new) {
		enum origin origin = ORIGIN_BUILT;

		if (proves)
			origin = question->origin;
		else if (apply->digests_prove_pull && image->digests.count > 0)
			origin = ORIGIN_PULLED;
		entry = ledger_add(apply->ledger, image->id, origin, seen);
		entry->inferred = !proves;
	} else if (proves) {
		ledger_learn_origin(apply->ledger, entry, question->origin, question->when);
	}
	ledger_sync_names(apply->ledger, entry, image);
	tracking_settle(apply->policy, apply->ledger, image, seen);
	if (question->is_use)
		ledger_touch(apply->ledger, image->id, question->when, now);
	if (is_new)
		apply->handler.arrived(apply->userdata, image);
}

/* The image that has this name now, if it is another one than the one that takes it. */
static struct image *find_loser(
	const struct apply *apply, const char *canonical, const char *winner_id)
{
	struct image *image = inventory_find_reference(apply->inventory, canonical);

	return image && !streq(image->id, winner_id) ? image : NULL;
}

static void ask_image(const struct apply *apply, const char *name, struct question question)
{
	question.kind = QUESTION_IMAGE;
	question.name = xstrdup(name);
	apply->handler.open(apply->userdata, &question);
}

static void note_loss(const struct apply *apply, const struct image *loser)
{
	struct ledger_entry *entry = ledger_find(apply->ledger, loser->id);

	if (entry)
		ledger_sync_names(apply->ledger, entry, loser);
	/* Where digests are made of names, they go with them: is it nameless now? */
	if (!apply->digests_prove_pull && loser->digests.count > 0)
		ask_image(apply, loser->id, (struct question){});
}

/* Layers have come that several images have: how much is in them? */
static void ask_histories(const struct apply *apply, const struct image *image)
{
	struct image *other, *next;

	if (!layers_are_unsure(image->top))
		return;
	HASH_ITER (hh, apply->inventory->images, other, next) {
		struct question question = { .kind = QUESTION_HISTORY };

		if (!inventory_needs_history(apply->inventory, other))
			continue;
		question.name = xstrdup(other->id);
		apply->handler.open(apply->userdata, &question);
	}
}

void apply_history(const struct apply *apply, const char *id, struct history *history)
{
	struct image *image = inventory_find_image(apply->inventory, id);

	if (image && inventory_learn_history(apply->inventory, image, history) < 0)
		log_debug("%s: its history does not fit its layers", id);
}

static const struct image *find_parent(const struct apply *apply, const struct image *image)
{
	return image->parent ? inventory_find_image(apply->inventory, image->parent) : NULL;
}

/* A step that is none any more is an image like any other, unless it goes as well. */
static void note_childless(const struct apply *apply, const struct image *parent)
{
	if (parent && !image_is_intermediate(parent) && !ledger_find(apply->ledger, parent->id))
		ask_image(apply, parent->id, (struct question){});
}

/* Goes up with all that may change what a plan says. */
static uint64_t count_changes(const struct apply *apply)
{
	return apply->inventory->generation + apply->ledger->generation;
}

void apply_image(const struct apply *apply, const struct question *question,
	const struct image_record *record, nsec_t now)
{
	const struct image *image = inventory_find_image(apply->inventory, record->id), *parent;
	uint64_t changes = count_changes(apply);
	/* One that is about to go may have lost it already (moby: image store's Delete). */
	const struct image *former_parent = image ? find_parent(apply, image) : NULL;
	bool was_step = image && !ledger_find(apply->ledger, record->id);
	struct image *loser;

	for (size_t i = 0; i < record->references.count; i++) {
		const char *name = record->references.items[i];

		loser = find_loser(apply, name, record->id);
		if (!loser)
			continue;
		inventory_drop_reference(apply->inventory, loser, name);
		note_loss(apply, loser);
	}
	/* It had a tag and has lost it again: so has the one that had it before. */
	loser = question->text ? find_loser(apply, question->text, record->id) : NULL;
	if (loser && !strings_contain(&record->references, question->text)) {
		inventory_drop_reference(apply->inventory, loser, question->text);
		ask_image(apply, loser->id, (struct question){});
	}
	image = inventory_put_image(apply->inventory, record);
	parent = find_parent(apply, image);
	note_childless(apply, former_parent);
	/* A step of a build that now has the next one on top is no image of its own any more. No
	 * event tells of a step: what goes along with the image must be known before it goes.
	 */
	if (parent)
		ledger_drop_step(apply->ledger, parent);
	else if (image->parent)
		ask_image(apply, image->parent, (struct question){});
	report_unsized(image);
	note_image(apply, image, question, now);
	/* Nobody has counted what used it since it was taken for one. */
	if (was_step)
		ledger_touch(apply->ledger, record->id, now, now);
	ask_histories(apply, image);
	/* What a removal asks is mostly known already: no reason for the next collection. */
	if (count_changes(apply) != changes)
		apply->handler.grown(apply->userdata);
}

void apply_gone(const struct apply *apply, const char *id)
{
	const struct image *image = inventory_find_image(apply->inventory, id);
	const struct image *parent = image ? find_parent(apply, image) : NULL;

	inventory_remove_image(apply->inventory, id);
	ledger_remove(apply->ledger, id);
	note_childless(apply, parent);
}

static void ask_container(const struct apply *apply, const struct engine_event *event)
{
	struct question question = {
		.kind = QUESTION_CONTAINER,
		.name = xstrdup(event->actor),
		.text = xstrdup(event->image),
		.is_use = true,
		.when = event->time,
	};

	apply->handler.open(apply->userdata, &question);
}

/* A container holds this image: a use, whether or not we know the image yet. */
static void use_by_container(
	const struct apply *apply, const char *id, nsec_t first, nsec_t when, nsec_t now)
{
	const struct image *image = inventory_find_image(apply->inventory, id);

	if (image && (ledger_find(apply->ledger, id) || image_is_intermediate(image)))
		ledger_touch(apply->ledger, id, when, now);
	else
		ask_image(apply, id,
			(struct question){ .is_use = true, .when = when, .first = first });
}

/* By ID, as the event gives it (podman: bare hex), or by reference. Takes the question over. */
static void ask_named(const struct apply *apply, const char *text, struct question question)
{
	_cleanup_free_ char *name = NULL;

	if (image_id_normalise(text, &name) < 0 && reference_canonicalise(text, &name) < 0) {
		question_finish(&question);
		apply->handler.in_doubt(apply->userdata, "an event that names no image");
	} else {
		ask_image(apply, name, question);
	}
}

static bool may_have_moved(const struct apply *apply, const char *text)
{
	_cleanup_free_ char *canonical = NULL;
	const char *awaited;

	return reference_canonicalise(text, &canonical) == 0 &&
		apply->handler.is_awaited(apply->userdata, canonical, &awaited);
}

/* Of a container that is gone, what the user typed must do. False if no image has this name now. */
static bool use_typed(const struct apply *apply, const char *text, nsec_t when, nsec_t now)
{
	const struct image *image = inventory_resolve(apply->inventory, text);

	if (image)
		ledger_touch(apply->ledger, image->id, when, now);
	return image;
}

/*
 * The same, and who has the name is asked for where that is in doubt. If it has moved since the
 * container was created, one image is kept for longer than need be.
 */
static void use_by_gone(
	const struct apply *apply, const char *text, nsec_t first, nsec_t when, nsec_t now)
{
	/* podman tells of an image after its first container. */
	if (!use_typed(apply, text, when, now) || may_have_moved(apply, text))
		ask_named(apply, text,
			(struct question){ .is_use = true, .when = when, .first = first });
}

void apply_container(const struct apply *apply, const struct question *question,
	const char *image_id, nsec_t now)
{
	const struct container *container =
		inventory_find_container(apply->inventory, question->name);

	if (image_id) {
		/* Unless it was destroyed meanwhile. */
		if (container)
			inventory_put_container(apply->inventory, question->name, image_id);
		use_by_container(apply, image_id, question->first, question->when, now);
		return;
	}
	use_by_gone(apply, question->text, question->first, question->when, now);
}

void apply_list(const struct apply *apply, const struct question *question, nsec_t now)
{
	const struct image *image;

	if (question->kind == QUESTION_HISTORY)
		return; /* asked for along with the list */
	if (question->kind == QUESTION_CONTAINER) {
		const struct container *container =
			inventory_find_container(apply->inventory, question->name);

		if (container && container->image_id)
			apply_container(apply, question, container->image_id, now);
		else
			use_typed(apply, question->text, question->when, now);
		return;
	}
	image = inventory_resolve(apply->inventory, question->name);
	if (image)
		note_image(apply, image, question, now);
}

/* Whether what was typed may have meant another image than by what is known now. */
static bool is_older_than_answers(
	const struct apply *apply, const struct engine_event *event, nsec_t now)
{
	/* Unless the clock was set back since. */
	return event->time <= apply->answered && apply->answered <= now;
}

/* The image that a container we have not heard of holds, if the event leaves no doubt. */
static char *find_container_image(
	const struct apply *apply, const struct engine_event *event, nsec_t now)
{
	_cleanup_free_ char *canonical = NULL;
	const struct image *image;
	const char *awaited = NULL;
	char *id;

	if (image_id_normalise(event->image, &id) == 0)
		return id;
	if (event->kind != EVENT_CONTAINER_CREATE)
		return NULL;
	image = reference_canonicalise(event->image, &canonical) == 0
		? inventory_find_reference(apply->inventory, canonical)
		: NULL;
	if (!image)
		image = inventory_resolve(apply->inventory, event->image);
	if (!canonical ||
		(!apply->handler.is_awaited(apply->userdata, canonical, &awaited) &&
			!is_older_than_answers(apply, event, now)))
		return image ? xstrdup(image->id) : NULL;
	if (awaited)
		return xstrdup(awaited);
	/* It may be this one, and the container gone before it can be asked. */
	if (image)
		ledger_touch(apply->ledger, image->id, event->time, now);
	return NULL;
}

static void container_event(const struct apply *apply, const struct engine_event *event, nsec_t now)
{
	const struct container *container =
		inventory_find_container(apply->inventory, event->actor);
	_cleanup_free_ char *id = container && container->image_id
		? xstrdup(container->image_id)
		: inventory_take_departed(apply->inventory, event->actor);
	bool is_gone = event->kind == EVENT_CONTAINER_DESTROY;

	if (!id)
		id = find_container_image(apply, event, now);
	if (is_gone)
		inventory_remove_container(apply->inventory, event->actor);
	else
		inventory_put_container(apply->inventory, event->actor, id);
	if (id)
		use_by_container(apply, id, 0, event->time, now);
	else if (is_gone && !may_have_moved(apply, event->image)) /* the name may go next */
		use_by_gone(apply, event->image, 0, event->time, now);
	else
		ask_container(apply, event);
}

/* The tag names this image now; the one that had it keeps its history and loses the name. */
static void move_tag(const struct apply *apply, struct image *image, const char *name, nsec_t now)
{
	_cleanup_free_ char *canonical = NULL;
	struct image *loser;
	const char *awaited;

	if (reference_canonicalise(name, &canonical) < 0)
		return;
	/* Another one was to get it, and lost it before we could ask: it did not bring this one. */
	if (apply->handler.is_awaited(apply->userdata, canonical, &awaited) &&
		!(awaited && streq(awaited, image->id)))
		ask_image(apply, image->id, (struct question){ .text = xstrdup(canonical) });
	if (inventory_find_reference(apply->inventory, canonical) == image)
		return;
	loser = find_loser(apply, canonical, image->id);
	inventory_move_reference(apply->inventory, image, canonical);
	if (loser)
		note_loss(apply, loser);
	apply->handler.grown(apply->userdata);
}

/* What the event says by its kind alone. */
static struct question question_of(const struct apply *apply, const struct engine_event *event)
{
	struct question question = { .is_use = true, .when = event->time };

	if (event->kind == EVENT_IMAGE_PULL) {
		question.has_origin = true;
		question.origin = ORIGIN_PULLED;
	} else if (event->kind == EVENT_IMAGE_LOAD || event->kind == EVENT_IMAGE_IMPORT) {
		question.has_origin = true;
		question.origin = ORIGIN_LOADED;
	} else if (event->kind == EVENT_IMAGE_CREATE && apply->runs_tell_pulls) {
		/* podman's build: what is run next was not pulled. */
		question.has_origin = true;
		question.origin = ORIGIN_BUILT;
	}
	return question;
}

static void image_event(const struct apply *apply, const struct engine_event *event, nsec_t now)
{
	const char *name = *event->actor ? event->actor : event->name;
	struct image *image = inventory_resolve(apply->inventory, name);
	struct question question = question_of(apply, event);

	if (event->kind == EVENT_IMAGE_UNTAG || event->kind == EVENT_IMAGE_DELETE) {
		/* What is left of it is only known by asking: podman says delete for an untag. */
		if (image)
			ask_image(apply, image->id, (struct question){});
		return;
	}
	/* A pulled name may have moved, a load tells no names, and a push makes a digest. */
	if (event->kind == EVENT_IMAGE_PULL || event->kind == EVENT_IMAGE_LOAD ||
		event->kind == EVENT_IMAGE_PUSH)
		image = NULL;
	if (image && event->kind == EVENT_IMAGE_TAG)
		move_tag(apply, image, event->name, now);
	if (image) {
		note_image(apply, image, &question, now);
		return;
	}
	/* If it is gone by then, the tag is still no longer where it was. */
	if (event->kind == EVENT_IMAGE_TAG &&
		reference_canonicalise(event->name, &question.text) < 0)
		question.text = NULL;
	ask_named(apply, name, question);
}

void apply_event(const struct apply *apply, const struct engine_event *event, nsec_t now)
{
	switch (event->kind) {
	case EVENT_OTHER:
		break;
	case EVENT_CONTAINER_CREATE:
	case EVENT_CONTAINER_START:
	case EVENT_CONTAINER_DIE:
	case EVENT_CONTAINER_DESTROY:
		if (container_id_is_valid(event->actor))
			container_event(apply, event, now);
		else
			apply->handler.in_doubt(
				apply->userdata, "an event that names no container");
		break;
	case EVENT_IMAGE_PULL:
	case EVENT_IMAGE_TAG:
	case EVENT_IMAGE_UNTAG:
	case EVENT_IMAGE_LOAD:
	case EVENT_IMAGE_IMPORT:
	case EVENT_IMAGE_CREATE:
	case EVENT_IMAGE_PUSH:
	case EVENT_IMAGE_SAVE:
	case EVENT_IMAGE_DELETE:
		image_event(apply, event, now);
		break;
	}
}
