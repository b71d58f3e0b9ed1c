/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A plan in words: for each image what speaks for its verdict, and what would make it another. */

#include "core/plan.h"

/*
 * "unused 3d4h of 28d; 12 before it": what the verdict depends on, in few words. The caller frees.
 */
char *explain_item(const struct plan *plan, const struct plan_item *item) _warn_unused_;

/*
 * The plan as a table with a headline, an image a line in the order of eviction, no line longer
 * than EXPLAIN_COLUMNS. The caller frees.
 */
#define EXPLAIN_COLUMNS 100
char *explain_table(const struct plan *plan) _warn_unused_;
