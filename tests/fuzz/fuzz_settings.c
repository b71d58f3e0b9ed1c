/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file: what is taken prints as a file that gives it again, what is wrong is told
 * with its place and changes nothing.
 */
#include "fuzz.h"

#include <ctype.h>

#include "codec/settings.h"

static const char file[] = "a.conf";

/* libconfig's scanner loses the string that it was in when a syntax error stops it. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:strbuf_append\nleak:libconfig_yylex";
}

/* "a.conf:12: what is wrong" */
static void check_place(const char *message)
{
	const char *line = message + strlen(file) + 1;

	check(strncmp(message, file, strlen(file)) == 0 && line[-1] == ':');
	check(*line >= '1' && *line <= '9');
	while (isdigit((unsigned char)*line))
		line++;
	check(strncmp(line, ": ", 2) == 0 && line[2]);
}

static void check_places(const struct strings *messages)
{
	for (size_t i = 0; i < messages->count; i++)
		check_place(messages->items[i]);
}

/* Control characters are printed as escapes. */
static bool has_controls(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' && *text != '\n' && *text != '\t')
			return true;
	return false;
}

static void check_settings(const struct settings *settings)
{
	_cleanup_(settings_finish) struct settings again = {};
	_cleanup_strings_ struct strings errors = {}, keys = {};
	_cleanup_free_ char *text = settings_print(settings), *back = NULL;

	check(!has_controls(text));
	check(settings_parse(file, text, &again, &errors) == 0);
	back = settings_print(&again);
	check(streq(text, back));
	check(settings->warnings.count == again.warnings.count);
	settings_list_restarts(settings, &again, &keys);
	check(keys.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);
	_cleanup_strings_ struct strings errors = {};
	struct settings settings, before;

	/* No other files, /dev/zero among them. */
	if (strstr(text, "@include"))
		return 0;
	memset(&settings, 0x5a, sizeof(settings));
	before = settings;
	if (settings_parse(file, text, &settings, &errors) < 0) {
		check(errors.count > 0);
		check(memcmp(&settings, &before, sizeof(settings)) == 0);
		check_places(&errors);
		return 0;
	}
	check(errors.count == 0);
	check_places(&settings.warnings);
	check_settings(&settings);
	settings_finish(&settings);
	return 0;
}
