/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What time it is, for whoever decides something by it. */

#include "core/ledger.h"

/*
 * The time now, by CLOCK_REALTIME. The ledger is told first what all clocks say: time that was
 * slept through, or that a changed clock has left out, is nobody's disuse by then.
 */
nsec_t observe_now(struct ledger *ledger);
