/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What lists show that events have not told. Some engines tell nothing of some changes: the list at
 * the interval heals that, and what it healed is worth a word. A list can be a moment ahead of
 * events, so a difference is believed only if no event explains it for a while.
 */

#include "codec/records_json.h"
#include "core/base.h"
#include "core/inventory.h"

struct difference {
	char *id; /* an image's or a container's */
	struct strings names; /* that the image has got or lost, canonical */
	char *text; /* for people */
};

struct differences {
	struct difference *items;
	size_t count, allocated;
};

void differences_finish(struct differences *differences);

/* Adds what replacing the inventory by these lists would change in it. */
void differences_find(struct differences *differences, struct inventory *inventory,
	const struct image_records *images, const struct container_records *containers);

/* Drops what this names, an ID or a reference in any form: somebody has told of it. */
void differences_explain(struct differences *differences, const char *text);

/* Drops steps of builds, which come and go without a word. The lists are in the inventory by now.
 */
void differences_drop_steps(struct differences *differences, const struct inventory *inventory);
