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

enum tracking_result {
	TRACKING_TRACKED, /* managed from now on, or once it arrives */
	TRACKING_TOUCHED, /* it is managed: used now */
	TRACKING_PRESENT, /* there and not managed: left alone */
	TRACKING_FORGOTTEN, /* no longer managed, until it is tracked again */
	TRACKING_UNKNOWN, /* neither there nor asked for */
};

/* "tracked", "touched", "present", "forgotten", "unknown". */
const char *tracking_result_name(enum tracking_result result);

/* Somebody wants this reference (canonical) to be managed. */
enum tracking_result tracking_track(const struct policy *policy, struct ledger *ledger,
	const struct inventory *inventory, const char *canonical, nsec_t now);

/* Somebody wants it not to be managed any more. */
enum tracking_result tracking_forget(
	struct ledger *ledger, const struct inventory *inventory, const char *canonical);
