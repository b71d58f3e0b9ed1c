/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Versions of the engine's API: "1.41". */

#include "core/base.h"

struct api_version {
	unsigned major, minor;
};

/* Returns 0 or -EINVAL. */
int api_version_parse(const char *text, struct api_version *ret) _warn_unused_;

/* Below 0, 0 or above 0, as strcmp(3). */
int api_version_compare(struct api_version a, struct api_version b);

/*
 * The newest version that both the engine (from min to max; min may be "") and we know. Returns 0,
 * or -EPROTONOSUPPORT with *error.
 */
int api_version_negotiate(const char *min, const char *max, struct api_version *ret,
	struct error *error) _warn_unused_;

/*
 * The version that DOCKER_API_VERSION asks for: it is not negotiated, but must be one that we know.
 * Returns 0, -EINVAL or -EPROTONOSUPPORT, both with *error.
 */
int api_version_pin(const char *text, struct api_version *ret, struct error *error) _warn_unused_;
