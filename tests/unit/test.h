/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What every suite includes first: cmocka with the headers that it needs before it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

/* cmocka's own compare only 64-bit unsigned values, which makes negative ones hard to read. */
#define assert_nsec_equal(a, b)                                                                   \
	do {                                                                                      \
		nsec_t _a = (a), _b = (b);                                                        \
		if (_a != _b)                                                                     \
			fail_msg("%s is %lld, should be %lld", #a, (long long)_a, (long long)_b); \
	} while (0)

/* The plan made now is this one: "NAME=REASON …" in order of eviction. */
#define assert_plan(world, expected)                            \
	do {                                                    \
		_cleanup_free_ char *_plan = world_plan(world); \
		assert_string_equal(_plan, expected);           \
	} while (0)

static inline int world_setup(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	world_init(world);
	*state = world;
	return 0;
}

static inline int world_teardown(void **state)
{
	world_finish(*state);
	free(*state);
	return 0;
}

/* A test that gets a fresh world as its state. */
#define world_test(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
