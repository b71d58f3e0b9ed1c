/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Gives back to the system what the heap does not use. As JSON, a list takes many times the memory
 * of what is kept of it, and what is kept lies in between: the C library would hold on to the
 * holes. To be called after what goes through all images: a collection, which follows each list,
 * and a save of the cache file.
 */

struct event_base;

void heap_trim(void);

/* In a later turn of the loop, when callers have freed what they still hold. */
void heap_trim_later(struct event_base *base);
