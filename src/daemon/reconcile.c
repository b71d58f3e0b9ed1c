/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reconcile.h"

#include <errno.h>

#include "daemon/report.h"
#include "io/log.h"

struct reconcile {
	struct engine *engine;
	struct inventory *inventory;
	struct reconcile_handler handler;
	void *userdata;
	bool running; /* between two requests as well, when callbacks are called */
	bool listing;
	struct engine_call *call;
	char *asked; /* the image whose history is awaited */
	struct image_records images; /* until the containers are there as well */
	struct strings without_layers, without_history;
};

struct reconcile *reconcile_create(struct engine *engine, struct inventory *inventory,
	const struct reconcile_handler *handler, void *userdata)
{
	struct reconcile *reconcile = xcalloc(1, sizeof(*reconcile));

	reconcile->engine = engine;
	reconcile->inventory = inventory;
	reconcile->handler = *handler;
	reconcile->userdata = userdata;
	return reconcile;
}

static void forget(struct reconcile *reconcile)
{
	image_records_finish(&reconcile->images);
	strings_finish(&reconcile->without_layers);
	strings_finish(&reconcile->without_history);
	freep(&reconcile->asked);
	reconcile->asked = NULL;
	reconcile->running = reconcile->listing = false;
}

void reconcile_cancel(struct reconcile *reconcile)
{
	engine_cancel(TAKE_PTR(reconcile->call));
	forget(reconcile);
}

void reconcile_destroy(struct reconcile *reconcile)
{
	if (!reconcile)
		return;
	reconcile_cancel(reconcile);
	free(reconcile);
}

bool reconcile_is_running(const struct reconcile *reconcile)
{
	return reconcile->running;
}

bool reconcile_is_listing(const struct reconcile *reconcile)
{
	return reconcile->listing;
}

static void finish(struct reconcile *reconcile, int result, const char *why)
{
	forget(reconcile);
	reconcile->handler.done(reconcile->userdata, result, why);
}

static void ask_histories(struct reconcile *reconcile);

static void on_history(void *userdata, struct engine_answer *answer)
{
	struct reconcile *reconcile = userdata;
	_cleanup_free_ char *id = TAKE_PTR(reconcile->asked);
	struct image *image = inventory_find_image(reconcile->inventory, id);

	reconcile->call = NULL;
	if (answer->result < 0 && answer->result != -EBADMSG) {
		finish(reconcile, answer->result, answer->message);
		return;
	}
	if (answer->result != ENGINE_OK)
		log_debug("sizes of layers unknown: %s", answer->message);
	if (image &&
		inventory_learn_history(reconcile->inventory, image,
			answer->result == ENGINE_OK ? &answer->history : NULL) < 0)
		log_debug("%s: its history does not fit its layers", id);
	ask_histories(reconcile);
}

/* One after the other: what the first has told often makes the others needless. */
static void ask_histories(struct reconcile *reconcile)
{
	while (reconcile->without_history.count > 0) {
		_cleanup_free_ char *id =
			reconcile->without_history.items[--reconcile->without_history.count];
		const struct image *image = inventory_find_image(reconcile->inventory, id);

		if (!image || !inventory_needs_history(reconcile->inventory, image))
			continue;
		reconcile->call =
			engine_image_history(reconcile->engine, id, on_history, reconcile);
		reconcile->asked = TAKE_PTR(id);
		return;
	}
	finish(reconcile, 0, NULL);
}

/* What is there is known: now what it takes. */
static void measure_layers(struct reconcile *reconcile)
{
	struct image *image, *next;

	HASH_ITER (hh, reconcile->inventory->images, image, next) {
		report_unsized(image);
		if (inventory_needs_history(reconcile->inventory, image))
			strings_add(&reconcile->without_history, image->id);
	}
	ask_histories(reconcile);
}

static void ask_layers(struct reconcile *reconcile);

static void on_layers(void *userdata, struct engine_answer *answer)
{
	struct reconcile *reconcile = userdata;

	reconcile->call = NULL;
	/* One image that has vanished or makes no sense is no reason to know nothing of the rest.
	 */
	if (answer->result == ENGINE_OK)
		inventory_learn_image(reconcile->inventory, &answer->image);
	else if (answer->result < 0 && answer->result != -EBADMSG) {
		finish(reconcile, answer->result, answer->message);
		return;
	} else
		log_debug("layers unknown: %s", answer->message);
	ask_layers(reconcile);
}

static void ask_layers(struct reconcile *reconcile)
{
	while (reconcile->without_layers.count > 0) {
		_cleanup_free_ char *id =
			reconcile->without_layers.items[--reconcile->without_layers.count];

		if (!inventory_find_image(reconcile->inventory, id))
			continue;
		reconcile->call = engine_inspect_image(reconcile->engine, id, on_layers, reconcile);
		return;
	}
	measure_layers(reconcile);
}

static void on_containers(void *userdata, struct engine_answer *answer)
{
	struct reconcile *reconcile = userdata;
	struct image *image, *next;

	reconcile->call = NULL;
	if (answer->result != ENGINE_OK) {
		finish(reconcile, answer->result < 0 ? answer->result : -EREMOTEIO,
			answer->message);
		return;
	}
	reconcile->handler.lists(reconcile->userdata, &reconcile->images, &answer->containers);
	inventory_replace_images(
		reconcile->inventory, reconcile->images.items, reconcile->images.count);
	inventory_replace_containers(
		reconcile->inventory, answer->containers.items, answer->containers.count);
	image_records_finish(&reconcile->images);
	HASH_ITER (hh, reconcile->inventory->images, image, next)
		if (!image->has_layers)
			strings_add(&reconcile->without_layers, image->id);
	reconcile->listing = false;
	reconcile->handler.listed(reconcile->userdata);
	if (reconcile->running)
		ask_layers(reconcile);
}

static void on_images(void *userdata, struct engine_answer *answer)
{
	struct reconcile *reconcile = userdata;

	reconcile->call = NULL;
	if (answer->result != ENGINE_OK) {
		finish(reconcile, answer->result < 0 ? answer->result : -EREMOTEIO,
			answer->message);
		return;
	}
	reconcile->images = TAKE_STRUCT(answer->images);
	reconcile->call = engine_list_containers(reconcile->engine, on_containers, reconcile);
}

void reconcile_start(struct reconcile *reconcile)
{
	if (reconcile->running)
		return;
	reconcile->running = reconcile->listing = true;
	reconcile->call = engine_list_images(reconcile->engine, on_images, reconcile);
}
