/* SPDX-License-Identifier: Apache-2.0 */
#include "core/docker_plugin.h"

#include <string.h>

#define PROGRAM "docker-gc"
#define COMMAND "gc"

static const struct option {
	const char *name, *letter;
	bool takes_value, chooses_engine;
} options[] = {
	{ "--config", NULL, true, false },
	{ "--context", "-c", true, true },
	{ "--debug", "-D", false, false },
	{ "--host", "-H", true, true },
	{ "--log-level", "-l", true, false },
	{ "--tls", NULL, false, false },
	{ "--tlscacert", NULL, true, false },
	{ "--tlscert", NULL, true, false },
	{ "--tlskey", NULL, true, false },
	{ "--tlsverify", NULL, false, false },
};

bool docker_plugin_is(const char *program)
{
	const char *slash = strrchr(program, '/');

	return streq(slash ? slash + 1 : program, PROGRAM);
}

bool docker_plugin_wants_metadata(int argc, char *const *argv)
{
	return argc > 1 && streq(argv[1], "docker-cli-plugin-metadata");
}

char *docker_plugin_metadata(const char *version)
{
	return xasprintf(
		"{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"dockergcd\",\"Version\":\"%s\","
		"\"ShortDescription\":\"Remove unused images, least recently used first\"}",
		version);
}

/* Which option an argument is, or NULL; and how many arguments it is with its value. */
static const struct option *find_option(const char *argument, int *ret_taken)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *option = &options[i];
		size_t length = strlen(option->name);

		if (strncmp(argument, option->name, length) != 0 ||
			(argument[length] != '\0' && argument[length] != '=')) {
			length = 2;
			if (!option->letter || strncmp(argument, option->letter, length) != 0)
				continue;
		}
		*ret_taken = option->takes_value && argument[length] == '\0' ? 2 : 1;
		return option;
	}
	return NULL;
}

int docker_plugin_skip(int argc, char *const *argv, const char **ret_engine)
{
	const struct option *option;
	const char *engine = NULL;
	int i = 1, taken;

	while (i < argc && (option = find_option(argv[i], &taken))) {
		engine = option->chooses_engine ? argv[i] : engine;
		i += taken;
	}
	/* Not by docker but by its name; then there are none of docker's. */
	if (i >= argc || !streq(argv[i], COMMAND)) {
		*ret_engine = NULL;
		return 0;
	}
	*ret_engine = engine;
	return i;
}
