/* SPDX-License-Identifier: Apache-2.0 */
#include "io/control_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "codec/control_view.h"
#include "core/printable.h"
#include "io/control.h"
#include "io/files.h"
#include "io/settings_file.h"
#include "io/terminal.h"

#define BODY_MAX ((size_t)64 << 20)
#define CONNECT_TIMEOUT (5 * NSEC_PER_SEC)
#define TIMEOUT (10 * NSEC_PER_SEC)
#define PROGRESS_INTERVAL (500 * NSEC_PER_MSEC)
#define PROGRESS_TIMEOUT (2 * NSEC_PER_SEC)
#define ERASE_LINE "\r\033[K"

struct progress {
	const struct client_request *request;
	bool shown;
};

void client_call_finish(struct client_call *call)
{
	free(call->target);
	free(call->body);
	*call = (struct client_call){};
}

/* Draws the line anew. A status that does not come takes nothing from the answer. */
static void on_tick(void *userdata)
{
	struct progress *progress = userdata;
	struct client_request request = {
		.socket = progress->request->socket,
		.method = "GET",
		.target = "/v1/status",
		.connect_timeout = PROGRESS_TIMEOUT,
		.timeout = PROGRESS_TIMEOUT,
		.max_body = BODY_MAX,
	};
	_cleanup_(client_answer_finish) struct client_answer answer = {};
	_cleanup_free_ char *text = NULL, *cut = NULL;

	if (client_request(&request, &answer, NULL) == 0 && answer.status == 200)
		text = view_progress(answer.body, answer.length);
	cut = printable_cut_end(
		text ? text : "collecting", MAX(terminal_columns(STDERR_FILENO), (size_t)2) - 1);
	fprintf(stderr, ERASE_LINE "%s", cut);
	progress->shown = true;
}

/* Where a daemon of the same user and environment has it. */
static void find_sockets(struct strings *ret)
{
	_cleanup_free_ char *path = settings_file_find();
	_cleanup_(settings_finish) struct settings settings = {};
	_cleanup_strings_ struct strings errors = {};

	/* What is wrong in it is the daemon's to say. */
	if (path && settings_file_read(path, &settings, &errors) == 0 && *settings.control_socket)
		strings_take(ret, path_absolute(settings.control_socket));
	control_find_sockets(ret);
}

static void tell_absent(const struct strings *sockets, struct error *error)
{
	_cleanup_free_ char *places = strings_join(sockets, " or ");
	const char *last = sockets->count > 0 ? sockets->items[sockets->count - 1] : NULL;

	if (!last)
		error_set(error,
			"no daemon: XDG_RUNTIME_DIR is not set, so where is its socket? --socket");
	else
		error_set(error,
			"no daemon at %s: is dockergcd running? systemctl %sstatus dockergcd",
			places,
			strncmp(last, CONTROL_SYSTEM_DIRECTORY, strlen(CONTROL_SYSTEM_DIRECTORY)) ==
					0
				? ""
				: "--user ");
}

int control_client_ask(const char *socket, const struct client_call *call,
	struct client_answer *ret, struct error *error)
{
	_cleanup_strings_ struct strings sockets = {};
	struct client_request request = {
		.method = call->method,
		.target = call->target,
		.body = call->body,
		.connect_timeout = CONNECT_TIMEOUT,
		.timeout = call->endless ? 0 : TIMEOUT,
		.max_body = BODY_MAX,
		.tick = call->endless && terminal_is_ansi(STDERR_FILENO) ? on_tick : NULL,
		.tick_interval = PROGRESS_INTERVAL,
	};
	struct progress progress = { .request = &request };
	int r = CLIENT_ABSENT;

	request.userdata = &progress;
	if (socket)
		strings_add(&sockets, socket);
	else
		find_sockets(&sockets);
	for (size_t i = 0; i < sockets.count && r == CLIENT_ABSENT; i++) {
		request.socket = sockets.items[i];
		r = client_request(&request, ret, error);
	}
	if (progress.shown)
		fputs(ERASE_LINE, stderr);
	if (r == CLIENT_ABSENT)
		tell_absent(&sockets, error);
	return r;
}
