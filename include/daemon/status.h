/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The one line that says how things stand: for sd_notify and, on start, for the log. */

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
	nsec_t paused_until; /* 0: not paused, NSEC_MAX: for good */
	const char *away; /* why there is no engine, or NULL */
	const char *problem; /* that persists: cache file, configuration; or NULL */
};

/* "Watching HOST (Docker VERSION): 12 of 40 images managed, 18.2GB of 60GB used; …" Caller frees.
 */
char *status_describe(const struct status *status) _warn_unused_;

/* How many images may be removed at all. */
size_t status_count_managed(const struct status *status);

/* What will be removed and when, from the settings: "images unused for 4w; …" Caller frees. */
char *status_describe_limits(const struct settings *settings) _warn_unused_;
