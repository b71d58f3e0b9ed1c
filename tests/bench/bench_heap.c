/* SPDX-License-Identifier: Apache-2.0 */
/* A million events leave the heap as it was: every block that anybody allocates is counted. */
#include "bench.h"
#include "streams.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EVENTS ((size_t)1000000)
#define PART ((size_t)50000)

/*
 * What libraries call as well. A block's size is kept in front of it: what the C library would say
 * of one depends on its neighbours.
 */
void *__libc_malloc(size_t size);
void __libc_free(void *block);

struct header {
	size_t size;
	size_t unused; /* blocks are at multiples of 16 */
};

static struct {
	size_t blocks, bytes; /* now */
	size_t calls; /* so far */
} heap;

static void *allocate(size_t size)
{
	struct header *header = NULL;

	if (size < SIZE_MAX - sizeof(*header))
		header = __libc_malloc(sizeof(*header) + size);
	if (!header) {
		errno = ENOMEM;
		return NULL;
	}
	header->size = size;
	heap.blocks++;
	heap.bytes += size;
	heap.calls++;
	return header + 1;
}

void *malloc(size_t size)
{
	return allocate(size);
}

void free(void *block)
{
	struct header *header = (struct header *)block - 1;

	if (!block)
		return;
	heap.blocks--;
	heap.bytes -= header->size;
	__libc_free(header);
}

void *calloc(size_t count, size_t size)
{
	size_t total;
	void *block = NULL;

	if (!__builtin_mul_overflow(count, size, &total))
		block = allocate(total);
	return block ? memset(block, 0, total) : NULL;
}

void *realloc(void *block, size_t size)
{
	void *moved = allocate(size);

	if (!moved || !block)
		return moved;
	memcpy(moved, block, MIN(size, ((struct header *)block - 1)->size));
	free(block);
	return moved;
}

/* Nobody is known to want any of these. */
int posix_memalign(void **ret, size_t alignment, size_t size)
{
	abort();
}

void *aligned_alloc(size_t alignment, size_t size)
{
	abort();
}

/* The same events each time, so that names and containers end up where they were. */
static void pass(struct streams *streams)
{
	for (size_t i = 0; i < EVENTS; i += PART)
		streams_read(streams);
}

/* bench_heap FOLDER..., with recorded events */
int main(int argc, char **argv)
{
	struct streams streams = {};
	size_t blocks, bytes, calls;
	bool same;

	bench_require(argc > 1, "no recorded events");
	streams_init(&streams, (const char *const *)argv + 1, (size_t)argc - 1);
	streams_play(&streams, PART);
	pass(&streams);
	blocks = heap.blocks;
	bytes = heap.bytes;
	calls = heap.calls;
	pass(&streams);
	same = heap.blocks == blocks && heap.bytes == bytes;
	bench_note("heap",
		"%zu blocks, %zu bytes after %zu events, %zu and %zu after as many again: %s",
		blocks, bytes, EVENTS, heap.blocks, heap.bytes, same ? "ok" : "it grows");
	bench_note("", "%.1f blocks allocated for an event", (double)(heap.calls - calls) / EVENTS);
	streams_finish(&streams);
	return same ? EXIT_SUCCESS : EXIT_FAILURE;
}
