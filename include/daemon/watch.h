/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Keeps inventory and ledger true: lists at first and when something was missed, from then on
 * events, asking the engine only what an event leaves open.
 */

#include "codec/event_json.h"
#include "core/base.h"
#include "core/inventory.h"
#include "core/ledger.h"
#include "core/policy.h"
#include "io/engine.h"

struct watch;

struct watch_handler {
	/* The inventory is new, the ledger not yet brought in line: is it this engine's at all? */
	void (*listed)(void *userdata);
	/* Lists and layers are complete. */
	void (*reconciled)(void *userdata);
	/* No lists; for people why. The inventory is as old as it was. */
	void (*failed)(void *userdata, const char *why);
	/* An image came that we had not. */
	void (*arrived)(void *userdata, const struct image *image);
	/* Images came or changed: disk usage may have grown. */
	void (*grown)(void *userdata);
	/* Nothing is open any more, see watch_is_settled(). */
	void (*settled)(void *userdata);
};

/* The inventory, the ledger and the policy stay the caller's. */
struct watch *watch_create(struct event_base *base, struct engine *engine,
	struct inventory *inventory, struct ledger *ledger, const struct policy *policy,
	const struct watch_handler *handler, void *userdata);
void watch_destroy(struct watch *watch);

/*
 * Lists images and containers anew and asks for the layers of images that are new. Events that
 * come meanwhile are applied again afterwards: a list may be older than they are. Once at a time:
 * a call during another one is remembered once.
 */
void watch_reconcile(struct watch *watch);

/*
 * The same, though nothing was missed as far as anybody knows: what the lists show that no event
 * has told is healed, counted and logged. Lists that are under way will do.
 */
void watch_compare(struct watch *watch);

/* Nothing of what is under way or open matters any more: the engine is another one. */
void watch_stop(struct watch *watch);

/*
 * The engine is away. Requests are void; what is open, and what was read before there was a list,
 * has its effect after the next one.
 */
void watch_pause(struct watch *watch);

void watch_event(struct watch *watch, const struct engine_event *event);

/* Whether events come in. While they do not, nothing is settled. True from watch_create() on. */
void watch_set_live(struct watch *watch, bool live);
bool watch_is_live(const struct watch *watch);

/*
 * Events may have been missed: what came before tells no more whose a tag is, what is typed may
 * mean another image than it did, and nothing is settled until lists have come.
 */
void watch_missed(struct watch *watch);

/*
 * Whether the lists have been there and no event is waiting for an answer; during a removal: none
 * that is a use, or asked of by watch_ask_image().
 */
bool watch_is_settled(const struct watch *watch);

/* When the first event was that still waits for an answer; NSEC_MAX: none does. */
nsec_t watch_open_since(const struct watch *watch);

/*
 * Once all is settled: asks the engine of an image by its full ID or a canonical reference, as an
 * event that is still to come may have moved a name, or none told of that. Inventory and ledger
 * have the answer when all is settled again. False if there is none as far as is known.
 */
bool watch_ask_image(struct watch *watch, const char *name);
/* Whether a name's owner is in doubt; *ret_id if it is known who is to get it. */
bool watch_awaits_name(const struct watch *watch, const char *canonical, const char **ret_id);

/* Whether there is a complete inventory. */
bool watch_is_loaded(const struct watch *watch);

/* What lists at the interval have shown so far that no event had told. */
size_t watch_differences(const struct watch *watch);

/* Lists containers alone, right before a collection. done gets 0 or -errno with why. */
typedef void (*watch_done_fn)(void *userdata, int result, const char *why);
void watch_list_containers(struct watch *watch, watch_done_fn done, void *userdata);

/*
 * A removal is under way: what its own untag and delete events leave open waits, as its answer
 * tells most of it.
 */
void watch_set_removing(struct watch *watch, bool removing);

/* The engine has said that the image is gone. */
void watch_image_gone(struct watch *watch, const char *id);
