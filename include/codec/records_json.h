/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The engine's images and containers as records of core: rules and errors as in engine_json.h. One
 * bad item spoils a list: a list cut short would make images look unused.
 */

#include "core/base.h"
#include "core/layers.h"
#include "core/record.h"

/* GET /images/json: an array of records, without layers. */
struct image_records {
	struct image_record *items;
	size_t count, allocated;
};
void image_records_finish(struct image_records *records);
int decode_images(const char *data, size_t length, struct image_records *ret,
	struct error *error) _warn_unused_;

/* GET /images/{name}/json, with layers. */
int decode_image(const char *data, size_t length, struct image_record *ret,
	struct error *error) _warn_unused_;

/* GET /images/{name}/history */
int decode_history(
	const char *data, size_t length, struct history *ret, struct error *error) _warn_unused_;

/*
 * GET /system/df: its images, of which only ID and size are taken. An answer that tells of none
 * makes an empty list.
 */
int decode_image_sizes(const char *data, size_t length, struct image_records *ret,
	struct error *error) _warn_unused_;

/* GET /containers/json?all=1 */
struct container_records {
	struct container_record *items;
	size_t count, allocated;
};
void container_records_finish(struct container_records *records);
int decode_containers(const char *data, size_t length, struct container_records *ret,
	struct error *error) _warn_unused_;

/* GET /containers/{id}/json */
int decode_container(const char *data, size_t length, struct container_record *ret,
	struct error *error) _warn_unused_;
