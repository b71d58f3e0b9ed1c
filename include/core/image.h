/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One image, and what holds for it whatever else there is. */

#include "core/base.h"
#include "core/hash.h"
#include "core/layers.h"
#include "core/record.h"

struct image {
	char *id;
	char *parent;
	struct strings references;
	struct strings digests;
	struct labels labels;
	struct layer *top; /* NULL: no layers, or not known yet */
	uint64_t size; /* bytes, what others have as well included; only if has_size */
	nsec_t created;
	struct history *history; /* for as long as it might tell more, else NULL */
	bool has_size;
	bool has_layers; /* layers have been asked for */
	bool has_history; /* it has been asked for */
	bool failed; /* could not be removed in this collection */
	bool listed; /* scratch of inventory_replace_images() */
	unsigned containers; /* that hold it */
	unsigned children; /* images that name it as their parent */
	unsigned index; /* scratch of dependents, for a parent: its place in their order */
	UT_hash_handle hh;
};

/* One that nothing is known of but its normalised ID. */
struct image *image_create(const char *id) _warn_unused_;

/* Its layers and its history are the inventory's and must be gone. NULL is fine. */
void image_destroy(struct image *image);

/*
 * Takes the size in bytes, if the record has one and it can be true, and keeps what was told before
 * if not. Returns whether that has changed anything.
 */
bool image_learn_size(struct image *image, const struct image_record *record);

/*
 * Takes labels, size and time of creation from a record that is about it; names, parent and layers
 * are the inventory's to take. Returns whether labels or size have changed.
 */
bool image_learn(struct image *image, const struct image_record *record);

/* Whether that many bytes can be the size of an image with or without layers. */
bool image_has_size_of(uint64_t size, bool has_layers);

/* Any part of it may be shared: what the image frees is at least nothing, at most its size. */
static inline struct bounds image_size_bounds(const struct image *image)
{
	return (struct bounds){ 0, image->has_size ? image->size : UINT64_MAX };
}

/*
 * An intermediate step of a classic build, or a base that lost its tag: nameless and the parent of
 * another image. Docker shows it with all=1 only.
 */
bool image_is_intermediate(const struct image *image);

/*
 * Without a tag: docker shows it as <none> and prunes it as dangling, a digest left from a pull or
 * not (moby: ImagesPrune).
 */
bool image_is_dangling(const struct image *image);

/* Whether another image is built on this one, by its parent or by its layers. */
bool image_has_children(const struct image *image);

/* What to call it: its familiar references, else digests, else "<none>". The caller frees. */
char *image_title(const struct image *image) _warn_unused_;
