/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/settings.h"

#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <string.h>

#include "codec/engine_address.h"
#include "codec/listen_address.h"
#include "codec/settings_value.h"
#include "core/rules.h"

#define AT(member) offsetof(struct settings, member)

const struct setting settings_table[] = {
	{ "gc.enabled", SETTING_BOOL, AT(enabled), "false", true, 0,
		"Remove images. Until it is switched on, dockergcd only keeps track." },
	{ "gc.max_unused", SETTING_DURATION, AT(policy.max_unused), "\"4w\"", true, 0,
		"Remove images that nothing has used for longer than this. \"0\": no such limit." },
	{ "gc.max_total_size", SETTING_AMOUNT, AT(policy.max_total_size), "\"0\"", true, 0,
		"Remove least recently used images once all images together take more than this,\n"
		"by the engine's own count. \"80%\": of the file system that holds the engine's root\n"
		"directory (for an engine on this machine). \"0\": no such limit." },
	{ "gc.target_total_size", SETTING_AMOUNT, AT(policy.target_total_size), "\"\"", true, 0,
		"Then go on until they take no more than this. \"\": the same as max_total_size." },
	{ "gc.min_free_space", SETTING_AMOUNT, AT(policy.min_free_space), "\"0\"", true, 0,
		"Remove least recently used images while less than this is free on that file system,\n"
		"whatever fills it. A size or a percentage; for an engine on this machine. \"0\": no\n"
		"such limit." },
	{ "gc.grace", SETTING_DURATION, AT(policy.grace), "\"1h\"", true, 0,
		"Nothing that was used or first seen within this time is ever removed." },
	{ "gc.interval", SETTING_DURATION, AT(interval), "\"1h\"", true, 100 * NSEC_PER_MSEC,
		"Collect at least this often." },
	{ "gc.settle", SETTING_DURATION, AT(settle), "\"5s\"", true, 0,
		"Quiet time after images came before their size is measured." },
	{ "gc.max_removals", SETTING_COUNT, AT(policy.max_removals), "\"0\"", true, 0,
		"Most images removed in one collection. \"0\": no cap." },
	{ "gc.dry_run", SETTING_BOOL, AT(dry_run), "false", true, 0,
		"Say what would be removed, and remove nothing." },
	{ "images.manage", SETTING_ORIGINS, AT(policy.manage), "[ \"pulled\" ]", true, 0,
		"Which images are collected, by how they came: \"pulled\", \"built\", \"loaded\"\n"
		"(load and import), \"existing\" (there before dockergcd)." },
	{ "images.keep_label", SETTING_STRING, AT(policy.keep_label), "\"dockergcd.keep\"", true, 0,
		"Images with this label are never removed, unless its value is \"false\" or \"0\"." },
	{ "images.rules", SETTING_RULES, AT(policy.rules), "( )", true, 0,
		"For some images only; the first rule that matches wins:\n"
		"  { match = \"registry.example.com/base/*\"; keep = true; },\n"
		"  { match = \"elastic-package-service-*\"; origin = [ \"built\" ]; max_unused = "
		"\"24h\"; }\n"
		"match: a glob on the reference, an image ID, or label:KEY or label:KEY=GLOB." },
	{ "build_cache.max_unused", SETTING_DURATION, AT(policy.cache_max_unused), "\"0\"", true, 0,
		"Prune what BuildKit's cache has not used for longer than this. \"0\": no such limit." },
	{ "build_cache.max_total_size", SETTING_AMOUNT, AT(policy.cache_max_total_size), "\"0\"",
		true, 0,
		"Prune the least recently used of it above this, not counting what images share.\n"
		"A size or a percentage. \"0\": no such limit." },
	{ "engine.host", SETTING_STRING, AT(engine_host), "\"\"", true, 0,
		"unix:///path, tcp://host:port, http:// or https://. \"\": look for it as docker\n"
		"does (DOCKER_HOST, the current context), then at the usual sockets." },
	{ "engine.connect_timeout", SETTING_DURATION, AT(connect_timeout), "\"10s\"", true,
		NSEC_PER_MSEC, "How long a connection may take." },
	{ "engine.request_timeout", SETTING_DURATION, AT(request_timeout), "\"5m\"", true,
		NSEC_PER_MSEC,
		"How long an answer may take. Lists of thousands of images take minutes." },
	{ "engine.tls_verify", SETTING_BOOL, AT(tls_verify), "true", true, 0,
		"Check the engine's certificate." },
	{ "engine.tls_ca", SETTING_STRING, AT(tls_ca), "\"\"", true, 0,
		"Who may have signed it. \"\": ca.pem in DOCKER_CERT_PATH." },
	{ "engine.tls_cert", SETTING_STRING, AT(tls_cert), "\"\"", true, 0,
		"Our own certificate. \"\": cert.pem in DOCKER_CERT_PATH." },
	{ "engine.tls_key", SETTING_STRING, AT(tls_key), "\"\"", true, 0,
		"And its key. \"\": key.pem in DOCKER_CERT_PATH." },
	{ "control.socket", SETTING_STRING, AT(control_socket), "\"\"", false, 0,
		"Where to listen for HTTP requests of its own user. \"\": dockergcd/control.sock in the\n"
		"runtime directory." },
	{ "control.metrics_listen", SETTING_STRING, AT(metrics_listen), "\"\"", true, 0,
		"Where to tell Prometheus over TCP, at /metrics and nothing else: an address and a\n"
		"port, \"127.0.0.1:9487\" or \"[::1]:9487\". \"\": nowhere." },
	{ "cache_file", SETTING_STRING, AT(cache_file), "\"\"", false, 0,
		"Where what was learned is kept. \"\": docker-images-gc.json in the cache directory." },
	{ "log_level", SETTING_LEVEL, AT(log_level), "\"info\"", true, 0,
		"\"error\", \"warning\", \"info\" or \"debug\"." },
};

const size_t settings_count = ARRAY_SIZE(settings_table);

static void *setting_at(const struct settings *settings, const struct setting *setting)
{
	return (char *)settings + setting->offset;
}

void settings_finish(struct settings *settings)
{
	policy_finish(&settings->policy);
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *setting = &settings_table[i];

		/* keep_label went with the policy, which leaves NULL. */
		if (setting->type == SETTING_STRING || setting->type == SETTING_LEVEL)
			freep(setting_at(settings, setting));
	}
	strings_finish(&settings->warnings);
	*settings = (struct settings){};
}

static const struct setting *find_setting(const char *path)
{
	for (size_t i = 0; i < settings_count; i++)
		if (streq(settings_table[i].path, path))
			return &settings_table[i];
	return NULL;
}

static bool is_group(const char *path)
{
	for (size_t i = 0; i < settings_count; i++)
		if (strncmp(settings_table[i].path, path, strlen(path)) == 0 &&
			settings_table[i].path[strlen(path)] == '.')
			return true;
	return false;
}

static void read_setting(
	struct reading *reading, const struct setting *setting, config_setting_t *value)
{
	void *target = setting_at(reading->settings, setting);

	/* "" is no size: it leaves the target to max_total_size. */
	if (streq(setting->path, "gc.target_total_size")) {
		const char *text = config_setting_get_string(value);

		reading->settings->policy.has_target = !streq(text, "");
		if (!reading->settings->policy.has_target)
			return;
	}
	settings_read_value(reading, setting, value, target);
}

static void read_group(struct reading *reading, config_setting_t *group, const char *prefix)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *value = config_setting_get_elem(group, (unsigned)i);
		_cleanup_free_ char *path =
			xasprintf("%s%s%s", prefix, *prefix ? "." : "", config_setting_name(value));
		const struct setting *setting = find_setting(path);

		if (setting)
			read_setting(reading, setting, value);
		else if (!is_group(path))
			settings_complain(reading, value, "unknown key %s", path);
		else if (config_setting_type(value) != CONFIG_TYPE_GROUP)
			settings_complain(
				reading, value, "%s: must be a group: %s: { ... };", path, path);
		else
			read_group(reading, value, path);
	}
}

static void check_host(struct reading *reading, const config_t *config)
{
	_cleanup_(engine_address_finish) struct engine_address address = {};
	_cleanup_error_ struct error error = {};
	const char *host = reading->settings->engine_host;

	if (*host && engine_address_parse(host, false, &address, &error) < 0)
		settings_complain(reading, config_lookup(config, "engine.host"), "engine.host: %s",
			error.message);
}

static void check_metrics_listen(struct reading *reading, const config_t *config)
{
	const char *text = reading->settings->metrics_listen;
	struct sockaddr_storage address;
	socklen_t length;

	if (*text && listen_address_parse(text, &address, &length) < 0)
		settings_complain(reading, config_lookup(config, "control.metrics_listen"),
			"control.metrics_listen: \"%s\": must be a numeric address and a port, such "
			"as 127.0.0.1:9487 or [::1]:9487",
			text);
}

static void check_rules(struct reading *reading, const config_t *config)
{
	const struct rules *rules = &reading->settings->policy.rules;
	config_setting_t *list = config_lookup(config, "images.rules");
	struct reading warning = *reading;

	warning.errors = &reading->settings->warnings;
	for (size_t i = 0; i < rules->count; i++)
		if (rules_shadow(rules, i))
			settings_complain(&warning, config_setting_get_elem(list, (unsigned)i),
				"images.rules: the rule for \"%s\" is never used: earlier ones take "
				"all that it matches",
				rules->items[i].match);
}

static void check_whole(struct reading *reading, const config_t *config)
{
	const struct policy *policy = &reading->settings->policy;
	struct amount max = policy->max_total_size, target = policy->target_total_size;

	if (!policy->has_target || !amount_is_set(target))
		return;
	if (!amount_is_set(max))
		settings_complain(reading, config_lookup(config, "gc.target_total_size"),
			"gc.target_total_size: needs a max_total_size above which it is aimed at");
	/* A share against a size shows when the file system is known: policy_limits(). */
	else if ((max.share > 0) == (target.share > 0) &&
		(target.share > max.share || target.bytes > max.bytes))
		settings_complain(reading, config_lookup(config, "gc.target_total_size"),
			"gc.target_total_size: must not be above max_total_size");
}

static void read_defaults(struct settings *settings)
{
	for (size_t i = 0; i < settings_count; i++) {
		_cleanup_(config_destroy) config_t config;
		_cleanup_strings_ struct strings errors = {};
		struct reading reading = { .settings = settings, .errors = &errors, .file = "" };
		_cleanup_free_ char *text =
			xasprintf("value = %s;", settings_table[i].default_text);

		config_init(&config);
		if (!config_read_string(&config, text))
			abort();
		read_setting(&reading, &settings_table[i], config_lookup(&config, "value"));
		if (errors.count > 0)
			abort();
	}
}

void settings_init(struct settings *settings)
{
	*settings = (struct settings){};
	read_defaults(settings);
}

int settings_parse(const char *file, const char *text, struct settings *ret, struct strings *errors)
{
	_cleanup_(settings_finish) struct settings settings = {};
	_cleanup_(config_destroy) config_t config;
	size_t before = errors->count;
	struct reading reading = { .settings = &settings, .errors = errors, .file = file };

	config_init(&config);
	if (!config_read_string(&config, text)) {
		const char *included = config_error_file(&config);

		strings_addf(errors, "%s:%d: %s", included ? included : file,
			config_error_line(&config), config_error_text(&config));
		return -EINVAL;
	}
	settings_init(&settings);
	read_group(&reading, config_root_setting(&config), "");
	check_host(&reading, &config);
	check_metrics_listen(&reading, &config);
	if (errors->count == before) {
		check_whole(&reading, &config);
		check_rules(&reading, &config);
	}
	if (errors->count > before)
		return -EINVAL;
	*ret = TAKE_STRUCT(settings);
	return 0;
}

/* "gc.max_unused" to "gc" and "max_unused"; a key without a group has "". */
static const char *split_path(const char *path, size_t *ret_group_length)
{
	const char *dot = strchr(path, '.');

	*ret_group_length = dot ? (size_t)(dot - path) : 0;
	return dot ? dot + 1 : path;
}

char *settings_print(const struct settings *settings)
{
	size_t size, length = 0, group_length;
	const char *group = "";
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *setting = &settings_table[i];
		const char *key = split_path(setting->path, &group_length);

		if (group_length != length || strncmp(group, setting->path, length) != 0) {
			if (length > 0)
				fputs("};\n", out);
			group = setting->path;
			length = group_length;
			if (length > 0)
				fprintf(out, "%.*s: {\n", (int)length, group);
		}
		fprintf(out, "%s%s = ", length > 0 ? "\t" : "", key);
		if (streq(setting->path, "gc.target_total_size") && !settings->policy.has_target)
			fputs("\"\"", out);
		else
			settings_print_value(setting, setting_at(settings, setting), out);
		fputs(";\n", out);
	}
	if (length > 0)
		fputs("};\n", out);
	fclose(out);
	return text;
}

static char *print_one(const struct settings *settings, const struct setting *setting)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	settings_print_value(setting, setting_at(settings, setting), out);
	fclose(out);
	return text;
}

void settings_list_restarts(
	const struct settings *before, const struct settings *after, struct strings *keys)
{
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *setting = &settings_table[i];
		_cleanup_free_ char *old = print_one(before, setting);
		_cleanup_free_ char *new = print_one(after, setting);

		if (!setting->reloadable && !streq(old, new))
			strings_add(keys, setting->path);
	}
}
