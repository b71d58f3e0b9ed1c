/* SPDX-License-Identifier: Apache-2.0 */
#include "core/explain.h"

#include "core/reference.h"
#include "core/table.h"
#include "core/units.h"

/* Of the table, as far as there is room. */
#define NAME_COLUMNS 34
#define WHY_COLUMNS 30

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* "unused 3d4h of 28d", where there is a limit. */
static void add_age(struct strings *parts, const struct plan_item *item)
{
	char unused[FORMAT_MAX];

	format_duration(item->unused, unused);
	if (item->max_unused > 0) {
		char limit[FORMAT_MAX];

		strings_addf(
			parts, "unused %s of %s", unused, format_duration(item->max_unused, limit));
	} else {
		strings_addf(parts, "unused %s", unused);
	}
}

/* Usage above which it goes, with all gone that go before it. */
static uint64_t size_mark(const struct plan *plan, const struct plan_item *item)
{
	uint64_t mark = add_saturating(plan->limits.target_total_size, item->freed_ahead);

	return plan->over_size ? mark : MAX(mark, plan->limits.max_total_size);
}

/* Where it stands in the order, and what gets the limits to it. */
static void add_place(struct strings *parts, const struct plan *plan, const struct plan_item *item)
{
	char bytes[FORMAT_MAX];
	uint64_t mark = size_mark(plan, item),
		 least = subtract_saturating(plan->limits.min_free_space, item->freed_ahead);

	if (plan->limits.max_total_size == 0 && plan->limits.min_free_space == 0)
		return;
	strings_addf(parts, "%zu before it", item->ahead);
	if (plan->limits.max_total_size > 0 && mark < UINT64_MAX)
		strings_addf(parts, "goes above %s", format_size(mark, bytes));
	if (least > 0)
		strings_addf(parts, "goes below %s free", format_size(least, bytes));
}

static void explain_limits(
	struct strings *parts, const struct plan *plan, const struct plan_item *item)
{
	if (item->max_unused == 0 && plan->limits.max_total_size == 0 &&
		plan->limits.min_free_space == 0) {
		strings_add(parts, "no limit is set");
		return;
	}
	add_age(parts, item);
	if (plan->capped && item->expired)
		strings_add(parts, "max_removals is reached");
	else
		add_place(parts, plan, item);
}

static void explain_unmanaged(struct strings *parts, const struct plan_item *item)
{
	if (!item->entry)
		strings_add(parts, "nothing is known of it yet");
	else if (item->entry->forgotten)
		strings_add(parts, "forgotten, until it is tracked again");
	else
		strings_addf(parts, "%s: not in images.manage, no rule",
			origin_name(item->entry->origin));
}

static void explain_grace(struct strings *parts, const struct plan_item *item)
{
	char unused[FORMAT_MAX], grace[FORMAT_MAX];

	strings_addf(parts, "unused %s, %s at least", format_duration(item->unused, unused),
		format_duration(item->grace, grace));
}

static size_t count_children(const struct image *image)
{
	return MAX(image->children, image->top ? image->top->images_above : 0);
}

char *explain_item(const struct plan *plan, const struct plan_item *item)
{
	_cleanup_strings_ struct strings parts = {};
	size_t count;

	switch (item->reason) {
	case REASON_UNUSED:
		add_age(&parts, item);
		break;
	case REASON_OVER_SIZE:
	case REASON_LOW_SPACE:
	case REASON_WITHIN_LIMITS:
		explain_limits(&parts, plan, item);
		break;
	case REASON_KEPT_RULE:
		strings_addf(&parts, "rule \"%s\"", item->kept_by->match);
		break;
	case REASON_KEPT_LABEL:
		strings_add(&parts, "its label");
		break;
	case REASON_IN_USE:
		count = item->image->containers;
		strings_addf(&parts, "%zu container%s", count, plural(count));
		break;
	case REASON_UNMANAGED:
		explain_unmanaged(&parts, item);
		break;
	case REASON_GRACE:
		explain_grace(&parts, item);
		break;
	case REASON_HAS_CHILDREN:
		count = count_children(item->image);
		strings_addf(&parts, "%zu image%s stand%s on it", count, plural(count),
			count == 1 ? "s" : "");
		break;
	case REASON_FAILED:
		strings_add(&parts, "the engine refused to remove it");
		break;
	case REASON_COUNT:
		abort();
	}
	return strings_join(&parts, "; ");
}

static char *name_of(const struct image *image)
{
	char shortened[SHORT_ID_MAX];

	return image_is_dangling(image) || image->references.count == 0
		? xasprintf("<none> %s", image_id_short(image->id, shortened))
		: image_title(image);
}

static char *bytes_of(const struct bounds *bounds)
{
	char size[FORMAT_MAX];

	if (bounds->upper == UINT64_MAX)
		return xstrdup("?");
	return xasprintf(
		"%s%s", bounds_are_exact(bounds) ? "" : "<=", format_size(bounds->upper, size));
}

char *explain_table(const struct plan *plan)
{
	/* The end of a reference tells more than its beginning. */
	static const struct table_column columns[] = {
		{ .title = "VERDICT" },
		{ .title = "REASON" },
		{ .title = "IMAGE", .cut = TABLE_CUT_BEGIN, .least = NAME_COLUMNS },
		{ .title = "FREES", .right = true },
		{ .title = "WHY", .cut = TABLE_CUT_END, .least = WHY_COLUMNS },
	};
	_cleanup_(table_finish) struct table table;

	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_item *item = &plan->items[i];

		table_add(&table, reason_removes(item->reason) ? "remove" : "keep");
		table_add(&table, reason_name(item->reason));
		table_take(&table, name_of(item->image), TABLE_PLAIN);
		table_take(&table, bytes_of(&item->reclaims), TABLE_PLAIN);
		table_take(&table, explain_item(plan, item), TABLE_PLAIN);
	}
	return table_format(&table, EXPLAIN_COLUMNS, false);
}
