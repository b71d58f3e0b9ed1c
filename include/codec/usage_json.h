/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What takes space on the engine's disk, as it counts: rules, errors and sources as in
 * engine_json.h.
 */

#include "core/base.h"
#include "core/build_cache.h"
#include "core/record.h"

/*
 * GET /system/df: ImageUsage.TotalSize where there is one (API 1.52), else LayersSize. A LayersSize
 * of 0 beside images (podman 4) is an error: it means that nobody counted.
 */
int decode_usage(
	const char *data, size_t length, struct usage *ret, struct error *error) _warn_unused_;

/*
 * The same of an engine whose LayersSize has BuildKit's cache in it, and that does not say how much
 * of it: what is certainly the images', so less all that the cache has, but at least the
 * largest image. An answer without BuildCache is an error.
 */
int decode_usage_beside_cache(
	const char *data, size_t length, struct usage *ret, struct error *error) _warn_unused_;

/*
 * GET /system/df: the build cache's records that no image shares. An engine that
 * tells of none has none.
 */
int decode_build_cache(const char *data, size_t length, struct build_cache *ret,
	struct error *error) _warn_unused_;

/* POST /build/prune: what went. */
struct pruned {
	size_t records;
	uint64_t bytes;
};
int decode_pruned(
	const char *data, size_t length, struct pruned *ret, struct error *error) _warn_unused_;
