/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What an engine tells, as plain values: codec makes them of its answers, the inventory takes them.
 */

#include "core/base.h"

struct label {
	char *key, *value;
};

struct labels {
	struct label *items;
	size_t count, allocated;
};

void labels_finish(struct labels *labels);
/* Copies both. */
void labels_add(struct labels *labels, const char *key, const char *value);
/* NULL if there is none of that key. */
const char *labels_get(const struct labels *labels, const char *key);
bool labels_equal(const struct labels *a, const struct labels *b);
struct labels labels_copy(const struct labels *labels);

/* An image as an engine tells of it, in a list (has_layers false) or by inspect. */
struct image_record {
	char *id;
	char *parent; /* normalised ID, or NULL */
	struct strings references; /* canonical, by tag */
	struct strings digests; /* canonical, by digest */
	struct labels labels;
	struct strings layers; /* diff IDs, bottom first; only if has_layers */
	uint64_t size; /* bytes, what several images share included; only if has_size */
	bool has_size;
	nsec_t created; /* 0 if unknown; never taken for a use */
	bool has_layers;
};
void image_record_finish(struct image_record *record);

/* A container as an engine tells of it. */
struct container_record {
	char *id;
	char *image_id; /* normalised; NULL if the engine does not say */
	char *image_text; /* what the user typed; may name another image by now; may be NULL */
	bool removing; /* on its way out, its image is still held */
};
void container_record_finish(struct container_record *record);

/* The file system that holds the engine's root directory, in bytes. */
struct space {
	bool known;
	uint64_t total;
	uint64_t free; /* for everybody, as df counts it: what only root may fill is not free */
};

/* What all images take on the engine's disk, each layer once, by the engine's own count. */
struct usage {
	bool known;
	uint64_t images; /* bytes */
	struct space space;
};
