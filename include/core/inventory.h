/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the engine holds as far as we know: images, references, containers. Lists replace it,
 * events and single inspects patch it. Image IDs are normalised ("sha256:…"), references canonical.
 */

#include "core/base.h"
#include "core/departed.h"
#include "core/hash.h"
#include "core/image.h"
#include "core/layers.h"
#include "core/record.h"

struct container {
	char *id;
	char *image_id; /* NULL while nobody knows */
	bool listed; /* scratch of inventory_replace_containers() */
	UT_hash_handle hh;
};

struct inventory {
	struct image *images; /* uthash by ID; walk it with HASH_ITER */
	struct container *containers;
	struct departed *departed; /* see inventory_take_departed() */
	struct name *references; /* of all images: see names.h */
	struct tally *tallies; /* who holds which image */
	struct layers *layers;
	size_t histories; /* images whose history is kept */
	bool counts_layers; /* see engine_has_graph_driver(): what images free is known from layers
	                     */
	uint64_t generation; /* goes up with each change that a plan could see */
	uint64_t gone; /* bytes that all images that have ever gone freed, at most */
};

void inventory_init(struct inventory *inventory);
void inventory_finish(struct inventory *inventory);

/* Forgets everything: another engine, or none. */
void inventory_clear(struct inventory *inventory);

/*
 * Adds an image or brings it up to date. References that another image had move here, as they do
 * in the engine. Layers are facts that never change: a record without them leaves them alone.
 */
struct image *inventory_put_image(struct inventory *inventory, const struct image_record *record);

/*
 * Of an image that is there what does not change, layers among it, from a record that may be older
 * than its names; of others nothing happens.
 */
void inventory_learn_image(struct inventory *inventory, const struct image_record *record);

/* The size of an image that is there and whose size is not known; of others nothing happens. */
void inventory_learn_size(struct inventory *inventory, const struct image_record *record);

/* A full list: as putting each of them, and what is not in it is gone. */
void inventory_replace_images(
	struct inventory *inventory, const struct image_record *records, size_t count);

/*
 * Whether the image's history would help to know what images free: it shares layers with others,
 * the bytes of these are not known, and it has not been asked for.
 */
bool inventory_needs_history(const struct inventory *inventory, const struct image *image);

/*
 * Takes what it needs of an image's history; NULL: there is none to be had. What others have told
 * may become clear by it. -EBADMSG if it does not fit the image's layers.
 */
int inventory_learn_history(
	struct inventory *inventory, struct image *image, struct history *history);

/* What all images take on the engine's disk, as far as layers tell. */
struct bounds inventory_usage(const struct inventory *inventory);

/* What goes from the engine's disk with this one image, as things are. */
struct bounds inventory_reclaim(const struct inventory *inventory, const struct image *image);

/* Nothing happens if there is none of that ID. */
void inventory_remove_image(struct inventory *inventory, const char *id);

/* The reference (by tag) names this image from now on. */
void inventory_move_reference(
	struct inventory *inventory, struct image *image, const char *canonical);

/* The image has lost this reference (by tag or digest). */
void inventory_drop_reference(
	struct inventory *inventory, struct image *image, const char *canonical);

/* By normalised ID; NULL if there is none. */
struct image *inventory_find_image(const struct inventory *inventory, const char *id);

/* By canonical reference; NULL if there is none. */
struct image *inventory_find_reference(const struct inventory *inventory, const char *canonical);

/*
 * What a person typed, as docker looks it up: a full ID, else a reference, else a unique prefix of
 * an ID. NULL where there is none or more than one.
 */
struct image *inventory_resolve(const struct inventory *inventory, const char *text);

/* Adds a container or tells which image it holds; image_id NULL: nobody knows yet. */
struct container *inventory_put_container(
	struct inventory *inventory, const char *id, const char *image_id);
void inventory_remove_container(struct inventory *inventory, const char *id);
/* One whose image the engine does not say holds what it held before, or what its text names now. */
void inventory_replace_containers(
	struct inventory *inventory, const struct container_record *records, size_t count);
struct container *inventory_find_container(const struct inventory *inventory, const char *id);

/*
 * The image that a container held which a list no longer showed: a list can be ahead of the events
 * that tell of its end. NULL if there was none; only the last DEPARTED_MAX are remembered, and each
 * until it was taken.
 */
char *inventory_take_departed(struct inventory *inventory, const char *id);

/* Images as `docker images` counts them: without intermediates. */
size_t inventory_count_images(const struct inventory *inventory);
