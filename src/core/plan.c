/* SPDX-License-Identifier: Apache-2.0 */
#include "core/plan.h"

#include "core/dependents.h"
#include "core/rules.h"

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

/* Images that are gone by the plan so far. */
struct gone {
	unsigned above; /* those that have this layer and more on top of it */
	unsigned here; /* those whose topmost one it is */
};

/* A plan in the making. */
struct planner {
	const struct policy *policy;
	const struct inventory *inventory;
	const struct ledger *ledger;
	struct plan *plan;
	nsec_t now;
	struct dependents *dependents;
	struct gone *gone; /* by layer */
	unsigned *children_gone; /* by parent: those that are gone by the plan so far */
};

static void planner_finish(struct planner *planner)
{
	dependents_destroy(planner->dependents);
	free(planner->gone);
	free(planner->children_gone);
}

static void planner_init(struct planner *planner)
{
	planner->dependents = dependents_create(planner->inventory, planner->ledger);
	planner->gone =
		xcalloc(layers_capacity(planner->inventory->layers), sizeof(*planner->gone));
	planner->children_gone =
		xcalloc(dependents_count(planner->dependents), sizeof(*planner->children_gone));
}

static struct image *parent_of(const struct planner *planner, const struct image *image)
{
	return image->parent ? inventory_find_image(planner->inventory, image->parent) : NULL;
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

static void weigh(struct planner *planner, size_t index, struct plan_item *item)
{
	struct standing standing = dependents_standing(planner->dependents, index);
	const struct image *image = standing.image;
	const struct ledger_entry *entry = standing.entry, *latest = standing.latest;
	struct treatment treatment = rules_apply(planner->policy, image, entry);

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
		.height = standing.height,
		.reclaims = standing.reclaims,
	};
	/* What was asked for long ago and is there since just now has not been watched for long. */
	if (entry)
		item->unused =
			MIN(item->unused, ledger_unused(planner->ledger, entry, planner->now));
	item->expired = treatment_is_over(&treatment, item->unused);
	item->reason = policy_protects(planner->policy, image, &treatment, item->unused);
	dependents_set_rank(planner->dependents, index, rank_of(planner, item));
}

/* All images that are no steps of others, with their ranks. */
static void weigh_all(struct planner *planner)
{
	struct dependents *dependents = planner->dependents;
	struct plan *plan = planner->plan;
	size_t count = dependents_count(dependents);

	dependents_spread(dependents);
	plan->items = xcalloc(count, sizeof(*plan->items));
	for (size_t i = 0; i < count; i++)
		if (!image_is_intermediate(dependents_image(dependents, i)))
			weigh(planner, i, &plan->items[plan->count++]);
	/* Again, for the ranks. */
	dependents_spread(dependents);
	for (size_t i = 0, k = 0; k < plan->count; i++)
		if (dependents_image(dependents, i) == plan->items[k].image)
			plan->items[k++].rank = dependents_rank(dependents, i);
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
	if (image->children > 0 && image->children > planner->children_gone[image->index])
		return true;
	return image->top && image->top->images_above > planner->gone[image->top->index].above;
}

static bool is_used_still(const struct planner *planner, const struct layer *layer)
{
	const struct gone *gone = &planner->gone[layer->index];

	return layer->images + layer->images_above > gone->above + gone->here;
}

/* The image goes, with all layers that are nobody else's any more: so many bytes. */
static struct bounds drop_layers(struct planner *planner, const struct image *image)
{
	struct bounds size = image_size_bounds(image), freed = {};
	struct layer *layer = image->top;

	if (layer)
		planner->gone[layer->index].here++;
	for (layer = layer ? layer->parent : NULL; layer; layer = layer->parent)
		planner->gone[layer->index].above++;
	if (!planner->inventory->counts_layers || !image->has_layers)
		return size;
	for (layer = image->top; layer && !is_used_still(planner, layer);)
		layer = layer->parent;
	if (layer != image->top)
		freed = layers_between(image->top, layer);
	freed.upper = MIN(freed.upper, size.upper);
	return freed;
}

/* What depends on whom once the image is gone, and the steps of its build with it. */
static void plan_removal(struct planner *planner, struct plan_item *item)
{
	const struct image *parent;
	bool prune = policy_may_prune(planner->policy, planner->inventory, planner->ledger,
		item->image, planner->now, NULL);

	item->reclaims = drop_layers(planner, item->image);
	for (parent = parent_of(planner, item->image); parent;
		parent = parent_of(planner, parent)) {
		planner->children_gone[parent->index]++;
		if (!prune || !image_is_intermediate(parent) || parent->containers > 0 ||
			parent->children > planner->children_gone[parent->index])
			break;
		item->reclaims = bounds_add(item->reclaims, drop_layers(planner, parent));
	}
	/* A step that is out of sight keeps what it has. */
	if (item->image->parent && !parent_of(planner, item->image))
		item->reclaims.lower = 0;
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

void plan_make(const struct policy *policy, const struct inventory *inventory,
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
	size_t ahead = 0;
	uint64_t freed_ahead = 0;

	plan.over_size = usage->known && limits.max_total_size > 0 &&
		(usage->images > limits.max_total_size || progress->over_size);
	plan.low_space = usage->space.known && usage->space.free < limits.min_free_space;
	planner_init(&planner);
	weigh_all(&planner);
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
