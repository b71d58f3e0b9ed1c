/* SPDX-License-Identifier: Apache-2.0 */

/* The client of dockergcd's control socket: dockergcctl, and as a plugin of docker's, docker gc. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec/control_request.h"
#include "codec/control_view.h"
#include "core/docker_plugin.h"
#include "core/printable.h"
#include "core/units.h"
#include "io/clock.h"
#include "io/control_client.h"
#include "io/terminal.h"

#define EXIT_USAGE 2
#define EXIT_UNAVAILABLE 69 /* EX_UNAVAILABLE: no daemon */

struct command_line {
	const char *name; /* as the user calls us */
	const char *socket; /* --socket, or NULL */
	bool json, dry_run, wait;
	const struct command *command;
	char **arguments;
	int argument_count;
};

/* A request, and how its answer looks for people. */
struct call {
	struct client_call request;
	bool is_text; /* as it is, for everybody */
	enum view_kind view;
};

static void call_finish(struct call *call)
{
	client_call_finish(&call->request);
}

struct command {
	const char *name, *synopsis, *help;
	int least, most; /* arguments */
	/* Fills a zeroed call. Returns 0, or -EINVAL after saying what is wrong. */
	int (*prepare)(const struct command_line *line, struct call *call);
};

static void complain(const struct command_line *line, const char *format, ...) _printf_(2, 3);
static void complain(const struct command_line *line, const char *format, ...)
{
	_cleanup_free_ char *text = NULL, *escaped = NULL;
	va_list args;

	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	escaped = printable_escape(text);
	fprintf(stderr, "%s: %s\n", line->name, escaped);
}

static int complain_usage(const struct command_line *line, const char *what, const char *why)
{
	complain(line, "%s: %s", what, why);
	fprintf(stderr, "Try '%s --help'.\n", line->name);
	return EXIT_USAGE;
}

/* Commands */

static void set_call(struct call *call, const char *method, char *target, enum view_kind view)
{
	call->request.method = method;
	call->request.target = target;
	call->view = view;
}

static int prepare_status(const struct command_line *line, struct call *call)
{
	set_call(call, "GET", xstrdup("/v1/status"), VIEW_STATUS);
	return 0;
}

static int prepare_images(const struct command_line *line, struct call *call)
{
	set_call(call, "GET", xstrdup("/v1/images"), VIEW_IMAGES);
	return 0;
}

static int prepare_plan(const struct command_line *line, struct call *call)
{
	set_call(call, "GET", xstrdup("/v1/plan"), VIEW_PLAN);
	return 0;
}

static int prepare_history(const struct command_line *line, struct call *call)
{
	set_call(call, "GET", xstrdup("/v1/history"), VIEW_HISTORY);
	return 0;
}

static int prepare_metrics(const struct command_line *line, struct call *call)
{
	set_call(call, "GET", xstrdup("/metrics"), VIEW_STATUS);
	call->is_text = true;
	return 0;
}

static int prepare_explain(const struct command_line *line, struct call *call)
{
	_cleanup_free_ char *image = client_encode(line->arguments[0]);

	set_call(call, "GET", xasprintf("/v1/images/%s", image), VIEW_IMAGE);
	return 0;
}

static int prepare_gc(const struct command_line *line, struct call *call)
{
	if (line->dry_run) {
		set_call(call, "POST", xstrdup("/v1/gc?dry_run=1"), VIEW_PLAN);
	} else if (line->wait) {
		set_call(call, "POST", xstrdup("/v1/gc?wait=1"), VIEW_COLLECTION);
		call->request.endless = true;
	} else {
		set_call(call, "POST", xstrdup("/v1/gc"), VIEW_STARTED);
	}
	return 0;
}

static int prepare_names(const struct command_line *line, struct call *call)
{
	set_call(call, "POST", xasprintf("/v1/%s", line->command->name), VIEW_NAMES);
	call->request.body = request_names(line->arguments, (size_t)line->argument_count);
	return 0;
}

static int prepare_pause(const struct command_line *line, struct call *call)
{
	const char *duration = line->argument_count > 0 ? line->arguments[0] : NULL;
	_cleanup_free_ char *encoded = duration ? client_encode(duration) : NULL;
	nsec_t parsed;

	if (duration && (parse_duration(duration, &parsed) < 0 || parsed == 0)) {
		complain_usage(line, duration, "no duration, such as 90m, 2h or 1d");
		return -EINVAL;
	}
	set_call(call, "POST",
		encoded ? xasprintf("/v1/pause?for=%s", encoded) : xstrdup("/v1/pause"),
		VIEW_PAUSE);
	return 0;
}

static int prepare_resume(const struct command_line *line, struct call *call)
{
	set_call(call, "POST", xstrdup("/v1/resume"), VIEW_PAUSE);
	return 0;
}

#define ANY_NUMBER 100000

static const struct command commands[] = {
	{ "status", "", "what the daemon does, what is used, what comes next", 0, 0,
		prepare_status },
	{ "images", "", "the images, in the order in which they would go", 0, 0, prepare_images },
	{ "plan", "", "what a collection would remove now, and why", 0, 0, prepare_plan },
	{ "gc", " [--dry-run] [--wait]", "collect now", 0, 0, prepare_gc },
	{ "track", " REF...", "manage images once they come, or count a use", 1, ANY_NUMBER,
		prepare_names },
	{ "forget", " REF...", "leave images alone from now on", 1, ANY_NUMBER, prepare_names },
	{ "explain", " REF", "what speaks for keeping or removing an image", 1, 1,
		prepare_explain },
	{ "history", "", "what was removed, newest last", 0, 0, prepare_history },
	{ "pause", " [DURATION]", "remove nothing for that long, or until resume", 0, 1,
		prepare_pause },
	{ "resume", "", "end a pause", 0, 0, prepare_resume },
	{ "metrics", "", "numbers for Prometheus", 0, 0, prepare_metrics },
};

static void print_help(const struct command_line *line)
{
	printf("Usage: %s [OPTION]... COMMAND\n"
	       "Asks dockergcd, which removes unused images, or tells it what to do.\n\n",
		line->name);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		_cleanup_free_ char *command =
			xasprintf("%s%s", commands[i].name, commands[i].synopsis);

		printf("  %-24s %s\n", command, commands[i].help);
	}
	puts("\n"
	     "      --socket PATH        the daemon's control socket\n"
	     "      --json               print the daemon's answer as it is, for scripts\n"
	     "  -n, --dry-run            gc: only tell what would be removed\n"
	     "  -w, --wait               gc: wait for its end\n"
	     "  -V, --version            print the version, then exit\n"
	     "  -h, --help               print this, then exit\n"
	     "\n"
	     "Exit status: 0 fine, 1 failed, 2 wrong usage, 69 no daemon.");
}

/* The command line */

/* Returns -1 to go on, else the exit code. */
static int parse_option(struct command_line *line, int option)
{
	switch (option) {
	case 's':
		line->socket = optarg;
		return *optarg ? -1 : complain_usage(line, "--socket", "an empty path");
	case 'j':
		line->json = true;
		return -1;
	case 'n':
		line->dry_run = true;
		return -1;
	case 'w':
		line->wait = true;
		return -1;
	case 'V':
		puts("dockergcctl " DOCKERGCD_VERSION);
		return EXIT_SUCCESS;
	case 'h':
		print_help(line);
		return EXIT_SUCCESS;
	default:
		fprintf(stderr, "Try '%s --help'.\n", line->name);
		return EXIT_USAGE;
	}
}

static int find_command(struct command_line *line, int argc, char **argv)
{
	if (argc == 0)
		return complain_usage(line, "COMMAND", "missing");
	/* docker asks so for "docker help gc". */
	if (streq(argv[0], "help")) {
		print_help(line);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (streq(argv[0], commands[i].name))
			line->command = &commands[i];
	}
	if (!line->command)
		return complain_usage(line, argv[0], "no such command");
	line->arguments = argv + 1;
	line->argument_count = argc - 1;
	if (line->argument_count < line->command->least)
		return complain_usage(line, argv[0], "REF: missing");
	if (line->argument_count > line->command->most)
		return complain_usage(line, argv[1 + line->command->most], "unexpected argument");
	for (int i = 1; i < argc; i++) {
		if (*argv[i] == '\0')
			return complain_usage(line, argv[0], "an empty argument");
	}
	if ((line->dry_run || line->wait) && line->command->prepare != prepare_gc)
		return complain_usage(
			line, line->dry_run ? "--dry-run" : "--wait", "is for gc only");
	return -1;
}

static int parse_command_line(struct command_line *line, int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "wait", no_argument, NULL, 'w' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	int option, r = -1;

	while (r < 0 && (option = getopt_long(argc, argv, "nwVh", options, NULL)) >= 0)
		r = parse_option(line, option);
	if (r < 0)
		r = find_command(line, argc - optind, argv + optind);
	return r;
}

/* The answer */

/* A body as it is, except that a terminal gets no control characters. */
static void print_body(const struct client_answer *answer)
{
	_cleanup_free_ char *escaped = NULL;

	if (isatty(STDOUT_FILENO)) {
		escaped = printable_escape_lines(answer->body);
		fputs(escaped, stdout);
	} else {
		fwrite(answer->body, 1, answer->length, stdout);
	}
	if (answer->length > 0 && answer->body[answer->length - 1] != '\n')
		putchar('\n');
}

static int print_answer(const struct command_line *line, const struct call *call,
	const struct client_answer *answer)
{
	_cleanup_error_ struct error error = {};
	_cleanup_free_ char *text = NULL;
	struct view view = {
		.now = clock_now(),
		.columns = terminal_columns(STDOUT_FILENO),
		.colours = terminal_has_colours(STDOUT_FILENO),
	};
	int r = 0;

	if (answer->status < 200 || answer->status > 299) {
		text = view_message(answer->body, answer->length);
		if (text)
			complain(line, "%s", text);
		else
			complain(line, "the daemon answers with HTTP status %u", answer->status);
		return EXIT_FAILURE;
	}
	if (line->json && !call->is_text)
		r = view_check(answer->body, answer->length, &error);
	else if (!call->is_text)
		r = view_format(call->view, answer->body, answer->length, &view, &text, &error);
	if (r < 0) {
		complain(line, "the daemon's answer: %s", error.message);
		return EXIT_FAILURE;
	}
	if (text)
		fputs(text, stdout);
	else
		print_body(answer);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain(line, "cannot write: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return call->view == VIEW_COLLECTION && view_has_failed(answer->body, answer->length)
		? EXIT_FAILURE
		: EXIT_SUCCESS;
}

static int run(const struct command_line *line)
{
	_cleanup_(client_answer_finish) struct client_answer answer = {};
	_cleanup_error_ struct error error = {};
	_cleanup_(call_finish) struct call call = {};
	int r;

	if (line->command->prepare(line, &call) < 0)
		return EXIT_USAGE;
	r = control_client_ask(line->socket, &call.request, &answer, &error);
	if (r == 0)
		return print_answer(line, &call, &answer);
	complain(line, "%s", error.message);
	return r == CLIENT_ABSENT ? EXIT_UNAVAILABLE : EXIT_FAILURE;
}

/* The arguments become those that are for us. Returns -1 to go on, else the exit code. */
static int run_as_plugin(struct command_line *line, int *argc, char ***argv)
{
	_cleanup_free_ char *metadata = NULL;
	const char *engine;
	int skipped;

	line->name = "docker gc";
	if (docker_plugin_wants_metadata(*argc, *argv)) {
		metadata = docker_plugin_metadata(DOCKERGCD_VERSION);
		puts(metadata);
		return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	skipped = docker_plugin_skip(*argc, *argv, &engine);
	if (engine)
		return complain_usage(
			line, engine, "dockergcd's configuration says which engine it is for");
	*argc -= skipped;
	*argv += skipped;
	return -1;
}

int main(int argc, char **argv)
{
	struct command_line line = { .name = "dockergcctl" };
	int code = -1;

	if (argc > 0 && docker_plugin_is(argv[0]))
		code = run_as_plugin(&line, &argc, &argv);
	if (code < 0) {
		/* For getopt's own words. */
		if (argc > 0)
			argv[0] = (char *)line.name;
		code = parse_command_line(&line, argc, argv);
	}
	return code >= 0 ? code : run(&line);
}
