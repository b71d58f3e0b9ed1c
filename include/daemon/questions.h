/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an event left open and the engine has to be asked: which image has this name now, which
 * image does this container hold, how large are an image's layers. One at a time, each thing once
 * however many events raise it.
 */

#include "core/base.h"
#include "core/ledger.h"

enum question_kind {
	QUESTION_IMAGE, /* name: a full ID or a canonical reference */
	QUESTION_HISTORY, /* name: a full ID */
	QUESTION_CONTAINER, /* name: a container's ID */
};

struct question {
	enum question_kind kind;
	char *name;
	char *text; /* a container's: what the user typed; an image's: a tag that it has got */
	bool is_use; /* the event counts as use */
	bool is_awaited; /* a removal or a request goes on once it is answered */
	bool has_origin; /* the event tells how the image came */
	enum origin origin;
	nsec_t when; /* of the event, of several the last one's; 0: no event raised it */
	nsec_t first; /* of several, the first one's */
	uint64_t raised; /* the larger, the later it told whose a name is */
};

struct questions {
	struct question *items;
	size_t count, allocated;
};

void question_finish(struct question *question);
void questions_finish(struct questions *questions);

/* Whether it asks for the image that has a name now. */
bool question_is_by_name(const struct question *question);
/* Whether both ask the same. */
bool question_equals(const struct question *a, const struct question *b);
/* The same one again: the latest time counts. Takes `again` over. */
void question_merge(struct question *question, struct question *again);

/*
 * A later event may have moved a tag: the question's image that had got it has lost it again, and
 * who is asked for by it is not who was pulled by it.
 */
void question_drop_tag(struct question *question, const struct question *later);
void questions_drop_tag(struct questions *questions, const struct question *later);

/* Events were missed: who has a name now is perhaps not who got it, or came with it. */
void questions_doubt_names(struct questions *questions);

/* Adds a question, or merges it with the same one. Takes it over. */
void questions_add(struct questions *questions, struct question *question);

/* When the first of the events was that raised it; NSEC_MAX: no event did. */
nsec_t question_since(const struct question *question);
/* The same of all of them. */
nsec_t questions_since(const struct questions *questions);

/* Whether there is one; only_urgent: one that is a use, or awaited. */
bool questions_wait(const struct questions *questions, bool only_urgent);
/* Takes the oldest such one out. False if there is none. */
bool questions_take(struct questions *questions, bool only_urgent, struct question *ret);

/* Whether the answer tells whose name this is now. */
bool question_is_about(const struct question *question, const char *canonical);
/* The last one that was raised of those; NULL: there is none. */
const struct question *questions_find_about(
	const struct questions *questions, const char *canonical);

/* Drops what was asked of an image that is no use of it: it is known to be gone. */
void questions_drop_image(struct questions *questions, const char *id);
