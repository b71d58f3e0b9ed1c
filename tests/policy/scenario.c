/* SPDX-License-Identifier: Apache-2.0 */
/* scenario FILE - prints the plan for a small world; README says how such a file is written. */
#include "world.h"

#include "core/tracking.h"
#include "core/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A scenario being read. */
struct reader {
	struct world world;
	const char *path;
	unsigned line;
	bool first_meeting; /* images get their entries by a reconciliation */
	nsec_t later; /* watched time between that and the plan */
};

static void fail(const struct reader *reader, const char *what, const char *word)
{
	fprintf(stderr, "%s:%u: %s: %s\n", reader->path, reader->line, what, word ? word : "");
	exit(2);
}

/* The next word of the line; an empty one ends it. */
static const char *next_word(struct reader *reader, char **rest)
{
	const char *word = strtok_r(NULL, " \t", rest);

	if (!word)
		fail(reader, "something is missing", NULL);
	return word;
}

static nsec_t to_duration(struct reader *reader, const char *word)
{
	nsec_t duration;

	if (parse_duration(word, &duration) < 0)
		fail(reader, "no duration", word);
	return duration;
}

static uint64_t to_size(struct reader *reader, const char *word)
{
	uint64_t size;

	if (parse_size(word, &size) < 0)
		fail(reader, "no size", word);
	return size;
}

static struct amount to_amount(struct reader *reader, const char *word)
{
	struct amount amount;

	if (parse_amount(word, &amount) < 0)
		fail(reader, "no size and no percentage", word);
	return amount;
}

static enum origin to_origin(struct reader *reader, const char *word)
{
	enum origin origin;

	if (origin_parse(word, &origin) < 0)
		fail(reader, "no origin", word);
	return origin;
}

/* Lists have commas here and spaces in struct spec. */
static char *to_list(char *word)
{
	for (char *comma = word; (comma = strchr(comma, ','));)
		*comma = ' ';
	return word;
}

/* Whether the word is KEY=VALUE with this key. */
static bool is_key(char *word, const char *key, char **ret_value)
{
	size_t length = strlen(key);

	if (strncmp(word, key, length) != 0 || word[length] != '=')
		return false;
	*ret_value = word + length + 1;
	return true;
}

static void read_image(struct reader *reader, char **rest)
{
	struct spec spec = { .name = next_word(reader, rest) };
	bool tracked = false, forgotten = false, failed = false;
	struct image *image;
	char *word, *value;

	while ((word = strtok_r(NULL, " \t", rest))) {
		if (is_key(word, "tags", &value))
			spec.tags = to_list(value);
		else if (is_key(word, "digests", &value))
			spec.digests = to_list(value);
		else if (is_key(word, "layers", &value))
			spec.layers = to_list(value);
		else if (is_key(word, "labels", &value))
			spec.labels = to_list(value);
		else if (is_key(word, "parent", &value))
			spec.parent = value;
		else if (is_key(word, "origin", &value))
			spec.origin = value;
		else if (is_key(word, "size", &value))
			spec.size = to_size(reader, value);
		else if (is_key(word, "used", &value))
			spec.idle = to_duration(reader, value);
		else if (is_key(word, "created", &value))
			spec.created = reader->world.now - to_duration(reader, value);
		else if (streq(word, "tracked"))
			tracked = true;
		else if (streq(word, "forgotten"))
			forgotten = true;
		else if (streq(word, "failed"))
			failed = true;
		else
			fail(reader, "unknown", word);
	}
	if (reader->first_meeting)
		spec.origin = "none";
	image = world_add_spec(&reader->world, &spec);
	image->failed = failed;
	if (tracked || forgotten) {
		world_entry(&reader->world, spec.name)->tracked = tracked;
		world_entry(&reader->world, spec.name)->forgotten = forgotten;
	}
}

static void read_rule(struct reader *reader, char **rest)
{
	struct rule *rule = world_rule(&reader->world, next_word(reader, rest));
	char *word, *value;

	while ((word = strtok_r(NULL, " \t", rest))) {
		if (streq(word, "keep")) {
			rule->keep = true;
		} else if (is_key(word, "max_unused", &value)) {
			rule->has_max_unused = true;
			rule->max_unused = to_duration(reader, value);
		} else if (is_key(word, "grace", &value)) {
			rule->has_grace = true;
			rule->grace = to_duration(reader, value);
		} else if (is_key(word, "origin", &value)) {
			memset(rule->origins, 0, sizeof(rule->origins));
			rule->origins[to_origin(reader, value)] = true;
		} else {
			fail(reader, "unknown", word);
		}
	}
}

static void read_manage(struct reader *reader, char **rest)
{
	bool *manage = reader->world.policy.manage;
	const char *word;

	memset(manage, 0, sizeof(reader->world.policy.manage));
	while ((word = strtok_r(NULL, " \t", rest)))
		manage[to_origin(reader, word)] = true;
}

static void read_asked(struct reader *reader, char **rest)
{
	char *canonical = xstrdup(next_word(reader, rest));
	nsec_t ago = to_duration(reader, next_word(reader, rest));

	ledger_add_tracked(&reader->world.ledger, canonical, reader->world.now - ago, true);
}

static void read_statement(struct reader *reader, const char *key, char **rest)
{
	struct world *world = &reader->world;
	struct policy *policy = &world->policy;

	if (streq(key, "image")) {
		read_image(reader, rest);
	} else if (streq(key, "rule")) {
		read_rule(reader, rest);
	} else if (streq(key, "manage")) {
		read_manage(reader, rest);
	} else if (streq(key, "asked")) {
		read_asked(reader, rest);
	} else if (streq(key, "container")) {
		const char *container = next_word(reader, rest);

		world_run(world, container, next_word(reader, rest));
	} else if (streq(key, "away")) {
		nsec_t length = to_duration(reader, next_word(reader, rest));

		world_gap(world, to_duration(reader, next_word(reader, rest)), length);
	} else if (streq(key, "first-meeting")) {
		reader->first_meeting = true;
		world->ledger.met = 0;
	} else if (streq(key, "later")) {
		reader->later = to_duration(reader, next_word(reader, rest));
	} else if (streq(key, "max_unused")) {
		policy->max_unused = to_duration(reader, next_word(reader, rest));
	} else if (streq(key, "grace")) {
		policy->grace = to_duration(reader, next_word(reader, rest));
	} else if (streq(key, "max_total_size")) {
		policy->max_total_size = to_amount(reader, next_word(reader, rest));
	} else if (streq(key, "target_total_size")) {
		policy->target_total_size = to_amount(reader, next_word(reader, rest));
		policy->has_target = true;
	} else if (streq(key, "min_free_space")) {
		policy->min_free_space = to_amount(reader, next_word(reader, rest));
	} else if (streq(key, "space")) {
		world->usage.space.known = true;
		world->usage.space.free = to_size(reader, next_word(reader, rest));
		world->usage.space.total = to_size(reader, next_word(reader, rest));
	} else if (streq(key, "max_removals")) {
		policy->max_removals = to_size(reader, next_word(reader, rest));
	} else if (streq(key, "usage")) {
		world_measure(world, to_size(reader, next_word(reader, rest)));
	} else {
		fail(reader, "unknown", key);
	}
}

static void read_scenario(struct reader *reader)
{
	FILE *file = fopen(reader->path, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!file)
		fail(reader, strerror(errno), NULL);
	while (getline(&line, &size, file) >= 0) {
		char *rest, *key;

		reader->line++;
		line[strcspn(line, "#\n")] = '\0';
		key = strtok_r(line, " \t", &rest);
		if (!key)
			continue;
		read_statement(reader, key, &rest);
		if (strtok_r(NULL, " \t", &rest))
			fail(reader, "too much after", key);
	}
	fclose(file);
	if (reader->first_meeting) {
		struct world *world = &reader->world;

		ledger_reconcile(&world->ledger, &world->inventory, true, world->now);
		tracking_settle_all(&world->policy, &world->ledger, &world->inventory, world->now);
	}
	ledger_watch_begin(&reader->world.ledger, world_clocks(reader->world.now));
	reader->world.now += reader->later;
	ledger_observe(&reader->world.ledger, world_clocks(reader->world.now));
}

static void print_item(const struct plan_item *item, size_t position)
{
	char unused[FORMAT_MAX], lower[FORMAT_MAX], upper[FORMAT_MAX];
	_cleanup_free_ char *title = image_title(item->image);

	printf("%2zu %-6s %-12s %-8s %-36s %6s  %s..%s\n", position,
		reason_removes(item->reason) ? "remove" : "keep", reason_name(item->reason),
		world_name(item->image->id), title, format_duration(item->unused, unused),
		format_size(item->reclaims.lower, lower), format_size(item->reclaims.upper, upper));
}

static void print_plan(const struct plan *plan)
{
	char lower[FORMAT_MAX], upper[FORMAT_MAX];

	for (size_t i = 0; i < plan->count; i++)
		print_item(&plan->items[i], i + 1);
	printf("remove %zu of %zu, frees %s..%s", plan->removals, plan->count,
		format_size(plan->reclaims.lower, lower), format_size(plan->reclaims.upper, upper));
	if (plan->over_size) {
		printf("; from %s to %s", format_size(plan->before, lower),
			format_size(plan->limits.target_total_size, upper));
		if (plan->missing > 0)
			printf(", %s too much", format_size(plan->missing, lower));
	}
	if (plan->low_space) {
		printf("; %s free, wanted %s", format_size(plan->free, lower),
			format_size(plan->limits.min_free_space, upper));
		if (plan->missing_space > 0)
			printf(", %s too little", format_size(plan->missing_space, lower));
	}
	printf("%s\n", plan->capped ? "; capped" : "");
}

int main(int argc, char *argv[])
{
	struct reader reader = {};

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	world_init(&reader.world);
	reader.path = argv[1];
	read_scenario(&reader);
	free(world_plan(&reader.world));
	print_plan(&reader.world.plan);
	world_finish(&reader.world);
	return 0;
}
