/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dependents.h"

#include <string.h>

/* What an image gets from those that stand on it. */
struct above {
	const struct ledger_entry *latest; /* the latest used one */
	unsigned height; /* how many stand on top of each other */
	unsigned rank; /* none of them goes before this */
	const struct layer *top; /* by top: whose it is */
	struct above *below; /* by top: of the next layer below that is a topmost one */
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

struct dependents {
	const struct inventory *inventory;
	const struct ledger *ledger;
	size_t count; /* images */
	struct place *places; /* by image, dependents before what they depend on */

	/* By an image's topmost layer: of the images that have it and more on top. By image: of
	 * those built on it, by parent, which tells of images with equal layers too.
	 */
	struct above *by_top, *by_image;
	size_t tops;
};

void dependents_destroy(struct dependents *dependents)
{
	if (!dependents)
		return;
	free(dependents->places);
	free(dependents->by_top);
	free(dependents->by_image);
	free(dependents);
}

static struct image *parent_of(const struct dependents *dependents, const struct image *image)
{
	return image->parent ? inventory_find_image(dependents->inventory, image->parent) : NULL;
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

static bool is_claimed(const struct dependents *dependents, const struct layer *top)
{
	return top->place < dependents->tops && dependents->by_top[top->place].top == top;
}

/* Of an image's topmost layer, and of all such layers below it: claimed by who comes first. */
static struct above *above_top(struct dependents *dependents, struct layer *top)
{
	struct above *first = NULL, **link = &first;

	for (struct layer *layer = top; layer; layer = layer->parent) {
		if (layer->images == 0)
			continue;
		if (is_claimed(dependents, layer)) {
			*link = &dependents->by_top[layer->place];
			break;
		}
		layer->place = dependents->tops++;
		*link = &dependents->by_top[layer->place];
		(*link)->top = layer;
		link = &(*link)->below;
	}
	return first;
}

static size_t count_parents(const struct dependents *dependents, const struct image *image)
{
	size_t parents = 0;

	while ((image = parent_of(dependents, image)) && parents < dependents->count)
		parents++;
	return parents;
}

static struct place look_up(struct dependents *dependents, struct image *image)
{
	return (struct place){
		.image = image,
		.parent = parent_of(dependents, image),
		.entry = ledger_find(dependents->ledger, image->id),
		.reclaims = inventory_reclaim(dependents->inventory, image),
		.by_top = image->top ? above_top(dependents, image->top) : NULL,
		.is_parent = image->children > 0,
	};
}

/* Puts the images in order, so that one pass over them is enough where all layers are known. */
static void order(struct dependents *dependents)
{
	size_t count = HASH_COUNT(dependents->inventory->images), i = 0;
	_cleanup_free_ struct place *places = xcalloc(count, sizeof(*places));
	_cleanup_free_ struct depth *depths = xcalloc(count, sizeof(*depths));
	struct image *image, *next;

	dependents->count = count;
	dependents->places = xcalloc(count, sizeof(*dependents->places));
	dependents->by_image = xcalloc(count, sizeof(*dependents->by_image));
	dependents->by_top = xcalloc(count, sizeof(*dependents->by_top));
	HASH_ITER (hh, dependents->inventory->images, image, next) {
		if (next)
			__builtin_prefetch(next->top);
		places[i] = look_up(dependents, image);
		depths[i] = (struct depth){
			.layers = image->top ? image->top->depth : 0,
			.parents = count_parents(dependents, image),
			.index = i,
		};
		i++;
	}
	qsort(depths, count, sizeof(*depths), compare_depths);
	for (i = 0; i < count; i++) {
		dependents->places[i] = places[depths[i].index];
		if (dependents->places[i].is_parent)
			dependents->places[i].image->index = i;
	}
	for (i = 0; i < count; i++) {
		struct place *place = &dependents->places[i];

		if (place->parent)
			place->by_parent = &dependents->by_image[place->parent->index];
	}
}

struct dependents *dependents_create(const struct inventory *inventory, const struct ledger *ledger)
{
	struct dependents *dependents = xcalloc(1, sizeof(*dependents));

	dependents->inventory = inventory;
	dependents->ledger = ledger;
	order(dependents);
	return dependents;
}

size_t dependents_count(const struct dependents *dependents)
{
	return dependents->count;
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
static struct above *gather(const struct dependents *dependents, const struct place *place)
{
	struct above *above = &dependents->by_image[place - dependents->places];

	if (place->by_top)
		raise_above(above, place->by_top);
	return above;
}

/*
 * Passes what holds for an image down to what it is built on. True if that was news to one that had
 * its turn already.
 */
static bool pass_down(struct dependents *dependents, const struct place *place)
{
	struct above *own = gather(dependents, place), above = *own;

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
void dependents_spread(struct dependents *dependents)
{
	bool changed = true;

	for (unsigned round = 0; changed && round < SPREAD_MAX; round++) {
		changed = false;
		for (size_t i = 0; i < dependents->count; i++)
			changed |= pass_down(dependents, &dependents->places[i]);
	}
}

const struct image *dependents_image(const struct dependents *dependents, size_t index)
{
	return dependents->places[index].image;
}

struct standing dependents_standing(const struct dependents *dependents, size_t index)
{
	const struct place *place = &dependents->places[index];
	const struct above *above = gather(dependents, place);

	return (struct standing){
		.image = place->image,
		.entry = place->entry,
		.latest = later(place->entry, above->latest),
		.reclaims = place->reclaims,
		.height = above->height,
	};
}

void dependents_set_rank(struct dependents *dependents, size_t index, unsigned rank)
{
	dependents->by_image[index].rank = rank;
}

unsigned dependents_rank(const struct dependents *dependents, size_t index)
{
	return gather(dependents, &dependents->places[index])->rank;
}
