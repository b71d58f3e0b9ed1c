/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is so: times by the model's own clock, and what holds for an image by the rules, which are
 * read literally.
 */
#include "model.h"

/* Time */

/* How long what was told has waited for an answer: as if nobody had watched since. */
static nsec_t longest_wait(void)
{
	nsec_t since = world.awake;

	for (size_t i = 0; i < world.things.count; i++)
		if (at(i)->open_use > 0)
			since = MIN(since, at(i)->open_use);
	return world.awake - since;
}

void truth_disturbed(nsec_t slack)
{
	*array_push(&world.disturbances) = (struct disturbance){ world.awake,
		slack + longest_wait() + 2 * SECOND + 3 * world.scale.delay, world.asleep };
}

void truth_gap(nsec_t begin, nsec_t end)
{
	/* Who begins again from what was saved has not watched what came later. */
	while (world.gaps.count > 0 && world.gaps.items[world.gaps.count - 1].end > begin)
		begin = MIN(begin, world.gaps.items[--world.gaps.count].begin);
	*array_push(&world.gaps) = (struct gap){ begin, end };
	truth_disturbed(0);
}

nsec_t truth_watched_since(nsec_t awake)
{
	nsec_t watched = world.awake - awake;

	for (size_t i = world.gaps.count; i-- > 0 && world.gaps.items[i].end > awake;)
		watched -= world.gaps.items[i].end - MAX(world.gaps.items[i].begin, awake);
	return watched;
}

nsec_t truth_slack_since(nsec_t awake)
{
	nsec_t slack = 0;

	awake -= 2 * world.scale.interval;

	for (size_t i = world.disturbances.count;
		i-- > 0 && world.disturbances.items[i].when >= awake;)
		slack += world.disturbances.items[i].slack;
	return slack;
}

/* A use that was told by a name counts if the name has not moved since. */
nsec_t truth_used(const struct thing *thing)
{
	if (thing->name == NOBODY || world.name_moved[thing->name] > thing->by_name_change)
		return thing->used;
	return MAX(thing->used, thing->by_name);
}

nsec_t truth_unused_at_most(const struct thing *thing)
{
	nsec_t used = truth_used(thing);

	return truth_watched_since(used) +
		(used < world.set_back_until ? world.set_back_unseen : 0);
}

nsec_t truth_real_at(nsec_t awake)
{
	size_t i = world.disturbances.count;

	while (i > 0 && world.disturbances.items[i - 1].when > awake)
		i--;
	return awake + (i > 0 ? world.disturbances.items[i - 1].asleep : 0) + world.offset;
}

/* Rules, read literally */

static bool rule_is_for(const struct naive_rule *rule, const struct thing *thing, size_t repository,
	size_t name, enum origin origin)
{
	if (!(rule->origins & 1U << origin))
		return false;
	switch (rule->kind) {
	case RULE_ALL:
		return repository != NOBODY;
	case RULE_REPOSITORY:
		return rule->number == repository;
	case RULE_NAME:
		return rule->number == name;
	case RULE_LABEL:
		return thing->labelled;
	}
	abort();
}

static void add_rule(struct verdict *verdict, const struct thing *thing, size_t repository,
	size_t name, enum origin origin, bool *any)
{
	for (size_t i = 0; i < world.rule_count; i++) {
		const struct naive_rule *rule = &world.rules[i];
		nsec_t max_unused =
			rule->max_unused < 0 ? world.policy->max_unused : rule->max_unused;
		nsec_t grace = rule->grace < 0 ? world.policy->grace : rule->grace;

		if (!rule_is_for(rule, thing, repository, name, origin))
			continue;
		if (rule->keep) {
			verdict->kept = true;
			return;
		}
		verdict->managed = true;
		verdict->max_unused = *any && (verdict->max_unused == 0 || max_unused == 0) ? 0
			: *any ? MAX(verdict->max_unused, max_unused)
			       : max_unused;
		verdict->grace = *any ? MAX(verdict->grace, grace) : grace;
		*any = true;
		return;
	}
}

struct verdict truth_verdict(size_t number, enum origin origin)
{
	const struct thing *thing = at(number);
	struct verdict verdict = {
		.kept = thing->labelled,
		.managed = world.policy->manage[origin],
		.max_unused = world.policy->max_unused,
		.grace = world.policy->grace,
	};
	bool any = false, named = false;

	for (size_t i = 0; i < NAMES; i++)
		if (world.names[i] == number) {
			add_rule(&verdict, thing, i / TAGS, i, origin, &any);
			named = true;
		}
	for (size_t i = 0; !named && i < REPOSITORIES; i++)
		if (docker_digests(number) & 1U << i)
			add_rule(&verdict, thing, i, NOBODY, origin, &any);
	if (!named && !docker_digests(number))
		add_rule(&verdict, thing, NOBODY, NOBODY, origin, &any);
	return verdict;
}
