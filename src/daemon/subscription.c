/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/subscription.h"

#include "io/clock.h"

nsec_t subscription_since(const struct subscription *subscription, nsec_t told, nsec_t engine_now)
{
	const struct ledger *ledger = subscription->ledger;
	struct clocks now = clock_read();
	nsec_t known = ledger_known_until(ledger, &now);

	/*
	 * Of a time in the future the engine would tell nothing that comes before it. And where the
	 * clock was set back, what came later can have an earlier time.
	 */
	return told > 0 && told <= engine_now ? MIN(told, known) : known;
}

bool subscription_begin(struct subscription *subscription)
{
	bool was_on = subscription->is_on;

	subscription->is_on = true;
	subscription->begun = clock_read();
	return !was_on;
}

/*
 * Before the first list events have no effect: whoever begins again then must be told them again,
 * and it was not watched until then.
 */
void subscription_count(struct subscription *subscription)
{
	struct clocks begun = subscription->begun, now = clock_read();

	if (begun.elapsed == 0)
		return;
	/* By the clock as it is now, if it was set back: what is listed now was not there before.
	 */
	begun.real = MIN(begun.real, now.real - (now.elapsed - begun.elapsed));
	ledger_watch_begin(subscription->ledger, &begun);
	subscription->begun = (struct clocks){};
}

void subscription_break(struct subscription *subscription)
{
	ledger_watch_end(subscription->ledger);
}

void subscription_resume(struct subscription *subscription)
{
	struct clocks now = clock_read();

	if (subscription->begun.elapsed == 0)
		ledger_watch_resume(subscription->ledger, &now);
}

void subscription_end(struct subscription *subscription)
{
	subscription->is_on = false;
	subscription->begun = (struct clocks){};
	ledger_watch_end(subscription->ledger);
}
