/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What holds for all decoders of the engine's answers. */

#include <errno.h>

#include "core/reference.h"
#include "fuzz.h"

/* 0 without a word, or -EBADMSG with why; true for 0. */
static inline bool check_result(int r, const struct error *error)
{
	check(r == 0 || r == -EBADMSG);
	check((r == 0) == !error->message);
	check(!error->message || *error->message);
	return r == 0;
}

/* "sha256:" and 64 digits */
static inline void check_id(const char *id)
{
	_cleanup_free_ char *again = NULL;

	check(image_id_normalise(id, &again) == 0 && streq(id, again));
}
