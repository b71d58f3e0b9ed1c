/* SPDX-License-Identifier: Apache-2.0 */
#include "core/departed.h"

#include <string.h>

#include "core/hash.h"

struct departed {
	char *id;
	char *image_id;
	UT_hash_handle hh;
};

static void drop(struct departed **departed, struct departed *container)
{
	HASH_DEL(*departed, container);
	free(container->id);
	free(container->image_id);
	free(container);
}

void departed_put(struct departed **departed, const char *id, const char *image_id)
{
	struct departed *container = xcalloc(1, sizeof(*container));

	container->id = xstrdup(id);
	container->image_id = image_id ? xstrdup(image_id) : NULL;
	HASH_ADD_KEYPTR(hh, *departed, container->id, strlen(container->id), container);
	if (HASH_COUNT(*departed) > DEPARTED_MAX)
		drop(departed, *departed); /* the oldest is the first */
}

char *departed_take(struct departed **departed, const char *id)
{
	struct departed *container;
	char *image_id;

	HASH_FIND_STR(*departed, id, container);
	if (!container)
		return NULL;
	image_id = TAKE_PTR(container->image_id);
	drop(departed, container);
	return image_id;
}

void departed_clear(struct departed **departed)
{
	struct departed *container, *next;

	HASH_ITER (hh, *departed, container, next)
		drop(departed, container);
}
