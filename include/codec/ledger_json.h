/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The cache file's text, both ways. Its form is in dockergcd(8) and never loses a key's meaning. */

#include "core/base.h"
#include "core/ledger.h"
#include "core/policy.h"

/*
 * Reads a cache file. A bare array of { "image_tag", "last_used" }, which is elastic-package's,
 * becomes `tracked`. Returns 0; -EBADMSG for a damaged text and -EPROTO for a version newer than
 * ours, with *error set and *ret untouched. Release with ledger_finish().
 */
int ledger_decode(
	const char *data, size_t length, struct ledger *ret, struct error *error) _warn_unused_;

/*
 * The text to save. Policy and inventory tell `managed` for readers; it is not read back. The same
 * ledger gives the same text. The caller frees.
 */
char *ledger_encode(const struct ledger *ledger, const struct inventory *inventory,
	const struct policy *policy) _warn_unused_;
