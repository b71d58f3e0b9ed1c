/* SPDX-License-Identifier: Apache-2.0 */

/* dockergcd's command line: options, configuration, detaching. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec/engine_address.h"
#include "core/printable.h"
#include "daemon/daemon.h"
#include "io/detach.h"
#include "io/files.h"
#include "io/service.h"
#include "io/settings_file.h"

enum action {
	ACTION_RUN,
	ACTION_CHECK_CONFIG,
	ACTION_PRINT_CONFIG,
};

struct command_line {
	struct daemon_options options;
	const char *config; /* --config, or NULL */
	bool foreground;
	enum action action;
	struct detach *detach;
};

static const char usage[] =
	"Usage: dockergcd [OPTION]...\n"
	"Removes container images that have not been used for long, least recently used first.\n"
	"\n"
	"  -f, --foreground       stay attached to the terminal and log to it\n"
	"  -c, --config FILE      read FILE only\n"
	"  -H, --host URL         engine: unix:///path, tcp://, http:// or https://host:port\n"
	"  -n, --dry-run          do everything except removing\n"
	"      --once             collect once, then exit\n"
	"      --check-config     check the configuration, then exit\n"
	"      --print-config     print the settings in force as a configuration file, then exit\n"
	"      --log-level LEVEL  error, warning, info or debug\n"
	"  -V, --version          print the version, then exit\n"
	"  -h, --help             print this, then exit\n"
	"\n"
	"Exit status: 0 fine, 1 failed, 2 wrong usage, 69 no engine (--once), 78 wrong "
	"configuration.\n";

/* A line to stderr. What it repeats of an argument or a file must not steer the terminal. */
static void say(const char *line)
{
	_cleanup_free_ char *escaped = printable_escape(line);

	fprintf(stderr, "%s\n", escaped);
}

static int load_settings(
	void *userdata, struct settings *ret, char **ret_name, struct strings *errors)
{
	const struct command_line *line = userdata;
	_cleanup_free_ char *path = line->config ? xstrdup(line->config) : settings_file_find();
	int r;

	if (!path) {
		settings_init(ret);
		*ret_name = xstrdup("built-in defaults");
		return 0;
	}
	r = settings_file_read(path, ret, errors);
	if (r == 0)
		*ret_name = TAKE_PTR(path);
	return r;
}

static int complain(const char *what, const char *why)
{
	_cleanup_free_ char *text = xasprintf("dockergcd: %s: %s", what, why);

	say(text);
	say("Try 'dockergcd --help'.");
	return EXIT_USAGE;
}

/* Returns -1 to go on, else the exit code. */
static int parse_option(struct command_line *line, int option)
{
	switch (option) {
	case 'f':
		line->foreground = true;
		return -1;
	case 'c':
		line->config = optarg;
		return -1;
	case 'H':
		line->options.host = optarg;
		return -1;
	case 'n':
		line->options.dry_run = true;
		return -1;
	case 'o':
		line->options.once = true;
		return -1;
	case 'k':
		line->action = ACTION_CHECK_CONFIG;
		return -1;
	case 'p':
		line->action = ACTION_PRINT_CONFIG;
		return -1;
	case 'l':
		line->options.has_log_level = true;
		if (log_level_parse(optarg, &line->options.log_level) < 0)
			return complain(optarg, "no log level");
		return -1;
	case 'V':
		puts("dockergcd " DOCKERGCD_VERSION);
		return EXIT_SUCCESS;
	case 'h':
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	default:
		say("Try 'dockergcd --help'.");
		return EXIT_USAGE;
	}
}

static int parse_command_line(int argc, char **argv, struct command_line *line)
{
	static const struct option options[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "config", required_argument, NULL, 'c' },
		{ "host", required_argument, NULL, 'H' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "once", no_argument, NULL, 'o' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "print-config", no_argument, NULL, 'p' },
		{ "log-level", required_argument, NULL, 'l' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	int option, r = -1;

	while (r < 0 && (option = getopt_long(argc, argv, "fc:H:nVh", options, NULL)) >= 0)
		r = parse_option(line, option);
	if (r < 0 && optind < argc)
		return complain(argv[optind], "unexpected argument");
	return r;
}

static void on_ready(void *userdata)
{
	struct command_line *line = userdata;

	if (line->detach) {
		detach_ready(TAKE_PTR(line->detach));
		log_open(LOG_TO_SYSLOG);
	}
}

static bool is_service(const struct command_line *line)
{
	return line->action == ACTION_RUN && !line->foreground && !line->options.once &&
		service_is_managed();
}

/* The status line outlives us: it is what people see while the service manager's next try is due.
 */
static void tell_refusal(const char *why)
{
	_cleanup_free_ char *status = xasprintf("Not started: %s", why);

	service_status(status);
}

/* The places come first in a line, for editors; a journal has its own way to find errors. */
static int refuse_settings(const struct command_line *line, const struct strings *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		if (is_service(line))
			log_error("%s", errors->items[i]);
		else
			say(errors->items[i]);
	if (is_service(line))
		tell_refusal(errors->items[0]);
	return EXIT_CONFIG;
}

static int run(struct command_line *line, struct settings *settings, const char *config_name)
{
	_cleanup_error_ struct error error = {};
	_cleanup_free_ char *config = NULL;
	struct daemon *daemon;
	int code;

	if (!line->foreground && !line->options.once && !is_service(line)) {
		/* A reload must find it from the root folder. */
		if (line->config) {
			config = path_absolute(line->config);
			line->config = config;
		}
		line->detach = detach_start(&code);
		if (!line->detach)
			return code;
	}
	log_set_level(configuration_log_level(&line->options, settings));
	log_info("dockergcd %s, configuration: %s", DOCKERGCD_VERSION, config_name);
	code = daemon_create(&line->options, settings, &daemon, &error);
	if (code != EXIT_SUCCESS) {
		log_error("%s", error.message);
		tell_refusal(error.message);
		return code;
	}
	code = daemon_run(daemon);
	daemon_destroy(daemon);
	return code;
}

static void set_text(char **setting, const char *text)
{
	free(*setting);
	*setting = xstrdup(text);
}

/* For --print-config: what the options make of the settings. */
static void apply_options(const struct daemon_options *options, struct settings *settings)
{
	if (options->host)
		set_text(&settings->engine_host, options->host);
	if (options->has_log_level)
		set_text(&settings->log_level, log_level_name(options->log_level));
	settings->dry_run = settings->dry_run || options->dry_run;
}

int main(int argc, char **argv)
{
	struct command_line line = {};
	_cleanup_(settings_finish) struct settings settings = {};
	_cleanup_strings_ struct strings errors = {};
	_cleanup_(engine_address_finish) struct engine_address address = {};
	_cleanup_error_ struct error error = {};
	_cleanup_free_ char *name = NULL, *text = NULL;
	int code = parse_command_line(argc, argv, &line);

	if (code >= 0)
		return code;
	if (line.options.host &&
		engine_address_parse(line.options.host, false, &address, &error) < 0)
		return complain("--host", error.message);
	line.options.load_settings = load_settings;
	line.options.ready = on_ready;
	line.options.userdata = &line;
	log_open(is_service(&line) ? LOG_TO_MANAGER : LOG_TO_PEOPLE);
	if (load_settings(&line, &settings, &name, &errors) < 0)
		return refuse_settings(&line, &errors);
	switch (line.action) {
	case ACTION_CHECK_CONFIG:
		for (size_t i = 0; i < settings.warnings.count; i++)
			say(settings.warnings.items[i]);
		return EXIT_SUCCESS;
	case ACTION_PRINT_CONFIG:
		apply_options(&line.options, &settings);
		text = settings_print(&settings);
		fputs(text, stdout);
		return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	case ACTION_RUN:
	default:
		return run(&line, &settings, name);
	}
}
