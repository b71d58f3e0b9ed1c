/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/inquiry.h"

void inquiry_init(struct inquiry *inquiry, struct engine *engine, const struct inventory *inventory,
	inquiry_fn answered, void *userdata)
{
	*inquiry = (struct inquiry){
		.engine = engine,
		.inventory = inventory,
		.answered = answered,
		.userdata = userdata,
	};
}

void inquiry_finish(struct inquiry *inquiry)
{
	inquiry_take_back(inquiry);
	questions_finish(&inquiry->waiting);
}

void inquiry_add(struct inquiry *inquiry, struct question *question)
{
	/* Which image a container holds does not change: the answer under way will do. */
	if (inquiry->call && question->kind == QUESTION_CONTAINER &&
		question_equals(&inquiry->asked, question))
		question_merge(&inquiry->asked, question);
	else
		questions_add(&inquiry->waiting, question);
}

void inquiry_raise(struct inquiry *inquiry, struct question *question)
{
	question->raised = ++inquiry->raised;
	question_drop_tag(&inquiry->asked, question);
	questions_drop_tag(&inquiry->waiting, question);
	inquiry_add(inquiry, question);
}

void inquiry_take_back(struct inquiry *inquiry)
{
	if (!inquiry->call)
		return;
	engine_cancel(TAKE_PTR(inquiry->call));
	questions_add(&inquiry->waiting, &inquiry->asked);
}

static void on_answer(void *userdata, struct engine_answer *answer)
{
	struct inquiry *inquiry = userdata;
	struct question question = TAKE_STRUCT(inquiry->asked);

	/* What the answer opens may be asked at once. */
	inquiry->call = NULL;
	inquiry->answered(inquiry->userdata, &question, answer);
	question_finish(&question);
}

static struct engine_call *ask(struct inquiry *inquiry)
{
	const char *name = inquiry->asked.name;

	switch (inquiry->asked.kind) {
	case QUESTION_IMAGE:
		return engine_inspect_image(inquiry->engine, name, on_answer, inquiry);
	case QUESTION_HISTORY:
		return engine_image_history(inquiry->engine, name, on_answer, inquiry);
	case QUESTION_CONTAINER:
		return engine_inspect_container(inquiry->engine, name, on_answer, inquiry);
	}
	abort();
}

/* Several of the same image may have been asked for before the first answer made them needless. */
static bool is_needless(const struct inquiry *inquiry, const struct question *question)
{
	const struct image *image = inventory_find_image(inquiry->inventory, question->name);

	return question->kind == QUESTION_HISTORY &&
		!(image && inventory_needs_history(inquiry->inventory, image));
}

void inquiry_next(struct inquiry *inquiry, bool only_urgent)
{
	if (inquiry->call)
		return;
	while (questions_take(&inquiry->waiting, only_urgent, &inquiry->asked)) {
		if (!is_needless(inquiry, &inquiry->asked)) {
			inquiry->call = ask(inquiry);
			return;
		}
		question_finish(&inquiry->asked);
	}
}

bool inquiry_is_asking(const struct inquiry *inquiry)
{
	return inquiry->call;
}

bool inquiry_is_open(const struct inquiry *inquiry, bool only_urgent)
{
	return inquiry->call || questions_wait(&inquiry->waiting, only_urgent);
}

nsec_t inquiry_since(const struct inquiry *inquiry)
{
	return MIN(questions_since(&inquiry->waiting), question_since(&inquiry->asked));
}

bool inquiry_is_about(const struct inquiry *inquiry, const char *canonical, const char **ret_id)
{
	const struct question *last = questions_find_about(&inquiry->waiting, canonical);

	if (inquiry->call && question_is_about(&inquiry->asked, canonical) &&
		!(last && last->raised > inquiry->asked.raised))
		last = &inquiry->asked;
	if (!last)
		return false;
	*ret_id = streq(last->text, canonical) ? last->name : NULL;
	return true;
}
