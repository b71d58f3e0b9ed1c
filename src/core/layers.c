/* SPDX-License-Identifier: Apache-2.0 */
#include "core/layers.h"

#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

/* The hash key of a node is what makes it unique: its parent's index and its own diff ID. */
struct node {
	struct layer layer;
	char *key;
	UT_hash_handle hh;
};

struct layers {
	struct node *nodes;
	ARRAY(size_t) free; /* indexes below capacity that no node has */
	size_t capacity;
};

struct layers *layers_create(void)
{
	return xcalloc(1, sizeof(struct layers));
}

static void node_destroy(struct layers *layers, struct node *node)
{
	HASH_DEL(layers->nodes, node);
	free(node->key);
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

static struct layer *find_or_add(struct layers *layers, struct layer *parent, const char *diff_id)
{
	_cleanup_free_ char *key =
		parent ? xasprintf("%zu %s", parent->index, diff_id) : xstrdup(diff_id);
	struct node *node;

	HASH_FIND_STR(layers->nodes, key, node);
	if (node)
		return &node->layer;
	node = xcalloc(1, sizeof(*node));
	node->layer.parent = parent;
	node->layer.index = layers->free.count > 0 ? layers->free.items[--layers->free.count]
						   : layers->capacity++;
	node->key = TAKE_PTR(key);
	HASH_ADD_KEYPTR(hh, layers->nodes, node->key, strlen(node->key), node);
	return &node->layer;
}

struct layer *layers_add_image(struct layers *layers, const struct strings *diff_ids)
{
	struct layer *top = NULL;

	for (size_t i = 0; i < diff_ids->count; i++)
		top = find_or_add(layers, top, diff_ids->items[i]);
	if (!top)
		return NULL;
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
		node_destroy(layers, (struct node *)top); /* layer is node's first member */
		top = parent;
	}
}

size_t layers_capacity(const struct layers *layers)
{
	return layers->capacity;
}

size_t layers_count(const struct layers *layers)
{
	return HASH_COUNT(layers->nodes);
}
