/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/watch.h"

#include <errno.h>
#include <string.h>

#include "core/reference.h"
#include "daemon/questions.h"
#include "daemon/reconcile.h"
#include "io/clock.h"
#include "io/log.h"

/* More open questions than this are cheaper to answer by a list. */
#define QUESTIONS_MAX 64

typedef ARRAY(struct engine_event) events_t;

struct watch {
	struct engine *engine;
	struct inventory *inventory;
	struct ledger *ledger;
	struct watch_handler handler;
	void *userdata;

	struct reconcile *reconcile;
	bool loaded; /* there have been lists */
	bool reconcile_again; /* once more when it is through */
	bool removing; /* see watch_set_removing() */
	events_t during_list; /* to be applied again after it */

	struct questions questions;
	struct question asked; /* its answer is under way */
	struct engine_call *ask;

	struct engine_call *containers; /* for a collection */
	watch_done_fn containers_done;
	void *containers_userdata;
};

static void ask_next(struct watch *watch);
static void on_listed(void *userdata);
static void on_reconciled(void *userdata, int result, const char *why);

struct watch *watch_create(struct engine *engine, struct inventory *inventory,
	struct ledger *ledger, const struct watch_handler *handler, void *userdata)
{
	static const struct reconcile_handler reconcile_handler = { on_listed, on_reconciled };
	struct watch *watch = xcalloc(1, sizeof(*watch));

	watch->reconcile = reconcile_create(engine, inventory, &reconcile_handler, watch);
	watch->engine = engine;
	watch->inventory = inventory;
	watch->ledger = ledger;
	watch->handler = *handler;
	watch->userdata = userdata;
	return watch;
}

static void drop_events(struct watch *watch)
{
	for (size_t i = 0; i < watch->during_list.count; i++)
		engine_event_finish(&watch->during_list.items[i]);
	free(watch->during_list.items);
	watch->during_list = (events_t){};
}

void watch_stop(struct watch *watch)
{
	reconcile_cancel(watch->reconcile);
	engine_cancel(TAKE_PTR(watch->ask));
	engine_cancel(TAKE_PTR(watch->containers));
	drop_events(watch);
	questions_finish(&watch->questions);
	question_finish(&watch->asked);
	watch->reconcile_again = watch->removing = watch->loaded = false;
}

void watch_destroy(struct watch *watch)
{
	if (!watch)
		return;
	watch_stop(watch);
	reconcile_destroy(watch->reconcile);
	free(watch);
}

bool watch_is_loaded(const struct watch *watch)
{
	return watch->loaded;
}

bool watch_is_settled(const struct watch *watch)
{
	return watch->loaded && !reconcile_is_running(watch->reconcile) && !watch->asked.is_use &&
		!questions_have_use(&watch->questions);
}

static void tell_settled(struct watch *watch)
{
	if (watch_is_settled(watch))
		watch->handler.settled(watch->userdata);
}

void watch_image_gone(struct watch *watch, const char *id)
{
	questions_drop_image(&watch->questions, id);
	inventory_remove_image(watch->inventory, id);
	ledger_remove(watch->ledger, id);
}

/* An image that events or a list have shown: its entry, and what the event told of it. */
static void note_image(
	struct watch *watch, const struct image *image, const struct question *question)
{
	struct ledger_entry *entry = ledger_find(watch->ledger, image->id);
	nsec_t now = clock_now();
	bool is_new = !entry;

	if (is_new && image_is_intermediate(image))
		return;
	if (is_new) {
		enum origin origin = ORIGIN_BUILT;

		if (question->has_origin)
			origin = question->origin;
		else if (engine_digests_prove_pull(watch->engine) && image->digests.count > 0)
			origin = ORIGIN_PULLED;
		entry = ledger_add(watch->ledger, image->id, origin, now);
		entry->inferred = !question->has_origin;
	} else if (question->has_origin) {
		ledger_learn_origin(watch->ledger, entry, question->origin, question->when);
	}
	ledger_sync_names(watch->ledger, entry, image, now);
	if (question->is_use)
		ledger_touch(watch->ledger, image->id, question->when, now);
	if (is_new)
		watch->handler.arrived(watch->userdata, image);
}

/* A step of a build that now has the next one on top is no image of its own any more. */
static void note_parent(struct watch *watch, const struct image *image)
{
	const struct image *parent =
		image->parent ? inventory_find_image(watch->inventory, image->parent) : NULL;

	if (parent)
		ledger_drop_step(watch->ledger, parent);
}

static void raise_question(struct watch *watch, struct question question)
{
	if (!watch->loaded) {
		question_finish(&question);
		return;
	}
	questions_add(&watch->questions, &question);
	if (watch->questions.count > QUESTIONS_MAX)
		watch_reconcile(watch);
	else
		ask_next(watch);
}

/* What a list has answered as well. */
static void settle_by_list(struct watch *watch, struct question *question)
{
	struct container *container;
	struct image *image = NULL;

	if (question->kind == QUESTION_IMAGE) {
		image = inventory_resolve(watch->inventory, question->name);
	} else {
		container = inventory_find_container(watch->inventory, question->name);
		if (container && container->image_id)
			image = inventory_find_image(watch->inventory, container->image_id);
		else if (question->text)
			image = inventory_resolve(watch->inventory, question->text);
	}
	if (image)
		note_image(watch, image, question);
}

static void finish_question(struct watch *watch)
{
	question_finish(&watch->asked);
	ask_next(watch);
	tell_settled(watch);
}

/* Canonical references have a slash. */
static bool is_image_id(const char *name)
{
	return strncmp(name, "sha256:", 7) == 0;
}

static void on_image(void *userdata, struct engine_answer *answer)
{
	struct watch *watch = userdata;
	struct question *question = &watch->asked;
	struct image *image;

	watch->ask = NULL;
	if (answer->result == ENGINE_OK) {
		image = inventory_put_image(watch->inventory, &answer->image);
		note_parent(watch, image);
		note_image(watch, image, question);
		watch->handler.grown(watch->userdata);
	} else if (answer->result == ENGINE_NOT_FOUND && is_image_id(question->name)) {
		watch_image_gone(watch, question->name);
	} else {
		/* A name that nobody has (pull --all-tags tells the repository alone), or a
		 * failure. */
		log_debug("what happened to %s is in doubt, listing: %s", question->name,
			answer->message);
		watch_reconcile(watch);
	}
	finish_question(watch);
}

static void ask_image(struct watch *watch, const char *name, struct question template)
{
	template.kind = QUESTION_IMAGE;
	template.name = xstrdup(name);
	raise_question(watch, template);
}

/* The container holds this image: a use, whether or not we know the image yet. */
static void use_by_container(struct watch *watch, const struct question *question, const char *id)
{
	struct image *image = inventory_find_image(watch->inventory, id);

	if (!question->is_gone)
		inventory_put_container(watch->inventory, question->name, id);
	if (image && (ledger_find(watch->ledger, id) || image_is_intermediate(image)))
		ledger_touch(watch->ledger, id, question->when, clock_now());
	else
		ask_image(watch, id, (struct question){ .is_use = true, .when = question->when });
}

static void on_container(void *userdata, struct engine_answer *answer)
{
	struct watch *watch = userdata;
	struct question *question = &watch->asked;
	struct image *image;

	watch->ask = NULL;
	if (answer->result == ENGINE_OK) {
		use_by_container(watch, question, answer->container.image_id);
	} else {
		/* Gone already: what the user typed is all there is. */
		image = question->text ? inventory_resolve(watch->inventory, question->text) : NULL;
		if (image)
			ledger_touch(watch->ledger, image->id, question->when, clock_now());
		log_debug("container %.12s: %s", question->name, answer->message);
	}
	finish_question(watch);
}

static void ask_next(struct watch *watch)
{
	if (watch->ask || reconcile_is_running(watch->reconcile) ||
		!questions_take(&watch->questions, watch->removing, &watch->asked))
		return;
	if (watch->asked.kind == QUESTION_IMAGE)
		watch->ask =
			engine_inspect_image(watch->engine, watch->asked.name, on_image, watch);
	else
		watch->ask = engine_inspect_container(
			watch->engine, watch->asked.name, on_container, watch);
}

void watch_set_removing(struct watch *watch, bool removing)
{
	watch->removing = removing;
	ask_next(watch);
}

void watch_look_again(struct watch *watch, const char *id)
{
	ask_image(watch, id, (struct question){});
}

static void ask_container(struct watch *watch, const struct engine_event *event)
{
	raise_question(watch,
		(struct question){
			.kind = QUESTION_CONTAINER,
			.name = xstrdup(event->actor),
			.text = xstrdup(event->image),
			.is_use = true,
			.when = event->time,
		});
}

/* The image that a container we have not heard of holds, if the event leaves no doubt. */
static char *find_container_image(struct watch *watch, const struct engine_event *event)
{
	const struct image *image;
	char *id;

	if (image_id_normalise(event->image, &id) == 0)
		return id;
	/* Later on, what the user typed may name another image. */
	if (event->kind != EVENT_CONTAINER_CREATE)
		return NULL;
	image = inventory_resolve(watch->inventory, event->image);
	return image ? xstrdup(image->id) : NULL;
}

static void apply_container(struct watch *watch, const struct engine_event *event)
{
	const struct container *container =
		inventory_find_container(watch->inventory, event->actor);
	bool is_gone = event->kind == EVENT_CONTAINER_DESTROY;
	struct question use = {
		.name = event->actor,
		.is_use = true,
		.is_gone = is_gone,
		.when = event->time,
	};
	_cleanup_free_ char *id = container && container->image_id
		? xstrdup(container->image_id)
		: find_container_image(watch, event);

	if (id)
		use_by_container(watch, &use, id);
	else if (!is_gone)
		ask_container(watch, event);
	if (is_gone)
		inventory_remove_container(watch->inventory, event->actor);
	else if (!id)
		inventory_put_container(watch->inventory, event->actor, NULL);
}

/* By ID, as the event gives it (podman: bare hex), or by reference. */
static void ask_named(struct watch *watch, const char *text, struct question template)
{
	_cleanup_free_ char *name = NULL;

	if (image_id_normalise(text, &name) < 0 && reference_canonicalise(text, &name) < 0) {
		log_debug("an event names no image: \"%s\"", text);
		watch_reconcile(watch);
		return;
	}
	ask_image(watch, name, template);
}

/* The event names an image that we know, and changes nothing but its time and perhaps a tag. */
static void use_image(struct watch *watch, struct image *image, const struct engine_event *event)
{
	struct question use = { .is_use = true, .when = event->time };
	_cleanup_free_ char *canonical = NULL;

	if (event->kind == EVENT_IMAGE_TAG &&
		reference_canonicalise(event->name, &canonical) == 0 &&
		inventory_find_reference(watch->inventory, canonical) != image) {
		struct image *before = inventory_find_reference(watch->inventory, canonical);
		struct ledger_entry *entry = before ? ledger_find(watch->ledger, before->id) : NULL;

		inventory_move_reference(watch->inventory, image, canonical);
		if (entry)
			ledger_sync_names(watch->ledger, entry, before, clock_now());
		watch->handler.grown(watch->userdata);
	}
	if (event->kind == EVENT_IMAGE_IMPORT) {
		use.has_origin = true;
		use.origin = ORIGIN_LOADED;
	}
	note_image(watch, image, &use);
}

static void apply_image(struct watch *watch, const struct engine_event *event)
{
	struct question use = { .is_use = true, .when = event->time };
	const char *name = *event->actor ? event->actor : event->name;
	struct image *image = inventory_resolve(watch->inventory, name);

	switch (event->kind) {
	case EVENT_IMAGE_PULL:
		/* The name may have moved. */
		use.has_origin = true;
		use.origin = ORIGIN_PULLED;
		ask_named(watch, name, use);
		break;
	case EVENT_IMAGE_LOAD:
		/* It tells no names. */
		use.has_origin = true;
		use.origin = ORIGIN_LOADED;
		ask_named(watch, name, use);
		break;
	case EVENT_IMAGE_IMPORT:
		use.has_origin = true;
		use.origin = ORIGIN_LOADED;
		if (image)
			use_image(watch, image, event);
		else
			ask_named(watch, name, use);
		break;
	case EVENT_IMAGE_UNTAG:
	case EVENT_IMAGE_DELETE:
		/* What is left of it is only known by asking: podman says delete for an untag. */
		if (image)
			ask_image(watch, image->id, (struct question){});
		break;
	case EVENT_IMAGE_TAG:
	case EVENT_IMAGE_CREATE:
	case EVENT_IMAGE_PUSH:
	case EVENT_IMAGE_SAVE:
		if (image)
			use_image(watch, image, event);
		else
			ask_named(watch, name, use);
		break;
	case EVENT_OTHER:
	case EVENT_CONTAINER_CREATE:
	case EVENT_CONTAINER_START:
	case EVENT_CONTAINER_DIE:
	case EVENT_CONTAINER_DESTROY:
		break;
	}
}

static void apply(struct watch *watch, const struct engine_event *event)
{
	switch (event->kind) {
	case EVENT_CONTAINER_CREATE:
	case EVENT_CONTAINER_START:
	case EVENT_CONTAINER_DIE:
	case EVENT_CONTAINER_DESTROY:
		apply_container(watch, event);
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
		apply_image(watch, event);
		break;
	case EVENT_OTHER:
		break;
	}
}

void watch_event(struct watch *watch, const struct engine_event *event)
{
	bool listing = reconcile_is_listing(watch->reconcile) || watch->containers;

	if (listing || !watch->loaded)
		*array_push(&watch->during_list) = (struct engine_event){
			.kind = event->kind,
			.actor = xstrdup(event->actor),
			.image = xstrdup(event->image),
			.name = xstrdup(event->name),
			.time = event->time,
		};
	/* Before the first list nothing is known that an event could be applied to. */
	if (watch->loaded)
		apply(watch, event);
}

/* A list has come: what happened since it was asked for may be news to it. */
static void apply_again(struct watch *watch)
{
	events_t events = watch->during_list;

	watch->during_list = (events_t){};
	for (size_t i = 0; i < events.count; i++) {
		apply(watch, &events.items[i]);
		engine_event_finish(&events.items[i]);
	}
	free(events.items);
}

static void on_listed(void *userdata)
{
	struct watch *watch = userdata;
	struct questions questions = watch->questions;

	watch->questions = (struct questions){};
	watch->loaded = true;
	watch->handler.listed(watch->userdata);
	ledger_reconcile(watch->ledger, watch->inventory, engine_digests_prove_pull(watch->engine),
		clock_now());
	for (size_t i = 0; i < questions.count; i++)
		settle_by_list(watch, &questions.items[i]);
	questions_finish(&questions);
	apply_again(watch);
}

static void on_reconciled(void *userdata, int result, const char *why)
{
	struct watch *watch = userdata;

	if (result < 0) {
		watch->reconcile_again = false;
		if (watch->loaded)
			drop_events(watch); /* they were applied as they came */
		watch->handler.failed(watch->userdata, why);
		return;
	}
	if (watch->reconcile_again) {
		watch_reconcile(watch);
		return;
	}
	ask_next(watch);
	watch->handler.reconciled(watch->userdata);
	tell_settled(watch);
}

void watch_reconcile(struct watch *watch)
{
	if (reconcile_is_running(watch->reconcile)) {
		watch->reconcile_again = true;
		return;
	}
	watch->reconcile_again = false;
	/* The list answers what was asked, and is newer. */
	if (watch->ask) {
		engine_cancel(TAKE_PTR(watch->ask));
		questions_add(&watch->questions, &watch->asked);
	}
	reconcile_start(watch->reconcile);
}

static void on_containers_listed(void *userdata, struct engine_answer *answer)
{
	struct watch *watch = userdata;
	watch_done_fn done = watch->containers_done;
	struct container *container, *next;

	watch->containers = NULL;
	if (answer->result != ENGINE_OK) {
		done(watch->containers_userdata, answer->result < 0 ? answer->result : -EREMOTEIO,
			answer->message);
		return;
	}
	inventory_replace_containers(
		watch->inventory, answer->containers.items, answer->containers.count);
	HASH_ITER (hh, watch->inventory->containers, container, next)
		if (container->image_id)
			ledger_touch(watch->ledger, container->image_id, clock_now(), clock_now());
	if (!reconcile_is_listing(watch->reconcile))
		apply_again(watch);
	done(watch->containers_userdata, 0, NULL);
}

void watch_list_containers(struct watch *watch, watch_done_fn done, void *userdata)
{
	watch->containers_done = done;
	watch->containers_userdata = userdata;
	watch->containers = engine_list_containers(watch->engine, on_containers_listed, watch);
}
