/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The file that keeps what was learned: found, locked, read, and replaced as a whole so that a
 * crash at any moment leaves one that loads. Knows nothing of what is in it.
 */

#include "core/base.h"

struct cache_file {
	char *path;
	int lock_fd; /* -1: not locked */
};

/*
 * Its place: `setting` unless empty, else docker-images-gc.json in $CACHE_DIRECTORY, else in
 * dockergcd below $XDG_CACHE_HOME or ~/.cache.
 */
void cache_file_init(struct cache_file *file, const char *setting);
void cache_file_finish(struct cache_file *file);

/*
 * Makes its folder (mode 0700) and locks it against a second daemon, until it is finished or the
 * process ends. Returns 0, -EBUSY with who holds it in *error, or another -errno with *error.
 */
int cache_file_lock(struct cache_file *file, struct error *error) _warn_unused_;

/*
 * Reads it; the caller frees. Returns 0, -ENOENT if there is none, -EINVAL for what is no regular
 * file or, unless we are root, another user's, or another -errno; all but -ENOENT with *error.
 */
int cache_file_load(const struct cache_file *file, char **ret, size_t *ret_length,
	struct error *error) _warn_unused_;

/*
 * Replaces it: a temporary file beside it, fsync, rename, fsync of the folder. Mode 0600. On
 * failure the old one is untouched and the temporary one gone: -errno with *error.
 */
int cache_file_save(
	const struct cache_file *file, const char *text, struct error *error) _warn_unused_;

/*
 * Renames it, so that a new one can begin: to PATH.SUFFIX, with a number behind it if that is
 * taken. Returns 0 with the new name, which the caller frees, or -errno with *error.
 */
int cache_file_set_aside(const struct cache_file *file, const char *suffix, char **ret_path,
	struct error *error) _warn_unused_;

/* The file beside it that keeps what was learned of another engine. The caller frees. */
char *cache_file_engine_path(const struct cache_file *file, const char *engine_id) _warn_unused_;
