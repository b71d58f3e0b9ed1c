/* SPDX-License-Identifier: Apache-2.0 */
/* What is configured in a world, by a seed of its own: the same again at each start. */
#include "model.h"

#include <stdio.h>

static struct rule make_rule(struct naive_rule *naive)
{
	struct rule rule = {};

	*naive = (struct naive_rule){ .max_unused = -1, .grace = -1 };
	naive->kind = (__typeof__(naive->kind))random_below(4);
	switch (naive->kind) {
	case RULE_ALL:
		rule.match = xstrdup("*");
		break;
	case RULE_REPOSITORY:
		naive->number = random_below(world.scale.repositories);
		rule.match = xasprintf("app%zu", naive->number);
		break;
	case RULE_NAME:
		naive->number = random_below(world.scale.repositories * TAGS);
		rule.match = xstrdup(docker_familiar(naive->number));
		break;
	case RULE_LABEL:
		rule.match = xstrdup("label:dockergcd.keep");
		break;
	}
	rule.keep = naive->keep = random_chance(30);
	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++) {
		rule.origins[origin] = random_chance(80);
		naive->origins |= (unsigned)rule.origins[origin] << origin;
	}
	if (!rule.keep && random_chance(70)) {
		rule.has_max_unused = true;
		rule.max_unused = naive->max_unused =
			random_between(0, 4) * world.scale.max_unused / 2;
	}
	if (!rule.keep && random_chance(30)) {
		rule.has_grace = true;
		rule.grace = naive->grace = random_between(0, 2) * world.scale.grace;
	}
	return rule;
}

static uint64_t rounded(uint64_t bytes)
{
	return (bytes / SIZE_STEP + 1) * SIZE_STEP;
}

static void make_policy(struct policy *policy)
{
	/* About as much as the images of a world take. */
	uint64_t usual = world.scale.repositories * 400;

	policy->max_unused = random_chance(75) ? world.scale.max_unused : 0;
	policy->grace = random_chance(70) ? world.scale.grace : 0;
	if (random_chance(60))
		policy->max_total_size.bytes = rounded(usual / 4 + random_below(usual));
	policy->has_target = random_chance(50);
	if (policy->has_target)
		policy->target_total_size.bytes = rounded(random_below(usual));
	if (random_chance(20))
		policy->min_free_space.bytes = DISK - rounded(usual / 4 + random_below(usual));
	if (random_chance(15))
		policy->max_removals = 1 + random_below(3);
	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++)
		policy->manage[origin] = random_chance(origin == ORIGIN_PULLED ? 90 : 45);
	world.rule_count = random_chance(60) ? random_below(RULES_MAX + 1) : 0;
	for (size_t i = 0; i < world.rule_count; i++)
		*array_push(&policy->rules) = make_rule(&world.rules[i]);
}

int policy_load(void *userdata _unused_, struct settings *ret, char **ret_name,
	struct strings *errors _unused_)
{
	uint64_t before = random_seed(world.policy_seed);

	settings_init(ret);
	ret->enabled = world.enabled = random_chance(95);
	ret->interval = world.scale.interval;
	ret->settle = world.scale.settle;
	make_policy(&ret->policy);
	if (ret_name)
		*ret_name = xstrdup("the model");
	random_seed(before);
	return 0;
}
