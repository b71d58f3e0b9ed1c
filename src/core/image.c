/* SPDX-License-Identifier: Apache-2.0 */
#include "core/image.h"

#include <stdlib.h>

#include "core/reference.h"

struct image *image_create(const char *id)
{
	struct image *image = xcalloc(1, sizeof(*image));

	image->id = xstrdup(id);
	return image;
}

void image_destroy(struct image *image)
{
	if (!image)
		return;
	strings_finish(&image->references);
	strings_finish(&image->digests);
	labels_finish(&image->labels);
	free(image->parent);
	free(image->id);
	free(image);
}

/* Nothing in layers is rarely true, and often what an engine says that has not counted. */
bool image_has_size_of(uint64_t size, bool has_layers)
{
	return size > 0 || !has_layers;
}

bool image_learn_size(struct image *image, const struct image_record *record)
{
	/* An image does not change: what was told before holds. */
	uint64_t size = record->has_size ? record->size : image->size;
	bool has_size =
		(record->has_size || image->has_size) && image_has_size_of(size, image->top);
	bool changed = image->size != size || image->has_size != has_size;

	image->size = size;
	image->has_size = has_size;
	return changed;
}

bool image_learn(struct image *image, const struct image_record *record)
{
	bool changed = !labels_equal(&image->labels, &record->labels);

	if (changed) {
		labels_finish(&image->labels);
		image->labels = labels_copy(&record->labels);
	}
	changed |= image_learn_size(image, record);
	/* Lists tell the second only, and lose nothing that was told before. */
	if (record->created % NSEC_PER_SEC > 0 ||
		record->created / NSEC_PER_SEC != image->created / NSEC_PER_SEC)
		image->created = record->created;
	return changed;
}

static bool is_nameless(const struct image *image)
{
	return image->references.count == 0 && image->digests.count == 0;
}

bool image_is_intermediate(const struct image *image)
{
	return is_nameless(image) && image->children > 0;
}

bool image_is_dangling(const struct image *image)
{
	return image->references.count == 0 && image->children == 0;
}

bool image_has_children(const struct image *image)
{
	return image->children > 0 || (image->top && image->top->images_above > 0);
}

char *image_title(const struct image *image)
{
	const struct strings *names =
		image->references.count ? &image->references : &image->digests;
	struct strings familiar = {};
	char *title;

	if (names->count == 0)
		return xstrdup("<none>");
	for (size_t i = 0; i < names->count; i++)
		strings_take(&familiar, reference_familiar(names->items[i]));
	title = strings_join(&familiar, ", ");
	strings_finish(&familiar);
	return title;
}
