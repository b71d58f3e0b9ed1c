/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/settings.h"

#include <string.h>

static void parse(const char *text, struct settings *settings)
{
	_cleanup_strings_ struct strings errors = {};

	if (settings_parse("f", text, settings, &errors) < 0)
		fail_msg("%s\n%s", text, errors.items[0]);
	assert_int_equal(errors.count, 0);
}

static void test_defaults(void **state)
{
	_cleanup_(settings_finish) struct settings s;

	settings_init(&s);
	assert_false(s.enabled);
	assert_nsec_equal(s.policy.max_unused, 4 * WEEK);
	assert_int_equal(s.policy.max_total_size.bytes, 0);
	assert_false(s.policy.has_target);
	assert_false(s.policy.has_target);
	assert_false(amount_is_set(s.policy.min_free_space));
	assert_nsec_equal(s.policy.grace, HOUR);
	assert_nsec_equal(s.interval, HOUR);
	assert_nsec_equal(s.settle, 5 * NSEC_PER_SEC);
	assert_int_equal(s.policy.max_removals, 0);
	assert_false(s.dry_run);
	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++)
		assert_int_equal(s.policy.manage[origin], origin == ORIGIN_PULLED);
	assert_string_equal(s.policy.keep_label, "dockergcd.keep");
	assert_int_equal(s.policy.rules.count, 0);
	assert_string_equal(s.engine_host, "");
	assert_nsec_equal(s.connect_timeout, 10 * NSEC_PER_SEC);
	assert_nsec_equal(s.request_timeout, 5 * MINUTE);
	assert_true(s.tls_verify);
	assert_string_equal(s.tls_ca, "");
	assert_string_equal(s.tls_cert, "");
	assert_string_equal(s.tls_key, "");
	assert_string_equal(s.control_socket, "");
	assert_string_equal(s.metrics_listen, "");
	assert_string_equal(s.cache_file, "");
	assert_string_equal(s.log_level, "info");
}

static const char every_key[] =
	"gc: { enabled = true; max_unused = \"1d12h\"; max_total_size = \"1.5GB\";\n"
	"      target_total_size = \"1GB\"; min_free_space = \"10%\"; grace = \"2m\";\n"
	"      interval = \"90s\"; settle = \"250ms\"; max_removals = \"10\"; dry_run = true; };\n"
	"images: { manage = [ \"built\", \"loaded\", \"existing\" ]; keep_label = \"mine\";\n"
	"          rules = ( { match = \"base/*\"; keep = true; },\n"
	"                    { match = \"svc-*\"; origin = [ \"built\" ]; max_unused = \"24h\";\n"
	"                      grace = \"0\"; } ); };\n"
	"build_cache: { max_unused = \"2w\"; max_total_size = \"5%\"; };\n"
	"engine: { host = \"tcp://h:1\"; connect_timeout = \"1s\"; request_timeout = \"2s\";\n"
	"          tls_verify = false; tls_ca = \"/ca\"; tls_cert = \"/cert\"; tls_key = \"/key\";\n"
	"        };\n"
	"control: { socket = \"/run/s\"; metrics_listen = \"[::1]:9487\"; };\n"
	"cache_file = \"/c.json\";\n"
	"log_level = \"debug\";\n";

static void assert_every_key(const struct settings *s)
{
	const struct rule *rules = s->policy.rules.items;

	assert_true(s->enabled);
	assert_nsec_equal(s->policy.max_unused, 36 * HOUR);
	assert_int_equal(s->policy.max_total_size.bytes, 1500 * MB);
	assert_int_equal(s->policy.target_total_size.bytes, GB);
	assert_int_equal(s->policy.min_free_space.share, 1000);
	assert_true(s->policy.has_target);
	assert_nsec_equal(s->policy.grace, 2 * MINUTE);
	assert_nsec_equal(s->policy.cache_max_unused, 2 * WEEK);
	assert_int_equal(s->policy.cache_max_total_size.share, 500);
	assert_nsec_equal(s->interval, 90 * NSEC_PER_SEC);
	assert_nsec_equal(s->settle, 250 * NSEC_PER_MSEC);
	assert_int_equal(s->policy.max_removals, 10);
	assert_true(s->dry_run);
	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++)
		assert_int_equal(s->policy.manage[origin], origin != ORIGIN_PULLED);
	assert_string_equal(s->policy.keep_label, "mine");
	assert_int_equal(s->policy.rules.count, 2);
	assert_string_equal(rules[0].match, "base/*");
	assert_true(rules[0].keep);
	assert_true(rules[0].origins[ORIGIN_EXISTING] && rules[0].origins[ORIGIN_PULLED]);
	assert_false(rules[0].has_max_unused || rules[0].has_grace);
	assert_string_equal(rules[1].match, "svc-*");
	assert_false(rules[1].keep);
	assert_true(rules[1].origins[ORIGIN_BUILT]);
	assert_false(rules[1].origins[ORIGIN_PULLED]);
	assert_true(rules[1].has_max_unused && rules[1].has_grace);
	assert_nsec_equal(rules[1].max_unused, DAY);
	assert_nsec_equal(rules[1].grace, 0);
	assert_string_equal(s->engine_host, "tcp://h:1");
	assert_nsec_equal(s->connect_timeout, NSEC_PER_SEC);
	assert_nsec_equal(s->request_timeout, 2 * NSEC_PER_SEC);
	assert_false(s->tls_verify);
	assert_string_equal(s->tls_ca, "/ca");
	assert_string_equal(s->tls_cert, "/cert");
	assert_string_equal(s->tls_key, "/key");
	assert_string_equal(s->control_socket, "/run/s");
	assert_string_equal(s->metrics_listen, "[::1]:9487");
	assert_string_equal(s->cache_file, "/c.json");
	assert_string_equal(s->log_level, "debug");
}

static void test_every_key_is_read(void **state)
{
	_cleanup_(settings_finish) struct settings s = {};

	parse(every_key, &s);
	assert_every_key(&s);
	/* None of the table is left out above. */
	for (size_t i = 0; i < settings_count; i++) {
		const char *dot = strchr(settings_table[i].path, '.');

		assert_non_null(strstr(every_key, dot ? dot + 1 : settings_table[i].path));
	}
}

static void test_print_and_parse_give_the_same(void **state)
{
	_cleanup_(settings_finish) struct settings s = {}, again = {};
	_cleanup_free_ char *text = NULL, *twice = NULL;

	parse(every_key, &s);
	text = settings_print(&s);
	parse(text, &again);
	assert_every_key(&again);
	twice = settings_print(&again);
	assert_string_equal(twice, text);
}

static void test_the_printed_defaults_are_those_of_an_empty_file(void **state)
{
	_cleanup_(settings_finish) struct settings s, empty = {}, again = {};
	_cleanup_free_ char *text = NULL, *of_empty = NULL, *twice = NULL;

	settings_init(&s);
	text = settings_print(&s);
	parse("", &empty);
	of_empty = settings_print(&empty);
	assert_string_equal(of_empty, text);
	parse(text, &again);
	twice = settings_print(&again);
	assert_string_equal(twice, text);
	assert_false(again.policy.has_target);
	for (size_t i = 0; i < settings_count; i++) {
		const char *dot = strchr(settings_table[i].path, '.');
		_cleanup_free_ char *line = xasprintf("%s = %s;\n",
			dot ? dot + 1 : settings_table[i].path, settings_table[i].default_text);

		assert_non_null(strstr(text, line));
	}
}

static void test_odd_strings_survive(void **state)
{
	static const char *const odd[] = { "a\"b\\c", "tab\tnew\nline\r\f\v\a\b\033[31m",
		"\001\037\177", "\\x41", "ümlaut \xe2\x82\xac", "// no # comment /* */",
		"@include \"x\"", "\xff\xfe", " " };

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		_cleanup_(settings_finish) struct settings s, again = {};
		_cleanup_free_ char *text = NULL;

		settings_init(&s);
		free(s.policy.keep_label);
		s.policy.keep_label = xstrdup(odd[i]);
		*array_push(&s.policy.rules) = (struct rule){ .match = xstrdup(odd[i]),
			.origins = { true, true, true, true } };
		text = settings_print(&s);
		parse(text, &again);
		assert_string_equal(again.policy.keep_label, odd[i]);
		assert_string_equal(again.policy.rules.items[0].match, odd[i]);
	}
}

static void test_values_lose_nothing_when_printed(void **state)
{
	static const nsec_t durations[] = { 0, 1, 999, NSEC_PER_MSEC + 1, 1500 * NSEC_PER_MSEC,
		90 * NSEC_PER_SEC, 90 * MINUTE, 36 * HOUR, 10 * DAY, WEEK, NSEC_MAX };
	static const uint64_t sizes[] = { 0, 1, 1000, 1024, 1500, 1500 * MB, 20 * GB, 1ULL << 40,
		1000000 * GB, INT64_MAX };

	for (size_t i = 0; i < MAX(ARRAY_SIZE(durations), ARRAY_SIZE(sizes)); i++) {
		_cleanup_(settings_finish) struct settings s, again = {};
		_cleanup_free_ char *text = NULL;

		settings_init(&s);
		s.policy.grace = durations[i % ARRAY_SIZE(durations)];
		s.policy.max_total_size.bytes = sizes[i % ARRAY_SIZE(sizes)];
		s.policy.max_removals = sizes[i % ARRAY_SIZE(sizes)];
		text = settings_print(&s);
		parse(text, &again);
		assert_nsec_equal(again.policy.grace, s.policy.grace);
		assert_int_equal(again.policy.max_total_size.bytes, s.policy.max_total_size.bytes);
		assert_int_equal(again.policy.max_removals, s.policy.max_removals);
	}
}

static void test_percentages_print_as_they_are_read(void **state)
{
	static const char *const shares[] = { "1%", "12.5%", "12.25%", "12.05%", "80%", "100%" };

	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		_cleanup_(settings_finish) struct settings s = {};
		_cleanup_free_ char *printed = NULL,
				    *line = xasprintf("min_free_space = \"%s\";", shares[i]),
				    *text = xasprintf("gc: { %s };", line);

		parse(text, &s);
		printed = settings_print(&s);
		assert_non_null(strstr(printed, line));
		assert_true(policy_needs_space(&s.policy));
	}
}

static void test_a_target_in_percent_beside_a_size(void **state)
{
	_cleanup_(settings_finish) struct settings s = {};
	struct space space = { .known = true, .total = 100 * GB };

	parse("gc: { max_total_size = \"60GB\"; target_total_size = \"50%\"; };", &s);
	assert_true(policy_needs_space(&s.policy));
	assert_int_equal(policy_limits(&s.policy, &space).target_total_size, 50 * GB);
	/* Whatever the file system: not above the limit. */
	space.total = 1000 * GB;
	assert_int_equal(policy_limits(&s.policy, &space).target_total_size, 60 * GB);
	space.known = false;
	assert_int_equal(policy_limits(&s.policy, &space).target_total_size, 60 * GB);
}

static void test_rules_that_are_never_used_are_warned_of(void **state)
{
	_cleanup_(settings_finish) struct settings s = {};

	parse("images: { rules = (\n{ match = \"a*\"; },\n{ match = \"b\"; },\n{ match = \"ab\"; }\n); };",
		&s);
	assert_int_equal(s.warnings.count, 1);
	assert_string_equal(s.warnings.items[0],
		"f:4: images.rules: the rule for \"ab\" is never used: earlier ones take all "
		"that it matches");
	assert_int_equal(s.policy.rules.count, 3);
}

static void test_no_origin_at_all_is_fine(void **state)
{
	_cleanup_(settings_finish) struct settings s = {}, again = {};
	_cleanup_free_ char *text = NULL;

	parse("images: { manage = [ ]; rules = ( { match = \"*\"; origin = [ ]; } ); };", &s);
	text = settings_print(&s);
	parse(text, &again);
	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++) {
		assert_false(again.policy.manage[origin]);
		assert_false(again.policy.rules.items[0].origins[origin]);
	}
}

static uint64_t target_of(const struct settings *settings)
{
	return policy_limits(&settings->policy, &(struct space){}).target_total_size;
}

static void test_the_target_is_the_maximum_unless_it_is_given(void **state)
{
	static const struct {
		const char *text;
		uint64_t target;
		bool has_target;
	} expected[] = {
		{ "gc: { max_total_size = \"5GB\"; };", 5 * GB, false },
		{ "gc: { max_total_size = \"5GB\"; target_total_size = \"\"; };", 5 * GB, false },
		{ "gc: { target_total_size = \"5GB\"; max_total_size = \"5GB\"; };", 5 * GB, true },
		{ "gc: { max_total_size = \"5GB\"; target_total_size = \"0\"; };", 0, true },
		{ "gc: { target_total_size = \"0\"; };", 0, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_(settings_finish) struct settings s = {}, again = {};
		_cleanup_free_ char *text = NULL;

		parse(expected[i].text, &s);
		assert_int_equal(target_of(&s), expected[i].target);
		assert_int_equal(s.policy.has_target, expected[i].has_target);
		text = settings_print(&s);
		parse(text, &again);
		assert_int_equal(again.policy.has_target, expected[i].has_target);
		assert_int_equal(target_of(&again), expected[i].target);
	}
}

static void test_groups_may_come_with_either_sign_and_in_pieces_of_comment(void **state)
{
	_cleanup_(settings_finish) struct settings s = {};

	parse("# one\ngc = { // two\n grace : \"1m\" /* three */\n }\nlog_level : \"error\"", &s);
	assert_nsec_equal(s.policy.grace, MINUTE);
	assert_string_equal(s.log_level, "error");
}

static void test_b42_restarts_are_listed_for_what_differs_and_needs_one(void **state)
{
	_cleanup_(settings_finish) struct settings a = {}, b = {};
	_cleanup_strings_ struct strings keys = {};
	_cleanup_free_ char *joined = NULL;

	parse(every_key, &a);
	parse(every_key, &b);
	settings_list_restarts(&a, &b, &keys);
	assert_int_equal(keys.count, 0);
	settings_finish(&b);
	/* Everything differs, but most is read again. */
	parse("", &b);
	settings_list_restarts(&a, &b, &keys);
	joined = strings_join(&keys, " ");
	assert_string_equal(joined, "control.socket cache_file");
}

static void test_the_table_has_each_key_once_with_help(void **state)
{
	for (size_t i = 0; i < settings_count; i++) {
		assert_true(strlen(settings_table[i].help) > 10);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(settings_table[i].path, settings_table[j].path);
	}
	assert_int_equal(settings_count, 26);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_key_is_read),
		cmocka_unit_test(test_print_and_parse_give_the_same),
		cmocka_unit_test(test_the_printed_defaults_are_those_of_an_empty_file),
		cmocka_unit_test(test_odd_strings_survive),
		cmocka_unit_test(test_values_lose_nothing_when_printed),
		cmocka_unit_test(test_percentages_print_as_they_are_read),
		cmocka_unit_test(test_a_target_in_percent_beside_a_size),
		cmocka_unit_test(test_rules_that_are_never_used_are_warned_of),
		cmocka_unit_test(test_no_origin_at_all_is_fine),
		cmocka_unit_test(test_the_target_is_the_maximum_unless_it_is_given),
		cmocka_unit_test(test_groups_may_come_with_either_sign_and_in_pieces_of_comment),
		cmocka_unit_test(test_b42_restarts_are_listed_for_what_differs_and_needs_one),
		cmocka_unit_test(test_the_table_has_each_key_once_with_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
