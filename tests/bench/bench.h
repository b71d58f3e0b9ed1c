/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Speed as ratios: two sides are run in turns within one process, and their best rounds compared.
 * CPU time of this thread counts, so that what else the machine does matters little.
 */

#include "core/base.h"

/* Two things to do, each called once a round with userdata. */
struct bench {
	void (*prepare)(void *userdata); /* before each round, not measured; may be NULL */
	void (*a)(void *userdata);
	void (*b)(void *userdata);
	unsigned rounds; /* after one that does not count */
};

/* What the best round of each side took. */
struct bench_result {
	nsec_t a, b;
};

struct bench_result bench_run(const struct bench *bench, void *userdata);

/* The CPU time that this thread has used. */
nsec_t bench_clock(void);

/*
 * Prints one line: what was measured, the figure (formatted), the ratio and its bound. Whether the
 * bound holds.
 */
bool bench_at_most(const char *name, double ratio, double bound, const char *format, ...)
	_printf_(4, 5);
bool bench_at_least(const char *name, double ratio, double bound, const char *format, ...)
	_printf_(4, 5);

/* The same without ratio and bound. */
void bench_note(const char *name, const char *format, ...) _printf_(2, 3);

/* What must hold, or the benchmark itself is wrong: else it aborts. */
void bench_require(bool condition, const char *what);

/* The next of a row of numbers that is the same each time; *state starts out as anything but 0. */
uint64_t bench_random(uint64_t *state);

/* A number below limit. */
size_t bench_pick(uint64_t *state, size_t limit);

/* 64 hex digits, no NUL. */
#define BENCH_HEX 64
void bench_hex(uint64_t *state, char *ret);
