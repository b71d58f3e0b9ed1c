/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Names of images. The canonical form is what we keep and compare: domain, path, and tag or digest,
 * "docker.io/library/alpine:3.20", "host:5000/x@sha256:…". The familiar form is what people type
 * and docker prints: "alpine:3.20". The grammar and the defaults are those of the distribution
 * project's reference package, which docker and podman share.
 */

#include "core/base.h"

/*
 * Any form that docker takes to the canonical one: "docker.io" and "library/" where the name has
 * none, ":latest" where it has neither tag nor digest, the digest alone where it has both.
 * Returns 0, or -EINVAL for what is no reference (an image ID is none: 64 hex digits are never a
 * name). The caller frees.
 */
int reference_canonicalise(const char *text, char **ret) _warn_unused_;

/* The shortest form that canonicalises to the same, apart from the tag, which stays. Caller frees.
 */
char *reference_familiar(const char *canonical) _warn_unused_;

/* Whether a canonical reference names by digest. */
bool reference_has_digest(const char *canonical);

/*
 * "sha256:…" or 64 bare hex digits to "sha256:…". Returns 0, or -EINVAL for anything else.
 * The caller frees. Engines mix both forms (podman: bare).
 */
int image_id_normalise(const char *text, char **ret) _warn_unused_;

/* 64 hex digits, as all engines have it. */
bool container_id_is_valid(const char *text);

/* The first 12 hex digits of a normalised ID, for people; points into id's copy in buffer. */
#define SHORT_ID_MAX 13
char *image_id_short(const char *id, char buffer[static SHORT_ID_MAX]);

/*
 * Whether a glob (*, ?, [...], where * crosses /) matches a canonical reference, tried on its
 * familiar and on its canonical form; a pattern without tag and digest matches any of them.
 */
bool reference_match(const char *pattern, const char *canonical);

/* Whether a glob matches a whole text. */
bool glob_match(const char *pattern, const char *text);

/*
 * Whether `wide`, for reference_match(), surely matches every reference that `narrow` does. False
 * where that cannot be told from the patterns.
 */
bool reference_pattern_covers(const char *wide, const char *narrow);

/* The same for glob_match() and texts. */
bool glob_covers(const char *wide, const char *narrow);
