/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What one event changes in inventory and ledger, and what it leaves open. Asks nobody: questions
 * are handed to the owner, and what the answers change is here again. `now` is an argument.
 */

#include "codec/event_json.h"
#include "core/base.h"
#include "core/inventory.h"
#include "core/ledger.h"
#include "core/policy.h"
#include "daemon/questions.h"

struct apply_handler {
	/* Only the engine knows; takes the question over. */
	void (*open)(void *userdata, struct question *question);
	/* Nothing short of a list will tell. */
	void (*in_doubt)(void *userdata, const char *why);
	/* An image came that we had not. */
	void (*arrived)(void *userdata, const struct image *image);
	/* Images came or changed their names: disk usage may have grown. */
	void (*grown)(void *userdata);
	/* Whether an answer is awaited on whose name this is now; *ret_id if it is known which. */
	bool (*is_awaited)(void *userdata, const char *canonical, const char **ret_id);
};

struct apply {
	struct inventory *inventory;
	struct ledger *ledger;
	const struct policy *policy;
	bool digests_prove_pull; /* see engine_has_graph_driver() */
	bool runs_tell_pulls; /* see engine_tells_pulls_of_runs() */
	nsec_t answered; /* events from before that may know names otherwise than we do; 0: none */
	nsec_t unnamed_load; /* by podman 4: since then any new image may be what was loaded; 0:
	                        none */
	struct apply_handler handler;
	void *userdata;
};

void apply_event(const struct apply *apply, const struct engine_event *event, nsec_t now);

/* The answer to a question: the image as it is now, which may have taken names from others. */
void apply_image(const struct apply *apply, const struct question *question,
	const struct image_record *record, nsec_t now);

/*
 * The answer to a question about a container: the image it holds, or NULL where it is gone; then
 * what the user typed is all there is.
 */
void apply_container(const struct apply *apply, const struct question *question,
	const char *image_id, nsec_t now);

/* Takes an image's history over; NULL: there is none to be had. */
void apply_history(const struct apply *apply, const char *id, struct history *history);

/* Answers a question from what a new list has brought. */
void apply_list(const struct apply *apply, const struct question *question, nsec_t now);

/* The engine has said that the image is gone: what was a step of its build may be one no more. */
void apply_gone(const struct apply *apply, const char *id);
