/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/observe.h"

#include "io/clock.h"

nsec_t observe_now(struct ledger *ledger)
{
	struct clocks now = clock_read();

	ledger_observe(ledger, &now);
	return now.real;
}
