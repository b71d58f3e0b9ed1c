/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What people say of images by name, on the control socket: to track them, or to forget them. */

#include "core/base.h"
#include "core/tracking.h"
#include "daemon/watch.h"
#include "io/control.h"

/*
 * Somebody has said to leave images alone, by names of which the engine is asked whose they are:
 * who has them by now may not be who had them when its last event was read.
 */
struct forgetting {
	struct control_call *call;
	struct strings references, canonical; /* as they were written, and as they are compared */
	enum tracking_result *results; /* so far */
	bool is_asked;
};

/* All zero but for what stays the caller's: nobody has said anything. */
struct wishes {
	const struct policy *policy;
	const struct inventory *inventory;
	struct ledger *ledger;
	struct watch *watch;
	void (*changed)(void *userdata); /* the ledger has */
	void *userdata;
	ARRAY(struct forgetting) forgetting; /* that wait for the engine */
};

/* Calls that wait get no answer any more. */
void wishes_finish(struct wishes *wishes);

/* Answers at once. There has to be an engine, as for the next one. */
void wishes_track(struct wishes *wishes, struct control_call *call);

/* Has its effect at once on who had the names so far, and answers when it is known who has them. */
void wishes_forget(struct wishes *wishes, struct control_call *call);

/* Nothing is open any more: whose the names are is known now, or is asked. */
void wishes_settled(struct wishes *wishes);

/* The engine answers nobody: those who wait are told what was done so far. */
void wishes_gone(struct wishes *wishes);
