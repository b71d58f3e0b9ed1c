/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the control socket is sent. */

#include "core/base.h"

/* The body that asks about these references. The caller frees. */
char *request_names(char *const *names, size_t count) _warn_unused_;
