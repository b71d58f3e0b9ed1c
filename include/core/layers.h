/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The layers of all images as a forest: a node is a layer on top of a certain chain of others,
 * which is what a graph driver stores once (moby: ChainID). An image is a node, its topmost layer;
 * an image whose layers are a proper prefix of another's is an ancestor in the forest.
 */

#include "core/base.h"

/* The bytes of each entry of an image's history, the first one first. */
struct history {
	uint64_t *items;
	size_t count, allocated;
};
void history_finish(struct history *history);

/* Bytes that are not known for certain, but not below lower and not above upper. */
struct bounds {
	uint64_t lower, upper;
};

static inline bool bounds_are_exact(const struct bounds *bounds)
{
	return bounds->lower == bounds->upper;
}

static inline struct bounds bounds_add(struct bounds a, struct bounds b)
{
	return (struct bounds){ add_saturating(a.lower, b.lower),
		add_saturating(a.upper, b.upper) };
}

/* There are more of these than of anything else: counts are no wider than they need to be. */
struct layer {
	struct layer *parent; /* NULL for a bottom layer */
	struct bounds total; /* bytes of it and of all that lie below */
	bool disputed; /* images contradict each other about it: total is wide and stays so */
	unsigned depth; /* how many layers it and those below are */
	unsigned children; /* layers right on top of it */
	unsigned index; /* below layers_capacity(), for arrays beside the forest */
	unsigned place; /* scratch of dependents, for a topmost layer */
	unsigned images; /* images whose topmost layer this is */
	unsigned images_above; /* images that have this one and at least one more on top of it */
};

struct layers;

struct layers *layers_create(void) _warn_unused_;
void layers_destroy(struct layers *layers);

/*
 * Adds an image: its layers, bottom first, by diff ID (inspect's RootFS.Layers), and the bytes of
 * all of them together. Returns the topmost one, NULL for an image without layers. Release it with
 * layers_remove_image(). NULL for a size that is not known.
 */
struct layer *layers_add_image(
	struct layers *layers, const struct strings *diff_ids, const uint64_t *size);

/*
 * What goes from the engine's disk with one image that has this topmost layer: all layers that no
 * other image has. NULL is fine.
 */
struct bounds layers_reclaim(const struct layer *top);

/* The difference of two totals of one chain; bottom NULL: all of it. */
struct bounds layers_between(const struct layer *top, const struct layer *bottom);

/*
 * What an image's history says: an entry of no bytes is an empty layer or none at all; one with
 * bytes is a layer. Totals are narrowed down to what fits the history and what else is known.
 * Returns 1 if any was, 0 if not, -EBADMSG if the history does not fit the image's own layers: then
 * nothing changes.
 */
int layers_learn_history(struct layer *top, const struct history *history);

/*
 * Whether it depends on a history what removing this image, or others that share layers with it,
 * frees: other layers stand where no image ends, and the bytes up to there are not known.
 */
bool layers_are_unsure(const struct layer *top);

/* Whether no history could tell more. */
bool layers_are_known(const struct layer *top);

/* Takes an image away, and with it the layers that no image has any more. NULL is fine. */
void layers_remove_image(struct layers *layers, struct layer *top);

/* One more than the largest index in use. */
size_t layers_capacity(const struct layers *layers);

/* What all layers take, each chain once. */
struct bounds layers_usage(const struct layers *layers);

/* How many layers there are, each chain once. */
size_t layers_count(const struct layers *layers);
