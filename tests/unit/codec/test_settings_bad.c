/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/settings.h"

#include <errno.h>
#include <string.h>

/* All that is wrong with the text, one line each. */
static void assert_errors(const char *text, const char *expected)
{
	_cleanup_strings_ struct strings errors = {};
	_cleanup_free_ char *joined = NULL;
	struct settings settings = { .interval = 7 };

	if (settings_parse("f.conf", text, &settings, &errors) != -EINVAL)
		fail_msg("%s\nwas taken, without: %s", text, expected);
	joined = strings_join(&errors, "\n");
	assert_string_equal(joined, expected);
	/* Untouched. */
	assert_nsec_equal(settings.interval, 7);
	assert_null(settings.log_level);
}

#define DURATION "must be a duration such as \"36h\" or \"4w\""
#define SIZE "must be a size such as \"20GB\" or \"512MiB\", or \"80%\""
#define COUNT "must be a whole number such as \"10\""

static void test_durations(void **state)
{
	assert_errors("gc: {\n  grace = \"soon\"; };",
		"f.conf:2: gc.grace: \"soon\" is not understood: " DURATION);
	assert_errors("gc: {\n\n  max_unused = \"-1h\"; };",
		"f.conf:3: gc.max_unused: \"-1h\" is not understood: " DURATION);
	assert_errors(
		"gc: { grace = \"\"; };", "f.conf:1: gc.grace: \"\" is not understood: " DURATION);
	assert_errors("gc: { grace = \"5\"; };",
		"f.conf:1: gc.grace: \"5\" is not understood: " DURATION);
	assert_errors("gc: { grace = \"20000w\"; };",
		"f.conf:1: gc.grace: \"20000w\" is too large: " DURATION);
	assert_errors("gc: { grace = true; };", "f.conf:1: gc.grace: " DURATION);
	assert_errors("gc: { grace = [ \"1h\" ]; };", "f.conf:1: gc.grace: " DURATION);
	assert_errors("gc: { grace = { }; };", "f.conf:1: gc.grace: " DURATION);
}

static void test_durations_that_are_too_short(void **state)
{
	assert_errors(
		"gc: { interval = \"0\"; };", "f.conf:1: gc.interval: must be at least 100ms");
	assert_errors(
		"gc: { interval = \"99ms\"; };", "f.conf:1: gc.interval: must be at least 100ms");
	assert_errors("engine: { connect_timeout = \"0\"; };",
		"f.conf:1: engine.connect_timeout: must be at least 1ms");
	assert_errors("engine: { request_timeout = \"1us\"; };",
		"f.conf:1: engine.request_timeout: must be at least 1ms");
}

static void test_sizes_and_counts(void **state)
{
	assert_errors("gc: {\nmax_total_size = \"5 parsecs\"; };",
		"f.conf:2: gc.max_total_size: \"5 parsecs\" is not understood: " SIZE);
	assert_errors("gc: { max_total_size = \"99999999TB\"; };",
		"f.conf:1: gc.max_total_size: \"99999999TB\" is too large: " SIZE);
	assert_errors("gc: { max_total_size = \"-1\"; };",
		"f.conf:1: gc.max_total_size: \"-1\" is not understood: " SIZE);
	assert_errors("gc: { max_removals = \"1.5\"; };",
		"f.conf:1: gc.max_removals: \"1.5\" is not understood: " COUNT);
	assert_errors("gc: { max_removals = \"99999999999999999999\"; };",
		"f.conf:1: gc.max_removals: \"99999999999999999999\" is too large: " COUNT);
}

static void test_bare_numbers_are_refused(void **state)
{
	/* libconfig 1.5 reads the first as -129542144. */
	assert_errors("gc: { max_total_size = 60000000000; };",
		"f.conf:1: gc.max_total_size: " SIZE " in quotes");
	assert_errors("gc: { max_total_size = 60000000000L; };",
		"f.conf:1: gc.max_total_size: " SIZE " in quotes");
	assert_errors("gc: { target_total_size = 5; };",
		"f.conf:1: gc.target_total_size: " SIZE " in quotes");
	assert_errors("gc: { grace = 1.5; };", "f.conf:1: gc.grace: " DURATION " in quotes");
	assert_errors("gc: { grace = 0; };", "f.conf:1: gc.grace: " DURATION " in quotes");
	assert_errors(
		"gc: { max_removals = 10; };", "f.conf:1: gc.max_removals: " COUNT " in quotes");
	assert_errors("cache_file = 0x10;", "f.conf:1: cache_file: must be a string in quotes");
	assert_errors("log_level = 7;", "f.conf:1: log_level: must be a log level in quotes");
}

static void test_booleans_and_strings(void **state)
{
	assert_errors(
		"gc: { enabled = \"true\"; };", "f.conf:1: gc.enabled: must be true or false");
	assert_errors("gc: { dry_run = 1; };", "f.conf:1: gc.dry_run: must be true or false");
	assert_errors("engine: {\n\thost = true;\n};", "f.conf:2: engine.host: must be a string");
	assert_errors("cache_file = ( );", "f.conf:1: cache_file: must be a string");
	assert_errors("log_level = \"loud\";",
		"f.conf:1: log_level: \"loud\": must be \"error\", "
		"\"warning\", \"info\" or \"debug\"");
	assert_errors("log_level = \"INFO\";",
		"f.conf:1: log_level: \"INFO\": must be \"error\", "
		"\"warning\", \"info\" or \"debug\"");
}

#define ORIGINS "must be \"pulled\", \"built\", \"loaded\" or \"existing\""

static void test_origins(void **state)
{
	assert_errors("images: { manage = \"pulled\"; };",
		"f.conf:1: images.manage: must be an array such as [ \"pulled\" ]");
	assert_errors("images: { manage = [ \"pulled\",\n \"bought\" ]; };",
		"f.conf:2: images.manage: \"bought\": " ORIGINS);
	assert_errors(
		"images: { manage = [ 1 ]; };", "f.conf:1: images.manage: not a string: " ORIGINS);
	assert_errors("images: { manage = ( ( ) ); };",
		"f.conf:1: images.manage: not a string: " ORIGINS);
}

static void test_unknown_keys_and_groups_in_the_wrong_place(void **state)
{
	assert_errors("gc: {\n\n max_size = \"5GB\"; };", "f.conf:3: unknown key gc.max_size");
	assert_errors("max_unused = \"4w\";", "f.conf:1: unknown key max_unused");
	assert_errors("\nnetwork: { x = 1; };", "f.conf:2: unknown key network");
	assert_errors("gc: { engine: { host = \"x\"; }; };", "f.conf:1: unknown key gc.engine");
	assert_errors("gc = true;", "f.conf:1: gc: must be a group: gc: { ... };");
	assert_errors("engine = ( );", "f.conf:1: engine: must be a group: engine: { ... };");
	assert_errors("GC: { enabled = true; };", "f.conf:1: unknown key GC");
}

static void test_b33_rules(void **state)
{
	assert_errors("images: { rules = [ ]; };",
		"f.conf:1: images.rules: must be a list: ( { ... }, { ... } )");
	assert_errors("images: { rules = ( \"alpine\" ); };",
		"f.conf:1: images.rules: each rule must be a group: { ... }");
	assert_errors("images: { rules = (\n{ keep = true; } ); };",
		"f.conf:2: images.rules: a rule without match");
	assert_errors("images: { rules = ( { match = \"\"; } ); };",
		"f.conf:1: images.rules: match: must not be empty");
	assert_errors("images: { rules = ( { match = 5; } ); };",
		"f.conf:1: images.rules: match: must be a string in quotes");
	assert_errors("images: { rules = ( { match = \"a\"; keep = \"yes\"; } ); };",
		"f.conf:1: images.rules: keep: must be true or false");
	assert_errors("images: { rules = ( { match = \"a\";\n max_unused = \"x\"; } ); };",
		"f.conf:2: images.rules: max_unused: \"x\" is not understood: " DURATION);
	assert_errors("images: { rules = ( { match = \"a\"; grace = 5; } ); };",
		"f.conf:1: images.rules: grace: " DURATION " in quotes");
	assert_errors("images: { rules = ( { match = \"a\"; origin = [ \"x\" ]; } ); };",
		"f.conf:1: images.rules: origin: \"x\": " ORIGINS);
	assert_errors("images: { rules = ( { match = \"a\";\n\n\n max_total_size = \"1\"; } ); };",
		"f.conf:4: images.rules: unknown key max_total_size");
	assert_errors("images: { rules = ( { match = \"a\"; keep = true; grace = \"1h\"; } ); };",
		"f.conf:1: images.rules: a rule that keeps has no limits beside it");
}

static void test_percentages(void **state)
{
	assert_errors("gc: { min_free_space = \"101%\"; };",
		"f.conf:1: gc.min_free_space: \"101%\" is too large: " SIZE);
	assert_errors("gc: { max_total_size = \"0.001%\"; };",
		"f.conf:1: gc.max_total_size: \"0.001%\" is too small: " SIZE);
	assert_errors("gc: { min_free_space = \"%\"; };",
		"f.conf:1: gc.min_free_space: \"%\" is not understood: " SIZE);
	assert_errors("gc: { min_free_space = \"10 %\"; };",
		"f.conf:1: gc.min_free_space: \"10 %\" is not understood: " SIZE);
	assert_errors("gc: { min_free_space = \"10%%\"; };",
		"f.conf:1: gc.min_free_space: \"10%%\" is not understood: " SIZE);
}

static void test_contradictions(void **state)
{
	assert_errors("gc: { max_total_size = \"5GB\";\n target_total_size = \"6GB\"; };",
		"f.conf:2: gc.target_total_size: must not be above max_total_size");
	assert_errors("gc: {\n target_total_size = \"6GB\"; };",
		"f.conf:2: gc.target_total_size: needs a max_total_size above which it is aimed at");
	assert_errors("gc: { max_total_size = \"70%\";\n target_total_size = \"70.1%\"; };",
		"f.conf:2: gc.target_total_size: must not be above max_total_size");
}

static void test_several_at_once_each_with_its_line(void **state)
{
	assert_errors("gc: {\n"
		      "\tgrace = \"soon\";\n"
		      "\tenabled = \"yes\";\n"
		      "};\n"
		      "images: { rules = (\n"
		      "\t{ match = \"a\"; color = \"red\"; },\n"
		      "\t{ keep = true; }\n"
		      "); };\n"
		      "log_level = \"x\";\n"
		      "colour = 5;\n",
		"f.conf:2: gc.grace: \"soon\" is not understood: " DURATION "\n"
		"f.conf:3: gc.enabled: must be true or false\n"
		"f.conf:6: images.rules: unknown key color\n"
		"f.conf:7: images.rules: a rule without match\n"
		"f.conf:9: log_level: \"x\": must be \"error\", \"warning\", \"info\" or "
		"\"debug\"\n"
		"f.conf:10: unknown key colour");
}

static void test_a_syntax_error_is_told_alone(void **state)
{
	assert_errors("gc: { grace = \"soon\"; };\n\nlog_level = ;\n", "f.conf:3: syntax error");
	assert_errors("gc: {\n", "f.conf:2: syntax error");
	assert_errors("log_level = \"info\";\nlog_level = \"debug\";\n",
		"f.conf:2: duplicate setting name");
	assert_errors("{\"version\": 1}", "f.conf:1: syntax error");
}

static void test_errors_are_added_to_those_before(void **state)
{
	_cleanup_strings_ struct strings errors = {};
	_cleanup_(settings_finish) struct settings settings = {};

	strings_add(&errors, "before");
	assert_int_equal(settings_parse("f", "x = 1;", &settings, &errors), -EINVAL);
	assert_int_equal(errors.count, 2);
	assert_string_equal(errors.items[1], "f:1: unknown key x");
	/* And are nobody else's fault. */
	assert_int_equal(settings_parse("f", "", &settings, &errors), 0);
	assert_int_equal(errors.count, 2);
}

static void test_no_cut_of_a_file_crashes(void **state)
{
	static const char text[] =
		"gc: { enabled = true; max_unused = \"1h\"; };\n"
		"images: { manage = [ \"built\" ]; rules = ( { match = \"\\x41\"; } ); };\n"
		"log_level = \"info\"; # end\n";

	for (size_t length = 0; length < sizeof(text); length++) {
		_cleanup_free_ char *cut = xstrndup(text, length);
		_cleanup_(settings_finish) struct settings settings = {};
		_cleanup_strings_ struct strings errors = {};
		int r = settings_parse("f", cut, &settings, &errors);

		assert_true(r == 0 ? errors.count == 0 : errors.count > 0);
		assert_true(r == 0 ? settings.log_level != NULL : settings.log_level == NULL);
	}
}

static void test_an_address_of_an_engine(void **state)
{
	assert_errors("engine: {\n  host = \"tcp://h:99999\"; };",
		"f.conf:2: engine.host: tcp://h:99999: not a port: 99999");
	assert_errors("engine: { host = \"npipe:////./pipe/docker_engine\"; };",
		"f.conf:1: engine.host: npipe:////./pipe/docker_engine: npipe:// is not "
		"understood: use unix://, tcp://, http:// or https://");
}

static void test_an_address_for_metrics(void **state)
{
	assert_errors("control: {\n  metrics_listen = \"localhost:9487\"; };",
		"f.conf:2: control.metrics_listen: \"localhost:9487\": must be a numeric address and "
		"a port, such as 127.0.0.1:9487 or [::1]:9487");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_durations_that_are_too_short),
		cmocka_unit_test(test_sizes_and_counts),
		cmocka_unit_test(test_bare_numbers_are_refused),
		cmocka_unit_test(test_booleans_and_strings),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_unknown_keys_and_groups_in_the_wrong_place),
		cmocka_unit_test(test_b33_rules),
		cmocka_unit_test(test_percentages),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_several_at_once_each_with_its_line),
		cmocka_unit_test(test_a_syntax_error_is_told_alone),
		cmocka_unit_test(test_errors_are_added_to_those_before),
		cmocka_unit_test(test_no_cut_of_a_file_crashes),
		cmocka_unit_test(test_an_address_of_an_engine),
		cmocka_unit_test(test_an_address_for_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
