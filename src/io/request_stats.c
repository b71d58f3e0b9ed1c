/* SPDX-License-Identifier: Apache-2.0 */
#include "io/request_stats.h"

#include <errno.h>

/* From an engine that has it at hand to lists of thousands of images. */
const nsec_t request_bounds[REQUEST_BOUNDS] = {
	1 * NSEC_PER_MSEC,
	5 * NSEC_PER_MSEC,
	25 * NSEC_PER_MSEC,
	100 * NSEC_PER_MSEC,
	500 * NSEC_PER_MSEC,
	2500 * NSEC_PER_MSEC,
	10 * NSEC_PER_SEC,
	60 * NSEC_PER_SEC,
	300 * NSEC_PER_SEC,
};

const char *engine_request_name(enum engine_request request)
{
	static const char *const names[] = {
		[REQUEST_PING] = "ping",
		[REQUEST_VERSION] = "version",
		[REQUEST_INFO] = "info",
		[REQUEST_IMAGES] = "images",
		[REQUEST_IMAGE] = "image",
		[REQUEST_HISTORY] = "history",
		[REQUEST_CONTAINERS] = "containers",
		[REQUEST_CONTAINER] = "container",
		[REQUEST_SYSTEM_DF] = "system_df",
		[REQUEST_BUILD_PRUNE] = "build_prune",
		[REQUEST_IMAGE_REMOVE] = "image_remove",
	};

	return names[request];
}

void request_stats_finish(struct request_stats *stats)
{
	for (size_t i = 0; i < REQUEST_COUNT; i++)
		free(stats->requests[i].codes.items);
	*stats = (struct request_stats){};
}

static uint64_t *find_code(struct request_stats *stats, enum engine_request request, int code)
{
	__typeof__(stats->requests[request].codes) *codes = &stats->requests[request].codes;

	for (size_t i = 0; i < codes->count; i++)
		if (codes->items[i].code == code)
			return &codes->items[i].count;
	array_push(codes)->code = code;
	return &codes->items[codes->count - 1].count;
}

void request_stats_count(
	struct request_stats *stats, enum engine_request request, int code, nsec_t duration)
{
	size_t bound = 0;

	while (bound < REQUEST_BOUNDS && duration > request_bounds[bound])
		bound++;
	stats->requests[request].counts[bound]++;
	stats->requests[request].sum += duration;
	(*find_code(stats, request, code < 0 && code != -ETIMEDOUT ? -EIO : code))++;
}
