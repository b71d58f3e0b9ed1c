/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include "bench.h"

#include <string.h>

static const char *find(const char *text, size_t length, const char *what)
{
	return memmem(text, length, what, strlen(what));
}

static bool begins(const char *text, const char *end, const char *with)
{
	size_t length = strlen(with);

	return (size_t)(end - text) >= length && memcmp(text, with, length) == 0;
}

/* 64 digits between quotes, or with "sha256:" before them. */
static bool is_id(const char *line, const char *text, const char *end)
{
	if (end - text <= BENCH_HEX || text[BENCH_HEX] != '"' || text == line ||
		(text[-1] != '"' && text[-1] != ':'))
		return false;
	for (size_t i = 0; i < BENCH_HEX; i++)
		if (!memchr("0123456789abcdef", text[i], 16))
			return false;
	return true;
}

static size_t number_of(const char **ids, size_t *count, const char *id)
{
	for (size_t i = 0; i < *count; i++)
		if (memcmp(ids[i], id, BENCH_HEX) == 0)
			return i;
	bench_require(*count < TEMPLATE_IDS, "a recording with too many IDs");
	ids[*count] = id;
	return (*count)++;
}

void template_number(struct template_ids *ids, const char *line, size_t length)
{
	const char *end = line + length;

	for (const char *c = line; c < end; c++) {
		if (!is_id(line, c, end))
			continue;
		if (c[-1] == ':')
			number_of(ids->images, &ids->image_count, c);
		else
			number_of(ids->ids, &ids->count, c);
	}
}

/* Where a name begins, right behind its key, if there is one here. */
static const char *name_after(const char *text, const char *end, bool of_image)
{
	static const char *const keys[] = { "\"image\":\"", "\"from\":\"", "\"name\":\"",
		"\"id\":\"", "\"ID\":\"" };
	/* The others are a container's own. */
	size_t count = of_image ? ARRAY_SIZE(keys) : 2;

	for (size_t i = 0; i < count; i++) {
		const char *name = text + strlen(keys[i]);

		if (begins(text, end, keys[i]) && !begins(name, end, "sha256:"))
			return name;
	}
	return NULL;
}

static void add(struct template *template, enum piece_kind kind, const char *from, const char *to,
	size_t number)
{
	if (to > from)
		*array_push(&template->pieces) =
			(struct piece){ kind, from, (size_t)(to - from), number };
}

/* What begins at text, if it is anything but text. False if it is not. */
static bool next_piece(struct piece *piece, const struct template_ids *ids, const char *line,
	const char *text, const char *end)
{
	struct template_ids known = *ids;
	bool of_image = find(line, (size_t)(end - line), "\"Type\":\"image\"");
	const char *name;

	if (is_id(line, text, end)) {
		bool is_image = text[-1] == ':';

		*piece = (struct piece){ is_image ? PIECE_IMAGE : PIECE_ID, text, BENCH_HEX,
			is_image ? number_of(known.images, &known.image_count, text)
				 : number_of(known.ids, &known.count, text) };
		return true;
	}
	if (begins(text, end, "\"time\":") || begins(text, end, "\"timeNano\":")) {
		bool seconds = text[5] == '"';

		text = strchr(text, ':') + 1;
		*piece = (struct piece){ seconds ? PIECE_SECONDS : PIECE_NANOSECONDS, text,
			strspn(text, "0123456789"), 0 };
		return true;
	}
	name = name_after(text, end, of_image);
	if (name)
		*piece = (struct piece){ PIECE_NAME, name, strcspn(name, "\""), 0 };
	return name;
}

void template_cut(
	struct template *template, const struct template_ids *ids, const char *line, size_t length)
{
	const char *end = line + length, *rest = line;
	struct piece piece;

	for (const char *c = line; c < end; c++) {
		if (!next_piece(&piece, ids, line, c, end))
			continue;
		add(template, PIECE_TEXT, rest, piece.text, 0);
		add(template, piece.kind, piece.text, piece.text + piece.length, piece.number);
		rest = piece.text + piece.length;
		c = rest - 1;
	}
	add(template, PIECE_TEXT, rest, end, 0);
}

void template_finish(struct template *template)
{
	free(template->pieces.items);
	*template = (struct template){};
}
