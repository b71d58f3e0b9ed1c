/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What stands on each image, by its parent or by layers, and what an image gets from that: it is
 * as recently used as the latest of them, and goes after all of them. The images come in an order,
 * dependents before what they depend on; an index below is a place in it.
 */

#include "core/inventory.h"
#include "core/ledger.h"

struct dependents;

/* An image and what it has of those that stand on it. */
struct standing {
	const struct image *image;
	const struct ledger_entry *entry; /* its own; NULL for one that we know nothing of */
	const struct ledger_entry *latest; /* of it and of those, the latest used; or NULL */
	struct bounds reclaims; /* what goes with it alone, as things are */
	unsigned height; /* how many stand on top of each other */
};

/*
 * Good until inventory or ledger change. Sets the `index` of each image that is another's parent,
 * and the `place` of each layer that is an image's topmost one.
 */
struct dependents *dependents_create(
	const struct inventory *inventory, const struct ledger *ledger) _warn_unused_;
/* NULL is fine. */
void dependents_destroy(struct dependents *dependents);

/* All images of the inventory. */
size_t dependents_count(const struct dependents *dependents);
const struct image *dependents_image(const struct dependents *dependents, size_t index);

/* Passes down what images have to what they are built on. */
void dependents_spread(struct dependents *dependents);

/* After dependents_spread(). */
struct standing dependents_standing(const struct dependents *dependents, size_t index);

/*
 * An image goes after those of lower rank, and after what stands on it: so its rank, 0 at first, is
 * no lower than theirs once dependents_spread() has passed them down again.
 */
void dependents_set_rank(struct dependents *dependents, size_t index, unsigned rank);
unsigned dependents_rank(const struct dependents *dependents, size_t index);
