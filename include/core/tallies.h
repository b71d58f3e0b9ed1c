/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who holds an image, counted by its ID whether or not the image itself is known yet. NULL is what
 * counts none.
 */

struct tally;

struct holders {
	unsigned children; /* images that name it as their parent */
	unsigned containers;
};

/* None, if nobody holds it. */
struct holders tallies_find(const struct tally *tallies, const char *id);

/* So many more, or fewer: no fewer than were added. Returns how many there are by now. */
struct holders tallies_add(struct tally **tallies, const char *id, int children, int containers);
