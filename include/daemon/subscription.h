/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The subscription to the engine's events: from when on they have to be told, and what of the time
 * since then the ledger counts as watched.
 */

#include "core/base.h"
#include "core/ledger.h"

/* All zero but for the ledger, which stays the caller's: there is none. */
struct subscription {
	struct ledger *ledger;
	bool is_on; /* broken for a moment as well, until it is known that the engine is away */
	struct clocks
		begun; /* when, while no list has made use of what has come since; else zero */
};

/*
 * From when on the ledger's engine has to tell events, by its wall clock, which says engine_now.
 * All until `told` have come (0: none).
 */
nsec_t subscription_since(const struct subscription *subscription, nsec_t told, nsec_t engine_now);

/*
 * Events come in from now on, maybe on a new connection in place of another. Nothing is watched
 * yet, see subscription_count(). Whether there was no subscription.
 */
bool subscription_begin(struct subscription *subscription);

/*
 * There is a list, so events have their effect: it is watched since the subscription has begun.
 * Nothing happens if that is counted already.
 */
void subscription_count(struct subscription *subscription);

/* Nothing comes in, for the moment: nobody watches after what the ledger has observed so far. */
void subscription_break(struct subscription *subscription);

/* It goes on after a break, and nothing was missed. */
void subscription_resume(struct subscription *subscription);

/* There is none any more. */
void subscription_end(struct subscription *subscription);
