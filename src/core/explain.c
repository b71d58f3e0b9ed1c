/* SPDX-License-Identifier: Apache-2.0 */
#include "core/explain.h"

#include <stdio.h>
#include <string.h>

#include "core/reference.h"
#include "core/units.h"

#define NAME_MAX_COLUMNS 34
#define NAME_MIN_COLUMNS 5
#define ELLIPSIS "…"

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* "unused 3d4h of 28d", where there is a limit. */
static void add_age(struct strings *parts, const struct plan_item *item)
{
	char unused[FORMAT_MAX], limit[FORMAT_MAX];

	format_duration(item->unused, unused);
	if (item->max_unused > 0)
		strings_addf(
			parts, "unused %s of %s", unused, format_duration(item->max_unused, limit));
	else
		strings_addf(parts, "unused %s", unused);
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

/* Names are ASCII; the end of a reference tells more than its beginning. */
static char *shorten_left(const char *text, size_t columns)
{
	size_t length = strlen(text);

	if (length <= columns)
		return xasprintf("%-*s", (int)columns, text);
	return xasprintf(ELLIPSIS "%s", text + length - columns + 1);
}

static char *shorten_right(const char *text, size_t columns)
{
	size_t length = columns - 1;

	if (strlen(text) <= columns)
		return xstrdup(text);
	/* Not in the middle of a character: a rule can be in any language. */
	while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	return xasprintf("%.*s" ELLIPSIS, (int)length, text);
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

static size_t name_columns(const struct plan *plan)
{
	size_t columns = NAME_MIN_COLUMNS;

	for (size_t i = 0; i < plan->count; i++) {
		_cleanup_free_ char *name = name_of(plan->items[i].image);

		columns = MAX(columns, strlen(name));
	}
	return MIN(columns, (size_t)NAME_MAX_COLUMNS);
}

static void add_row(struct strings *lines, const struct plan *plan, const struct plan_item *item,
	size_t columns)
{
	_cleanup_free_ char *name = name_of(item->image), *bytes = bytes_of(&item->reclaims),
			    *why = explain_item(plan, item), *shown = shorten_left(name, columns),
			    *begin = xasprintf("%-7s %-13s ",
				    reason_removes(item->reason) ? "remove" : "keep",
				    reason_name(item->reason)),
			    *middle = xasprintf(" %9s  ", bytes), *end = NULL;

	end = shorten_right(why, EXPLAIN_COLUMNS - strlen(begin) - columns - strlen(middle));
	strings_addf(lines, "%s%s%s%s\n", begin, shown, middle, end);
}

char *explain_table(const struct plan *plan)
{
	_cleanup_strings_ struct strings lines = {};
	size_t columns = name_columns(plan);

	strings_addf(&lines, "%-7s %-13s %-*s %9s  %s\n", "VERDICT", "REASON", (int)columns,
		"IMAGE", "FREES", "WHY");
	for (size_t i = 0; i < plan->count; i++)
		add_row(&lines, plan, &plan->items[i], columns);
	return strings_join(&lines, "");
}
