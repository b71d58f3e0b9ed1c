/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listening.h"

#include <errno.h>
#include <string.h>

#include "io/files.h"
#include "io/log.h"

void listening_finish(struct listening *listening)
{
	control_destroy(listening->control);
	control_destroy(listening->metrics);
	free(listening->control_problem);
	free(listening->metrics_problem);
	*listening = (struct listening){};
}

static char *find_socket(const char *configured)
{
	_cleanup_strings_ struct strings places = {};

	if (*configured)
		return path_absolute(configured);
	control_find_sockets(&places);
	return places.count > 0 ? xstrdup(places.items[0]) : NULL;
}

static int listen_socket(struct control *control, const char *configured, struct error *error)
{
	_cleanup_free_ char *path = find_socket(configured), *directory = NULL;

	if (!path) {
		error_set(error, "no place for it: set XDG_RUNTIME_DIR or control.socket");
		return -ENOENT;
	}
	directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	if (*directory) {
		int r = directory_make(directory);

		if (r < 0) {
			error_set(error, "%s: %s", directory, strerror(-r));
			return r;
		}
	}
	return control_listen(control, path, error);
}

void listening_open_control(struct listening *listening, const char *configured)
{
	_cleanup_error_ struct error error = {};

	listening->control = api_create_control(listening->api);
	if (listen_socket(listening->control, configured, &error) == 0)
		return;
	log_error("no control socket: %s", error.message);
	listening->control_problem = xasprintf("no control socket: %s", error.message);
}

static int listen_metrics(struct listening *listening, const char *address, struct error *error)
{
	int r = 0;

	control_destroy(TAKE_PTR(listening->metrics));
	if (*address) {
		listening->metrics = api_create_metrics(listening->api);
		r = control_listen_tcp(listening->metrics, address, error);
	}
	if (r < 0)
		control_destroy(TAKE_PTR(listening->metrics));
	return r;
}

void listening_open_metrics(struct listening *listening, const char *address)
{
	_cleanup_error_ struct error error = {};

	freep(&listening->metrics_problem);
	listening->metrics_problem = NULL;
	if (listen_metrics(listening, address, &error) == 0) {
		if (*address)
			log_info("metrics at http://%s/metrics", address);
		return;
	}
	log_error("no metrics over TCP: %s", error.message);
	listening->metrics_problem = xasprintf("no metrics over TCP: %s", error.message);
}
