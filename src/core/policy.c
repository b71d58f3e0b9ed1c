/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policy.h"

#include "core/rules.h"

static const char *const reason_names[] = {
	[REASON_UNUSED] = "unused",
	[REASON_OVER_SIZE] = "over-size",
	[REASON_LOW_SPACE] = "low-space",
	[REASON_KEPT_RULE] = "kept-rule",
	[REASON_KEPT_LABEL] = "kept-label",
	[REASON_IN_USE] = "in-use",
	[REASON_UNMANAGED] = "unmanaged",
	[REASON_GRACE] = "grace",
	[REASON_HAS_CHILDREN] = "has-children",
	[REASON_FAILED] = "failed",
	[REASON_WITHIN_LIMITS] = "within-limits",
};

const char *reason_name(enum reason reason)
{
	return reason_names[reason];
}

void policy_finish(struct policy *policy)
{
	for (size_t i = 0; i < policy->rules.count; i++)
		free(policy->rules.items[i].match);
	free(policy->rules.items);
	free(policy->keep_label);
	*policy = (struct policy){};
}

static uint64_t limit_of(struct amount amount, const struct space *space)
{
	return amount.share > 0 && !space->known ? 0 : amount_of(amount, space->total);
}

struct limits policy_limits(const struct policy *policy, const struct space *space)
{
	uint64_t max = limit_of(policy->max_total_size, space);
	/* A target that cannot be told is the limit itself: remove less. */
	bool has_target =
		policy->has_target && (policy->target_total_size.share == 0 || space->known);
	uint64_t target = has_target ? amount_of(policy->target_total_size, space->total) : max;

	return (struct limits){
		.max_total_size = max,
		.target_total_size = MIN(target, max),
		.min_free_space = space->known ? limit_of(policy->min_free_space, space) : 0,
	};
}

struct cache_limits policy_cache_limits(const struct policy *policy, const struct space *space)
{
	return (struct cache_limits){
		.max_unused = policy->cache_max_unused,
		.max_total_size = limit_of(policy->cache_max_total_size, space),
	};
}

bool policy_limits_cache(const struct policy *policy)
{
	return policy->cache_max_unused > 0 || amount_is_set(policy->cache_max_total_size);
}

bool policy_needs_space(const struct policy *policy)
{
	return policy->max_total_size.share > 0 || policy->cache_max_total_size.share > 0 ||
		amount_is_set(policy->min_free_space) ||
		(policy->has_target && policy->target_total_size.share > 0);
}

bool policy_limits_size(const struct policy *policy)
{
	return amount_is_set(policy->max_total_size) || amount_is_set(policy->min_free_space);
}

void plan_finish(struct plan *plan)
{
	free(plan->items);
	*plan = (struct plan){};
}

/* Parts of the sort key, the weightiest first. */
enum rank {
	RANK_EXPIRED, /* goes whatever the size */
	RANK_DANGLING, /* goes first under size pressure */
	RANK_OTHER,
};

/* A plan in the making. */
struct planner {
	const struct policy *policy;
	const struct inventory *inventory;
	const struct ledger *ledger;
	struct plan *plan;
	nsec_t now;

	/* By layer: of the images that have it and more on top. By image: of those built on it, by
	 * parent, which tells of images with equal layers too.
	 */
	struct above *by_layer, *by_image;
};

/* What an image gets from those that stand on it. */
struct above {
	const struct ledger_entry *latest; /* the latest used one */
	unsigned height; /* how many stand on top of each other */
	unsigned rank; /* none of them goes before this */
	size_t removed; /* those that are gone by the plan so far */
	size_t removed_here; /* by layer: images whose topmost one this is, likewise */
};

static void planner_finish(struct planner *planner)
{
	free(planner->by_layer);
	free(planner->by_image);
}

static void planner_init(struct planner *planner)
{
	size_t layers = layers_capacity(planner->inventory->layers);
	size_t images = HASH_COUNT(planner->inventory->images), index = 0;
	struct image *image, *next;

	HASH_ITER (hh, planner->inventory->images, image, next)
		image->index = index++;
	planner->by_layer = xcalloc(layers, sizeof(*planner->by_layer));
	planner->by_image = xcalloc(images, sizeof(*planner->by_image));
}

static struct image *parent_of(const struct planner *planner, const struct image *image)
{
	return image->parent ? inventory_find_image(planner->inventory, image->parent) : NULL;
}

static const struct ledger_entry *later(const struct ledger_entry *a, const struct ledger_entry *b)
{
	if (!a || !b)
		return a ? a : b;
	return a->last_used >= b->last_used ? a : b;
}

/* False where nothing changes: then all that lies below has it already. */
static bool raise_above(struct above *above, const struct above *from)
{
	const struct ledger_entry *latest = later(above->latest, from->latest);
	bool changed =
		latest != above->latest || from->height > above->height || from->rank > above->rank;

	above->latest = latest;
	above->height = MAX(above->height, from->height);
	above->rank = MAX(above->rank, from->rank);
	return changed;
}

/* Gathers what stands on the image by its parent and by its layers. */
static struct above *gather(const struct planner *planner, const struct image *image)
{
	struct above *above = &planner->by_image[image->index];

	if (image->top)
		raise_above(above, &planner->by_layer[image->top->index]);
	return above;
}

/* Passes what holds for an image down to what it is built on. True if that was new. */
static bool pass_down(struct planner *planner, const struct image *image)
{
	const struct image *parent = parent_of(planner, image);
	struct above above = *gather(planner, image);
	bool changed = false;

	above.latest = later(above.latest, ledger_find(planner->ledger, image->id));
	above.height++;
	for (struct layer *layer = image->top ? image->top->parent : NULL; layer;
		layer = layer->parent) {
		if (!raise_above(&planner->by_layer[layer->index], &above))
			break;
		changed = true;
	}
	return (parent && raise_above(&planner->by_image[parent->index], &above)) || changed;
}

static size_t depth_of(const struct image *image)
{
	size_t depth = 0;

	for (const struct layer *layer = image->top; layer; layer = layer->parent)
		depth++;
	return depth;
}

#define SPREAD_MAX 16

struct deep_image {
	const struct image *image;
	size_t layers, parents;
};

static int compare_depth(const void *a, const void *b)
{
	const struct deep_image *x = a, *y = b;

	if (x->layers != y->layers)
		return x->layers < y->layers ? 1 : -1;
	if (x->parents != y->parents)
		return x->parents < y->parents ? 1 : -1;
	return compare_strings(x->image->id, y->image->id);
}

/*
 * Dependents before what they depend on, so that once is enough, and once more where some layers
 * are not known. Bounded: an engine that lies could make a circle of parents.
 */
static void spread(struct planner *planner)
{
	size_t count = HASH_COUNT(planner->inventory->images), i = 0;
	_cleanup_free_ struct deep_image *deep = xcalloc(count, sizeof(*deep));
	struct image *image, *next;
	bool changed = true;

	HASH_ITER (hh, planner->inventory->images, image, next) {
		const struct image *parent = image;

		deep[i].image = image;
		deep[i].layers = depth_of(image);
		while ((parent = parent_of(planner, parent)) && deep[i].parents < count)
			deep[i].parents++;
		i++;
	}
	qsort(deep, count, sizeof(*deep), compare_depth);
	for (unsigned round = 0; changed && round < SPREAD_MAX; round++)
		for (changed = false, i = 0; i < count; i++)
			changed |= pass_down(planner, deep[i].image);
}

static bool is_protected_by_label(const struct policy *policy, const struct image *image)
{
	const char *value;

	if (!policy->keep_label || !*policy->keep_label)
		return false;
	value = labels_get(&image->labels, policy->keep_label);
	return value && !streq(value, "false") && !streq(value, "0");
}

/* The first reason to keep it whatever the limits say, WITHIN_LIMITS if there is none. */
static enum reason find_protection(const struct policy *policy, const struct image *image,
	const struct treatment *treatment, nsec_t unused)
{
	if (treatment->kept_by)
		return REASON_KEPT_RULE;
	if (is_protected_by_label(policy, image))
		return REASON_KEPT_LABEL;
	if (image->containers > 0)
		return REASON_IN_USE;
	if (!treatment->managed)
		return REASON_UNMANAGED;
	if (unused < treatment->grace)
		return REASON_GRACE;
	return REASON_WITHIN_LIMITS;
}

static bool is_expired(const struct treatment *treatment, nsec_t unused)
{
	return treatment->max_unused > 0 && unused > treatment->max_unused;
}

static enum rank rank_of(const struct planner *planner, const struct plan_item *item)
{
	if (item->expired && item->reason == REASON_WITHIN_LIMITS)
		return RANK_EXPIRED;
	if ((planner->plan->over_size || planner->plan->low_space) &&
		image_is_dangling(item->image))
		return RANK_DANGLING;
	return RANK_OTHER;
}

static void weigh(struct planner *planner, const struct image *image, struct plan_item *item)
{
	const struct ledger_entry *entry = ledger_find(planner->ledger, image->id), *latest;
	struct treatment treatment = rules_apply(planner->policy, image, entry);
	struct above *above = gather(planner, image);

	latest = later(entry, above->latest);
	*item = (struct plan_item){
		.image = image,
		.entry = entry,
		.managed = treatment.managed,
		.max_unused = treatment.max_unused,
		.grace = treatment.grace,
		.kept_by = treatment.kept_by,
		/* What we know nothing of counts as just used. */
		.last_used = latest ? latest->last_used : planner->now,
		.unused = latest ? ledger_unused(planner->ledger, latest, planner->now) : 0,
		.height = above->height,
		.reclaims = inventory_reclaim(planner->inventory, image),
	};
	/* What was asked for long ago and is there since just now has not been watched for long. */
	if (entry)
		item->unused =
			MIN(item->unused, ledger_unused(planner->ledger, entry, planner->now));
	item->expired = is_expired(&treatment, item->unused);
	item->reason = find_protection(planner->policy, image, &treatment, item->unused);
	above->rank = rank_of(planner, item);
}

static int compare_items(const void *a, const void *b)
{
	const struct plan_item *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->last_used != y->last_used)
		return x->last_used < y->last_used ? -1 : 1;
	if (x->height != y->height)
		return x->height < y->height ? -1 : 1;
	return compare_strings(x->image->id, y->image->id);
}

static bool has_children_left(const struct planner *planner, const struct image *image)
{
	if (image->children > planner->by_image[image->index].removed)
		return true;
	return image->top &&
		image->top->images_above > planner->by_layer[image->top->index].removed;
}

static bool is_used_still(const struct planner *planner, const struct layer *layer)
{
	const struct above *above = &planner->by_layer[layer->index];

	return layer->images + layer->images_above > above->removed + above->removed_here;
}

/* The image goes, with all layers that are nobody else's any more: so many bytes. */
static struct bounds drop_layers(struct planner *planner, const struct image *image)
{
	struct bounds size = image_size_bounds(image), freed = {};
	struct layer *layer = image->top;

	if (layer)
		planner->by_layer[layer->index].removed_here++;
	for (layer = layer ? layer->parent : NULL; layer; layer = layer->parent)
		planner->by_layer[layer->index].removed++;
	if (!planner->inventory->counts_layers || !image->has_layers)
		return size;
	for (layer = image->top; layer && !is_used_still(planner, layer);)
		layer = layer->parent;
	if (layer != image->top)
		freed = layers_between(image->top, layer);
	return (struct bounds){ freed.lower, MIN(freed.upper, size.upper) };
}

/* What depends on whom once the image is gone, and the steps of its build with it. */
static void plan_removal(struct planner *planner, struct plan_item *item)
{
	const struct image *parent;
	bool prune = policy_may_prune(
		planner->policy, planner->inventory, planner->ledger, item->image, planner->now);

	item->reclaims = drop_layers(planner, item->image);
	for (parent = parent_of(planner, item->image); parent;
		parent = parent_of(planner, parent)) {
		planner->by_image[parent->index].removed++;
		if (!prune || !image_is_intermediate(parent) || parent->containers > 0 ||
			parent->children > planner->by_image[parent->index].removed)
			break;
		item->reclaims = bounds_add(item->reclaims, drop_layers(planner, parent));
	}
	/* The steps are part of it. */
	item->reclaims.upper = MIN(item->reclaims.upper, image_size_bounds(item->image).upper);
	planner->plan->removals++;
	planner->plan->reclaims = bounds_add(planner->plan->reclaims, item->reclaims);
}

/* Bytes still to go, even if everything that was planned so far frees the most it can. */
static uint64_t bytes_missing(const struct plan *plan)
{
	uint64_t goal = add_saturating(plan->limits.target_total_size, plan->reclaims.upper);

	return plan->over_size && plan->before > goal ? plan->before - goal : 0;
}

/* The same for free space. */
static uint64_t space_missing(const struct plan *plan)
{
	uint64_t free = add_saturating(plan->free, plan->reclaims.upper);

	return plan->low_space && free < plan->limits.min_free_space
		? plan->limits.min_free_space - free
		: 0;
}

static enum reason decide(struct planner *planner, struct plan_item *item, uint64_t removed)
{
	struct plan *plan = planner->plan;
	enum reason reason = item->reason;

	if (reason != REASON_WITHIN_LIMITS)
		return reason;
	if (has_children_left(planner, item->image))
		return REASON_HAS_CHILDREN;
	if (item->image->failed)
		return REASON_FAILED;
	if (item->expired)
		reason = REASON_UNUSED;
	else if (bytes_missing(plan) > 0)
		reason = REASON_OVER_SIZE;
	else if (space_missing(plan) > 0)
		reason = REASON_LOW_SPACE;
	else
		return REASON_WITHIN_LIMITS;
	if (planner->policy->max_removals > 0 &&
		removed + plan->removals >= planner->policy->max_removals) {
		plan->capped = true;
		return REASON_WITHIN_LIMITS;
	}
	return reason;
}

void policy_plan(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct usage *usage, const struct progress *progress,
	nsec_t now, struct plan *ret)
{
	struct limits limits = policy_limits(policy, &usage->space);
	struct plan plan = {
		.limits = limits,
		.before = usage->images,
		.free = usage->space.free,
	};
	_cleanup_(planner_finish) struct planner planner = {
		.policy = policy,
		.inventory = inventory,
		.ledger = ledger,
		.plan = &plan,
		.now = now,
	};
	struct image *image, *next;
	size_t ahead = 0;
	uint64_t freed_ahead = 0;

	plan.over_size = usage->known && limits.max_total_size > 0 &&
		(usage->images > limits.max_total_size || progress->over_size);
	plan.low_space = usage->space.known && usage->space.free < limits.min_free_space;
	planner_init(&planner);
	spread(&planner);
	plan.items = xcalloc(HASH_COUNT(inventory->images), sizeof(*plan.items));
	HASH_ITER (hh, inventory->images, image, next)
		if (!image_is_intermediate(image))
			weigh(&planner, image, &plan.items[plan.count++]);
	/* Again, for the ranks. */
	spread(&planner);
	for (size_t i = 0; i < plan.count; i++)
		plan.items[i].rank = gather(&planner, plan.items[i].image)->rank;
	qsort(plan.items, plan.count, sizeof(*plan.items), compare_items);
	for (size_t i = 0; i < plan.count; i++) {
		struct plan_item *item = &plan.items[i];

		item->reason = decide(&planner, item, progress->removed);
		item->ahead = ahead;
		item->freed_ahead = freed_ahead;
		plan.reasons[item->reason]++;
		if (reason_removes(item->reason))
			plan_removal(&planner, item);
		if (reason_removes(item->reason) || item->reason == REASON_WITHIN_LIMITS) {
			ahead++;
			freed_ahead = add_saturating(freed_ahead, item->reclaims.upper);
		}
	}
	plan.missing = bytes_missing(&plan);
	plan.missing_space = space_missing(&plan);
	*ret = plan;
}

enum reason policy_check(const struct policy *policy, const struct ledger *ledger,
	const struct image *image, enum reason planned, nsec_t now)
{
	const struct ledger_entry *entry = ledger_find(ledger, image->id);
	struct treatment treatment = rules_apply(policy, image, entry);
	nsec_t unused = entry ? ledger_unused(ledger, entry, now) : 0;
	enum reason reason = find_protection(policy, image, &treatment, unused);

	if (reason != REASON_WITHIN_LIMITS)
		return reason;
	/* Those that stood on it when the plan was made are gone, or it does not go. */
	if (image_has_children(image))
		return REASON_HAS_CHILDREN;
	if (image->failed)
		return REASON_FAILED;
	if (planned == REASON_UNUSED && !is_expired(&treatment, unused))
		return REASON_WITHIN_LIMITS;
	return planned;
}

bool policy_manages(
	const struct policy *policy, const struct image *image, const struct ledger_entry *entry)
{
	return rules_apply(policy, image, entry).managed;
}

static bool may_go_along(const struct policy *policy, const struct ledger *ledger,
	const struct image *image, nsec_t now)
{
	const struct ledger_entry *entry = ledger_find(ledger, image->id);
	struct treatment treatment = rules_apply(policy, image, entry);

	if (treatment.kept_by || is_protected_by_label(policy, image))
		return false;
	if (entry && !entry->named)
		return true;
	if (treatment.managed)
		return !entry || ledger_unused(ledger, entry, now) >= treatment.grace;
	/* A step of a build has no entry. One from before our time may have been an image once. */
	if (!entry)
		return ledger->met > 0 && image->created >= ledger->met;
	return false;
}

bool policy_may_prune(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct image *image, nsec_t now)
{
	size_t left = HASH_COUNT(inventory->images);

	for (; image->parent; left--) {
		image = inventory_find_image(inventory, image->parent);
		/* Out of sight is in doubt, and so is a circle. */
		if (!image || left == 0)
			return false;
		if (!image_is_intermediate(image))
			return true;
		if (!may_go_along(policy, ledger, image, now))
			return false;
	}
	return true;
}
