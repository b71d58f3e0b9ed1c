/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Fills the inventory anew: the engine's images, its containers, then the layers of those images
 * that have none yet, then what is not known about the layers' sizes; one request at a time.
 */

#include "core/base.h"
#include "core/inventory.h"
#include "io/engine.h"

struct reconcile;

struct reconcile_handler {
	/* Both lists are there, the inventory is as it was. */
	void (*lists)(void *userdata, const struct image_records *images,
		const struct container_records *containers);
	/* Images and containers are in the inventory. */
	void (*listed)(void *userdata);
	/* Layers and sizes too; or -errno and why: then the inventory is as it was. */
	void (*done)(void *userdata, int result, const char *why);
};

struct reconcile *reconcile_create(struct engine *engine, struct inventory *inventory,
	const struct reconcile_handler *handler, void *userdata);
void reconcile_destroy(struct reconcile *reconcile);

/* Nothing if it is running. */
void reconcile_start(struct reconcile *reconcile);
/* Without callbacks. */
void reconcile_cancel(struct reconcile *reconcile);
bool reconcile_is_running(const struct reconcile *reconcile);
/* Whether the lists are still awaited, so that they may be older than what happens now. */
bool reconcile_is_listing(const struct reconcile *reconcile);
