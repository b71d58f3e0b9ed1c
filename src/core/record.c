/* SPDX-License-Identifier: Apache-2.0 */
#include "core/record.h"

void labels_finish(struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		free(labels->items[i].key);
		free(labels->items[i].value);
	}
	free(labels->items);
	*labels = (struct labels){};
}

void labels_add(struct labels *labels, const char *key, const char *value)
{
	*array_push(labels) = (struct label){ xstrdup(key), xstrdup(value) };
}

const char *labels_get(const struct labels *labels, const char *key)
{
	for (size_t i = 0; i < labels->count; i++)
		if (streq(labels->items[i].key, key))
			return labels->items[i].value;
	return NULL;
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!streq(a->items[i].key, b->items[i].key) ||
			!streq(a->items[i].value, b->items[i].value))
			return false;
	return true;
}

struct labels labels_copy(const struct labels *labels)
{
	struct labels copy = {};

	for (size_t i = 0; i < labels->count; i++)
		labels_add(&copy, labels->items[i].key, labels->items[i].value);
	return copy;
}

void image_record_finish(struct image_record *record)
{
	free(record->id);
	free(record->parent);
	strings_finish(&record->references);
	strings_finish(&record->digests);
	labels_finish(&record->labels);
	strings_finish(&record->layers);
	*record = (struct image_record){};
}

void container_record_finish(struct container_record *record)
{
	free(record->id);
	free(record->image_id);
	free(record->image_text);
	*record = (struct container_record){};
}
