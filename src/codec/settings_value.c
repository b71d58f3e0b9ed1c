/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/settings_value.h"

#include <errno.h>
#include <string.h>

#include "core/units.h"

void settings_complain(
	struct reading *reading, const config_setting_t *value, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	const char *included;
	va_list args;

	va_start(args, format);
	message = xvasprintf(format, args);
	va_end(args);
	/* By an @include, which is relative to the working directory. */
	included = value ? config_setting_source_file(value) : NULL;
	strings_addf(reading->errors, "%s:%u: %s", included ? included : reading->file,
		value ? config_setting_source_line(value) : 1, message);
}

/* The text of a quoted string, or NULL and a complaint. */
static const char *read_text(
	struct reading *reading, const char *path, config_setting_t *value, const char *wanted)
{
	if (config_setting_type(value) == CONFIG_TYPE_STRING)
		return config_setting_get_string(value);
	if (config_setting_is_number(value) == CONFIG_TRUE)
		settings_complain(reading, value, "%s: must be %s in quotes", path, wanted);
	else
		settings_complain(reading, value, "%s: must be %s", path, wanted);
	return NULL;
}

static const char *why(int r)
{
	return r == -ERANGE ? "is too large" : r == -EDOM ? "is too small" : "is not understood";
}

static void read_duration(struct reading *reading, const struct setting *setting,
	config_setting_t *value, nsec_t *target)
{
	static const char wanted[] = "a duration such as \"36h\" or \"4w\"";
	const char *text = read_text(reading, setting->path, value, wanted);
	nsec_t duration;
	int r;

	if (!text)
		return;
	r = parse_duration(text, &duration);
	if (r < 0)
		settings_complain(reading, value, "%s: \"%s\" %s: must be %s", setting->path, text,
			why(r), wanted);
	else if (duration < setting->least) {
		char least[FORMAT_MAX];

		settings_complain(reading, value, "%s: must be at least %s", setting->path,
			format_duration(setting->least, least));
	} else
		*target = duration;
}

static void read_amount(struct reading *reading, const struct setting *setting,
	config_setting_t *value, struct amount *target)
{
	static const char wanted[] = "a size such as \"20GB\" or \"512MiB\", or \"80%\"";
	const char *text = read_text(reading, setting->path, value, wanted);
	int r;

	if (!text)
		return;
	r = parse_amount(text, target);
	if (r < 0)
		settings_complain(reading, value, "%s: \"%s\" %s: must be %s", setting->path, text,
			why(r), wanted);
}

static void read_count(struct reading *reading, const struct setting *setting,
	config_setting_t *value, uint64_t *target)
{
	const char *text =
		read_text(reading, setting->path, value, "a whole number such as \"10\"");
	int r;

	if (!text)
		return;
	r = parse_count(text, target);
	if (r < 0)
		settings_complain(reading, value,
			"%s: \"%s\" %s: must be a whole number such as \"10\"", setting->path, text,
			why(r));
}

static void read_bool(
	struct reading *reading, const char *path, config_setting_t *value, bool *target)
{
	if (config_setting_type(value) != CONFIG_TYPE_BOOL)
		settings_complain(reading, value, "%s: must be true or false", path);
	else
		*target = config_setting_get_bool(value);
}

static void read_string(
	struct reading *reading, const char *path, config_setting_t *value, char **target)
{
	const char *text = read_text(reading, path, value, "a string");

	if (!text)
		return;
	free(*target);
	*target = xstrdup(text);
}

static void read_level(struct reading *reading, const struct setting *setting,
	config_setting_t *value, char **target)
{
	static const char *const levels[] = { "error", "warning", "info", "debug" };
	const char *text = read_text(reading, setting->path, value, "a log level");

	if (!text)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (streq(text, levels[i])) {
			read_string(reading, setting->path, value, target);
			return;
		}
	}
	settings_complain(reading, value,
		"%s: \"%s\": must be \"error\", \"warning\", \"info\" or \"debug\"", setting->path,
		text);
}

static void read_origins(
	struct reading *reading, const char *path, config_setting_t *value, bool *target)
{
	bool origins[ORIGIN_COUNT] = {};
	int type = config_setting_type(value);

	if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST) {
		settings_complain(
			reading, value, "%s: must be an array such as [ \"pulled\" ]", path);
		return;
	}
	for (int i = 0; i < config_setting_length(value); i++) {
		config_setting_t *item = config_setting_get_elem(value, (unsigned)i);
		const char *text = config_setting_get_string(item);
		enum origin origin;

		if (!text || origin_parse(text, &origin) < 0) {
			settings_complain(reading, item,
				"%s: %s%s%s: must be \"pulled\", \"built\", \"loaded\" or "
				"\"existing\"",
				path, text ? "\"" : "", text ? text : "not a string",
				text ? "\"" : "");
			return;
		}
		origins[origin] = true;
	}
	memcpy(target, origins, sizeof(origins));
}

/* One key of a rule. */
static void read_rule_key(struct reading *reading, config_setting_t *value, struct rule *rule)
{
	const char *key = config_setting_name(value);
	_cleanup_free_ char *path = xasprintf("images.rules: %s", key);
	struct setting limit = { .path = path, .type = SETTING_DURATION };

	if (streq(key, "match"))
		read_string(reading, path, value, &rule->match);
	else if (streq(key, "keep"))
		read_bool(reading, path, value, &rule->keep);
	else if (streq(key, "origin"))
		read_origins(reading, path, value, rule->origins);
	else if (streq(key, "max_unused")) {
		read_duration(reading, &limit, value, &rule->max_unused);
		rule->has_max_unused = true;
	} else if (streq(key, "grace")) {
		read_duration(reading, &limit, value, &rule->grace);
		rule->has_grace = true;
	} else
		settings_complain(reading, value, "images.rules: unknown key %s", key);
}

static void read_rule(struct reading *reading, config_setting_t *value, struct rules *rules)
{
	struct rule *rule = array_push(rules);

	for (size_t i = 0; i < ORIGIN_COUNT; i++)
		rule->origins[i] = true;
	if (config_setting_type(value) != CONFIG_TYPE_GROUP) {
		settings_complain(
			reading, value, "images.rules: each rule must be a group: { ... }");
		return;
	}
	for (int i = 0; i < config_setting_length(value); i++)
		read_rule_key(reading, config_setting_get_elem(value, (unsigned)i), rule);
	if (!config_setting_lookup(value, "match"))
		settings_complain(reading, value, "images.rules: a rule without match");
	else if (rule->match && !*rule->match)
		settings_complain(reading, value, "images.rules: match: must not be empty");
	if (rule->keep && (rule->has_max_unused || rule->has_grace))
		settings_complain(
			reading, value, "images.rules: a rule that keeps has no limits beside it");
}

static void read_rules(
	struct reading *reading, const char *path, config_setting_t *value, struct rules *rules)
{
	/* An empty list and an empty array look alike. */
	if (config_setting_type(value) != CONFIG_TYPE_LIST) {
		settings_complain(reading, value, "%s: must be a list: ( { ... }, { ... } )", path);
		return;
	}
	for (int i = 0; i < config_setting_length(value); i++)
		read_rule(reading, config_setting_get_elem(value, (unsigned)i), rules);
}

void settings_read_value(struct reading *reading, const struct setting *setting,
	config_setting_t *value, void *target)
{
	switch (setting->type) {
	case SETTING_BOOL:
		read_bool(reading, setting->path, value, target);
		break;
	case SETTING_STRING:
		read_string(reading, setting->path, value, target);
		break;
	case SETTING_DURATION:
		read_duration(reading, setting, value, target);
		break;
	case SETTING_AMOUNT:
		read_amount(reading, setting, value, target);
		break;
	case SETTING_COUNT:
		read_count(reading, setting, value, target);
		break;
	case SETTING_LEVEL:
		read_level(reading, setting, value, target);
		break;
	case SETTING_ORIGINS:
		read_origins(reading, setting->path, value, target);
		break;
	case SETTING_RULES:
		read_rules(reading, setting->path, value, target);
		break;
	}
}

static void print_string(const char *text, FILE *out)
{
	fputc('"', out);
	for (const char *c = text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if ((unsigned char)*c < ' ')
			fprintf(out, "\\x%02x", (unsigned)*c);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

/* The largest unit that divides it, so that no digit is lost: "4w", "90s", "1500ms". */
static void print_duration(nsec_t duration, FILE *out)
{
	static const struct {
		nsec_t length;
		const char *name;
	} units[] = {
		{ 604800 * NSEC_PER_SEC, "w" },
		{ 86400 * NSEC_PER_SEC, "d" },
		{ 3600 * NSEC_PER_SEC, "h" },
		{ 60 * NSEC_PER_SEC, "m" },
		{ NSEC_PER_SEC, "s" },
		{ NSEC_PER_MSEC, "ms" },
		{ 1, "ns" },
	};
	size_t i = 0;

	if (duration == 0) {
		fputs("\"0\"", out);
		return;
	}
	while (duration % units[i].length)
		i++;
	fprintf(out, "\"%lld%s\"", (long long)(duration / units[i].length), units[i].name);
}

static void print_amount(struct amount amount, FILE *out)
{
	static const char *const units[] = { "", "kB", "MB", "GB", "TB" };
	uint64_t size = amount.bytes;
	size_t i = 0;

	if (amount.share > 0) {
		char share[FORMAT_MAX];

		fprintf(out, "\"%s\"", format_amount(amount, share));
		return;
	}
	while (size > 0 && size % 1000 == 0 && i + 1 < ARRAY_SIZE(units)) {
		size /= 1000;
		i++;
	}
	fprintf(out, "\"%llu%s\"", (unsigned long long)size, units[i]);
}

static void print_origins(const bool *origins, FILE *out)
{
	const char *separator = "[ ";

	for (enum origin origin = 0; origin < ORIGIN_COUNT; origin++) {
		if (!origins[origin])
			continue;
		fprintf(out, "%s\"%s\"", separator, origin_name(origin));
		separator = ", ";
	}
	fputs(*separator == '[' ? "[ ]" : " ]", out);
}

static bool has_all_origins(const struct rule *rule)
{
	for (size_t i = 0; i < ORIGIN_COUNT; i++)
		if (!rule->origins[i])
			return false;
	return true;
}

static void print_rules(const struct rules *rules, FILE *out)
{
	fputs("(", out);
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->items[i];

		fputs(i > 0 ? ",\n\t\t{ match = " : "\n\t\t{ match = ", out);
		print_string(rule->match, out);
		fputs("; ", out);
		if (!has_all_origins(rule)) {
			fputs("origin = ", out);
			print_origins(rule->origins, out);
			fputs("; ", out);
		}
		if (rule->keep)
			fputs("keep = true; ", out);
		if (rule->has_max_unused) {
			fputs("max_unused = ", out);
			print_duration(rule->max_unused, out);
			fputs("; ", out);
		}
		if (rule->has_grace) {
			fputs("grace = ", out);
			print_duration(rule->grace, out);
			fputs("; ", out);
		}
		fputs("}", out);
	}
	fputs(rules->count > 0 ? "\n\t)" : " )", out);
}

void settings_print_value(const struct setting *setting, const void *target, FILE *out)
{
	switch (setting->type) {
	case SETTING_BOOL:
		fputs(*(const bool *)target ? "true" : "false", out);
		break;
	case SETTING_STRING:
	case SETTING_LEVEL:
		print_string(*(char *const *)target, out);
		break;
	case SETTING_DURATION:
		print_duration(*(const nsec_t *)target, out);
		break;
	case SETTING_AMOUNT:
		print_amount(*(const struct amount *)target, out);
		break;
	case SETTING_COUNT:
		fprintf(out, "\"%llu\"", (unsigned long long)*(const uint64_t *)target);
		break;
	case SETTING_ORIGINS:
		print_origins(target, out);
		break;
	case SETTING_RULES:
		print_rules(target, out);
		break;
	}
}
