/* SPDX-License-Identifier: Apache-2.0 */
#include "core/names.h"

#include <string.h>

struct name {
	const char *canonical; /* the image's own */
	struct image *image;
	UT_hash_handle hh;
};

struct image *names_find(const struct name *names, const char *canonical)
{
	struct name *name;

	HASH_FIND_STR(names, canonical, name);
	return name ? name->image : NULL;
}

struct image *names_put(struct name **names, const char *canonical, struct image *image)
{
	struct name *name;

	HASH_FIND_STR(*names, canonical, name);
	if (name) {
		struct image *owner = name->image;

		name->image = image;
		name->canonical = canonical;
		name->hh.key = canonical; /* equal to what it was, whose text may go */
		return owner != image ? owner : NULL;
	}
	name = xcalloc(1, sizeof(*name));
	name->canonical = canonical;
	name->image = image;
	HASH_ADD_KEYPTR(hh, *names, name->canonical, strlen(canonical), name);
	return NULL;
}

void names_drop(struct name **names, const char *canonical)
{
	struct name *name;

	HASH_FIND_STR(*names, canonical, name);
	if (!name)
		return;
	HASH_DEL(*names, name);
	free(name);
}
