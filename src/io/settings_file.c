/* SPDX-License-Identifier: Apache-2.0 */
#include "io/settings_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "io/files.h"

#define CONFIG_MAX ((size_t)1 << 20)
#define SYSTEM_CONFIG "/etc/dockergcd/dockergcd.conf"

char *settings_file_find(void)
{
	_cleanup_free_ char *home = home_directory();
	_cleanup_free_ char *path = NULL;
	const char *directory = environment_get("XDG_CONFIG_HOME");

	path = directory ? xasprintf("%s/dockergcd/dockergcd.conf", directory)
			 : xasprintf("%s/.config/dockergcd/dockergcd.conf", home);
	/* One that is there but cannot be read is an error, not a reason to look elsewhere. */
	if (access(path, F_OK) == 0 || errno == EACCES)
		return TAKE_PTR(path);
	return access(SYSTEM_CONFIG, F_OK) == 0 ? xstrdup(SYSTEM_CONFIG) : NULL;
}

int settings_file_read(const char *path, struct settings *ret, struct strings *errors)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r = file_read(path, CONFIG_MAX, &text, &length);

	if (r < 0) {
		strings_addf(errors, "%s: %s", path, strerror(-r));
		return -EINVAL;
	}
	if (strlen(text) != length) {
		strings_addf(errors, "%s: has a NUL byte: it is no text", path);
		return -EINVAL;
	}
	return settings_parse(path, text, ret, errors);
}
