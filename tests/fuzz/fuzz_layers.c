/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that come, tell their history and go, above layers whose sizes only the test knows: what
 * is told of them is never contradicted by the truth, and nothing stays behind.
 *
 * The input is a list of steps of four bytes each: what to do, to which image, and how it looks.
 */
#include "fuzz.h"

#include "core/layers.h"

#define STEP_SIZE 4
#define STEPS_MAX 64
#define IMAGES 8
#define DEPTH_MAX 7
#define HISTORY_MAX 12

/* A path in a tree of two branches at each level: bit n tells which layer lies at depth n. */
struct image {
	struct layer *top;
	size_t depth;
	unsigned path;
};

/* The bytes of the layer at that depth: some of them none at all. */
static uint64_t size_of(unsigned path, size_t depth)
{
	unsigned chain = (path & ((1U << depth) - 1)) | 1U << depth;

	return chain * 2654435761U >> 29;
}

static uint64_t total_of(unsigned path, size_t depth)
{
	uint64_t total = 0;

	for (size_t i = 1; i <= depth; i++)
		total += size_of(path, i);
	return total;
}

static bool is_within(struct bounds bounds, uint64_t truth)
{
	return bounds.lower <= truth && truth <= bounds.upper;
}

static void put(struct layers *layers, struct image *image, size_t depth, unsigned path, bool sized)
{
	_cleanup_strings_ struct strings ids = {};
	uint64_t total = total_of(path, depth);

	layers_remove_image(layers, image->top);
	for (size_t i = 1; i <= depth; i++)
		strings_addf(&ids, "sha256:%zu%s", i, path >> (i - 1) & 1 ? "a" : "b");
	*image = (struct image){
		.top = layers_add_image(layers, &ids, sized ? &total : NULL),
		.depth = depth,
		.path = path,
	};
	check((image->top == NULL) == (depth == 0));
}

/*
 * An entry for each layer, and as many that are none as the bits of `none` say; more than that do
 * not fit.
 */
static void learn(struct image *image, unsigned none)
{
	_cleanup_(history_finish) struct history history = {};

	for (size_t i = 1; image->top && i <= image->depth; i++) {
		if (none >> i & 1 && history.count < HISTORY_MAX)
			*array_push(&history) = 0;
		*array_push(&history) = size_of(image->path, i);
	}
	if (image->top)
		check(layers_learn_history(image->top, &history) >= 0);
}

/* Whether another image has the layer at that depth as well. */
static bool is_shared(const struct image *images, const struct image *image, size_t depth)
{
	unsigned mask = (1U << depth) - 1;

	for (size_t i = 0; i < IMAGES; i++)
		if (&images[i] != image && images[i].top && images[i].depth >= depth &&
			(images[i].path & mask) == (image->path & mask))
			return true;
	return false;
}

static void check_image(const struct image *images, const struct image *image)
{
	const struct layer *layer = image->top;
	uint64_t freed = 0;

	for (size_t depth = image->depth; layer; depth--, layer = layer->parent) {
		check(layer->depth == depth);
		check(is_within(layer->total, total_of(image->path, depth)));
		check(!layer->disputed);
		if (!is_shared(images, image, depth))
			freed += size_of(image->path, depth);
	}
	check(is_within(layers_reclaim(image->top), freed));
}

static void check_all(struct layers *layers, const struct image *images)
{
	struct bounds usage = layers_usage(layers);
	uint64_t truth = 0;
	size_t count = 0;

	for (size_t i = 0; i < IMAGES; i++) {
		if (!images[i].top)
			continue;
		check_image(images, &images[i]);
		/* Each layer counts once, for the first of those that have it. */
		for (size_t depth = 1; depth <= images[i].depth; depth++) {
			bool is_first = true;

			for (size_t n = 0; n < i; n++)
				is_first &= !images[n].top || images[n].depth < depth ||
					((images[n].path ^ images[i].path) & ((1U << depth) - 1)) !=
						0;
			count += is_first;
			truth += is_first ? size_of(images[i].path, depth) : 0;
		}
	}
	check(layers_count(layers) == count);
	check(layers_capacity(layers) >= count);
	check(is_within(usage, truth));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct layers *layers = layers_create();
	struct image images[IMAGES] = {};

	for (size_t step = 0; step < STEPS_MAX && size >= STEP_SIZE; step++) {
		unsigned what = fuzz_byte(&data, &size) % 4;
		struct image *image = &images[fuzz_byte(&data, &size) % IMAGES];
		unsigned shape = fuzz_byte(&data, &size), path = fuzz_byte(&data, &size);

		if (what == 0)
			learn(image, shape);
		else
			put(layers, image, shape % (DEPTH_MAX + 1), path, what < 3);
		check_all(layers, images);
	}
	for (size_t i = 0; i < IMAGES; i++)
		layers_remove_image(layers, images[i].top);
	check(layers_count(layers) == 0);
	layers_destroy(layers);
	return 0;
}
