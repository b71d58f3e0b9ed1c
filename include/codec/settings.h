/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The configuration: one table says for every key its type, default and meaning. Defaults,
 * validation, --print-config and the shipped etc/dockergcd.conf all derive from it. The syntax is
 * libconfig's; sizes, durations and counts are quoted strings, since libconfig 1.5 truncates large
 * numbers silently.
 */

#include "core/base.h"
#include "core/policy.h"

enum setting_type {
	SETTING_BOOL,
	SETTING_STRING,
	SETTING_DURATION, /* nsec_t */
	SETTING_AMOUNT, /* struct amount */
	SETTING_COUNT, /* uint64_t */
	SETTING_LEVEL, /* enum log_level's name, kept as text */
	SETTING_ORIGINS, /* bool[ORIGIN_COUNT] */
	SETTING_RULES, /* images.rules */
};

struct setting {
	const char *path; /* "gc.max_unused" */
	enum setting_type type;
	size_t offset; /* in struct settings */
	const char *default_text; /* in libconfig's syntax */
	bool reloadable; /* SIGHUP is enough; else it needs a restart */
	nsec_t least; /* smallest duration, if it is not 0 */
	const char *help;
};

extern const struct setting settings_table[];
extern const size_t settings_count;

struct settings {
	bool enabled;
	struct policy policy;
	nsec_t interval, settle;
	bool dry_run;
	char *engine_host;
	nsec_t connect_timeout, request_timeout;
	bool tls_verify;
	char *tls_ca, *tls_cert, *tls_key;
	char *control_socket, *metrics_listen;
	char *cache_file;
	char *log_level;
	struct strings warnings; /* "FILE:LINE: message": what may be a slip */
};

void settings_finish(struct settings *settings);

/* The defaults. */
void settings_init(struct settings *settings);

/*
 * Reads a configuration file's text over the defaults. `file` is its name, for messages. Returns 0,
 * or -EINVAL with one "FILE:LINE: message" in errors for each thing that is wrong (after a syntax
 * error for that alone) and *ret untouched. Release with settings_finish().
 */
int settings_parse(const char *file, const char *text, struct settings *ret,
	struct strings *errors) _warn_unused_;

/* The settings as a configuration file that gives them again. The caller frees. */
char *settings_print(const struct settings *settings) _warn_unused_;

/* The keys that differ and need a restart, appended to `keys`. */
void settings_list_restarts(
	const struct settings *before, const struct settings *after, struct strings *keys);
