/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void *not_null(void *p)
{
	if (!p)
		abort();
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	return not_null(calloc(count ? count : 1, size ? size : 1));
}

void *xreallocarray(void *p, size_t count, size_t size)
{
	return not_null(reallocarray(p, count ? count : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return not_null(strdup(s));
}

char *xstrndup(const char *s, size_t max)
{
	return not_null(strndup(s, max));
}

char *xvasprintf(const char *format, va_list args)
{
	char *s;

	if (vasprintf(&s, format, args) < 0)
		abort();
	return s;
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *s;

	va_start(args, format);
	s = xvasprintf(format, args);
	va_end(args);
	return s;
}

int compare_strings(const char *a, const char *b)
{
	if (!a || !b)
		return !!a - !!b;
	return strcmp(a, b);
}

uint64_t hash_bytes(const char *data, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)data[i]) * 0x100000001b3;
	return hash;
}

void error_set(struct error *error, const char *format, ...)
{
	char *message;
	va_list args;

	if (!error)
		return;
	/* The old message may be one of the arguments. */
	va_start(args, format);
	message = xvasprintf(format, args);
	va_end(args);
	free(error->message);
	error->message = message;
}

void error_finish(struct error *error)
{
	free(error->message);
	error->message = NULL;
}

void *array_grow(void *items, size_t *allocated, size_t needed, size_t size)
{
	if (needed > *allocated) {
		size_t wanted = MAX(needed, *allocated * 2);

		wanted = MAX(wanted, (size_t)4);
		items = xreallocarray(items, wanted, size);
		*allocated = wanted;
	}
	memset((char *)items + (needed - 1) * size, 0, size);
	return items;
}

void strings_finish(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
	*strings = (struct strings){};
}

void strings_take(struct strings *strings, char *s)
{
	assert(s);
	*array_push(strings) = s;
}

#ifndef __clang__
/* gcc's analyzer takes what strings_take() stores, at an index that it does not know, for lost. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
void strings_add(struct strings *strings, const char *s)
{
	char *copy = xstrdup(s);

	strings_take(strings, copy);
}
#ifndef __clang__
#pragma GCC diagnostic pop
#endif

void strings_addf(struct strings *strings, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	strings_take(strings, xvasprintf(format, args));
	va_end(args);
}

static size_t strings_find(const struct strings *strings, const char *s)
{
	size_t i = 0;

	while (i < strings->count && !streq(strings->items[i], s))
		i++;
	return i;
}

bool strings_contain(const struct strings *strings, const char *s)
{
	return strings_find(strings, s) < strings->count;
}

bool strings_remove(struct strings *strings, const char *s)
{
	size_t i = strings_find(strings, s);

	if (i == strings->count)
		return false;
	free(strings->items[i]);
	strings->count--;
	memmove(&strings->items[i], &strings->items[i + 1],
		(strings->count - i) * sizeof(*strings->items));
	return true;
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *strings)
{
	if (strings->count > 1)
		qsort(strings->items, strings->count, sizeof(*strings->items), compare_items);
}

bool strings_equal(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!streq(a->items[i], b->items[i]))
			return false;
	return true;
}

struct strings strings_copy(const struct strings *strings)
{
	struct strings copy = {};

	if (strings->count == 0)
		return copy;
	/* No more room than it needs: most of what is copied stays for long and never grows. */
	copy.items = xreallocarray(NULL, strings->count, sizeof(*copy.items));
	copy.allocated = strings->count;
	for (size_t i = 0; i < strings->count; i++)
		strings_add(&copy, strings->items[i]);
	return copy;
}

char *strings_join(const struct strings *strings, const char *separator)
{
	size_t size = 1;
	char *joined, *end;

	for (size_t i = 0; i < strings->count; i++)
		size += strlen(strings->items[i]) + strlen(separator);
	end = joined = xcalloc(size, 1);
	for (size_t i = 0; i < strings->count; i++) {
		if (i > 0)
			end = stpcpy(end, separator);
		end = stpcpy(end, strings->items[i]);
	}
	return joined;
}
