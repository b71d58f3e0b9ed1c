/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/status.h"

#include <string.h>

#include "core/rules.h"
#include "core/units.h"
#include "io/log.h"

void status_count_images(const struct status *status, size_t ret[ORIGIN_COUNT][2])
{
	struct image *image, *next;

	HASH_ITER (hh, status->inventory->images, image, next) {
		const struct ledger_entry *entry = ledger_find(status->ledger, image->id);
		enum origin origin = entry ? entry->origin : ORIGIN_EXISTING;

		if (!image_is_intermediate(image))
			ret[origin][policy_manages(&status->settings->policy, image, entry)]++;
	}
}

static size_t count_managed(const struct status *status)
{
	size_t counts[ORIGIN_COUNT][2] = {}, managed = 0;

	status_count_images(status, counts);
	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++)
		managed += counts[origin][true];
	return managed;
}

static char *describe_usage(const struct status *status)
{
	const struct usage *usage = status->usage;
	struct limits limits = policy_limits(&status->settings->policy, &usage->space);
	char is[FORMAT_MAX], limit[FORMAT_MAX];
	_cleanup_strings_ struct strings parts = {};

	strings_add(&parts, "");
	if (usage->known && limits.max_total_size > 0)
		strings_addf(&parts, "%s of %s used", format_size(usage->images, is),
			format_size(limits.max_total_size, limit));
	else if (usage->known)
		strings_addf(&parts, "%s used", format_size(usage->images, is));
	if (limits.min_free_space > 0)
		strings_addf(&parts, "%s free (%s wanted)", format_size(usage->space.free, is),
			format_size(limits.min_free_space, limit));
	return strings_join(&parts, ", ");
}

static char *describe_mode(const struct status *status)
{
	char time[FORMAT_MAX];

	if (!status->settings->enabled)
		return xstrdup("tracking only");
	if (status->paused_until == NSEC_MAX)
		return xstrdup("paused");
	if (status->paused_until > 0)
		return xasprintf(
			"paused until %s", format_time_seconds(status->paused_until, time));
	return xasprintf("%s at least every %s",
		status->settings->dry_run ? "dry run" : "collecting",
		format_duration(status->settings->interval, time));
}

static char *describe_engine(const struct status *status)
{
	const struct engine_version *version = engine_version(status->engine);

	return xasprintf("%s (%s %s)", engine_endpoint(status->engine)->url,
		version->is_podman ? "Podman" : "Docker", version->version);
}

/* They may be waiting for their images, or be misspelt. */
static char *describe_idle_rules(const struct status *status)
{
	_cleanup_strings_ struct strings idle = {};

	rules_list_idle(&status->settings->policy, status->inventory, status->ledger, false, &idle);
	if (idle.count == 0)
		return xstrdup("");
	return xasprintf("; %zu of %zu rules %s no image", idle.count,
		status->settings->policy.rules.count, idle.count == 1 ? "matches" : "match");
}

static const char *find_problem(const struct status *status)
{
	for (size_t i = 0; i < ARRAY_SIZE(status->problems); i++)
		if (status->problems[i])
			return status->problems[i];
	return NULL;
}

char *status_describe(const struct status *status)
{
	const char *problem = find_problem(status);
	_cleanup_free_ char *engine = NULL, *usage = NULL, *mode = NULL, *rules = NULL;

	if (!status->watching)
		return xasprintf("Waiting for Docker Engine at %s: %s",
			engine_endpoint(status->engine)->url,
			status->away ? status->away : "getting to know it");
	engine = describe_engine(status);
	usage = describe_usage(status);
	mode = describe_mode(status);
	rules = describe_idle_rules(status);
	return xasprintf("%s %s: %zu of %zu images managed%s; %s%s%s%s",
		status->cycle >= CYCLE_CONTAINERS ? "Collecting" : "Watching", engine,
		count_managed(status), inventory_count_images(status->inventory), usage, mode,
		rules, problem ? "; " : "", problem ? problem : "");
}

void status_greet(const struct status *status)
{
	const struct policy *policy = &status->settings->policy;
	_cleanup_free_ char *text = status_describe(status);
	_cleanup_strings_ struct strings matches = {};

	log_info("%s", text);
	if (policy_limits_cache(policy) && !engine_prunes_within_limits(status->engine))
		log_warning("build_cache: this engine cannot prune it within limits (it takes API "
			    "1.39); it is left alone");
	rules_list_idle(policy, status->inventory, status->ledger, true, &matches);
	for (size_t i = 0; i < matches.count; i++)
		log_warning("images.rules: the rule that keeps \"%s\" protects no image now",
			matches.items[i]);
}

char *status_describe_limits(const struct settings *settings)
{
	const struct policy *policy = &settings->policy;
	char limit[FORMAT_MAX], interval[FORMAT_MAX];
	const char *of = policy->max_total_size.share > 0 ? " of the engine's file system" : "";
	_cleanup_strings_ struct strings parts = {};
	_cleanup_free_ char *joined = NULL;

	if (policy->max_unused > 0)
		strings_addf(&parts, "what is unused for more than %s",
			format_duration(policy->max_unused, limit));
	if (amount_is_set(policy->max_total_size)) {
		char target[FORMAT_MAX];

		strings_addf(&parts,
			"what is least recently used while all images take more than %s%s%s%s",
			format_amount(policy->max_total_size, limit), of,
			policy->has_target ? ", down to " : "",
			policy->has_target ? format_amount(policy->target_total_size, target) : "");
	}
	if (amount_is_set(policy->min_free_space))
		strings_addf(&parts,
			"what is least recently used while less than %s is free on the engine's "
			"file system",
			format_amount(policy->min_free_space, limit));
	if (policy->cache_max_unused > 0)
		strings_addf(&parts, "build cache that is unused for more than %s",
			format_duration(policy->cache_max_unused, limit));
	if (amount_is_set(policy->cache_max_total_size))
		strings_addf(&parts, "build cache above %s",
			format_amount(policy->cache_max_total_size, limit));
	if (parts.count == 0)
		strings_add(&parts, "nothing (no limit is set)");
	joined = strings_join(&parts, ", and ");
	return xasprintf("%s; nothing used within %s; looking every %s", joined,
		format_duration(policy->grace, limit),
		format_duration(settings->interval, interval));
}

static const char *state_of(const struct status *status)
{
	if (!status->watching)
		return "waiting";
	return status->cycle >= CYCLE_CONTAINERS ? "collecting" : "watching";
}

void status_fill(const struct status *status, struct control_status *ret)
{
	const struct settings *settings = status->settings;

	*ret = (struct control_status){
		.state = state_of(status),
		.paused_until = status->paused_until,
		.host = engine_endpoint(status->engine)->url,
		.engine_id = status->ledger->engine_id,
		.version = status->watching ? engine_version(status->engine)->version : NULL,
		.api_version = status->watching ? engine_api_version(status->engine) : NULL,
		.images = inventory_count_images(status->inventory),
		.managed = count_managed(status),
		.usage = *status->usage,
		.limits = policy_limits(&settings->policy, &status->usage->space),
		.max_unused = settings->policy.max_unused,
		.enabled = settings->enabled,
		.dry_run = settings->dry_run,
		.last = status->last,
		.next = status->next,
		.unobserved = status->ledger->unobserved,
	};
	memcpy(ret->errors, status->problems, sizeof(ret->errors));
}
