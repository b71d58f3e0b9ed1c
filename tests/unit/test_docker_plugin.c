/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/docker_plugin.h"

#include <string.h>

/* How many of these words, behind the program's name, are docker's. */
static int count_skipped(const char *words, const char **ret_engine)
{
	static char copy[200];
	char *argv[20] = { (char *)"docker-gc" }, *rest = copy;
	int argc = 1;

	strcpy(copy, words);
	while (*words && (argv[argc] = strsep(&rest, " ")))
		argc++;
	return docker_plugin_skip(argc, argv, ret_engine);
}

static void test_what_is_dockers(void **state)
{
	static const struct {
		const char *words;
		int skipped;
		const char *engine;
	} cases[] = {
		{ "", 0, NULL },
		{ "gc", 1, NULL },
		{ "gc plan", 1, NULL },
		{ "gc gc --wait", 1, NULL },
		{ "gc --host x", 1, NULL },
		{ "-D gc plan", 2, NULL },
		{ "--debug --log-level gc gc plan", 4, NULL },
		{ "--config=/x --tlsverify=false gc", 3, NULL },
		{ "-lx gc", 2, NULL },
		{ "-l x gc", 3, NULL },
		{ "--context gc gc plan", 3, "--context" },
		{ "-H=tcp://x gc", 2, "-H=tcp://x" },
		{ "--host=tcp://x gc", 2, "--host=tcp://x" },
		/* Not by docker. */
		{ "plan", 0, NULL },
		{ "--json plan", 0, NULL },
		{ "help gc", 0, NULL },
		{ "--context", 0, NULL },
		{ "-H x plan", 0, NULL },
		{ "--hostile gc", 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *engine = "?";

		assert_int_equal(count_skipped(cases[i].words, &engine), cases[i].skipped);
		if (cases[i].engine)
			assert_string_equal(engine, cases[i].engine);
		else
			assert_null(engine);
	}
}

static void test_names(void **state)
{
	assert_true(docker_plugin_is("docker-gc"));
	assert_true(docker_plugin_is("/root/.docker/cli-plugins/docker-gc"));
	assert_false(docker_plugin_is("dockergcctl"));
	assert_false(docker_plugin_is("docker-gc/dockergcctl"));
	assert_false(docker_plugin_is(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_dockers),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
