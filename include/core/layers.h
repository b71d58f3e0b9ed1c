/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The layers of all images as a forest: a node is a layer on top of a certain chain of others,
 * which is what a graph driver stores once (moby: ChainID). An image is a node, its topmost layer;
 * an image whose layers are a proper prefix of another's is an ancestor in the forest.
 */

#include "core/base.h"

struct layer {
	struct layer *parent; /* NULL for a bottom layer */
	size_t index; /* below layers_capacity(), for arrays beside the forest */
	size_t images; /* images whose topmost layer this is */
	size_t images_above; /* images that have this one and at least one more on top of it */
};

struct layers;

struct layers *layers_create(void) _warn_unused_;
void layers_destroy(struct layers *layers);

/*
 * Adds an image: its layers, bottom first, by diff ID (inspect's RootFS.Layers). Returns the
 * topmost one, NULL for an image without layers. Release it with layers_remove_image().
 */
struct layer *layers_add_image(struct layers *layers, const struct strings *diff_ids);

/* Takes an image away, and with it the layers that no image has any more. NULL is fine. */
void layers_remove_image(struct layers *layers, struct layer *top);

/* One more than the largest index in use. */
size_t layers_capacity(const struct layers *layers);

/* How many layers there are, each chain once. */
size_t layers_count(const struct layers *layers);
