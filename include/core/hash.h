/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* uthash as we use it. */

#include <stdlib.h>

/* Out of memory: the service manager restarts us. */
#define uthash_fatal(message) abort()

#include <uthash.h>
