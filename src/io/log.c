/* SPDX-License-Identifier: Apache-2.0 */
#include "io/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "core/printable.h"
#include "io/files.h"

static struct {
	enum log_target target;
	enum log_level level;
	bool to_journal, in_colour;
} log_state = { .level = LEVEL_INFO };

const struct log_field log_error_id = { "MESSAGE_ID", "3f2c8d0a6b7e4e5f9d1b0c4a8e6f7213" };

static const struct {
	const char *name, *colour;
	int priority;
} levels[] = {
	[LEVEL_ERROR] = { "error", "\033[1;31m", LOG_ERR },
	[LEVEL_WARNING] = { "warning", "\033[1;33m", LOG_WARNING },
	[LEVEL_INFO] = { "info", "\033[1m", LOG_INFO },
	[LEVEL_DEBUG] = { "debug", "\033[2m", LOG_DEBUG },
};

/* $JOURNAL_STREAM is "device:inode" of what was stderr when we were started: systemd.exec(5). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	_cleanup_free_ char *ours = NULL;
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	ours = xasprintf("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return streq(stream, ours);
}

void log_open(enum log_target target)
{
	log_state.target = target;
	log_state.to_journal = target == LOG_TO_MANAGER && stderr_is_journal();
	log_state.in_colour =
		target == LOG_TO_PEOPLE && isatty(STDERR_FILENO) && !environment_get("NO_COLOR");
	if (target == LOG_TO_SYSLOG)
		openlog("dockergcd", LOG_PID, LOG_DAEMON);
}

void log_set_level(enum log_level level)
{
	log_state.level = level;
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

int log_level_parse(const char *name, enum log_level *ret)
{
	for (enum log_level level = LEVEL_ERROR; level <= LEVEL_DEBUG; level++) {
		if (streq(name, levels[level].name)) {
			*ret = level;
			return 0;
		}
	}
	return -EINVAL;
}

static void add_field(struct iovec *vector, const char *name, const char *value)
{
	char *field = xasprintf("%s=%s", name, value);

	*vector = (struct iovec){ field, strlen(field) };
}

static void write_journal(enum log_level level, const struct log_field *fields, size_t field_count,
	const char *message)
{
	size_t count = field_count + 3;
	struct iovec *vector = xcalloc(count, sizeof(*vector));
	char priority[] = { (char)('0' + levels[level].priority), '\0' };

	add_field(&vector[0], "MESSAGE", message);
	add_field(&vector[1], "PRIORITY", priority);
	add_field(&vector[2], "SYSLOG_IDENTIFIER", "dockergcd");
	for (size_t i = 0; i < field_count; i++)
		add_field(&vector[3 + i], fields[i].name, fields[i].value);
	(void)sd_journal_sendv(vector, (int)count);
	for (size_t i = 0; i < count; i++)
		free(vector[i].iov_base);
	free(vector);
}

void log_write(enum log_level level, const struct log_field *fields, size_t field_count,
	const char *format, ...)
{
	_cleanup_free_ char *text = NULL, *message = NULL;
	va_list args;

	if (level > log_state.level)
		return;
	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	message = printable_escape(text);
	if (log_state.to_journal)
		write_journal(level, fields, field_count, message);
	else if (log_state.target == LOG_TO_SYSLOG)
		syslog(levels[level].priority, "%s", message);
	else if (log_state.target == LOG_TO_MANAGER)
		fprintf(stderr, "<%d>%s\n", levels[level].priority, message);
	else if (log_state.in_colour)
		fprintf(stderr, "%s%s:\033[0m %s\n", levels[level].colour, levels[level].name,
			message);
	else
		fprintf(stderr, "%s: %s\n", levels[level].name, message);
}
