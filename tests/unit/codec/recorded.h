/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers of real engines, from tests/recorded. */

#include "core/base.h"

extern const char *const recorded_engines[4];

/* "docker-29.7", "version.json"; fails the test if there is no such file. The caller frees. */
char *recorded_read(const char *engine, const char *name, size_t *ret_length) _warn_unused_;

/* The same with the text put in right behind its first byte. */
char *recorded_insert(
	const char *engine, const char *name, const char *text, size_t *ret_length) _warn_unused_;

/*
 * The first length bytes in memory of their own, without a NUL behind them: reading on is an error
 * that valgrind and the sanitizers see. The caller frees.
 */
char *exactly(const char *data, size_t length) _warn_unused_;
