/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Small files whole, and paths from the environment. */

#include "core/base.h"
#include "core/record.h"

/*
 * Reads a file, NUL-terminated behind *ret_length bytes; the caller frees. Returns 0 or
 * -errno: -EINVAL or -EISDIR for what is no file, -EFBIG above max. A character device is taken:
 * /dev/null is a fine way to say "nothing".
 */
int file_read(const char *path, size_t max, char **ret, size_t *ret_length) _warn_unused_;

/* How much the file system that holds the path has and how much of it is free. 0 or -errno. */
int file_system_space(const char *path, struct space *ret) _warn_unused_;

/* As mkdir -p, new folders with mode 0700. Returns 0 or -errno. */
int directory_make(const char *path) _warn_unused_;

/* The path from the root folder on. The caller frees. */
char *path_absolute(const char *path) _warn_unused_;

/* $variable, or NULL where it is unset or empty. */
const char *environment_get(const char *variable);

/* $HOME, or what the user database says; "/" where neither does. The caller frees. */
char *home_directory(void) _warn_unused_;
