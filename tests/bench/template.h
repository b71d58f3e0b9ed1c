/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A recorded line of events, cut into what stays and what is another one each time. */

#include "core/base.h"

enum piece_kind {
	PIECE_TEXT,
	PIECE_ID, /* 64 digits: a container or a network */
	PIECE_IMAGE, /* 64 digits of an image */
	PIECE_NAME, /* an image's, as somebody typed it */
	PIECE_SECONDS,
	PIECE_NANOSECONDS,
};

#define TEMPLATE_IDS 16

struct piece {
	enum piece_kind kind;
	const char *text; /* as it was recorded */
	size_t length;
	size_t number; /* of an ID: below TEMPLATE_IDS, the same one has the same number */
};

struct template
{
	ARRAY(struct piece) pieces;
};

/* The IDs of one file, each kind in the order in which they came, containers first. */
struct template_ids {
	const char *ids[TEMPLATE_IDS], *images[TEMPLATE_IDS];
	size_t count, image_count;
};

/* The IDs of a line, to be called for all lines of a file at first. */
void template_number(struct template_ids *ids, const char *line, size_t length);

/* Cuts the line, which has to stay where it is. */
void template_cut(
	struct template *template, const struct template_ids *ids, const char *line, size_t length);
void template_finish(struct template *template);
