/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/lines.h"

#include <string.h>

void lines_init(struct lines *lines, size_t cap)
{
	*lines = (struct lines){ .cap = cap };
}

void lines_finish(struct lines *lines)
{
	free(lines->buffer);
	*lines = (struct lines){};
}

void lines_reset(struct lines *lines)
{
	lines->used = lines->start = 0;
	lines->skipping = false;
}

/* Drops what was taken, and of what is left the part that can only be too long. */
static void compact(struct lines *lines)
{
	memmove(lines->buffer, lines->buffer + lines->start, lines->used - lines->start);
	lines->used -= lines->start;
	lines->start = 0;
}

static void append(struct lines *lines, const char *data, size_t size)
{
	if (lines->used + size > lines->allocated) {
		lines->allocated = MAX(lines->used + size, lines->allocated * 2);
		lines->buffer = xreallocarray(lines->buffer, lines->allocated, 1);
	}
	memcpy(lines->buffer + lines->used, data, size);
	lines->used += size;
}

void lines_feed(struct lines *lines, const char *data, size_t size)
{
	if (lines->start > 0)
		compact(lines);
	while (size > 0) {
		const char *newline = memchr(data, '\n', size);
		size_t length = newline ? (size_t)(newline - data) : size;
		size_t step = newline ? length + 1 : length;

		if (lines->skipping)
			lines->skipping = !newline;
		else if (lines->used - lines->start + length > lines->cap) {
			/* Everything since start is this line. */
			lines->used = lines->start;
			lines->skipping = !newline;
			lines->skipped++;
		} else {
			append(lines, data, step);
			if (newline)
				lines->start = lines->used;
		}
		data += step;
		size -= step;
	}
	lines->start = 0;
}

const char *lines_next(struct lines *lines, size_t *ret_length)
{
	for (;;) {
		char *line = lines->buffer ? lines->buffer + lines->start : NULL;
		char *newline = line ? memchr(line, '\n', lines->used - lines->start) : NULL;
		size_t length;

		if (!newline)
			return NULL;
		length = (size_t)(newline - line);
		lines->start += length + 1;
		if (length > 0 && line[length - 1] == '\r')
			length--;
		line[length] = '\0';
		if (length > 0) {
			*ret_length = length;
			return line;
		}
	}
}
