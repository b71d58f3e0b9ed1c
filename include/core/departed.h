/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Containers that lists show no more, and which image each of them held, until an event tells of
 * its end. NULL is what holds none.
 */

#include "core/base.h"

#define DEPARTED_MAX 256 /* as many events as an engine remembers */

struct departed;

/*
 * Remembers a container that is not in here, by ID; image_id NULL: nobody knows. Beyond
 * DEPARTED_MAX the one that was put first is forgotten.
 */
void departed_put(struct departed **departed, const char *id, const char *image_id);

/* Forgets one, and returns the ID of the image that it held; NULL if that, or it, is not known. */
char *departed_take(struct departed **departed, const char *id) _warn_unused_;

/* Forgets all. */
void departed_clear(struct departed **departed);
