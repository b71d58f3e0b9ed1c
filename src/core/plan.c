/* SPDX-License-Identifier: Apache-2.0 */
#include "core/plan.h"

#include <string.h>

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

/* What an image gets from those that stand on it. */
struct above {
	const struct ledger_entry *latest; /* the latest used one */
	unsigned height; /* how many stand on top of each other */
	unsigned rank; /* none of them goes before this */
	unsigned removed; /* by image: those that are gone by the plan so far */
	const struct layer *top; /* by top: whose it is */
	struct above *below; /* by top: of the next layer below that is a topmost one */
};

/* Images that are gone by the plan so far. */
struct gone {
	unsigned above; /* those that have this layer and more on top of it */
	unsigned here; /* those whose topmost one it is */
};

/*
 * An image, and what would have to be looked up time and again: many images do not fit into the
 * processor's caches, and to wait for memory is what most of a plan costs.
 */
struct place {
	struct image *image;
	struct image *parent;
	const struct ledger_entry *entry;
	struct bounds reclaims; /* what goes with it alone, as things are */
	struct above *by_top, *by_parent; /* what its layers tell; its parent's; or NULL */
	bool is_parent; /* of another one: then image->index is set */
};

/* A plan in the making. */
struct planner {
	const struct policy *policy;
	const struct inventory *inventory;
	const struct ledger *ledger;
	struct plan *plan;
	nsec_t now;
	size_t count; /* images */
	struct place *places; /* by image, dependents before what they depend on */

	/* By an image's topmost layer: of the images that have it and more on top. By image: of
	 * those built on it, by parent, which tells of images with equal layers too.
	 */
	struct above *by_top, *by_image;
	size_t tops;
	struct gone *gone; /* by layer */
};

static void planner_finish(struct planner *planner)
{
	free(planner->places);
	free(planner->by_top);
	free(planner->by_image);
	free(planner->gone);
}

static struct image *parent_of(const struct planner *planner, const struct image *image)
{
	return image->parent ? inventory_find_image(planner->inventory, image->parent) : NULL;
}

/* Where an image comes in the order; index: where it came in the inventory. */
struct depth {
	size_t layers, parents, index;
};

static int compare_depths(const void *a, const void *b)
{
	const struct depth *x = a, *y = b;

	if (x->layers != y->layers)
		return x->layers < y->layers ? 1 : -1;
	if (x->parents != y->parents)
		return x->parents < y->parents ? 1 : -1;
	return x->index < y->index ? -1 : 1;
}

static bool is_claimed(const struct planner *planner, const struct layer *top)
{
	return top->place < planner->tops && planner->by_top[top->place].top == top;
}

/* Of an image's topmost layer, and of all such layers below it: claimed by who comes first. */
static struct above *above_top(struct planner *planner, struct layer *top)
{
	struct above *first = NULL, **link = &first;

	for (struct layer *layer = top; layer; layer = layer->parent) {
		if (layer->images == 0)
			continue;
		if (is_claimed(planner, layer)) {
			*link = &planner->by_top[layer->place];
			break;
		}
		layer->place = planner->tops++;
		*link = &planner->by_top[layer->place];
		(*link)->top = layer;
		link = &(*link)->below;
	}
	return first;
}

static size_t count_parents(const struct planner *planner, const struct image *image)
{
	size_t parents = 0;

	while ((image = parent_of(planner, image)) && parents < planner->count)
		parents++;
	return parents;
}

static struct place look_up(struct planner *planner, struct image *image)
{
	return (struct place){
		.image = image,
		.parent = parent_of(planner, image),
		.entry = ledger_find(planner->ledger, image->id),
		.reclaims = inventory_reclaim(planner->inventory, image),
		.by_top = image->top ? above_top(planner, image->top) : NULL,
		.is_parent = image->children > 0,
	};
}

/* Puts the images in order, so that one pass over them is enough where all layers are known. */
static void planner_init(struct planner *planner)
{
	size_t count = HASH_COUNT(planner->inventory->images), i = 0;
	_cleanup_free_ struct place *places = xcalloc(count, sizeof(*places));
	_cleanup_free_ struct depth *depths = xcalloc(count, sizeof(*depths));
	struct image *image, *next;

	planner->count = count;
	planner->places = xcalloc(count, sizeof(*planner->places));
	planner->by_image = xcalloc(count, sizeof(*planner->by_image));
	planner->by_top = xcalloc(count, sizeof(*planner->by_top));
	planner->gone =
		xcalloc(layers_capacity(planner->inventory->layers), sizeof(*planner->gone));
	HASH_ITER (hh, planner->inventory->images, image, next) {
		if (next)
			__builtin_prefetch(next->top);
		places[i] = look_up(planner, image);
		depths[i] = (struct depth){
			.layers = image->top ? image->top->depth : 0,
			.parents = count_parents(planner, image),
			.index = i,
		};
		i++;
	}
	qsort(depths, count, sizeof(*depths), compare_depths);
	for (i = 0; i < count; i++) {
		planner->places[i] = places[depths[i].index];
		if (planner->places[i].is_parent)
			planner->places[i].image->index = i;
	}
	for (i = 0; i < count; i++) {
		struct place *place = &planner->places[i];

		if (place->parent)
			place->by_parent = &planner->by_image[place->parent->index];
	}
}

/* Ties by ID: the order in which images came must not matter. */
static const struct ledger_entry *later(const struct ledger_entry *a, const struct ledger_entry *b)
{
	if (!a || !b || a == b)
		return a ? a : b;
	if (a->last_used != b->last_used)
		return a->last_used > b->last_used ? a : b;
	return strcmp(a->id, b->id) < 0 ? a : b;
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
static struct above *gather(const struct planner *planner, const struct place *place)
{
	struct above *above = &planner->by_image[place - planner->places];

	if (place->by_top)
		raise_above(above, place->by_top);
	return above;
}

/*
 * Passes what holds for an image down to what it is built on. True if that was news to one that had
 * its turn already.
 */
static bool pass_down(struct planner *planner, const struct place *place)
{
	struct above *own = gather(planner, place), above = *own;

	above.latest = later(above.latest, place->entry);
	above.height++;
	for (struct above *below = place->by_top ? place->by_top->below : NULL; below;
		below = below->below)
		if (!raise_above(below, &above))
			break;
	return place->by_parent && raise_above(place->by_parent, &above) && place->by_parent <= own;
}

#define SPREAD_MAX 16

/*
 * Dependents before what they depend on, so that once is enough, and once more where some layers
 * are not known. Bounded: an engine that lies could make a circle of parents.
 */
static void spread(struct planner *planner)
{
	bool changed = true;

	for (unsigned round = 0; changed && round < SPREAD_MAX; round++) {
		changed = false;
		for (size_t i = 0; i < planner->count; i++)
			changed |= pass_down(planner, &planner->places[i]);
	}
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

static void weigh(struct planner *planner, const struct place *place, struct plan_item *item)
{
	const struct image *image = place->image;
	const struct ledger_entry *entry = place->entry, *latest;
	struct treatment treatment = rules_apply(planner->policy, image, entry);
	struct above *above = gather(planner, place);

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
		.reclaims = place->reclaims,
	};
	/* What was asked for long ago and is there since just now has not been watched for long. */
	if (entry)
		item->unused =
			MIN(item->unused, ledger_unused(planner->ledger, entry, planner->now));
	item->expired = treatment_is_over(&treatment, item->unused);
	item->reason = policy_protects(planner->policy, image, &treatment, item->unused);
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
	if (image->children > 0 && image->children > planner->by_image[image->index].removed)
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
	spread(&planner);
	plan.items = xcalloc(HASH_COUNT(inventory->images), sizeof(*plan.items));
	for (size_t i = 0; i < planner.count; i++)
		if (!image_is_intermediate(planner.places[i].image))
			weigh(&planner, &planner.places[i], &plan.items[plan.count++]);
	/* Again, for the ranks. */
	spread(&planner);
	for (size_t i = 0, k = 0; k < plan.count; i++)
		if (planner.places[i].image == plan.items[k].image)
			plan.items[k++].rank = gather(&planner, &planner.places[i])->rank;
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
