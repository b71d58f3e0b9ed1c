/* SPDX-License-Identifier: Apache-2.0 */
#include "core/layers.h"

#include <errno.h>
#include <string.h>

#include "core/hash.h"

struct node {
	struct layer layer;
	UT_hash_handle hh;
	unsigned char key[]; /* see make_key() */
};

struct layers {
	struct node *nodes;
	ARRAY(unsigned) free; /* indexes below capacity that no node has */
	unsigned capacity;
};

struct layers *layers_create(void)
{
	return xcalloc(1, sizeof(struct layers));
}

static void node_destroy(struct layers *layers, struct node *node)
{
	HASH_DEL(layers->nodes, node);
	free(node);
}

void layers_destroy(struct layers *layers)
{
	struct node *node, *next;

	if (!layers)
		return;
	HASH_ITER (hh, layers->nodes, node, next)
		node_destroy(layers, node);
	free(layers->free.items);
	free(layers);
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *digit = c ? strchr(digits, c) : NULL;

	return digit ? (int)(digit - digits) : -1;
}

#define DIGEST_SIZE ((size_t)32)

/* "sha256:…" to bytes; false for anything else. */
static bool pack_digest(const char *diff_id, unsigned char *ret)
{
	const char *hex = diff_id + strlen("sha256:");

	if (strncmp(diff_id, "sha256:", strlen("sha256:")) != 0 || strlen(hex) != 2 * DIGEST_SIZE)
		return false;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/*
 * What makes a node unique: its parent, and its own diff ID, in bytes if it is a digest; then
 * whether it is. The caller frees.
 */
static unsigned char *make_key(const struct layer *parent, const char *diff_id, size_t *ret_size)
{
	unsigned below = parent ? parent->index + 1 : 0;
	size_t length = strlen(diff_id);
	unsigned char *key = xcalloc(1, sizeof(below) + MAX(length, DIGEST_SIZE) + 1);
	unsigned char *text = key + sizeof(below);
	bool packed = pack_digest(diff_id, text);

	memcpy(key, &below, sizeof(below));
	if (packed)
		length = DIGEST_SIZE;
	else
		memcpy(text, diff_id, length + 1);
	text[length] = packed;
	*ret_size = sizeof(below) + length + 1;
	return key;
}

static struct layer *find_or_add(struct layers *layers, struct layer *parent, const char *diff_id)
{
	size_t size;
	_cleanup_free_ unsigned char *key = make_key(parent, diff_id, &size);
	struct node *node;

	HASH_FIND(hh, layers->nodes, key, size, node);
	if (node)
		return &node->layer;
	node = xcalloc(1, sizeof(*node) + size);
	node->layer.parent = parent;
	node->layer.depth = parent ? parent->depth + 1 : 1;
	node->layer.total = (struct bounds){ parent ? parent->total.lower : 0, UINT64_MAX };
	if (parent)
		parent->children++;
	node->layer.index = layers->free.count > 0 ? layers->free.items[--layers->free.count]
						   : layers->capacity++;
	memcpy(node->key, key, size);
	HASH_ADD(hh, layers->nodes, key, size, node);
	return &node->layer;
}

/* Whether it is news that the layer's total lies within these bounds. */
static bool narrow(struct layer *layer, struct bounds bounds)
{
	struct bounds total = layer->total;

	total.lower = MAX(total.lower, bounds.lower);
	total.upper = MIN(total.upper, bounds.upper);
	if (layer->disputed ||
		(total.lower == layer->total.lower && total.upper == layer->total.upper))
		return false;
	layer->disputed = total.lower > total.upper;
	layer->total = layer->disputed ? (struct bounds){ 0, UINT64_MAX } : total;
	return true;
}

/* No layer takes less than nothing: totals grow from the bottom to the top. */
static bool narrow_chain(struct layer *top)
{
	bool changed = false;

	for (struct layer *layer = top; layer->parent; layer = layer->parent)
		changed |= narrow(layer->parent, (struct bounds){ 0, layer->total.upper });
	return changed;
}

struct layer *layers_add_image(
	struct layers *layers, const struct strings *diff_ids, const uint64_t *size)
{
	struct layer *top = NULL;

	for (size_t i = 0; i < diff_ids->count; i++)
		top = find_or_add(layers, top, diff_ids->items[i]);
	if (!top)
		return NULL;
	if (size)
		narrow(top, (struct bounds){ *size, *size });
	narrow_chain(top);
	top->images++;
	for (struct layer *layer = top->parent; layer; layer = layer->parent)
		layer->images_above++;
	return top;
}

void layers_remove_image(struct layers *layers, struct layer *top)
{
	if (!top)
		return;
	top->images--;
	for (struct layer *layer = top->parent; layer; layer = layer->parent)
		layer->images_above--;
	while (top && top->images == 0 && top->images_above == 0) {
		struct layer *parent = top->parent;

		*array_push(&layers->free) = top->index;
		if (parent)
			parent->children--;
		node_destroy(layers, (struct node *)top); /* layer is node's first member */
		top = parent;
	}
}

struct bounds layers_between(const struct layer *top, const struct layer *bottom)
{
	if (!bottom)
		return top ? top->total : (struct bounds){};
	return (struct bounds){
		.lower = subtract_saturating(top->total.lower, bottom->total.upper),
		.upper = top->total.upper == UINT64_MAX
			? UINT64_MAX
			: subtract_saturating(top->total.upper, bottom->total.lower),
	};
}

struct bounds layers_reclaim(const struct layer *top)
{
	const struct layer *stop = top;

	for (size_t users = 1; stop && stop->images + stop->images_above == users;)
		stop = stop->parent;
	if (stop == top)
		return (struct bounds){};
	return layers_between(top, stop);
}

static bool is_known(const struct layer *layer)
{
	return bounds_are_exact(&layer->total) || layer->disputed;
}

bool layers_are_known(const struct layer *top)
{
	for (; top; top = top->parent)
		if (!is_known(top))
			return false;
	return true;
}

bool layers_are_unsure(const struct layer *top)
{
	for (; top; top = top->parent)
		if (top->children > 1 && !is_known(top))
			return true;
	return false;
}

/* The ways in which an image's history can be read. */
struct reading {
	struct layer **chain; /* bottom first */
	size_t depth;
	const struct history *history;
	uint64_t *sums; /* bytes of the first so many entries */
	/* By entries and layers so far: whether one gets there from the beginning, and from there
	 * to the end.
	 */
	bool *from_begin, *to_end;
	bool alone; /* what other images say is left aside */
};

static void reading_finish(struct reading *reading)
{
	free(reading->chain);
	free(reading->sums);
	free(reading->from_begin);
	free(reading->to_end);
}

/* More ways than that are not worth the memory: no image looks like that. */
#define WAYS_MAX ((size_t)1 << 22)

static int reading_init(struct reading *reading, struct layer *top, const struct history *history)
{
	size_t depth = 0, count = history->count;

	for (const struct layer *layer = top; layer; layer = layer->parent)
		depth++;
	if (depth == 0 || count < depth || (count + 1) * (depth + 1) > WAYS_MAX)
		return -EBADMSG;
	*reading = (struct reading){ .depth = depth, .history = history };
	reading->chain = xcalloc(depth, sizeof(struct layer *));
	for (struct layer *layer = top; layer; layer = layer->parent)
		reading->chain[--depth] = layer;
	reading->sums = xcalloc(count + 1, sizeof(*reading->sums));
	for (size_t i = 0; i < count; i++)
		if (__builtin_add_overflow(
			    reading->sums[i], history->items[i], &reading->sums[i + 1]))
			return -EBADMSG;
	reading->from_begin = xcalloc((count + 1) * (reading->depth + 1), sizeof(bool));
	reading->to_end = xcalloc((count + 1) * (reading->depth + 1), sizeof(bool));
	return 0;
}

static size_t way(const struct reading *reading, size_t entry, size_t layer)
{
	return entry * (reading->depth + 1) + layer;
}

/* Whether this entry can be this layer. */
static bool can_be(const struct reading *reading, size_t entry, size_t layer)
{
	uint64_t sum = reading->sums[entry + 1];
	const struct layer *there = reading->chain[layer];

	/* What the engine says of the image itself holds in any case. */
	if (reading->alone && layer + 1 < reading->depth)
		return true;
	return sum >= there->total.lower && sum <= there->total.upper;
}

static void read_from_begin(struct reading *reading)
{
	reading->from_begin[way(reading, 0, 0)] = true;
	for (size_t i = 0; i < reading->history->count; i++)
		for (size_t j = 0; j <= MIN(i, reading->depth); j++) {
			if (!reading->from_begin[way(reading, i, j)])
				continue;
			if (reading->history->items[i] == 0)
				reading->from_begin[way(reading, i + 1, j)] = true;
			if (j < reading->depth && can_be(reading, i, j))
				reading->from_begin[way(reading, i + 1, j + 1)] = true;
		}
}

static void read_to_end(struct reading *reading)
{
	reading->to_end[way(reading, reading->history->count, reading->depth)] = true;
	for (size_t i = reading->history->count; i-- > 0;)
		for (size_t j = 0; j <= MIN(i, reading->depth); j++)
			reading->to_end[way(reading, i, j)] =
				(reading->history->items[i] == 0 &&
					reading->to_end[way(reading, i + 1, j)]) ||
				(j < reading->depth && can_be(reading, i, j) &&
					reading->to_end[way(reading, i + 1, j + 1)]);
}

/* With or without regard to what other images say. False if there is no way at all. */
static bool read_history(struct reading *reading, bool alone)
{
	size_t ways = (reading->history->count + 1) * (reading->depth + 1);

	reading->alone = alone;
	memset(reading->from_begin, 0, ways * sizeof(bool));
	memset(reading->to_end, 0, ways * sizeof(bool));
	read_from_begin(reading);
	read_to_end(reading);
	return reading->to_end[way(reading, 0, 0)];
}

static struct bounds total_by_history(const struct reading *reading, size_t layer)
{
	struct bounds total = { UINT64_MAX, 0 };

	for (size_t i = layer; i < reading->history->count; i++) {
		if (!reading->from_begin[way(reading, i, layer)] || !can_be(reading, i, layer) ||
			!reading->to_end[way(reading, i + 1, layer + 1)])
			continue;
		total.lower = MIN(total.lower, reading->sums[i + 1]);
		total.upper = MAX(total.upper, reading->sums[i + 1]);
	}
	return total;
}

/* Both histories make sense, and not together: nobody knows. */
static bool dispute(const struct reading *reading)
{
	bool changed = false;

	for (size_t i = 0; i < reading->depth; i++) {
		struct layer *layer = reading->chain[i];

		if (layer->disputed || (layer->images > 0 && bounds_are_exact(&layer->total)))
			continue; /* that one is by the engine's own word */
		layer->disputed = changed = true;
		layer->total = (struct bounds){ 0, UINT64_MAX };
	}
	return changed;
}

int layers_learn_history(struct layer *top, const struct history *history)
{
	_cleanup_(reading_finish) struct reading reading = {};
	bool changed = false;

	if (reading_init(&reading, top, history) < 0 || !read_history(&reading, true))
		return -EBADMSG;
	if (!read_history(&reading, false))
		return dispute(&reading);
	for (size_t i = 0; i < reading.depth; i++)
		changed |= narrow(reading.chain[i], total_by_history(&reading, i));
	return changed;
}

void history_finish(struct history *history)
{
	free(history->items);
	*history = (struct history){};
}

size_t layers_capacity(const struct layers *layers)
{
	return layers->capacity;
}

/*
 * A layer takes its total less that of the one below. Summed up, a total counts once for its layer
 * and is taken off once for each layer on top of it: what is left are the ends and the forks.
 */
struct bounds layers_usage(const struct layers *layers)
{
	struct bounds ends = {}, forks = {};
	struct node *node, *next;

	HASH_ITER (hh, layers->nodes, node, next) {
		if (node->layer.children == 0)
			ends = bounds_add(ends, node->layer.total);
		for (size_t i = 1; i < node->layer.children; i++)
			forks = bounds_add(forks, node->layer.total);
	}
	return (struct bounds){
		.lower = subtract_saturating(ends.lower, forks.upper),
		.upper = ends.upper == UINT64_MAX ? UINT64_MAX
						  : subtract_saturating(ends.upper, forks.lower),
	};
}

size_t layers_count(const struct layers *layers)
{
	return HASH_COUNT(layers->nodes);
}
