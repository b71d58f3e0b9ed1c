/* SPDX-License-Identifier: Apache-2.0 */
#include "core/build_cache.h"

void build_cache_finish(struct build_cache *cache)
{
	free(cache->items);
	*cache = (struct build_cache){};
}

struct cache_plan build_cache_plan(
	const struct build_cache *cache, const struct cache_limits *limits, nsec_t now)
{
	struct cache_plan plan = {};
	uint64_t rest = 0;

	for (size_t i = 0; cache->known && i < cache->count; i++) {
		const struct cache_record *record = &cache->items[i];

		if (!record->in_use && limits->max_unused > 0 &&
			now - record->last_used > limits->max_unused) {
			plan.unused++;
			plan.unused_bytes = add_saturating(plan.unused_bytes, record->size);
		} else {
			rest = add_saturating(rest, record->size);
		}
	}
	if (limits->max_total_size > 0)
		plan.excess = subtract_saturating(rest, limits->max_total_size);
	return plan;
}
