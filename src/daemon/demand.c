/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/demand.h"

#include "daemon/observe.h"
#include "io/log.h"

static void on_over(void *userdata)
{
	struct demand *demand = userdata;

	cycle_set_paused(demand->cycle, false);
	if (demand->subscription->is_on && watch_is_loaded(demand->watch))
		demand_collection(demand, TRIGGER_TIMER);
	demand->resumed(demand->userdata);
}

void demand_init(struct demand *demand, struct event_base *base, void (*resumed)(void *userdata),
	void *userdata)
{
	demand->resumed = resumed;
	demand->userdata = userdata;
	pause_init(&demand->pause, base, on_over, demand);
}

void demand_finish(struct demand *demand)
{
	pause_finish(&demand->pause);
}

void demand_collection(struct demand *demand, enum cycle_trigger trigger)
{
	if (!pause_is_on(&demand->pause))
		cycle_trigger(demand->cycle, trigger);
}

void demand_lists(struct demand *demand, enum cycle_trigger trigger)
{
	demand->follows_lists = true;
	demand->trigger = trigger;
	if (trigger == TRIGGER_TIMER)
		watch_compare(demand->watch);
	else
		watch_reconcile(demand->watch);
}

void demand_note_lists(struct demand *demand)
{
	bool wanted = demand->follows_lists;

	demand->list_failed = false;
	demand->follows_lists = false;
	if (wanted)
		demand_collection(demand, demand->trigger);
}

void demand_note_failure(struct demand *demand)
{
	demand->list_failed = true;
}

void demand_retry(struct demand *demand)
{
	if (demand->list_failed)
		demand_lists(demand, TRIGGER_SIZE);
	else
		demand_collection(demand, TRIGGER_SIZE);
}

void demand_now(struct demand *demand)
{
	log_info("collection asked for");
	observe_now(demand->ledger);
	if (!demand->subscription->is_on)
		log_warning("not now: there is no engine");
	else if (pause_is_on(&demand->pause))
		log_warning("not now: paused");
	else if (watch_is_loaded(demand->watch))
		demand_collection(demand, TRIGGER_REQUEST);
	else
		demand->trigger = TRIGGER_REQUEST; /* follows the first lists anyway */
}

void demand_pause(struct demand *demand, nsec_t length)
{
	pause_begin(&demand->pause, length, observe_now(demand->ledger));
	cycle_set_paused(demand->cycle, true);
}

void demand_resume(struct demand *demand)
{
	if (pause_end(&demand->pause))
		on_over(demand);
}
