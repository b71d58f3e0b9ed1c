/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* uthash as we use it. */

#include <stdlib.h>

/* Out of memory: the service manager restarts us. */
#define uthash_fatal(message) abort()
/* Twice as many buckets as by default: with many images, looking up is waiting for memory. */
#define HASH_BKT_CAPACITY_THRESH 1U

#include <uthash.h>
