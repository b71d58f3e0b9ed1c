/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The log: for people on stderr, "<N>" lines for a service manager, the journal with fields, or
 * syslog. Control characters in messages are escaped: names come from outside. Below the daemon
 * layer nothing logs above debug.
 */

#include "core/base.h"

enum log_level {
	LEVEL_ERROR,
	LEVEL_WARNING,
	LEVEL_INFO,
	LEVEL_DEBUG,
};

enum log_target {
	LOG_TO_PEOPLE, /* stderr: "warning: …", in colour on a terminal */
	LOG_TO_MANAGER, /* the journal where stderr is connected to it, else "<4>…" on stderr */
	LOG_TO_SYSLOG,
};

/* Until it is called, people are addressed, without colour. */
void log_open(enum log_target target);
/* LEVEL_INFO until it is called. */
void log_set_level(enum log_level level);

const char *log_level_name(enum log_level level);
/* "error", "warning", "info", "debug". Returns 0 or -EINVAL. */
int log_level_parse(const char *name, enum log_level *ret) _warn_unused_;

/* A journal field beside the message, "DOCKERGCD_IMAGE"; elsewhere it is left out. */
struct log_field {
	const char *name;
	const char *value;
};

void log_write(enum log_level level, const struct log_field *fields, size_t field_count,
	const char *format, ...) _printf_(4, 5);

/* MESSAGE_ID, for all errors that have none of their own. */
extern const struct log_field log_error_id;

#define log_error(...) log_write(LEVEL_ERROR, &log_error_id, 1, __VA_ARGS__)
#define log_warning(...) log_write(LEVEL_WARNING, NULL, 0, __VA_ARGS__)
#define log_info(...) log_write(LEVEL_INFO, NULL, 0, __VA_ARGS__)
#define log_debug(...) log_write(LEVEL_DEBUG, NULL, 0, __VA_ARGS__)
