/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/watch.h"

#include <errno.h>
#include <string.h>

#include "core/tracking.h"
#include "daemon/apply.h"
#include "daemon/comparison.h"
#include "daemon/inquiry.h"
#include "daemon/kept_events.h"
#include "daemon/late.h"
#include "daemon/observe.h"
#include "daemon/reconcile.h"
#include "io/log.h"

/* More open questions than this are cheaper to answer by a list. */
#define QUESTIONS_MAX 64

struct watch {
	struct engine *engine;
	struct apply apply;
	struct watch_handler handler;
	void *userdata;

	struct reconcile *reconcile;
	bool loaded; /* there have been lists */
	bool complete; /* with all that belongs to them: layers tell what stands on what */
	bool missed; /* events, and no list has been asked for since */
	bool reconcile_again; /* once more when it is through */
	bool removing; /* see watch_set_removing() */
	bool missed_in_removal; /* events, which may have brought again what it removed */
	bool live; /* see watch_set_live() */
	struct kept_events unsettled; /* until the answers that they came before */
	struct kept_events during_removal; /* the same, for a removal's answers */

	struct comparison comparison;
	struct late late; /* looks for what was told when it began */
	struct inquiry inquiry;

	struct engine_call *containers; /* for a collection */
	watch_done_fn containers_done;
	void *containers_userdata;
};

static void ask_next(struct watch *watch);
static void on_open(void *userdata, struct question *question);
static void on_doubt(void *userdata, const char *why);
static void on_arrived(void *userdata, const struct image *image);
static void on_grown(void *userdata);
static bool is_awaited(void *userdata, const char *canonical, const char **ret_id);
static void on_lists(void *userdata, const struct image_records *images,
	const struct container_records *containers);
static void on_listed(void *userdata);
static void on_reconciled(void *userdata, int result, const char *why);
static void on_answered(void *userdata, struct question *question, struct engine_answer *answer);
static void on_late_over(void *userdata);

static void look(void *userdata)
{
	watch_reconcile(userdata);
}

struct watch *watch_create(struct event_base *base, struct engine *engine,
	struct inventory *inventory, struct ledger *ledger, const struct policy *policy,
	const struct watch_handler *handler, void *userdata)
{
	static const struct reconcile_handler reconcile_handler = { on_lists, on_listed,
		on_reconciled };
	struct watch *watch = xcalloc(1, sizeof(*watch));

	comparison_init(&watch->comparison, base, inventory);
	inquiry_init(&watch->inquiry, engine, inventory, on_answered, watch);
	late_init(&watch->late, base, look, on_late_over, watch);
	watch->reconcile = reconcile_create(engine, inventory, &reconcile_handler, watch);
	watch->engine = engine;
	watch->apply = (struct apply){
		.inventory = inventory,
		.ledger = ledger,
		.policy = policy,
		.handler = { on_open, on_doubt, on_arrived, on_grown, is_awaited },
		.userdata = watch,
	};
	watch->handler = *handler;
	watch->userdata = userdata;
	watch->live = true;
	return watch;
}

/* What is asked for from now on is newer than they are, and they were applied as they came. */
static void drop_applied(struct watch *watch)
{
	if (watch->loaded)
		kept_events_drop(&watch->unsettled);
}

static void give_up_lists(struct watch *watch)
{
	reconcile_cancel(watch->reconcile);
	drop_applied(watch);
}

void watch_pause(struct watch *watch)
{
	give_up_lists(watch);
	comparison_forget(&watch->comparison);
	late_cancel(&watch->late);
	inquiry_take_back(&watch->inquiry);
	engine_cancel(TAKE_PTR(watch->containers));
	kept_events_drop(&watch->during_removal); /* they were applied as they came */
	watch->reconcile_again = watch->removing = watch->loaded = watch->complete = false;
	watch->missed = watch->missed_in_removal = false;
}

void watch_stop(struct watch *watch)
{
	watch_pause(watch);
	kept_events_drop(&watch->unsettled);
	inquiry_finish(&watch->inquiry);
	late_forget(&watch->late);
	on_late_over(watch);
}

void watch_destroy(struct watch *watch)
{
	if (!watch)
		return;
	watch_stop(watch);
	comparison_finish(&watch->comparison);
	late_finish(&watch->late);
	reconcile_destroy(watch->reconcile);
	free(watch);
}

size_t watch_differences(const struct watch *watch)
{
	return watch->comparison.told;
}

bool watch_is_loaded(const struct watch *watch)
{
	return watch->loaded;
}

bool watch_is_settled(const struct watch *watch)
{
	return watch->live && watch->complete && !reconcile_is_running(watch->reconcile) &&
		!inquiry_is_open(&watch->inquiry, watch->removing);
}

nsec_t watch_open_since(const struct watch *watch)
{
	nsec_t asked = inquiry_since(&watch->inquiry);

	/* Before there are lists events are kept, and have no effect. */
	return watch->loaded ? asked : MIN(asked, kept_events_since(&watch->unsettled));
}

static void tell_settled(struct watch *watch)
{
	if (watch_is_settled(watch))
		watch->handler.settled(watch->userdata);
}

void watch_set_live(struct watch *watch, bool live)
{
	watch->live = live;
	if (!live) {
		comparison_forget(&watch->comparison);
		inquiry_take_back(&watch->inquiry);
	}
	/* The ledger knows of the gap now, and did not when this was told of it. */
	if (live && watch->loaded)
		kept_events_apply(&watch->unsettled, &watch->apply, OF_ANYTHING, OF_ANYTHING);
	/* What began before that came perhaps after the list. */
	if (live && engine_tells_beginnings(watch->engine))
		late_expect(&watch->late);
	if (live && watch->reconcile_again)
		watch_reconcile(watch);
	ask_next(watch);
	tell_settled(watch);
}

void watch_missed(struct watch *watch)
{
	/* Lists that fail must not leave what was known in force. */
	watch->complete = false;
	watch->missed = true;
	watch->missed_in_removal = watch->removing;
	give_up_lists(watch);
	kept_events_drop(&watch->during_removal); /* lists are newer, and there will be one more */
	kept_events_doubt_names(&watch->unsettled);
	questions_doubt_names(&watch->inquiry.waiting);
	questions_doubt_names(&watch->late.names);
}

void watch_image_gone(struct watch *watch, const char *id)
{
	questions_drop_image(&watch->inquiry.waiting, id);
	apply_gone(&watch->apply, id);
}

bool watch_is_live(const struct watch *watch)
{
	return watch->live;
}

/* Whether it asks of a pull that was told when it began, perhaps before it was through. */
static bool may_come_late(const struct watch *watch, const struct question *question)
{
	return question_is_by_name(question) && question->has_origin &&
		engine_tells_beginnings(watch->engine);
}

static void on_late_over(void *userdata)
{
	struct watch *watch = userdata;

	watch->apply.unnamed_load = 0;
}

static void on_open(void *userdata, struct question *question)
{
	struct watch *watch = userdata;

	if (may_come_late(watch, question))
		late_expect_pull(&watch->late, question);
	inquiry_raise(&watch->inquiry, question);
	if (watch->inquiry.waiting.count > QUESTIONS_MAX)
		watch_reconcile(watch);
	else
		ask_next(watch);
}

static void on_doubt(void *userdata, const char *why)
{
	struct watch *watch = userdata;

	log_debug("listing images anew: %s", why);
	comparison_forget(&watch->comparison);
	watch_reconcile(watch);
}

static void on_arrived(void *userdata, const struct image *image)
{
	struct watch *watch = userdata;

	watch->handler.arrived(watch->userdata, image);
}

static void on_grown(void *userdata)
{
	struct watch *watch = userdata;

	watch->handler.grown(watch->userdata);
}

bool watch_awaits_name(const struct watch *watch, const char *canonical, const char **ret_id)
{
	if (inquiry_is_about(&watch->inquiry, canonical, ret_id))
		return true;
	/* What was missed may have moved any name. */
	*ret_id = NULL;
	return watch->missed ||
		(reconcile_is_listing(watch->reconcile) && !watch->comparison.is_on);
}

static bool is_awaited(void *userdata, const char *canonical, const char **ret_id)
{
	return watch_awaits_name(userdata, canonical, ret_id);
}

bool watch_ask_image(struct watch *watch, const char *name)
{
	struct question question = { .kind = QUESTION_IMAGE, .is_awaited = true };

	if (!inventory_resolve(watch->apply.inventory, name))
		return false;
	question.name = xstrdup(name);
	on_open(watch, &question);
	return true;
}

static bool is_listing_containers(const struct watch *watch)
{
	return watch->containers || reconcile_is_listing(watch->reconcile);
}

/* Whether to apply it again: an answer may be older, or the ledger not know of the gap yet. */
static bool is_unsettled(const struct watch *watch, const struct engine_event *event)
{
	bool is_past = watch->missed && !watch->live;

	if (!watch->loaded || is_past || inquiry_is_asking(&watch->inquiry))
		return true;
	return event_subject(event) == OF_CONTAINERS ? is_listing_containers(watch)
						     : reconcile_is_listing(watch->reconcile);
}

/*
 * An answer has come: what happened to these since it was asked for may be news to it. What a
 * further answer may undo is kept.
 */
static void apply_again(struct watch *watch, enum event_subject subjects)
{
	enum event_subject keep = OF_ANYTHING & ~subjects;

	if (reconcile_is_listing(watch->reconcile))
		keep |= OF_IMAGES;
	if (is_listing_containers(watch))
		keep |= OF_CONTAINERS;
	kept_events_apply(&watch->unsettled, &watch->apply, subjects, keep);
}

static void on_image(struct watch *watch, struct question *question, struct engine_answer *answer)
{
	nsec_t now = observe_now(watch->apply.ledger);

	if (answer->result == ENGINE_OK) {
		watch->apply.answered = now;
		apply_image(&watch->apply, question, &answer->image, now);
	} else if (answer->result == ENGINE_NOT_FOUND && !question_is_by_name(question)) {
		watch_image_gone(watch, question->name);
		/* A load tells no tags. */
		if (question->text || question->has_origin)
			on_doubt(watch, "a tag has moved to an image that is gone");
	} else {
		/* Nobody has that name (pull --all-tags tells the repository alone), or a failure.
		 */
		inquiry_add(&watch->inquiry, question);
		on_doubt(watch, answer->message);
	}
}

static void on_container(
	struct watch *watch, struct question *question, struct engine_answer *answer)
{
	bool found = answer->result == ENGINE_OK;

	if (answer->result < 0) {
		/* It may well be there, and hold an image. */
		inquiry_add(&watch->inquiry, question);
		on_doubt(watch, answer->message);
		return;
	}
	if (!found)
		log_debug("what the user typed must do: %s", answer->message);
	apply_container(&watch->apply, question, found ? answer->container.image_id : NULL,
		observe_now(watch->apply.ledger));
}

static void on_answered(void *userdata, struct question *question, struct engine_answer *answer)
{
	struct watch *watch = userdata;

	switch (question->kind) {
	case QUESTION_IMAGE:
		on_image(watch, question, answer);
		break;
	case QUESTION_HISTORY:
		apply_history(&watch->apply, question->name,
			answer->result == ENGINE_OK ? &answer->history : NULL);
		break;
	case QUESTION_CONTAINER:
		on_container(watch, question, answer);
		break;
	}
	apply_again(watch, OF_ANYTHING);
	ask_next(watch);
	tell_settled(watch);
}

static void ask_next(struct watch *watch)
{
	/* While the stream is broken nobody knows who would answer. */
	if (watch->live && !reconcile_is_running(watch->reconcile))
		inquiry_next(&watch->inquiry, watch->removing);
}

static void keep_event(struct watch *watch, const struct engine_event *event, bool unsettled)
{
	const struct inventory *inventory = watch->apply.inventory;

	if (watch->removing)
		kept_events_add(&watch->during_removal, event, inventory);
	if (unsettled)
		kept_events_add(&watch->unsettled, event, inventory);
}

void watch_event(struct watch *watch, const struct engine_event *event)
{
	bool unsettled = is_unsettled(watch, event);
	bool ends = event->kind == EVENT_CONTAINER_DESTROY;

	if (event->kind == EVENT_IMAGE_LOAD && !*event->actor) {
		watch->apply.unnamed_load = event->time;
		late_expect(&watch->late);
	}
	/* What a container holds is known until its end. */
	if (ends)
		keep_event(watch, event, unsettled);
	/* Before the first list nothing is known that an event could be applied to. */
	if (watch->loaded)
		apply_event(&watch->apply, event, observe_now(watch->apply.ledger));
	if (!ends)
		keep_event(watch, event, unsettled);
	comparison_explain_event(&watch->comparison, event);
}

void watch_set_removing(struct watch *watch, bool removing)
{
	struct kept_events events = TAKE_STRUCT(watch->during_removal);

	watch->removing = removing;
	/* An image that came again before the engine's answer was there was dropped by that. */
	for (size_t i = 0; i < events.count; i++)
		watch_event(watch, &events.items[i]);
	kept_events_drop(&events);
	if (!removing && watch->missed_in_removal) {
		watch->missed_in_removal = false;
		on_doubt(watch, "events were missed during a removal");
	}
	ask_next(watch);
}

static void on_lists(void *userdata, const struct image_records *images,
	const struct container_records *containers)
{
	struct watch *watch = userdata;

	if (!watch->comparison.is_on)
		return;
	comparison_lists(&watch->comparison, images, containers);
	for (size_t i = 0; i < watch->unsettled.count; i++)
		comparison_explain_event(&watch->comparison, &watch->unsettled.items[i]);
	for (size_t i = 0; i < watch->inquiry.waiting.count; i++)
		comparison_explain(&watch->comparison, watch->inquiry.waiting.items[i].name);
}

/* What the inventory has and the ledger has not yet; at first, all of it is no news. */
static void find_new_images(const struct watch *watch, struct strings *ret)
{
	struct image *image, *next;

	if (!watch->loaded || watch->apply.ledger->met == 0)
		return;
	HASH_ITER (hh, watch->apply.inventory->images, image, next)
		if (!ledger_find(watch->apply.ledger, image->id) && !image_is_intermediate(image))
			strings_add(ret, image->id);
}

static void tell_arrivals(struct watch *watch, const struct strings *ids)
{
	bool grown = false;

	for (size_t i = 0; i < ids->count; i++) {
		const struct image *image =
			inventory_find_image(watch->apply.inventory, ids->items[i]);

		if (!image || !ledger_find(watch->apply.ledger, image->id))
			continue;
		watch->handler.arrived(watch->userdata, image);
		grown = true;
	}
	if (grown)
		watch->handler.grown(watch->userdata);
}

static void on_listed(void *userdata)
{
	struct watch *watch = userdata;
	struct questions questions = TAKE_STRUCT(watch->inquiry.waiting);
	_cleanup_strings_ struct strings arrivals = {};
	nsec_t now = observe_now(watch->apply.ledger);

	watch->handler.listed(watch->userdata);
	find_new_images(watch, &arrivals);
	watch->loaded = true;
	watch->complete = false;
	watch->apply.answered = now;
	watch->apply.digests_prove_pull = engine_has_graph_driver(watch->engine);
	watch->apply.runs_tell_pulls = engine_tells_pulls_of_runs(watch->engine);
	watch->apply.inventory->counts_layers = engine_has_graph_driver(watch->engine);
	ledger_reconcile(
		watch->apply.ledger, watch->apply.inventory, watch->apply.digests_prove_pull, now);
	tracking_settle_all(watch->apply.policy, watch->apply.ledger, watch->apply.inventory, now);
	for (size_t i = 0; i < questions.count; i++)
		apply_list(&watch->apply, &questions.items[i], now);
	for (size_t i = 0; i < watch->late.names.count; i++)
		apply_list(&watch->apply, &watch->late.names.items[i], now);
	questions_finish(&questions);
	apply_again(watch, OF_ANYTHING);
	tell_arrivals(watch, &arrivals);
	comparison_listed(&watch->comparison);
}

static void on_reconciled(void *userdata, int result, const char *why)
{
	struct watch *watch = userdata;

	if (result < 0) {
		watch->reconcile_again = false;
		watch->missed = true;
		drop_applied(watch);
		watch->handler.failed(watch->userdata, why);
		return;
	}
	watch->complete = true;
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
	/* While the stream is broken it may be another engine that answers. */
	if (!watch->live || reconcile_is_running(watch->reconcile)) {
		watch->reconcile_again = true;
		return;
	}
	watch->reconcile_again = false;
	/* The list answers what was asked, and is newer. */
	inquiry_take_back(&watch->inquiry);
	watch->missed = false;
	kept_events_drop_tags(&watch->unsettled);
	reconcile_start(watch->reconcile);
}

void watch_compare(struct watch *watch)
{
	/* With an interval that is shorter than a list takes there would always be one more. */
	if (reconcile_is_running(watch->reconcile))
		return;
	comparison_begin(&watch->comparison, watch_is_settled(watch));
	watch_reconcile(watch);
}

/* A container that was taken for one of another image: its name has moved, and no event told. */
static bool name_another_image(
	const struct inventory *inventory, const struct container_records *records)
{
	for (size_t i = 0; i < records->count; i++) {
		const struct container_record *record = &records->items[i];
		const struct container *container = inventory_find_container(inventory, record->id);

		if (container && container->image_id && record->image_id &&
			!streq(container->image_id, record->image_id))
			return true;
	}
	return false;
}

static void on_containers_listed(void *userdata, struct engine_answer *answer)
{
	struct watch *watch = userdata;
	watch_done_fn done = watch->containers_done;
	struct container *container, *next;
	nsec_t now = observe_now(watch->apply.ledger);
	bool is_in_doubt;

	watch->containers = NULL;
	if (answer->result != ENGINE_OK) {
		done(watch->containers_userdata, answer->result < 0 ? answer->result : -EREMOTEIO,
			answer->message);
		return;
	}
	is_in_doubt = name_another_image(watch->apply.inventory, &answer->containers);
	inventory_replace_containers(
		watch->apply.inventory, answer->containers.items, answer->containers.count);
	HASH_ITER (hh, watch->apply.inventory->containers, container, next)
		if (container->image_id)
			ledger_touch(watch->apply.ledger, container->image_id, now, now);
	apply_again(watch, OF_CONTAINERS);
	if (is_in_doubt)
		on_doubt(watch, "a container is not of the image that had its name");
	done(watch->containers_userdata, 0, NULL);
}

void watch_list_containers(struct watch *watch, watch_done_fn done, void *userdata)
{
	watch->containers_done = done;
	watch->containers_userdata = userdata;
	watch->containers = engine_list_containers(watch->engine, on_containers_listed, watch);
}
