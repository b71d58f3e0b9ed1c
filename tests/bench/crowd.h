/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Many images, the same each time. Ten make a group that shares a base of six layers: in every
 * second group that is an image itself, in the others its bytes are known from a history. A group
 * has sixty layers altogether. All have been used within two months; by the settings about a third
 * goes, for age or for size.
 */

#include "codec/settings.h"
#include "core/base.h"
#include "core/inventory.h"
#include "core/ledger.h"

#define CROWD_GROUP ((size_t)10)
#define CROWD_GROUP_LAYERS ((size_t)60)

struct crowd {
	struct inventory inventory;
	struct ledger ledger;
	struct settings settings;
	struct usage usage;
	nsec_t now;
	struct image **images; /* in the order in which they came */
	size_t count;
};

/* count is a multiple of CROWD_GROUP. */
void crowd_init(struct crowd *crowd, size_t count, nsec_t now);
void crowd_finish(struct crowd *crowd);

/* What an engine would tell of image number i. Free it with image_record_finish(). */
struct image_record crowd_record(size_t i);

/* The ID of a group's n-th layer, "sha256:…". The caller frees. */
char *crowd_layer(size_t group, size_t n) _warn_unused_;

/* What a person would type for this image. The caller frees. */
char *crowd_name(const struct image *image) _warn_unused_;

struct image *crowd_pick(const struct crowd *crowd, uint64_t *random);
