/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Images that come after their event: podman 4 tells of a pull or a load when it begins. When it is
 * through nothing tells, so we look: five times within half a minute.
 */

#include <event2/event.h>

#include "core/base.h"

struct late {
	struct event *timer;
	nsec_t next; /* the time to the next look; 0: none is due */
	bool again; /* something more was told meanwhile */
	void (*look)(void *userdata);
	void (*over)(void *userdata);
	void *userdata;
};

/* over: there will be no look any more, whatever was expected. */
void late_init(struct late *late, struct event_base *base, void (*look)(void *userdata),
	void (*over)(void *userdata), void *userdata);
void late_finish(struct late *late);

/* Something has been told of. While looks are due they will do, and begin anew after the last. */
void late_expect(struct late *late);

/* No looks, without over(). */
void late_cancel(struct late *late);
