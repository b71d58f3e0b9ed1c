/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "recorded.h"

#include <stdio.h>
#include <string.h>

const char *const recorded_engines[] = { "docker-20.10", "docker-28.5", "docker-29.7",
	"podman-4.3" };

char *recorded_read(const char *engine, const char *name, size_t *ret_length)
{
	_cleanup_free_ char *path = xasprintf(RECORDED "/%s/%s", engine, name);
	size_t length = 0, allocated = 1 << 16;
	char *data = xcalloc(allocated + 1, 1);
	FILE *file = fopen(path, "re");

	if (!file)
		fail_msg("%s is missing", path);
	length = fread(data, 1, allocated, file);
	if (length == allocated)
		fail_msg("%s is larger than expected", path);
	fclose(file);
	*ret_length = length;
	return data;
}

char *recorded_insert(const char *engine, const char *name, const char *text, size_t *ret_length)
{
	size_t length;
	_cleanup_free_ char *data = recorded_read(engine, name, &length);
	char *changed = xasprintf("%c%s%s", *data, text, data + 1);

	*ret_length = strlen(changed);
	return changed;
}

char *exactly(const char *data, size_t length)
{
	char *copy = xcalloc(length, 1);

	if (length > 0)
		memcpy(copy, data, length);
	return copy;
}
