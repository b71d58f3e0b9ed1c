/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/differences.h"

#include <string.h>

#include "core/reference.h"

static void finish(struct difference *difference)
{
	free(difference->id);
	strings_finish(&difference->names);
	free(difference->text);
	*difference = (struct difference){};
}

void differences_finish(struct differences *differences)
{
	for (size_t i = 0; i < differences->count; i++)
		finish(&differences->items[i]);
	free(differences->items);
	*differences = (struct differences){};
}

/* Takes the text over. */
static struct difference *add(struct differences *differences, const char *id, char *text)
{
	struct difference *difference = array_push(differences);

	difference->id = xstrdup(id);
	difference->text = text;
	return difference;
}

static void add_names(struct difference *difference, const struct strings *names)
{
	for (size_t i = 0; i < names->count; i++)
		strings_add(&difference->names, names->items[i]);
}

/* Those of a that b has not. */
static void subtract(const struct strings *a, const struct strings *b, struct strings *ret)
{
	for (size_t i = 0; i < a->count; i++)
		if (!strings_contain(b, a->items[i]))
			strings_add(ret, a->items[i]);
}

/*
 * Whether the digest in a name is the ID of the image: the containerd store has such a name beside
 * each tag, and its events tell of the tag alone.
 */
static bool is_own_digest(const char *name, const char *id)
{
	const char *at = strchr(name, '@');

	return at && streq(at + 1, id);
}

/* Those digests of a that b has not and that tell anything. */
static void subtract_digests(
	const struct strings *a, const struct strings *b, const char *id, struct strings *ret)
{
	for (size_t i = 0; i < a->count; i++)
		if (!strings_contain(b, a->items[i]) && !is_own_digest(a->items[i], id))
			strings_add(ret, a->items[i]);
}

static void compare_names(struct differences *differences, const struct image *image,
	const struct image_record *record)
{
	_cleanup_strings_ struct strings got = {}, lost = {};
	_cleanup_free_ char *got_text = NULL, *lost_text = NULL;
	struct difference *difference;

	subtract(&record->references, &image->references, &got);
	subtract_digests(&record->digests, &image->digests, image->id, &got);
	subtract(&image->references, &record->references, &lost);
	subtract_digests(&image->digests, &record->digests, image->id, &lost);
	if (got.count == 0 && lost.count == 0)
		return;
	got_text = strings_join(&got, ", ");
	lost_text = strings_join(&lost, ", ");
	difference = add(differences, image->id,
		xasprintf("image %s%s%s%s%s", image->id, got.count ? " has got " : "", got_text,
			lost.count ? " has lost " : "", lost_text));
	add_names(difference, &got);
	add_names(difference, &lost);
}

static void find_images(struct differences *differences, struct inventory *inventory,
	const struct image_records *records)
{
	struct image *image, *next;

	HASH_ITER (hh, inventory->images, image, next)
		image->listed = false;
	for (size_t i = 0; i < records->count; i++) {
		const struct image_record *record = &records->items[i];
		struct difference *difference;

		image = inventory_find_image(inventory, record->id);
		if (image) {
			image->listed = true;
			compare_names(differences, image, record);
			continue;
		}
		difference =
			add(differences, record->id, xasprintf("image %s has come", record->id));
		add_names(difference, &record->references);
		add_names(difference, &record->digests);
	}
	HASH_ITER (hh, inventory->images, image, next) {
		struct difference *difference;

		if (image->listed || image_is_intermediate(image))
			continue;
		difference = add(differences, image->id, xasprintf("image %s has gone", image->id));
		add_names(difference, &image->references);
		add_names(difference, &image->digests);
	}
}

static void find_containers(struct differences *differences, struct inventory *inventory,
	const struct container_records *records)
{
	struct container *container, *next;

	HASH_ITER (hh, inventory->containers, container, next)
		container->listed = false;
	for (size_t i = 0; i < records->count; i++) {
		const char *id = records->items[i].id;

		container = inventory_find_container(inventory, id);
		if (container)
			container->listed = true;
		else
			add(differences, id, xasprintf("container %s has come", id));
	}
	HASH_ITER (hh, inventory->containers, container, next)
		if (!container->listed)
			add(differences, container->id,
				xasprintf("container %s has gone", container->id));
}

void differences_find(struct differences *differences, struct inventory *inventory,
	const struct image_records *images, const struct container_records *containers)
{
	find_images(differences, inventory, images);
	find_containers(differences, inventory, containers);
}

/* Whether the text, an ID or a name in any form, means what differs. */
static bool is_meant(const struct difference *difference, const char *text)
{
	_cleanup_free_ char *id = NULL, *canonical = NULL;

	if (streq(text, difference->id))
		return true;
	if (image_id_normalise(text, &id) == 0)
		return streq(id, difference->id);
	return reference_canonicalise(text, &canonical) == 0 &&
		strings_contain(&difference->names, canonical);
}

static void drop(struct differences *differences, size_t i)
{
	finish(&differences->items[i]);
	differences->items[i] = differences->items[--differences->count];
}

void differences_explain(struct differences *differences, const char *text)
{
	for (size_t i = differences->count; i-- > 0;)
		if (is_meant(&differences->items[i], text))
			drop(differences, i);
}

void differences_drop_steps(struct differences *differences, const struct inventory *inventory)
{
	for (size_t i = differences->count; i-- > 0;) {
		const struct image *image =
			inventory_find_image(inventory, differences->items[i].id);

		if (image && image_is_intermediate(image))
			drop(differences, i);
	}
}
