/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metrics.h"

#include <errno.h>

#include "codec/exposition.h"

void metrics_count_removal(struct metrics *metrics, enum reason reason, enum removal_result result)
{
	metrics->removals[reason][result]++;
}

void metrics_count_collection(struct metrics *metrics, const struct collection_outcome *outcome)
{
	uint64_t *counter = outcome->result < 0 ? &metrics->failed : &metrics->finished;

	(*counter)++;
	metrics->reclaimed = add_saturating(metrics->reclaimed, collection_freed(outcome));
	metrics->cache_reclaimed = add_saturating(metrics->cache_reclaimed, outcome->pruned);
	if (outcome->result < 0)
		return; /* what is missing is not known anew */
	metrics->missing = outcome->missing;
	metrics->missing_space = outcome->missing_space;
}

/* Metrics of one sample without labels. */

static void write_number(struct exposition *out, const char *name, enum metric_type type,
	const char *help, uint64_t value)
{
	exposition_family(out, name, type, help);
	exposition_number(out, NO_LABELS, value);
}

static void write_flag(struct exposition *out, const char *name, const char *help, bool value)
{
	write_number(out, name, METRIC_GAUGE, help, value);
}

/* Left out while there was none. */
static void write_time(struct exposition *out, const char *name, const char *help, nsec_t time)
{
	exposition_family(out, name, METRIC_GAUGE, help);
	if (time > 0)
		exposition_seconds(out, NO_LABELS, time);
}

static void write_engine(struct exposition *out, const struct metrics_sources *sources)
{
	const struct status *status = sources->status;
	const struct engine *engine = status->engine;

	exposition_family(
		out, "dockergcd_build_info", METRIC_GAUGE, "Which dockergcd this is; always 1.");
	exposition_number(out, LABELS({ "version", DOCKERGCD_VERSION }), 1);
	write_flag(out, "dockergcd_engine_up",
		"Whether the engine is there and its events come in.", status->watching);
	exposition_family(out, "dockergcd_engine_info", METRIC_GAUGE,
		"Which engine it is; 1 while it is there.");
	if (status->watching)
		exposition_number(out,
			LABELS({ "host", engine_endpoint(engine)->url },
				{ "version", engine_version(engine)->version },
				{ "api_version", engine_api_version(engine) }),
			1);
}

static void write_mode(struct exposition *out, const struct metrics_sources *sources)
{
	const struct status *status = sources->status;

	write_flag(out, "dockergcd_enabled", "Whether removals are switched on (gc.enabled).",
		status->settings->enabled);
	write_flag(out, "dockergcd_dry_run", "Whether removals are only talked about.",
		status->settings->dry_run);
	write_flag(out, "dockergcd_paused", "Whether somebody has paused collecting.",
		status->paused_until > 0);
	write_flag(out, "dockergcd_config_last_reload_successful",
		"Whether the configuration is the one of the last reload.", sources->reloaded);
}

static void write_images(struct exposition *out, const struct status *status)
{
	size_t counts[ORIGIN_COUNT][2] = {};

	status_count_images(status, counts);
	exposition_family(out, "dockergcd_images", METRIC_GAUGE,
		"Images of the engine by how they came and whether they may be removed.");
	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++)
		for (int managed = 0; managed < 2; managed++)
			exposition_number(out,
				LABELS({ "origin", origin_name(origin) },
					{ "managed", managed ? "true" : "false" }),
				counts[origin][managed]);
}

static void write_usage(struct exposition *out, const struct status *status)
{
	const struct usage *usage = status->usage;

	exposition_family(out, "dockergcd_usage_bytes", METRIC_GAUGE,
		"What all images take, as the engine counts.");
	if (usage->known)
		exposition_number(out, NO_LABELS, usage->images);
	exposition_family(out, "dockergcd_free_bytes", METRIC_GAUGE,
		"What is free on the engine's file system, if a limit depends on it.");
	if (usage->space.known)
		exposition_number(out, NO_LABELS, usage->space.free);
	exposition_family(out, "dockergcd_filesystem_size_bytes", METRIC_GAUGE,
		"The size of the engine's file system, if a limit depends on it.");
	if (usage->space.known)
		exposition_number(out, NO_LABELS, usage->space.total);
}

static void write_limit(struct exposition *out, const char *limit, uint64_t bytes)
{
	if (bytes > 0)
		exposition_number(out, LABELS({ "limit", limit }), bytes);
}

static void write_limits(struct exposition *out, const struct metrics_sources *sources)
{
	const struct status *status = sources->status;
	const struct policy *policy = &status->settings->policy;
	struct limits limits = policy_limits(policy, &status->usage->space);

	exposition_family(out, "dockergcd_limit_bytes", METRIC_GAUGE,
		"The limits by size and by space that are set.");
	write_limit(out, "max_total_size", limits.max_total_size);
	write_limit(out, "target_total_size", limits.target_total_size);
	write_limit(out, "min_free_space", limits.min_free_space);
	exposition_family(out, "dockergcd_max_unused_seconds", METRIC_GAUGE,
		"How long an image may be unused, if that is limited.");
	if (policy->max_unused > 0)
		exposition_seconds(out, NO_LABELS, policy->max_unused);
	exposition_family(out, "dockergcd_shortfall_bytes", METRIC_GAUGE,
		"What the last collection missed a limit by, with nothing left to remove.");
	exposition_number(out, LABELS({ "limit", "max_total_size" }), sources->metrics->missing);
	exposition_number(
		out, LABELS({ "limit", "min_free_space" }), sources->metrics->missing_space);
}

static void write_last_collection(struct exposition *out, const struct status *status)
{
	const struct collection_record *last = &status->last;

	write_time(out, "dockergcd_last_collection_timestamp_seconds",
		"When the last collection ended.", last->time);
	exposition_family(out, "dockergcd_last_collection_success", METRIC_GAUGE,
		"Whether the last collection came to its end.");
	if (last->time > 0)
		exposition_number(out, NO_LABELS, last->finished);
	exposition_family(out, "dockergcd_last_collection_removed_images", METRIC_GAUGE,
		"How many images the last collection removed.");
	if (last->time > 0)
		exposition_number(out, NO_LABELS, last->removed);
	write_time(out, "dockergcd_next_collection_timestamp_seconds",
		"When the next collection is due, if nothing asks for one before.", status->next);
}

static void write_collections(struct exposition *out, const struct metrics *metrics)
{
	exposition_family(out, "dockergcd_collections_total", METRIC_COUNTER,
		"Collections by whether they came to their end.");
	exposition_number(out, LABELS({ "outcome", "finished" }), metrics->finished);
	exposition_number(out, LABELS({ "outcome", "failed" }), metrics->failed);
	write_number(out, "dockergcd_reclaimed_bytes_total", METRIC_COUNTER,
		"What removed images have freed.", metrics->reclaimed);
	write_number(out, "dockergcd_build_cache_reclaimed_bytes_total", METRIC_COUNTER,
		"What pruning the build cache has freed.", metrics->cache_reclaimed);
}

static void write_removals(struct exposition *out, const struct metrics *metrics)
{
	static const char *const outcomes[REMOVAL_RESULT_COUNT] = {
		[REMOVAL_DONE] = "removed",
		[REMOVAL_KEPT] = "kept",
		[REMOVAL_REFUSED] = "refused",
		[REMOVAL_FAILED] = "failed",
	};

	exposition_family(out, "dockergcd_removals_total", METRIC_COUNTER,
		"Images that were to go, by the reason and by what came of it.");
	for (enum reason reason = 0; reason_removes(reason); reason++)
		for (enum removal_result result = 0; result < REMOVAL_RESULT_COUNT; result++)
			exposition_number(out,
				LABELS({ "reason", reason_name(reason) },
					{ "outcome", outcomes[result] }),
				metrics->removals[reason][result]);
}

static void write_events(struct exposition *out, const struct metrics_sources *sources)
{
	const struct event_stream_counters *events = sources->events;

	exposition_family(
		out, "dockergcd_events_total", METRIC_COUNTER, "Events that the engine has told.");
	for (enum event_kind kind = EVENT_OTHER + 1; kind < EVENT_KIND_COUNT; kind++)
		exposition_number(out,
			LABELS({ "type", event_kind_type(kind) },
				{ "action", event_kind_action(kind) }),
			events->kinds[kind]);
	exposition_family(out, "dockergcd_malformed_event_lines_total", METRIC_COUNTER,
		"Lines of the event stream that were skipped.");
	exposition_number(out, LABELS({ "cause", "syntax" }), events->malformed);
	exposition_number(out, LABELS({ "cause", "too-long" }), events->too_long);
	write_number(out, "dockergcd_event_stream_reconnects_total", METRIC_COUNTER,
		"How often the event stream broke and was opened again.", events->reconnects);
	write_number(out, "dockergcd_event_differences_total", METRIC_COUNTER,
		"What a list has shown that no event had told.", sources->differences);
	write_number(out, "dockergcd_unobserved_seconds_total", METRIC_COUNTER,
		"Time in which nobody watched the engine; it does not count as disuse.",
		(uint64_t)sources->status->ledger->unobserved);
}

static void write_code(
	struct exposition *out, enum engine_request request, int code, uint64_t count)
{
	_cleanup_free_ char *text = code > 0 ? xasprintf("%d", code)
					     : xstrdup(code == -ETIMEDOUT ? "timeout" : "error");

	exposition_number(
		out, LABELS({ "endpoint", engine_request_name(request) }, { "code", text }), count);
}

static void write_requests(struct exposition *out, const struct request_stats *stats)
{
	exposition_family(out, "dockergcd_engine_requests_total", METRIC_COUNTER,
		"Requests to the engine by HTTP status, timeout or error.");
	for (enum engine_request request = 0; request < REQUEST_COUNT; request++)
		for (size_t i = 0; i < stats->requests[request].codes.count; i++)
			write_code(out, request, stats->requests[request].codes.items[i].code,
				stats->requests[request].codes.items[i].count);
	exposition_family(out, "dockergcd_engine_request_duration_seconds", METRIC_HISTOGRAM,
		"How long the engine took to answer.");
	for (enum engine_request request = 0; request < REQUEST_COUNT; request++) {
		const struct duration_histogram histogram = {
			.bounds = request_bounds,
			.counts = stats->requests[request].counts,
			.bound_count = REQUEST_BOUNDS,
			.sum = stats->requests[request].sum,
		};

		if (stats->requests[request].codes.count > 0)
			exposition_histogram(out,
				LABELS({ "endpoint", engine_request_name(request) }), &histogram);
	}
}

static void write_store(struct exposition *out, const struct store *store)
{
	write_number(out, "dockergcd_cache_file_writes_total", METRIC_COUNTER,
		"How often the cache file was written.", store->writes);
	write_number(out, "dockergcd_cache_file_write_failures_total", METRIC_COUNTER,
		"How often the cache file could not be written.", store->failures);
	write_flag(out, "dockergcd_cache_file_writable",
		"Whether the cache file could be written the last time.", !store->problem);
	write_time(out, "dockergcd_cache_file_last_write_timestamp_seconds",
		"When the cache file was written last.", store->written_at);
}

char *metrics_describe(const struct metrics_sources *sources)
{
	struct exposition out;

	exposition_begin(&out);
	write_engine(&out, sources);
	write_mode(&out, sources);
	write_images(&out, sources->status);
	write_usage(&out, sources->status);
	write_limits(&out, sources);
	write_last_collection(&out, sources->status);
	write_collections(&out, sources->metrics);
	write_removals(&out, sources->metrics);
	write_events(&out, sources);
	write_requests(&out, engine_request_stats(sources->status->engine));
	write_store(&out, sources->store);
	return exposition_end(&out);
}
