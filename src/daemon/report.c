/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/explain.h"
#include "core/reference.h"
#include "core/units.h"
#include "io/log.h"

/* For journalctl MESSAGE_ID=…: an image was removed; the engine failed at it; it stays though it
 * was to go. */
#define MESSAGE_REMOVED "5d0b9d4d1b4a4d7e8f0c6a2e3b7c9f10"
#define MESSAGE_FAILED "9a7e63c1d5f04f0b8b2f4f3c6f1e2d74"
#define MESSAGE_KEPT "c1f4a0f2f0b54a3c9d3a7be2c6d8e511"

struct image_summary summary_of(const struct plan_item *item)
{
	const struct image *image = item->image;

	return (struct image_summary){
		.id = xstrdup(image->id),
		.title = image_title(image),
		.references = strings_copy(&image->references),
		.reason = item->reason,
		.last_used = item->last_used,
		.unused = item->unused,
		.reclaims = item->reclaims,
	};
}

void image_summary_finish(struct image_summary *summary)
{
	free(summary->id);
	free(summary->title);
	strings_finish(&summary->references);
	*summary = (struct image_summary){};
}

/* "alpine:3.20 (sha256:0123456789ab)" */
static char *describe(const char *title, const char *id)
{
	char shortened[SHORT_ID_MAX];

	return xasprintf("%s (sha256:%s)", title, image_id_short(id, shortened));
}

/* "over-size, last used 2026-11-24T06:10:00Z, unused for 3d4h, frees up to 7.8MB" */
static char *describe_case(const struct image_summary *summary, const char *frees)
{
	char time[FORMAT_MAX], unused[FORMAT_MAX], upper[FORMAT_MAX];
	bool known = summary->reclaims.upper < UINT64_MAX;

	return xasprintf("%s, last used %s, unused for %s, %s %s%s", reason_name(summary->reason),
		format_time_seconds(summary->last_used, time),
		format_duration(summary->unused, unused), frees,
		known && !bounds_are_exact(&summary->reclaims) ? "up to " : "",
		known ? format_size(summary->reclaims.upper, upper) : "an unknown amount");
}

/* One line, and for the journal what it says as fields. */
static void report_outcome_of(enum log_level level, const struct image_summary *summary,
	const char *message_id, const char *outcome, uint64_t freed, const char *message)
{
	_cleanup_free_ char *references = strings_join(&summary->references, " "),
			    *bytes = xasprintf("%llu", (unsigned long long)freed),
			    *unused =
				    xasprintf("%lld", (long long)(summary->unused / NSEC_PER_SEC));
	char last_used[FORMAT_MAX];
	const struct log_field fields[] = {
		{ "MESSAGE_ID", message_id },
		{ "DOCKERGCD_IMAGE", summary->id },
		{ "DOCKERGCD_REFERENCES", references },
		{ "DOCKERGCD_REASON", reason_name(summary->reason) },
		{ "DOCKERGCD_LAST_USED", format_time(summary->last_used, last_used) },
		{ "DOCKERGCD_UNUSED_SECONDS", unused },
		{ "DOCKERGCD_BYTES", bytes },
		{ "DOCKERGCD_OUTCOME", outcome },
	};

	log_write(level, fields, ARRAY_SIZE(fields), "%s", message);
}

void report_removed(const struct image_summary *summary)
{
	_cleanup_free_ char *image = describe(summary->title, summary->id);
	_cleanup_free_ char *why = describe_case(summary, "freed");
	_cleanup_free_ char *message = xasprintf("removed %s: %s", image, why);
	const struct bounds *freed = &summary->reclaims;

	/* At most; where nobody knows, what is certain. */
	report_outcome_of(LEVEL_INFO, summary, MESSAGE_REMOVED, "removed",
		freed->upper < UINT64_MAX ? freed->upper : freed->lower, message);
}

void report_kept(const struct image_summary *summary, const char *why)
{
	_cleanup_free_ char *image = describe(summary->title, summary->id);
	_cleanup_free_ char *message = xasprintf("kept %s: %s", image, why);

	report_outcome_of(LEVEL_INFO, summary, MESSAGE_KEPT, why, 0, message);
}

void report_failed(const struct image_summary *summary, const char *why)
{
	_cleanup_free_ char *image = describe(summary->title, summary->id);
	_cleanup_free_ char *message = xasprintf("collection stopped at %s: %s", image, why);

	report_outcome_of(LEVEL_ERROR, summary, MESSAGE_FAILED, why, 0, message);
}

char *describe_kept(const struct plan *plan)
{
	_cleanup_strings_ struct strings parts = {};

	for (enum reason reason = REASON_KEPT_RULE; reason < REASON_COUNT; reason++)
		if (plan->reasons[reason] > 0)
			strings_addf(&parts, "%zu %s", plan->reasons[reason], reason_name(reason));
	return strings_join(&parts, ", ");
}

void report_stuck(const struct plan *plan)
{
	_cleanup_free_ char *kept = describe_kept(plan);
	char missing[FORMAT_MAX], limit[FORMAT_MAX];

	if (plan->missing > 0)
		log_warning("images take %s more than %s, and nothing is left to remove: %s",
			format_size(plan->missing, missing),
			format_size(plan->limits.target_total_size, limit), kept);
	if (plan->missing_space > 0)
		log_warning("the engine's file system has %s less than %s free, and nothing is "
			    "left to remove: %s",
			format_size(plan->missing_space, missing),
			format_size(plan->limits.min_free_space, limit), kept);
}

void report_removals(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_item *item = &plan->items[i];

		if (reason_removes(item->reason)) {
			struct image_summary summary = summary_of(item);
			_cleanup_free_ char *image = describe(summary.title, summary.id);
			_cleanup_free_ char *why = describe_case(&summary, "frees");

			log_info("would remove %s: %s", image, why);
			image_summary_finish(&summary);
		}
	}
}

int report_table(const struct plan *plan)
{
	_cleanup_free_ char *table = explain_table(plan);
	int r;

	fputs(table, stdout);
	if (fflush(stdout) == 0)
		return 0;
	r = -errno;
	log_error("cannot write what would be removed: %s", strerror(-r));
	return r;
}

void report_plan(const struct plan *plan, const char *why_nothing_happens)
{
	_cleanup_free_ char *kept = describe_kept(plan);

	log_info("plan: would remove %zu of %zu images%s%s%s (%s)", plan->removals, plan->count,
		*kept ? "; kept: " : "", kept,
		plan->missing == 0 && plan->missing_space == 0 &&
				(plan->over_size || plan->low_space) &&
				!bounds_are_exact(&plan->reclaims)
			? "; more may follow after a measure"
			: "",
		why_nothing_happens);
}

void report_pruned(enum reason reason, const struct pruned *pruned)
{
	char size[FORMAT_MAX], count[FORMAT_MAX], bytes[FORMAT_MAX];
	const struct log_field fields[] = {
		{ "DOCKERGCD_REASON", reason_name(reason) },
		{ "DOCKERGCD_RECORDS", count },
		{ "DOCKERGCD_BYTES", bytes },
	};

	snprintf(count, sizeof(count), "%zu", pruned->records);
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)pruned->bytes);
	log_write(pruned->records > 0 ? LEVEL_INFO : LEVEL_DEBUG, fields, ARRAY_SIZE(fields),
		"pruned build cache: %s, %zu %s, freed %s", reason_name(reason), pruned->records,
		pruned->records == 1 ? "record" : "records", format_size(pruned->bytes, size));
}

void report_cache_plan(const struct cache_plan *plan)
{
	char size[FORMAT_MAX];

	if (plan->unused > 0)
		log_info("would prune build cache: %s, %zu %s, frees up to %s",
			reason_name(REASON_UNUSED), plan->unused,
			plan->unused == 1 ? "record" : "records",
			format_size(plan->unused_bytes, size));
	if (plan->excess > 0)
		log_info("would prune build cache: %s, frees up to %s",
			reason_name(REASON_OVER_SIZE), format_size(plan->excess, size));
}

uint64_t collection_freed(const struct collection_outcome *outcome)
{
	const struct bounds *freed = &outcome->freed;
	uint64_t measured;

	if (!outcome->before.known || !outcome->after.known)
		return freed->lower;
	measured = subtract_saturating(outcome->before.images, outcome->after.images);
	return MAX(freed->lower, MIN(measured, freed->upper));
}

void report_outcome(const struct collection_outcome *outcome)
{
	bool known = outcome->after.known || bounds_are_exact(&outcome->freed);
	bool touched = outcome->removed > 0 || outcome->refused > 0;
	char bytes[FORMAT_MAX];
	_cleanup_strings_ struct strings parts = {};
	_cleanup_free_ char *text = NULL;

	if (outcome->removed > 0)
		strings_addf(&parts, "%llu %s removed", (unsigned long long)outcome->removed,
			outcome->removed == 1 ? "image" : "images");
	else
		strings_add(&parts, "nothing removed");
	if (known && outcome->removed > 0)
		strings_addf(&parts, "%s freed", format_size(collection_freed(outcome), bytes));
	if (outcome->after.known)
		strings_addf(&parts, "%s used", format_size(outcome->after.images, bytes));
	text = strings_join(&parts, ", ");
	log_write(touched || outcome->asked_for ? LEVEL_INFO : LEVEL_DEBUG, NULL, 0,
		"collection %s: %s", outcome->result < 0 ? "not finished" : "finished", text);
}

void report_arrival(const struct image *image, const struct ledger_entry *entry, bool managed)
{
	_cleanup_free_ char *title = image_title(image);
	_cleanup_free_ char *text = describe(title, image->id);
	char size[FORMAT_MAX];

	/* Nameless ones are mostly steps of a build. */
	log_write(image_is_dangling(image) ? LEVEL_DEBUG : LEVEL_INFO, NULL, 0,
		"new image %s: %s, %s%s%s", text, origin_name(entry->origin),
		managed ? "managed" : "not managed", image->has_size ? ", " : "",
		image->has_size ? format_size(image->size, size) : "");
}

void report_unsized(const struct image *image)
{
	if (image->has_layers && !image->has_size)
		log_debug("%s: its size is not known", image->id);
}
