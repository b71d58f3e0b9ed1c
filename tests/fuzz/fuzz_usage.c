/* SPDX-License-Identifier: Apache-2.0 */
/* What takes space, and what a prune has freed. */
#include "fuzz_records.h"

#include "codec/usage_json.h"

#define UNTOUCHED 77

/* Beside a cache it is never more than all, and both are known or none of them. */
static void check_usage(const char *text, size_t size)
{
	_cleanup_error_ struct error error = {}, beside_error = {};
	struct usage usage = { .images = UNTOUCHED }, beside = { .images = UNTOUCHED };
	bool ok = check_result(decode_usage(text, size, &usage, &error), &error);
	bool beside_ok = check_result(
		decode_usage_beside_cache(text, size, &beside, &beside_error), &beside_error);

	check(usage.known == ok && beside.known == beside_ok);
	check(ok || usage.images == UNTOUCHED);
	check(beside_ok || beside.images == UNTOUCHED);
	check(usage.images <= INT64_MAX);
	if (beside_ok)
		check(ok && beside.images <= usage.images);
}

static void check_cache(const char *text, size_t size)
{
	_cleanup_(build_cache_finish) struct build_cache cache = {};
	_cleanup_error_ struct error error = {};

	if (!check_result(decode_build_cache(text, size, &cache, &error), &error)) {
		check(!cache.known && !cache.items);
		return;
	}
	check(cache.known);
	check(cache.count < size);
	for (size_t i = 0; i < cache.count; i++)
		check(cache.items[i].size <= INT64_MAX);
}

static void check_pruned(const char *text, size_t size)
{
	_cleanup_error_ struct error error = {};
	struct pruned pruned = { .records = UNTOUCHED };

	if (check_result(decode_pruned(text, size, &pruned, &error), &error))
		check(pruned.records < size && pruned.bytes <= INT64_MAX);
	else
		check(pruned.records == UNTOUCHED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_bytes(data, size);

	check_usage(text, size);
	check_cache(text, size);
	check_pruned(text, size);
	return 0;
}
