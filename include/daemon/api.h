/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The control socket's routes: what people and scripts can ask and tell the daemon. */

#include "codec/control_json.h"
#include "core/base.h"
#include "core/removal_log.h"
#include "daemon/cycle.h"
#include "daemon/watch.h"
#include "io/control.h"
#include "io/engine.h"

struct api;

/* What is asked about; all of it is the daemon's. */
struct api_context {
	const struct settings *settings;
	const struct engine *engine;
	const struct inventory *inventory;
	struct watch *watch;
	struct ledger *ledger;
	struct cycle *cycle;
	const struct removal_log *removals;
};

struct api_handler {
	/* Fills in what only the daemon knows. */
	void (*describe)(void *userdata, struct control_status *status);
	/* All that Prometheus is told; the caller frees. */
	char *(*measure)(void *userdata);
	/* Somebody wants a collection now. */
	void (*collect)(void *userdata);
	/* No collection for so long; 0: until resume. */
	void (*pause)(void *userdata, nsec_t length);
	void (*resume)(void *userdata);
	/* The ledger has changed. */
	void (*changed)(void *userdata);
};

struct api *api_create(struct event_base *base, const struct api_context *context,
	const struct api_handler *handler, void *userdata);
void api_destroy(struct api *api);

/*
 * All of the routes, and those for whoever reaches a TCP port; nobody listens yet. The caller
 * destroys them, before the API.
 */
struct control *api_create_control(struct api *api);
struct control *api_create_metrics(struct api *api);

/*
 * Nothing is open any more: whose the names are that somebody said to forget is known now, or is
 * asked.
 */
void api_settled(struct api *api);

/* A collection has ended: those who wait for it get their answer. */
void api_collected(struct api *api, const struct collection_record *record);

/* No answers and no collection will come, for people why: nobody waits in vain. */
void api_gone(struct api *api, const char *why);
