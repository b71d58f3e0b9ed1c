/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What every fuzz target includes first. */

#include <stdio.h>
#include <string.h>

#include "core/base.h"

/* One input; returns 0. libFuzzer calls it by this name, and so does replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input. */
#define check(condition)                                                                  \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
				#condition);                                              \
			abort();                                                          \
		}                                                                         \
	} while (0)

/* A copy with nothing behind it, so that the sanitizer sees who reads on. The caller frees. */
static inline char *fuzz_bytes(const uint8_t *data, size_t size)
{
	char *copy = malloc(size);

	if (!copy && size > 0)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

/* The same as a text, which a NUL cuts short. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	return size > 0 ? xstrndup((const char *)data, size) : xstrdup("");
}

/* The next line of an input of several, as a text; "" behind the last one. The caller frees. */
static inline char *fuzz_line(const uint8_t **data, size_t *size)
{
	const uint8_t *begin = *data, *newline = *size > 0 ? memchr(begin, '\n', *size) : NULL;
	size_t length = newline ? (size_t)(newline - begin) : *size;

	*data += length + (newline ? 1 : 0);
	*size -= length + (newline ? 1 : 0);
	return fuzz_text(begin, length);
}

/* The next byte of an input, 0 behind the last one. */
static inline uint8_t fuzz_byte(const uint8_t **data, size_t *size)
{
	if (*size == 0)
		return 0;
	(*size)--;
	return *(*data)++;
}

/* The bytes of the UTF-8 character at text, 0 if it is none; written apart from core/printable. */
static inline size_t fuzz_utf8_length(const unsigned char *text)
{
	static const struct {
		unsigned char first, last, second_first, second_last;
		size_t length;
	} forms[] = {
		{ 0x00, 0x7f, 0x00, 0xff, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (text[0] < forms[i].first || text[0] > forms[i].last)
			continue;
		if (forms[i].length > 1 &&
			(text[1] < forms[i].second_first || text[1] > forms[i].second_last))
			return 0;
		for (size_t n = 2; n < forms[i].length; n++)
			if ((text[n] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

static inline bool fuzz_is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = 1;

	for (; *at && length > 0; at += length)
		length = fuzz_utf8_length(at);
	return length > 0;
}

/* Whether a terminal shows it as it is: UTF-8 without control characters, but for those in keep. */
static inline bool fuzz_is_harmless(const char *text, const char *keep)
{
	const unsigned char *at = (const unsigned char *)text;

	for (; *at; at++) {
		if ((*at < ' ' || *at == 0x7f) && !strchr(keep, *at))
			return false;
		/* C1, as UTF-8 */
		if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
			return false;
	}
	return fuzz_is_utf8(text);
}
