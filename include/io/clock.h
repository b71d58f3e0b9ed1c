/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <event2/event.h>

#include "core/base.h"
#include "core/ledger.h"

/* The wall clock, CLOCK_REALTIME. */
nsec_t clock_now(void);

/* All three clocks at once. */
struct clocks clock_read(void);

/* Arms a timer to fire once after delay, from now anew if it was armed. */
void timer_arm(struct event *timer, nsec_t delay);
