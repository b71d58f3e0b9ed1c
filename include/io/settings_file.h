/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The configuration file: where it is, and what is in it. */

#include "codec/settings.h"

/* The user's, else the system's; NULL if there is none. The caller frees. */
char *settings_file_find(void) _warn_unused_;

/* Returns 0, or -EINVAL with what is wrong, one message each, and *ret untouched. */
int settings_file_read(
	const char *path, struct settings *ret, struct strings *errors) _warn_unused_;
