/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How things stand: in one line for sd_notify and, on start, for the log; for the control socket.
 */

#include "codec/control_json.h"
#include "codec/settings.h"
#include "core/base.h"
#include "core/inventory.h"
#include "core/ledger.h"
#include "daemon/cycle.h"
#include "io/engine.h"

struct status {
	const struct engine *engine;
	const struct settings *settings;
	const struct inventory *inventory;
	const struct ledger *ledger;
	const struct usage *usage;
	enum cycle_state cycle;
	bool watching;
	nsec_t paused_until; /* 0: not paused, NSEC_MAX: until somebody resumes */
	nsec_t next; /* collection by the timer; 0: nobody knows */
	struct collection_record last;
	const char *away; /* why there is no engine, or NULL */
	/* That persist until somebody does something about it, the weightiest first; or NULL. */
	const char *problems[STATUS_PROBLEMS];
};

/* How many images came in each way, those that are not managed and those that are; added up. */
void status_count_images(const struct status *status, size_t ret[ORIGIN_COUNT][2]);

/* "Watching HOST (Docker VERSION): 12 of 40 images managed, 18.2GB of 60GB used; …" Caller frees.
 */
char *status_describe(const struct status *status) _warn_unused_;

/* Logs that line, with warnings of what may be a slip in the configuration. */
void status_greet(const struct status *status);

/* For the control socket; points into what it was made from. */
void status_fill(const struct status *status, struct control_status *ret);

/* What will be removed and when, from the settings: "images unused for 4w; …" Caller frees. */
char *status_describe_limits(const struct settings *settings) _warn_unused_;
