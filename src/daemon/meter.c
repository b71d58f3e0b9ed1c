/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/meter.h"

#include "io/log.h"

void meter_reset(struct meter *meter)
{
	meter->usage = (struct usage){};
	meter->confirmed = false;
	build_cache_finish(&meter->build_cache);
}

void meter_finish(struct meter *meter)
{
	meter_reset(meter);
	freep(&meter->problem);
	meter->problem = NULL;
}

/* What layers tell, if that is exact. */
static bool compute_usage(const struct meter *meter, uint64_t *ret)
{
	struct bounds usage = inventory_usage(meter->inventory);

	if (!meter->inventory->counts_layers || !bounds_are_exact(&usage))
		return false;
	*ret = usage.lower;
	return true;
}

void meter_take(struct meter *meter, struct engine_answer *answer)
{
	struct space space = meter->usage.space;
	uint64_t computed;

	meter_reset(meter);
	meter->usage.space = space;
	if (!answer)
		return;
	for (size_t i = 0; i < answer->images.count; i++)
		inventory_learn_size(meter->inventory, &answer->images.items[i]);
	meter->usage.known = answer->usage.known;
	meter->usage.images = answer->usage.images;
	meter->build_cache = TAKE_STRUCT(answer->build_cache);
	/* Where there is nothing, nothing is confirmed by it. */
	meter->confirmed = meter->usage.images > 0 && compute_usage(meter, &computed) &&
		computed == meter->usage.images;
}

static void set_problem(struct meter *meter, char *problem)
{
	if (problem && !streq(problem, meter->problem))
		log_error("%s", problem);
	free(meter->problem);
	meter->problem = problem;
}

struct limits meter_look_at_space(struct meter *meter)
{
	_cleanup_error_ struct error error = {};
	char *problem = NULL;

	meter->usage.space = (struct space){};
	if (policy_needs_space(meter->policy) &&
		engine_space(meter->engine, &meter->usage.space, &error) < 0)
		problem = xasprintf(
			"free space unknown, nothing is collected for its sake: %s", error.message);
	set_problem(meter, problem);
	return policy_limits(meter->policy, &meter->usage.space);
}

static bool is_low(const struct meter *meter, const struct limits *limits)
{
	return meter->usage.space.known && meter->usage.space.free < limits->min_free_space;
}

bool meter_is_space_low(struct meter *meter)
{
	struct limits limits = meter_look_at_space(meter);

	return is_low(meter, &limits);
}

bool meter_is_within_limits(struct meter *meter)
{
	struct limits limits = meter_look_at_space(meter);
	uint64_t computed;

	if (is_low(meter, &limits))
		return false;
	if (limits.max_total_size == 0)
		return true;
	if (!meter->confirmed || !compute_usage(meter, &computed))
		return false;
	meter->usage.images = computed;
	return computed <= limits.max_total_size;
}
