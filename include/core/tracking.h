/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * elastic-package's Track: a reference that was asked for is managed once its image arrives, is
 * touched if it is there and managed, and left alone if it is there and unmanaged.
 */

#include "core/policy.h"

/*
 * The image has got its names: what was tracked under one of them is settled. `now` is the time at
 * which an image that has just arrived was first seen; such a one that came by itself has the last
 * use of what was tracked, all of the time since then unwatched. Touch it after this.
 */
void tracking_settle(
	const struct policy *policy, struct ledger *ledger, const struct image *image, nsec_t now);

/* The same for all images, after a reconcile. */
void tracking_settle_all(const struct policy *policy, struct ledger *ledger,
	const struct inventory *inventory, nsec_t now);
