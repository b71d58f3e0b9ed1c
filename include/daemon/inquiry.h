/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Asks the engine what events have left open. One question at a time, since the engine has other
 * clients; what comes up meanwhile waits.
 */

#include "core/inventory.h"
#include "daemon/questions.h"
#include "io/engine.h"

/*
 * The engine's answer, which may be that it has none. The question is freed after this, unless it
 * is taken over by inquiry_add(): then it is open again.
 */
typedef void (*inquiry_fn)(void *userdata, struct question *question, struct engine_answer *answer);

struct inquiry {
	struct engine *engine;
	const struct inventory *inventory;
	inquiry_fn answered;
	void *userdata;
	struct questions waiting;
	struct question asked; /* its answer is under way */
	struct engine_call *call;
	uint64_t raised; /* questions, so far */
};

/* Engine and inventory stay the caller's. */
void inquiry_init(struct inquiry *inquiry, struct engine *engine, const struct inventory *inventory,
	inquiry_fn answered, void *userdata);
/* Nothing is open any more, and nobody is called. */
void inquiry_finish(struct inquiry *inquiry);

/*
 * An event has raised this question: adds it, or merges it with the same one, and takes it over.
 * Tags that earlier ones tell of are this one's now.
 */
void inquiry_raise(struct inquiry *inquiry, struct question *question);
/* A question is open again. Takes it over. */
void inquiry_add(struct inquiry *inquiry, struct question *question);

/* Asks the next question, if none is under way; only_urgent: see questions_take(). */
void inquiry_next(struct inquiry *inquiry, bool only_urgent);
/* The question whose answer is under way waits again. */
void inquiry_take_back(struct inquiry *inquiry);
bool inquiry_is_asking(const struct inquiry *inquiry);

/* Whether anything is asked or waits; only_urgent: of what waits, only what is urgent counts. */
bool inquiry_is_open(const struct inquiry *inquiry, bool only_urgent);
/* When the first event was that raised what is open; NSEC_MAX: there is none. */
nsec_t inquiry_since(const struct inquiry *inquiry);
/*
 * Whether an answer tells whose name this is now. *ret_id is the image that is known to have got
 * it, NULL where only the engine knows. What was raised last knows best.
 */
bool inquiry_is_about(const struct inquiry *inquiry, const char *canonical, const char **ret_id);
