/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * BuildKit's cache. After images are gone it may still hold their layers. What goes from it the
 * engine decides (/build/prune); here is whether there is a reason to ask for it.
 */

#include "core/base.h"

/* A record of it that no image shares. */
struct cache_record {
	uint64_t size; /* bytes */
	nsec_t last_used; /* or made; by the engine's clock */
	bool in_use; /* by a build that is running */
};

struct build_cache {
	bool known;
	struct cache_record *items;
	size_t count, allocated;
};
void build_cache_finish(struct build_cache *cache);

struct cache_limits {
	nsec_t max_unused; /* 0: off */
	uint64_t max_total_size; /* bytes; 0: off */
};

/* What is above the limits. The engine may keep some: records stand on each other. */
struct cache_plan {
	size_t unused; /* records unused for longer than max_unused */
	uint64_t unused_bytes;
	uint64_t excess; /* bytes above max_total_size once those are gone */
};

/* An empty plan where the cache is not known. */
struct cache_plan build_cache_plan(
	const struct build_cache *cache, const struct cache_limits *limits, nsec_t now);
