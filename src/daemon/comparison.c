/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/comparison.h"

#include "io/clock.h"
#include "io/log.h"

/* A list can be so much ahead of the events. */
#define EXPLANATION_WAIT (NSEC_PER_SEC * 2)

static void on_timer(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct comparison *comparison = userdata;
	struct differences *found = &comparison->found;

	differences_drop_steps(found, comparison->inventory);
	comparison->told += found->count;
	for (size_t i = 0; i < found->count; i++)
		log_info("no event told that %s", found->items[i].text);
	if (found->count > 0)
		log_info("the list at the interval knew better than events, %zu times so far",
			comparison->told);
	differences_finish(found);
}

void comparison_init(
	struct comparison *comparison, struct event_base *base, struct inventory *inventory)
{
	*comparison = (struct comparison){ .inventory = inventory };
	comparison->timer = evtimer_new(base, on_timer, comparison);
	if (!comparison->timer)
		abort();
}

void comparison_finish(struct comparison *comparison)
{
	event_free(comparison->timer);
	differences_finish(&comparison->found);
	*comparison = (struct comparison){};
}

void comparison_begin(struct comparison *comparison, bool is_settled)
{
	comparison->is_on = is_settled && !evtimer_pending(comparison->timer, NULL);
}

void comparison_forget(struct comparison *comparison)
{
	comparison->is_on = false;
	differences_finish(&comparison->found);
	evtimer_del(comparison->timer);
}

void comparison_lists(struct comparison *comparison, const struct image_records *images,
	const struct container_records *containers)
{
	differences_find(&comparison->found, comparison->inventory, images, containers);
}

void comparison_listed(struct comparison *comparison)
{
	comparison->is_on = false;
	differences_drop_steps(&comparison->found, comparison->inventory);
	if (comparison->found.count > 0)
		timer_arm(comparison->timer, EXPLANATION_WAIT);
}

void comparison_explain(struct comparison *comparison, const char *text)
{
	differences_explain(&comparison->found, text);
}

void comparison_explain_event(struct comparison *comparison, const struct engine_event *event)
{
	const struct image *image;

	if (comparison->found.count == 0)
		return;
	differences_explain(&comparison->found, event->actor);
	differences_explain(&comparison->found, event->name);
	image = inventory_resolve(comparison->inventory, event->actor);
	if (image)
		differences_explain(&comparison->found, image->id);
}
