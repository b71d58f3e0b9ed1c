/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Images that come after their event: podman 4 tells of a pull or a load when it begins. When it is
 * through nothing tells, so we look: five times within half a minute.
 */

#include <event2/event.h>

#include "core/base.h"
#include "daemon/questions.h"

struct late {
	struct event *timer;
	nsec_t next; /* the time to the next look; 0: none is due */
	bool again; /* something more was told meanwhile */
	struct questions names; /* that were pulled: how who has them in a list came */
	void (*look)(void *userdata);
	void (*over)(void *userdata);
	void *userdata;
};

/* over: there will be no look any more, and nothing is expected. */
void late_init(struct late *late, struct event_base *base, void (*look)(void *userdata),
	void (*over)(void *userdata), void *userdata);
void late_finish(struct late *late);

/* Something has been told of. While looks are due they will do, and begin anew after the last. */
void late_expect(struct late *late);

/*
 * The same of a pull, whose question this is: whoever has the name in the next lists may have come
 * by it.
 */
void late_expect_pull(struct late *late, const struct question *question);

/* No looks, without over(). */
void late_cancel(struct late *late);
/* Nothing is expected any more. */
void late_forget(struct late *late);
