/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Bytes as they come to whole lines, with a hard cap: a longer line is skipped to its end without
 * being kept. (json-c's incremental parser checks UTF-8 and strictness chunk by chunk, so whole
 * lines are cut out first.)
 */

#include "core/base.h"

struct lines {
	char *buffer;
	size_t used, allocated, start;
	size_t cap; /* longest line, without its newline */
	bool skipping; /* within a line that is too long */
	uint64_t skipped; /* lines that were */
};

void lines_init(struct lines *lines, size_t cap);
void lines_finish(struct lines *lines);

/* Drops what is left of an unfinished line: the stream was opened anew. */
void lines_reset(struct lines *lines);

/* Appends a chunk. Take all lines out before the next one: it moves them. */
void lines_feed(struct lines *lines, const char *data, size_t size);

/*
 * The next whole line without its newline (nor a carriage return before it), NUL-terminated, good
 * until the next call to feed; NULL if there is none. Empty lines are skipped.
 */
const char *lines_next(struct lines *lines, size_t *ret_length);
