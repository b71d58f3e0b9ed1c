/* SPDX-License-Identifier: Apache-2.0 */
#include "core/inventory.h"

#include "core/names.h"
#include "core/reference.h"
#include "core/tallies.h"

#include <string.h>

/*
 * An image of unknown size has freed at most this, which is more than an engine holds: a sum that
 * had come to its end would not grow any more, and other images would have gone unseen.
 */
#define GONE_MAX (UINT64_C(1) << 50)

void inventory_init(struct inventory *inventory)
{
	*inventory = (struct inventory){ .layers = layers_create() };
}

void inventory_finish(struct inventory *inventory)
{
	if (!inventory->layers)
		return;
	inventory_clear(inventory);
	layers_destroy(TAKE_PTR(inventory->layers));
}

static void free_container(struct container *container)
{
	free(container->id);
	free(container->image_id);
	free(container);
}

void inventory_clear(struct inventory *inventory)
{
	struct image *image, *next;

	inventory_replace_containers(inventory, NULL, 0);
	departed_clear(&inventory->departed);
	HASH_ITER (hh, inventory->images, image, next)
		inventory_remove_image(inventory, image->id);
}

struct image *inventory_find_image(const struct inventory *inventory, const char *id)
{
	struct image *image;

	HASH_FIND_STR(inventory->images, id, image);
	return image;
}

struct image *inventory_find_reference(const struct inventory *inventory, const char *canonical)
{
	return names_find(inventory->references, canonical);
}

/* The only image whose ID begins with these hex digits. */
static struct image *find_prefix(const struct inventory *inventory, const char *text)
{
	const char *hex = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;
	struct image *image, *next, *found = NULL;
	size_t length = strlen(hex);

	if (length == 0 || strspn(hex, "0123456789abcdef") != length)
		return NULL;
	HASH_ITER (hh, inventory->images, image, next) {
		if (strncmp(image->id + strlen("sha256:"), hex, length) != 0)
			continue;
		if (found)
			return NULL;
		found = image;
	}
	return found;
}

struct image *inventory_resolve(const struct inventory *inventory, const char *text)
{
	_cleanup_free_ char *id = NULL, *canonical = NULL;

	if (image_id_normalise(text, &id) == 0)
		return inventory_find_image(inventory, id);
	if (reference_canonicalise(text, &canonical) == 0) {
		struct image *image = inventory_find_reference(inventory, canonical);

		if (image)
			return image;
	}
	return find_prefix(inventory, text);
}

static void set_holders(struct image *image, struct holders holders)
{
	image->children = holders.children;
	image->containers = holders.containers;
}

/* Adds to the counts of an image ID, which may be NULL. */
static void hold(struct inventory *inventory, const char *id, int children, int containers)
{
	struct holders holders;
	struct image *image;

	if (!id)
		return;
	holders = tallies_add(&inventory->tallies, id, children, containers);
	image = inventory_find_image(inventory, id);
	if (image)
		set_holders(image, holders);
}

static void set_parent(struct inventory *inventory, struct image *image, const char *parent)
{
	if (streq(image->parent, parent))
		return;
	hold(inventory, image->parent, -1, 0);
	inventory->generation++;
	free(image->parent);
	image->parent = parent ? xstrdup(parent) : NULL;
	hold(inventory, image->parent, 1, 0);
}

static void drop_history(struct inventory *inventory, struct image *image)
{
	if (!image->history)
		return;
	history_finish(image->history);
	free(TAKE_PTR(image->history));
	inventory->histories--;
}

static struct image *add_image(struct inventory *inventory, const char *id)
{
	struct image *image = image_create(id);

	set_holders(image, tallies_find(inventory->tallies, id));
	HASH_ADD_KEYPTR(hh, inventory->images, image->id, strlen(image->id), image);
	inventory->generation++;
	return image;
}

void inventory_drop_reference(
	struct inventory *inventory, struct image *image, const char *canonical)
{
	if (inventory_find_reference(inventory, canonical) == image)
		names_drop(&inventory->references, canonical);
	if (strings_remove(&image->references, canonical) ||
		strings_remove(&image->digests, canonical))
		inventory->generation++;
}

/* The text is the image's own. */
static void index_reference(struct inventory *inventory, struct image *image, const char *canonical)
{
	struct image *owner = names_put(&inventory->references, canonical, image);

	/* The entry is another's now, so that just the name is dropped. */
	if (owner)
		inventory_drop_reference(inventory, owner, canonical);
}

void inventory_move_reference(
	struct inventory *inventory, struct image *image, const char *canonical)
{
	if (strings_contain(&image->references, canonical))
		return;
	strings_add(&image->references, canonical);
	index_reference(inventory, image, image->references.items[image->references.count - 1]);
	strings_sort(&image->references);
	inventory->generation++;
}

/* Replaces one of the image's two lists of names. */
static void set_names(struct inventory *inventory, struct image *image, struct strings *names,
	const struct strings *wanted)
{
	struct strings sorted = strings_copy(wanted);

	strings_sort(&sorted);
	if (strings_equal(names, &sorted)) {
		strings_finish(&sorted);
		return;
	}
	for (size_t i = 0; i < names->count; i++)
		if (!strings_contain(&sorted, names->items[i]))
			names_drop(&inventory->references, names->items[i]);
	for (size_t i = 0; i < sorted.count; i++)
		index_reference(inventory, image, sorted.items[i]);
	strings_finish(names);
	*names = sorted;
	inventory->generation++;
}

bool inventory_needs_history(const struct inventory *inventory, const struct image *image)
{
	return inventory->counts_layers && !image->has_history && layers_are_unsure(image->top);
}

/* What is known of shared layers may tell which way to read a history that had several. */
static void learn_from_each_other(struct inventory *inventory)
{
	struct image *image, *next;
	bool changed = inventory->histories > 0;

	while (changed) {
		changed = false;
		HASH_ITER (hh, inventory->images, image, next) {
			if (!image->history)
				continue;
			changed |= layers_learn_history(image->top, image->history) > 0;
			if (layers_are_known(image->top))
				drop_history(inventory, image);
		}
	}
}

int inventory_learn_history(
	struct inventory *inventory, struct image *image, struct history *history)
{
	int r;

	image->has_history = true;
	if (!history || !image->top)
		return 0;
	r = layers_learn_history(image->top, history);
	if (r < 0)
		return r;
	inventory->generation++;
	drop_history(inventory, image);
	if (!layers_are_known(image->top)) {
		image->history = xcalloc(1, sizeof(*image->history));
		*image->history = *history;
		*history = (struct history){};
		inventory->histories++;
	}
	if (r > 0)
		learn_from_each_other(inventory);
	return 0;
}

struct bounds inventory_usage(const struct inventory *inventory)
{
	struct bounds usage = layers_usage(inventory->layers);
	struct image *image, *next;

	HASH_ITER (hh, inventory->images, image, next)
		if (!image->has_layers)
			usage = bounds_add(usage, image_size_bounds(image));
	return usage;
}

struct bounds inventory_reclaim(const struct inventory *inventory, const struct image *image)
{
	struct bounds size = image_size_bounds(image), reclaims;

	if (!inventory->counts_layers || !image->has_layers)
		return size;
	reclaims = layers_reclaim(image->top);
	reclaims.upper = MIN(reclaims.upper, size.upper);
	return reclaims;
}

static void set_size(
	struct inventory *inventory, struct image *image, const struct image_record *record)
{
	if (image_learn_size(image, record))
		inventory->generation++;
}

void inventory_learn_size(struct inventory *inventory, const struct image_record *record)
{
	struct image *image = inventory_find_image(inventory, record->id);

	if (image && !image->has_size)
		set_size(inventory, image, record);
}

static void learn_layers(
	struct inventory *inventory, struct image *image, const struct image_record *record)
{
	if (!record->has_layers || image->has_layers)
		return;
	image->top = layers_add_image(inventory->layers, &record->layers,
		record->has_size && image_has_size_of(record->size, record->layers.count > 0)
			? &record->size
			: NULL);
	image->has_layers = true;
	set_size(inventory, image, record);
	learn_from_each_other(inventory);
	inventory->generation++;
}

static void learn(
	struct inventory *inventory, struct image *image, const struct image_record *record)
{
	if (image_learn(image, record))
		inventory->generation++;
	learn_layers(inventory, image, record);
}

void inventory_learn_image(struct inventory *inventory, const struct image_record *record)
{
	struct image *image = inventory_find_image(inventory, record->id);

	if (image)
		learn(inventory, image, record);
}

struct image *inventory_put_image(struct inventory *inventory, const struct image_record *record)
{
	struct image *image = inventory_find_image(inventory, record->id);

	if (!image)
		image = add_image(inventory, record->id);
	set_parent(inventory, image, record->parent);
	set_names(inventory, image, &image->references, &record->references);
	set_names(inventory, image, &image->digests, &record->digests);
	learn(inventory, image, record);
	return image;
}

void inventory_replace_images(
	struct inventory *inventory, const struct image_record *records, size_t count)
{
	struct image *image, *next;

	HASH_ITER (hh, inventory->images, image, next)
		image->listed = false;
	for (size_t i = 0; i < count; i++)
		inventory_put_image(inventory, &records[i])->listed = true;
	HASH_ITER (hh, inventory->images, image, next)
		if (!image->listed)
			inventory_remove_image(inventory, image->id);
}

void inventory_remove_image(struct inventory *inventory, const char *id)
{
	struct image *image = inventory_find_image(inventory, id);

	if (!image)
		return;
	for (size_t i = 0; i < image->references.count; i++)
		names_drop(&inventory->references, image->references.items[i]);
	for (size_t i = 0; i < image->digests.count; i++)
		names_drop(&inventory->references, image->digests.items[i]);
	set_parent(inventory, image, NULL);
	inventory->gone += MIN(inventory_reclaim(inventory, image).upper, GONE_MAX);
	drop_history(inventory, image);
	layers_remove_image(inventory->layers, image->top);
	HASH_DEL(inventory->images, image);
	image_destroy(image);
	inventory->generation++;
}

struct container *inventory_find_container(const struct inventory *inventory, const char *id)
{
	struct container *container;

	HASH_FIND_STR(inventory->containers, id, container);
	return container;
}

static void set_container_image(
	struct inventory *inventory, struct container *container, const char *image_id)
{
	if (streq(container->image_id, image_id))
		return;
	hold(inventory, image_id, 0, 1);
	hold(inventory, container->image_id, 0, -1);
	free(container->image_id);
	container->image_id = image_id ? xstrdup(image_id) : NULL;
	inventory->generation++;
}

char *inventory_take_departed(struct inventory *inventory, const char *id)
{
	return departed_take(&inventory->departed, id);
}

struct container *inventory_put_container(
	struct inventory *inventory, const char *id, const char *image_id)
{
	struct container *container = inventory_find_container(inventory, id);

	if (!container) {
		free(inventory_take_departed(inventory, id));
		container = xcalloc(1, sizeof(*container));
		container->id = xstrdup(id);
		HASH_ADD_KEYPTR(hh, inventory->containers, container->id, strlen(id), container);
	}
	set_container_image(inventory, container, image_id);
	return container;
}

void inventory_remove_container(struct inventory *inventory, const char *id)
{
	struct container *container = inventory_find_container(inventory, id);

	if (!container)
		return;
	set_container_image(inventory, container, NULL);
	HASH_DEL(inventory->containers, container);
	free_container(container);
}

/* A list shows it no more. */
static void depart(struct inventory *inventory, struct container *container)
{
	departed_put(&inventory->departed, container->id, container->image_id);
	inventory_remove_container(inventory, container->id);
}

void inventory_replace_containers(
	struct inventory *inventory, const struct container_record *records, size_t count)
{
	struct container *container, *next;

	HASH_ITER (hh, inventory->containers, container, next)
		container->listed = false;
	for (size_t i = 0; i < count; i++) {
		const char *image_id = records[i].image_id;
		const struct image *named;

		container = inventory_find_container(inventory, records[i].id);
		if (!image_id && container)
			image_id = container->image_id;
		if (!image_id && records[i].image_text) {
			named = inventory_resolve(inventory, records[i].image_text);
			image_id = named ? named->id : NULL;
		}
		inventory_put_container(inventory, records[i].id, image_id)->listed = true;
	}
	HASH_ITER (hh, inventory->containers, container, next)
		if (!container->listed)
			depart(inventory, container);
}

size_t inventory_count_images(const struct inventory *inventory)
{
	struct image *image, *next;
	size_t count = 0;

	HASH_ITER (hh, inventory->images, image, next)
		count += !image_is_intermediate(image);
	return count;
}
