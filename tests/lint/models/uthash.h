/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * uthash as the static analyzers see it: functions that they know nothing about, in place of
 * macros of a hundred lines each, in which they lose track of what the hash holds (and report it
 * as leaked or freed) and spend all of their time. Has what the code uses, and the same types.
 */

#include <stddef.h>

typedef struct {
	void *owner;
	const void *key;
} UT_hash_handle;

/* The item is the hash's from here on; returns the hash. */
void *hash_model_add(void *hash, const void *key, size_t length, void *item, UT_hash_handle *hh);
/* The item is the caller's from here on; returns the hash. */
void *hash_model_delete(void *hash, void *item, UT_hash_handle *hh);
/* One that is in it, or NULL. */
void *hash_model_find(const void *hash, const void *key);
void *hash_model_next(const void *item);
unsigned int hash_model_count(const void *hash);
unsigned int hash_model_value(const void *key, size_t length);

#define HASH_ADD_KEYPTR(hh, hash, key, length, item) \
	((hash) = hash_model_add(hash, key, length, item, &(item)->hh))
#define HASH_ADD(hh, hash, field, length, item) \
	HASH_ADD_KEYPTR(hh, hash, &(item)->field, length, item)
#define HASH_DEL(hash, item) ((hash) = hash_model_delete(hash, item, &(item)->hh))
#define HASH_FIND_STR(hash, key, item) ((item) = hash_model_find(hash, key))
#define HASH_FIND(hh, hash, key, length, item) ((item) = hash_model_find(hash, key))
#define HASH_COUNT(hash) (hash_model_count(hash))
#define HASH_VALUE(key, length, value) ((value) = hash_model_value(key, length))
#define HASH_ITER(hh, hash, item, next)                               \
	for ((item) = (hash), (next) = hash_model_next(item); (item); \
		(item) = (next), (next) = hash_model_next(item))
