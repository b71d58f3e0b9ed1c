/* SPDX-License-Identifier: Apache-2.0 */
/* A byte for the columns, and any text: made harmless, and cut to fit. */
#include "fuzz.h"

#include "core/printable.h"

static void check_cut(const char *cut, const char *text, size_t columns)
{
	check(fuzz_is_harmless(cut, "\n\t"));
	check(printable_columns(cut) <= columns);
	check(printable_columns(text) > columns || streq(cut, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t columns = fuzz_byte(&data, &size) + (size_t)1;
	_cleanup_free_ char *text = fuzz_text(data, size), *escaped = printable_escape(text),
			    *lines = printable_escape_lines(text),
			    *again = printable_escape(escaped),
			    *begin = printable_cut_begin(escaped, columns),
			    *end = printable_cut_end(escaped, columns);

	check(fuzz_is_harmless(escaped, ""));
	check(fuzz_is_harmless(lines, "\n\t"));
	check(streq(again, escaped));
	check(printable_columns(escaped) <= strlen(escaped));
	check_cut(begin, escaped, columns);
	check_cut(end, escaped, columns);
	return 0;
}
