/* SPDX-License-Identifier: Apache-2.0 */
/* Figures that have no bound: memory, the cache file's text, the history of a tall image. */
#include "bench.h"
#include "crowd.h"

#include "codec/ledger_json.h"
#include "core/layers.h"

#include <malloc.h>
#include <string.h>

#define IMAGES 10000
#define ROUNDS 10
#define DEPTH 100
#define EMPTY 50 /* entries of a history that made no layer */

struct figures {
	struct crowd crowd;
	char *text; /* of the cache file */
};

static size_t memory_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void measure_memory(struct crowd *crowd)
{
	size_t before = memory_in_use(), after;

	crowd_init(crowd, IMAGES, 1764000000 * NSEC_PER_SEC);
	/* The array of pointers to the images is the benchmark's own. */
	after = memory_in_use() - IMAGES * sizeof(*crowd->images);
	bench_note("memory", "%zu bytes an image, with its %zu layers and its entry",
		(after - before) / IMAGES, CROWD_GROUP_LAYERS / CROWD_GROUP);
}

static void encode(void *userdata)
{
	struct figures *figures = userdata;

	free(figures->text);
	figures->text = ledger_encode(
		&figures->crowd.ledger, &figures->crowd.inventory, &figures->crowd.settings.policy);
}

static void decode(void *userdata)
{
	struct figures *figures = userdata;
	_cleanup_(ledger_finish) struct ledger ledger = {};

	bench_require(ledger_decode(figures->text, strlen(figures->text), &ledger, NULL) == 0 &&
			HASH_COUNT(ledger.entries) == IMAGES,
		"a cache file that cannot be read back");
}

static void measure_cache_file(struct figures *figures)
{
	struct bench bench = { .a = encode, .b = decode, .rounds = ROUNDS };
	struct bench_result cost = bench_run(&bench, figures);

	bench_note("cache-file", "%d images: encoded in %.1f ms, decoded in %.1f ms, %zu kB",
		IMAGES, (double)cost.a / (double)NSEC_PER_MSEC,
		(double)cost.b / (double)NSEC_PER_MSEC, strlen(figures->text) / 1000);
}

/* One of so many layers, with nothing known but its size. */
static void learn_history(void)
{
	struct layers *layers = layers_create();
	_cleanup_strings_ struct strings ids = {};
	_cleanup_(history_finish) struct history history = {};
	uint64_t size = 0;
	struct layer *top;
	nsec_t begin;

	for (size_t i = 0; i < DEPTH; i++) {
		strings_take(&ids, crowd_layer(i, 0));
		*array_push(&history) = 1000 + i;
		size += 1000 + i;
		if (i % (DEPTH / EMPTY) == 0)
			*array_push(&history) = 0;
	}
	top = layers_add_image(layers, &ids, &size);
	begin = bench_clock();
	bench_require(layers_learn_history(top, &history) == 1, "a history that tells nothing");
	bench_note("history", "of %zu entries for %zu layers: %.0f us", history.count, ids.count,
		(double)(bench_clock() - begin) / 1000);
	layers_destroy(layers);
}

int main(void)
{
	struct figures figures = {};

	measure_memory(&figures.crowd);
	measure_cache_file(&figures);
	learn_history();
	free(figures.text);
	crowd_finish(&figures.crowd);
	return EXIT_SUCCESS;
}
