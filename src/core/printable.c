/* SPDX-License-Identifier: Apache-2.0 */
#include "core/printable.h"

#include <stdio.h>
#include <string.h>

#define ELLIPSIS "…"

struct range {
	uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t count, uint32_t c)
{
	for (size_t i = 0; i < count; i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	}
	return false;
}

/* One character. Returns its bytes, 0 if it is no UTF-8: cut, overlong, a surrogate, too large. */
static size_t decode(const char *text, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text;
	size_t length = *byte < 0x80 ? 1
		: *byte < 0xc0       ? 0
		: *byte < 0xe0       ? 2
		: *byte < 0xf0       ? 3
		: *byte < 0xf8       ? 4
				     : 0;
	uint32_t c = length > 1 ? *byte & (0x7fU >> length) : *byte;

	for (size_t i = 1; i < length; i++) {
		/* The NUL at the end is no continuation either. */
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (byte[i] & 0x3f);
	}
	if (length == 0 || c < least[length] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return 0;
	*ret = c;
	return length;
}

static bool is_harmless(uint32_t c)
{
	/* C0, DEL and C1; marks and turns of direction, what has no width, line separators. */
	static const struct range harmful[] = {
		{ 0, 0x1f },
		{ 0x7f, 0x9f },
		{ 0xad, 0xad },
		{ 0x61c, 0x61c },
		{ 0x200b, 0x200f },
		{ 0x2028, 0x202e },
		{ 0x2060, 0x206f },
		{ 0xfeff, 0xfeff },
		{ 0xe0000, 0xe0fff },
	};

	return !is_in(harmful, ARRAY_SIZE(harmful), c);
}

static char *escape(const char *text, const char *keep)
{
	char *escaped = xcalloc(strlen(text) * 4 + 1, 1), *end = escaped;

	while (*text) {
		uint32_t c;
		size_t length = decode(text, &c);
		bool as_it_is = length > 0 && (is_harmless(c) || strchr(keep, *text));

		for (length = MAX(length, (size_t)1); length > 0; length--, text++) {
			if (as_it_is)
				*end++ = *text;
			else
				end += snprintf(end, 5, "\\x%02x", (unsigned char)*text);
		}
	}
	return escaped;
}

char *printable_escape(const char *text)
{
	return escape(text, "");
}

char *printable_escape_lines(const char *text)
{
	return escape(text, "\n\t");
}

bool printable_is_utf8(const char *text)
{
	uint32_t c;
	size_t length = 1;

	for (; *text && length > 0; text += length)
		length = decode(text, &c);
	return length > 0;
}

static size_t columns_of(uint32_t c)
{
	static const struct range combining[] = {
		{ 0x300, 0x36f },
		{ 0x1ab0, 0x1aff },
		{ 0x20d0, 0x20ff },
		{ 0xfe00, 0xfe0f },
		{ 0xfe20, 0xfe2f },
	};
	static const struct range wide[] = {
		{ 0x1100, 0x115f },
		{ 0x2e80, 0xa4cf },
		{ 0xac00, 0xd7a3 },
		{ 0xf900, 0xfaff },
		{ 0xfe30, 0xfe6f },
		{ 0xff00, 0xff60 },
		{ 0xffe0, 0xffe6 },
		{ 0x1f300, 0x1f64f },
		{ 0x1f680, 0x1f6ff },
		{ 0x1f900, 0x1f9ff },
		{ 0x20000, 0x3fffd },
	};

	if (c < 0x300)
		return 1;
	return is_in(combining, ARRAY_SIZE(combining), c) ? 0
		: is_in(wide, ARRAY_SIZE(wide), c)        ? 2
							  : 1;
}

/* Moves over one character, which takes *ret columns. */
static const char *skip(const char *text, size_t *ret)
{
	uint32_t c = '?';
	size_t length = decode(text, &c);

	*ret = columns_of(c);
	return text + MAX(length, (size_t)1);
}

size_t printable_columns(const char *text)
{
	size_t columns = 0, more;

	while (*text) {
		text = skip(text, &more);
		columns += more;
	}
	return columns;
}

char *printable_cut_begin(const char *text, size_t columns)
{
	size_t left = printable_columns(text), less;

	if (left <= columns)
		return xstrdup(text);
	while (*text && left > columns - 1) {
		text = skip(text, &less);
		left -= less;
	}
	return xasprintf(ELLIPSIS "%s", text);
}

char *printable_cut_end(const char *text, size_t columns)
{
	const char *end = text;
	size_t left = columns - 1, more = 0;

	if (printable_columns(text) <= columns)
		return xstrdup(text);
	for (const char *next = text; *next && more <= left;) {
		left -= more;
		end = next;
		next = skip(next, &more);
	}
	return xasprintf("%.*s" ELLIPSIS, (int)(end - text), text);
}
