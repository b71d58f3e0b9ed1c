/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three lines: two globs and a text. What one glob is said to cover it matches, so that no rule is
 * called unused that is not.
 */
#include "fuzz.h"

#include "core/reference.h"

static bool is_plain(const char *glob)
{
	return !strpbrk(glob, "*?[");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *wide = fuzz_line(&data, &size), *narrow = fuzz_line(&data, &size);
	_cleanup_free_ char *text = fuzz_line(&data, &size), *canonical = NULL;

	if (is_plain(wide)) {
		check(glob_match(wide, text) == streq(wide, text));
		check(glob_covers(wide, wide));
	}
	if (glob_covers(wide, narrow) && glob_match(narrow, text))
		check(glob_match(wide, text));
	if (reference_canonicalise(text, &canonical) < 0)
		return 0;
	if (reference_pattern_covers(wide, narrow) && reference_match(narrow, canonical))
		check(reference_match(wide, canonical));
	return 0;
}
