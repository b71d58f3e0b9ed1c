/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/questions.h"

#include <string.h>

void question_finish(struct question *question)
{
	free(question->name);
	free(question->text);
	*question = (struct question){};
}

void questions_finish(struct questions *questions)
{
	for (size_t i = 0; i < questions->count; i++)
		question_finish(&questions->items[i]);
	free(questions->items);
	*questions = (struct questions){};
}

bool question_is_by_name(const struct question *question)
{
	return question->kind == QUESTION_IMAGE && strncmp(question->name, "sha256:", 7) != 0;
}

bool question_equals(const struct question *a, const struct question *b)
{
	/* Each tag that an image has got is another one's loss. */
	bool same_tag =
		a->kind != QUESTION_IMAGE || !a->text || !b->text || streq(a->text, b->text);

	return a->kind == b->kind && streq(a->name, b->name) && same_tag;
}

nsec_t question_since(const struct question *question)
{
	return question->first > 0   ? question->first
		: question->when > 0 ? question->when
				     : NSEC_MAX;
}

nsec_t questions_since(const struct questions *questions)
{
	nsec_t since = NSEC_MAX;

	for (size_t i = 0; i < questions->count; i++)
		since = MIN(since, question_since(&questions->items[i]));
	return since;
}

void question_merge(struct question *question, struct question *again)
{
	question->first = MIN(question_since(question), question_since(again));
	question->is_use = question->is_use || again->is_use;
	question->is_awaited = question->is_awaited || again->is_awaited;
	question->when = MAX(question->when, again->when);
	/* What claims no name does not make an older claim a later one. */
	if (again->text || again->has_origin || question_is_by_name(again))
		question->raised = MAX(question->raised, again->raised);
	if (!question->text)
		question->text = TAKE_PTR(again->text);
	if (again->has_origin && !question->has_origin) {
		question->has_origin = true;
		question->origin = again->origin;
	}
	question_finish(again);
}

void question_drop_tag(struct question *question, const struct question *later)
{
	if (question->kind != QUESTION_IMAGE || later->kind != QUESTION_IMAGE ||
		streq(question->name, later->name))
		return;
	if (question->text &&
		(streq(question->text, later->text) || streq(question->text, later->name))) {
		free(question->text);
		question->text = NULL;
	}
	if (later->text && streq(question->name, later->text))
		question->has_origin = false;
}

void questions_drop_tag(struct questions *questions, const struct question *later)
{
	for (size_t i = 0; i < questions->count; i++)
		question_drop_tag(&questions->items[i], later);
}

void questions_doubt_names(struct questions *questions)
{
	for (size_t i = 0; i < questions->count; i++) {
		struct question *question = &questions->items[i];

		if (question->kind != QUESTION_IMAGE)
			continue;
		if (question_is_by_name(question))
			question->has_origin = false;
		free(TAKE_PTR(question->text));
	}
}

void questions_add(struct questions *questions, struct question *question)
{
	for (size_t i = 0; i < questions->count; i++) {
		if (question_equals(&questions->items[i], question)) {
			question_merge(&questions->items[i], question);
			return;
		}
	}
	*array_push(questions) = TAKE_STRUCT(*question);
}

static void remove_at(struct questions *questions, size_t i)
{
	questions->count--;
	memmove(&questions->items[i], &questions->items[i + 1],
		(questions->count - i) * sizeof(*questions->items));
}

static bool is_urgent(const struct question *question)
{
	return question->is_use || question->is_awaited;
}

bool questions_wait(const struct questions *questions, bool only_urgent)
{
	for (size_t i = 0; i < questions->count; i++)
		if (!only_urgent || is_urgent(&questions->items[i]))
			return true;
	return false;
}

bool questions_take(struct questions *questions, bool only_urgent, struct question *ret)
{
	for (size_t i = 0; i < questions->count; i++) {
		if (only_urgent && !is_urgent(&questions->items[i]))
			continue;
		*ret = questions->items[i];
		remove_at(questions, i);
		return true;
	}
	return false;
}

bool question_is_about(const struct question *question, const char *canonical)
{
	/* A load tells no names: it may be any. */
	bool is_loaded = question->has_origin && question->origin == ORIGIN_LOADED;

	return question->kind == QUESTION_IMAGE &&
		(is_loaded || streq(question->text, canonical) || streq(question->name, canonical));
}

const struct question *questions_find_about(
	const struct questions *questions, const char *canonical)
{
	const struct question *last = NULL;

	for (size_t i = 0; i < questions->count; i++) {
		const struct question *question = &questions->items[i];

		if (question_is_about(question, canonical) &&
			(!last || question->raised > last->raised))
			last = question;
	}
	return last;
}

void questions_drop_image(struct questions *questions, const char *id)
{
	for (size_t i = questions->count; i > 0; i--) {
		struct question *question = &questions->items[i - 1];

		if (question->kind == QUESTION_CONTAINER || question->is_use ||
			!streq(question->name, id))
			continue;
		question_finish(question);
		remove_at(questions, i - 1);
	}
}
