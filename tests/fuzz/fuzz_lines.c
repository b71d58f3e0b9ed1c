/* SPDX-License-Identifier: Apache-2.0 */
/* A byte for the cap, one for the chunks, and a stream: the same lines however it comes. */
#include "fuzz.h"

#include "codec/lines.h"

struct line {
	char *text;
	size_t length;
};

struct reading {
	ARRAY(struct line) lines;
	uint64_t skipped;
};

static void finish(struct reading *reading)
{
	for (size_t i = 0; i < reading->lines.count; i++)
		free(reading->lines.items[i].text);
	free(reading->lines.items);
}

static void add(struct reading *reading, const char *text, size_t length)
{
	struct line *line = array_push(&reading->lines);

	*line = (struct line){ .text = xcalloc(length + 1, 1), .length = length };
	memcpy(line->text, text, length);
}

/* What lines are, in the plainest words. */
static void read_plainly(struct reading *ret, const char *data, size_t size, size_t cap)
{
	while (size > 0) {
		const char *newline = memchr(data, '\n', size);
		size_t length = newline ? (size_t)(newline - data) : size;

		if (length > cap)
			ret->skipped++;
		else if (newline && length > 0 && !(length == 1 && data[0] == '\r'))
			add(ret, data, length - (data[length - 1] == '\r'));
		data += length + (newline ? 1 : 0);
		size -= length + (newline ? 1 : 0);
	}
}

/* A seed of 0 feeds all at once. */
static void read_in_chunks(
	struct reading *ret, const char *data, size_t size, size_t cap, unsigned seed)
{
	_cleanup_(lines_finish) struct lines lines;
	const char *line;
	size_t length, step;

	lines_init(&lines, cap);
	for (size_t at = 0; at < size; at += step) {
		_cleanup_free_ char *chunk = NULL;

		seed = seed * 1103515245U + (seed > 0 ? 12345U : 0U);
		step = seed > 0 ? MIN((size_t)(seed >> 16) % 17, size - at) : size;
		chunk = fuzz_bytes((const uint8_t *)data + at, step);
		lines_feed(&lines, chunk, step);
		while ((line = lines_next(&lines, &length))) {
			check(length > 0 && length <= cap && line[length] == '\0');
			add(ret, line, length);
		}
		check(lines.used <= lines.allocated);
	}
	ret->skipped = lines.skipped;
}

static void check_same(const struct reading *a, const struct reading *b)
{
	check(a->skipped == b->skipped);
	check(a->lines.count == b->lines.count);
	for (size_t i = 0; i < a->lines.count; i++) {
		check(a->lines.items[i].length == b->lines.items[i].length);
		check(memcmp(a->lines.items[i].text, b->lines.items[i].text,
			      a->lines.items[i].length) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cap = fuzz_byte(&data, &size);
	unsigned seed = fuzz_byte(&data, &size);
	_cleanup_(finish) struct reading plainly = {}, at_once = {}, in_chunks = {};

	read_plainly(&plainly, (const char *)data, size, cap);
	read_in_chunks(&at_once, (const char *)data, size, cap, 0);
	read_in_chunks(&in_chunks, (const char *)data, size, cap, seed + 1);
	check_same(&plainly, &at_once);
	check_same(&plainly, &in_chunks);
	return 0;
}
