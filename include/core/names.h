/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which image has which name, by canonical reference; digests are names too: a container can be
 * created by one. A name has one image at most. NULL is what holds none.
 */

#include "core/image.h"

struct name;

/* NULL if nobody has it. */
struct image *names_find(const struct name *names, const char *canonical);

/*
 * The name is this image's from now on. The text is the image's own, and stays for as long as it
 * has the name. Returns the other image that had it before, which does not know yet, or NULL.
 */
struct image *names_put(struct name **names, const char *canonical, struct image *image);

/* Nobody has the name any more. Nothing happens if nobody had. */
void names_drop(struct name **names, const char *canonical);
