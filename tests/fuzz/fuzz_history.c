/* SPDX-License-Identifier: Apache-2.0 */
/* An image's history, and what it tells of layers that are there. */
#include "fuzz_records.h"

#include "codec/records_json.h"
#include "core/layers.h"

/* More entries than this have as many readings as take a test too long. */
#define ENTRIES_MAX 64

/* An image of that many layers and of what they take together learns how large each of them is. */
static void check_learned(const struct history *history, size_t count, uint64_t size)
{
	struct layers *layers = layers_create();
	_cleanup_strings_ struct strings ids = {};
	struct layer *top;
	struct bounds bounds;
	int r;

	for (size_t i = 0; i < count; i++)
		strings_addf(&ids, "sha256:%zu", i);
	top = layers_add_image(layers, &ids, &size);
	check((top == NULL) == (count == 0));
	if (top) {
		r = layers_learn_history(top, history);
		check(r == 0 || r == 1 || r == -EBADMSG);
		bounds = layers_reclaim(top);
		check(bounds.lower == size && bounds.upper == size);
		for (struct layer *layer = top; layer; layer = layer->parent)
			check(layer->total.lower <= layer->total.upper &&
				layer->total.upper <= size);
		/* Twice it tells nothing new. */
		check(layers_learn_history(top, history) == (r < 0 ? r : 0));
		layers_remove_image(layers, top);
	}
	layers_destroy(layers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_bytes(data, size);
	_cleanup_(history_finish) struct history history = {};
	_cleanup_error_ struct error error = {};
	uint64_t sum = 0;
	size_t filled = 0;

	if (!check_result(decode_history(text, size, &history, &error), &error)) {
		check(!history.items);
		return 0;
	}
	check(history.count < size);
	for (size_t i = 0; i < history.count; i++) {
		check(history.items[i] <= INT64_MAX);
		sum = add_saturating(sum, history.items[i]);
		filled += history.items[i] > 0;
	}
	if (history.count > ENTRIES_MAX)
		return 0;
	check_learned(&history, filled, sum);
	check_learned(&history, history.count, sum);
	check_learned(&history, (filled + history.count) / 2, sum);
	check_learned(&history, history.count + 1, sum);
	check_learned(&history, filled, sum / 2);
	return 0;
}
