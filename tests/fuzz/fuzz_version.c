/* SPDX-License-Identifier: Apache-2.0 */
/* Two lines: the oldest and the newest version of the API that an engine says it speaks. */
#include "fuzz.h"

#include "io/api_version.h"

static void check_parse(const char *text)
{
	struct api_version version = { .minor = 77 }, again;
	_cleanup_free_ char *printed = NULL;

	if (api_version_parse(text, &version) < 0) {
		check(version.major == 0 && version.minor == 77);
		return;
	}
	printed = xasprintf("%u.%u", version.major, version.minor);
	check(api_version_parse(printed, &again) == 0);
	check(api_version_compare(version, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *min = fuzz_line(&data, &size), *max = fuzz_line(&data, &size);
	struct api_version version = {}, pinned = {}, limit;
	_cleanup_error_ struct error error = {}, pin_error = {};
	int r = api_version_negotiate(min, max, &version, &error);

	check_parse(min);
	check_parse(max);
	check((r == 0) == !error.message);
	if (r == 0) {
		_cleanup_free_ char *text = xasprintf("%u.%u", version.major, version.minor);

		/* What was agreed on is one that we know, and neither above nor below the engine.
		 */
		check(api_version_pin(text, &pinned, NULL) == 0);
		check(api_version_compare(version, pinned) == 0);
		check(api_version_parse(max, &limit) == 0);
		check(api_version_compare(version, limit) <= 0);
		check(!*min || api_version_parse(min, &limit) == 0);
		check(!*min || api_version_compare(version, limit) >= 0);
	}
	r = api_version_pin(min, &pinned, &pin_error);
	check((r == 0) == !pin_error.message);
	return 0;
}
