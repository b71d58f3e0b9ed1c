/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Members of an answer of the control socket, each as a text for people. What is missing, null or
 * of another type is "-". The caller frees. Nothing is escaped yet: see core/printable.
 */

#include "codec/json.h"

/* A string as it is. */
char *cell_text(struct json_object *object, const char *key) _warn_unused_;

/* An integer. */
char *cell_count(struct json_object *object, const char *key) _warn_unused_;

/* A boolean as one of two words. */
char *cell_choice(
	struct json_object *object, const char *key, const char *yes, const char *no) _warn_unused_;

/* Bytes, as docker prints sizes. */
char *cell_size(struct json_object *object, const char *key) _warn_unused_;

/* Seconds as a duration. */
char *cell_seconds(struct json_object *object, const char *key) _warn_unused_;

/* RFC 3339 as "3 hours ago". */
char *cell_ago(struct json_object *object, const char *key, nsec_t now) _warn_unused_;

/* RFC 3339 as it is, with "3 hours ago" behind it. */
char *cell_time(struct json_object *object, const char *key, nsec_t now) _warn_unused_;

/* The string at "id" as the first 12 hex digits. */
char *cell_id(struct json_object *object) _warn_unused_;

/*
 * The array "references" as the familiar forms, "<none> ID" if it is empty. In brief: the first
 * one,
 * "+2" for the others, and of a digest as much as of an ID.
 */
char *cell_names(struct json_object *object, bool brief) _warn_unused_;

/* A reference in its familiar form. */
char *cell_reference(struct json_object *object, const char *key) _warn_unused_;

/* Whether a member is there and true. */
bool cell_is_true(struct json_object *object, const char *key);

/* Whether a member is there and more than 0. */
bool cell_is_positive(struct json_object *object, const char *key);
