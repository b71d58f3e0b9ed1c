/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What every module leans on: cleanup of locals, allocation that cannot fail, an error for people,
 * growable arrays. Running out of memory aborts: the service manager restarts us and the cache
 * file is written atomically, so that nothing is lost by it.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(freep)
#define _warn_unused_ __attribute__((warn_unused_result))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))
#define _never_null_ __attribute__((returns_nonnull))
#define _allocates_ __attribute__((malloc)) _never_null_

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Hands the ownership of a pointer on: the variable is NULL afterwards. */
#define TAKE_PTR(p)                        \
	({                                 \
		__typeof__(p) *_pp = &(p); \
		__typeof__(p) _p = *_pp;   \
		*_pp = NULL;               \
		_p;                        \
	})

/* The same for what a struct owns: it is {} afterwards. */
#define TAKE_STRUCT(s)                     \
	({                                 \
		__typeof__(s) *_sp = &(s); \
		__typeof__(s) _s = *_sp;   \
		*_sp = (__typeof__(s)){};  \
		_s;                        \
	})

#define MIN(a, b)                                  \
	({                                         \
		__typeof__(a) _min_a = (a);        \
		__typeof__(b) _min_b = (b);        \
		_min_a < _min_b ? _min_a : _min_b; \
	})
#define MAX(a, b)                                  \
	({                                         \
		__typeof__(a) _max_a = (a);        \
		__typeof__(b) _max_b = (b);        \
		_max_a > _max_b ? _max_a : _max_b; \
	})

static inline uint64_t add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static inline uint64_t subtract_saturating(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* A point in time (since 1970, UTC) or a duration, in nanoseconds. Good until the year 2262. */
typedef int64_t nsec_t;
#define NSEC_PER_SEC ((nsec_t)1000000000)
#define NSEC_PER_MSEC ((nsec_t)1000000)
#define NSEC_MAX INT64_MAX

/* For _cleanup_free_: frees what the pointer variable at p holds. */
static inline void freep(void *p)
{
	free(*(void **)p);
}

/* As malloc(3) and its kin; they abort instead of returning NULL. The caller frees. */
void *xcalloc(size_t count, size_t size) _allocates_ _warn_unused_;
void *xreallocarray(void *p, size_t count, size_t size) _never_null_ _warn_unused_;
char *xstrdup(const char *s) _allocates_ _warn_unused_;
char *xstrndup(const char *s, size_t max) _allocates_ _warn_unused_;
char *xasprintf(const char *format, ...) _printf_(1, 2) _allocates_ _warn_unused_;
char *xvasprintf(const char *format, va_list args) _printf_(1, 0) _allocates_ _warn_unused_;

/* strcmp(3) that takes NULL, which sorts first. */
int compare_strings(const char *a, const char *b);
static inline bool streq(const char *a, const char *b)
{
	return compare_strings(a, b) == 0;
}

/* FNV-1a, 64 bits: tells texts apart and finds flipped bits; no protection against intent. */
uint64_t hash_bytes(const char *data, size_t length);

/* What went wrong, for a person. Starts out as {}; functions leave it alone on success. */
struct error {
	char *message;
};

/* Replaces the message. A NULL error is fine: then nobody wants to know. */
void error_set(struct error *error, const char *format, ...) _printf_(2, 3);
void error_finish(struct error *error);
#define _cleanup_error_ _cleanup_(error_finish)

/*
 * A growable array: struct { T *items; size_t count, allocated; }, starts out as {}.
 * array_push() returns a pointer to a new, zeroed last item.
 */
#define ARRAY(T)                         \
	struct {                         \
		T *items;                \
		size_t count, allocated; \
	}
#define array_push(a)                                                               \
	((a)->items = array_grow(                                                   \
		 (a)->items, &(a)->allocated, (a)->count + 1, sizeof(*(a)->items)), \
		&(a)->items[(a)->count++])
void *array_grow(void *items, size_t *allocated, size_t needed, size_t size) _warn_unused_;

/* An array of strings, which it owns. */
struct strings {
	char **items;
	size_t count, allocated;
};
void strings_finish(struct strings *strings);
#define _cleanup_strings_ _cleanup_(strings_finish)
/* Copies s to the end. */
void strings_add(struct strings *strings, const char *s);
/* Takes s over. */
void strings_take(struct strings *strings, char *s);
/* Adds a formatted string. */
void strings_addf(struct strings *strings, const char *format, ...) _printf_(2, 3);
bool strings_contain(const struct strings *strings, const char *s);
/* Removes the first that equals s, keeping the order; false if there is none. */
bool strings_remove(struct strings *strings, const char *s);
void strings_sort(struct strings *strings);
bool strings_equal(const struct strings *a, const struct strings *b);
struct strings strings_copy(const struct strings *strings);
/* All of them with separator between, "" for none. The caller frees. */
char *strings_join(const struct strings *strings, const char *separator) _warn_unused_;
