/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the engine answers, as values: one kind of body for each endpoint. */

#include "codec/engine_json.h"
#include "codec/records_json.h"
#include "codec/usage_json.h"
#include "core/base.h"

/* The result of a request; what is negative is -errno: no answer, or none that makes sense. */
enum engine_result {
	ENGINE_OK = 0,
	ENGINE_NOT_FOUND = 1, /* 404: no such image or container */
	ENGINE_CONFLICT = 2, /* 409: in use, has children, or has several names */
};

/* Good until the callback returns, which may take contents over and leave {} in their place. */
struct engine_answer {
	int result;
	const char *message; /* for people, unless ENGINE_OK; not the answer's own */
	struct image_records images; /* of a measure: sizes that inspect does not tell */
	struct image_record image;
	struct history history;
	struct container_records containers;
	struct container_record container;
	struct usage usage;
	struct build_cache build_cache; /* only if it was asked for */
	struct pruned pruned;
	struct removal removal;
};

void engine_answer_finish(struct engine_answer *answer);

/*
 * Reads the body of a 2xx into the field that it is for. Returns 0, or what the answer's result is
 * to be, with why in *error: -EBADMSG where it makes no sense.
 */
typedef int engine_decode_fn(
	const char *body, size_t length, struct engine_answer *answer, struct error *error);

engine_decode_fn engine_answer_read_images;
engine_decode_fn engine_answer_read_image;
engine_decode_fn engine_answer_read_history;
engine_decode_fn engine_answer_read_containers;
engine_decode_fn engine_answer_read_container;
engine_decode_fn engine_answer_read_pruned;
engine_decode_fn engine_answer_read_removal;

/* podman's own removal is a 200 in any case: also ENGINE_NOT_FOUND, ENGINE_CONFLICT, -EREMOTEIO. */
engine_decode_fn engine_answer_read_podman_removal;

/*
 * GET /system/df: the images alone; the build cache as well; and where images are counted with the
 * build cache in them, which is taken off. A build cache that makes no sense is left out.
 */
engine_decode_fn engine_answer_read_usage;
engine_decode_fn engine_answer_read_usage_and_cache;
engine_decode_fn engine_answer_read_usage_beside_cache;

/*
 * The body of GET /system/df once more, for the sizes of images in it: into `images`, which stays
 * empty where they make no sense.
 */
void engine_answer_read_sizes(const char *body, size_t length, struct engine_answer *answer);
