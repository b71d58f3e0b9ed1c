/* SPDX-License-Identifier: Apache-2.0 */
#include "io/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/util.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "codec/control_json.h"
#include "codec/listen_address.h"
#include "core/printable.h"
#include "io/files.h"
#include "io/log.h"

/* A client that sends or takes nothing for so long is dropped. */
#define IDLE_SECONDS 30
#define HEADERS_MAX 16384
#define BACKLOG 16

struct control_call {
	struct control *control;
	struct evhttp_request *request; /* NULL: the client is gone */
	struct evkeyvalq query;
	char *rest, *body;
	LIST_ENTRY(control_call) link;
};

struct control {
	struct evhttp *http;
	const struct control_route *routes;
	size_t count;
	void *userdata;
	char *path; /* of the socket, once it is ours */
	LIST_HEAD(, control_call) calls;
};

void control_find_sockets(struct strings *ret)
{
	const char *service = environment_get("RUNTIME_DIRECTORY"),
		   *user = environment_get("XDG_RUNTIME_DIR");

	/* Several folders are separated by colons (systemd.exec(5)). */
	if (service)
		strings_addf(ret, "%.*s/control.sock", (int)strcspn(service, ":"), service);
	else if (user)
		strings_addf(ret, "%s/dockergcd/control.sock", user);
	if (geteuid() == 0)
		strings_add(ret, CONTROL_SYSTEM_DIRECTORY "control.sock");
}

static void call_free(struct control_call *call)
{
	LIST_REMOVE(call, link);
	evhttp_clear_headers(&call->query);
	free(call->rest);
	free(call->body);
	free(call);
}

static void on_gone(struct evhttp_connection *connection _unused_, void *userdata)
{
	struct control_call *call = userdata;

	call->request = NULL;
}

static void send_text(struct control_call *call, int status, const char *type, const char *text)
{
	struct evhttp_request *request = call->request;

	if (request) {
		struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
		struct evbuffer *buffer = evhttp_request_get_output_buffer(request);

		evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
		if (evhttp_add_header(headers, "Content-Type", type) < 0 ||
			evbuffer_add(buffer, text, strlen(text)) < 0)
			abort();
		evhttp_send_reply(request, status, NULL, NULL);
	}
	call_free(call);
}

void control_reply(struct control_call *call, int status, const char *json)
{
	send_text(call, status, "application/json", json);
}

void control_reply_text(struct control_call *call, const char *content_type, const char *text)
{
	send_text(call, HTTP_OK, content_type, text);
}

void control_fail(struct control_call *call, int status, const char *format, ...)
{
	_cleanup_free_ char *message = NULL, *json = NULL;
	va_list args;

	va_start(args, format);
	message = xvasprintf(format, args);
	va_end(args);
	json = encode_message(message);
	control_reply(call, status, json);
}

const char *control_rest(const struct control_call *call)
{
	return call->rest;
}

const char *control_parameter(const struct control_call *call, const char *name)
{
	return evhttp_find_header(&call->query, name);
}

const char *control_body(struct control_call *call, size_t *ret_length)
{
	struct evbuffer *buffer = evhttp_request_get_input_buffer(call->request);

	*ret_length = evbuffer_get_length(buffer);
	free(call->body);
	call->body = xcalloc(*ret_length + 1, 1);
	evbuffer_copyout(buffer, call->body, *ret_length);
	return call->body;
}

/* Whether the path is the route's; *ret_rest is what stands for its *. */
static bool route_matches(
	const struct control_route *route, const char *path, const char **ret_rest)
{
	size_t length = strlen(route->path);

	*ret_rest = "";
	if (route->path[length - 1] != '*')
		return streq(route->path, path);
	*ret_rest = path + length - 1;
	return strncmp(route->path, path, length - 1) == 0 && path[length - 1];
}

static const char *method_name(enum evhttp_cmd_type method)
{
	if (method == EVHTTP_REQ_GET)
		return "GET";
	return method == EVHTTP_REQ_POST ? "POST" : "";
}

static struct control_call *call_new(struct control *control, struct evhttp_request *request)
{
	struct control_call *call = xcalloc(1, sizeof(*call));

	call->control = control;
	call->request = request;
	TAILQ_INIT(&call->query);
	LIST_INSERT_HEAD(&control->calls, call, link);
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), on_gone, call);
	return call;
}

/* Decodes %XX; NULL for what is no text: no UTF-8, or a NUL would cut it short. */
static char *decode(const char *text)
{
	size_t length;
	char *decoded = evhttp_uridecode(text, 0, &length), *copy = NULL;

	if (!decoded)
		abort();
	if (strlen(decoded) == length && printable_is_utf8(decoded))
		copy = xstrdup(decoded);
	free(decoded);
	return copy;
}

static bool has_texts(const struct evkeyvalq *query)
{
	const struct evkeyval *pair;

	TAILQ_FOREACH(pair, query, next)
	if (!printable_is_utf8(pair->value))
		return false;
	return true;
}

/* Decodes the parameters. Returns false where that makes no sense. */
static bool read_query(struct control_call *call, const struct evhttp_uri *uri)
{
	const char *query = evhttp_uri_get_query(uri);

	return !query ||
		(evhttp_parse_query_str(query, &call->query) == 0 && has_texts(&call->query));
}

static void on_request(struct evhttp_request *request, void *userdata)
{
	struct control *control = userdata;
	struct control_call *call = call_new(control, request);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL, *rest;
	const char *method = method_name(evhttp_request_get_command(request));
	bool known = false;

	if (!path || !read_query(call, uri)) {
		control_fail(call, HTTP_BADREQUEST, "this address makes no sense");
		return;
	}
	for (size_t i = 0; i < control->count; i++) {
		const struct control_route *route = &control->routes[i];

		if (!route_matches(route, path, &rest))
			continue;
		known = true;
		if (!streq(route->method, method))
			continue;
		call->rest = decode(rest);
		if (call->rest)
			route->handle(control->userdata, call);
		else
			control_fail(call, HTTP_BADREQUEST, "the address is no text");
		return;
	}
	log_debug("control: no route for %s", path);
	if (known)
		control_fail(call, HTTP_BADMETHOD, "not with this method");
	else
		control_fail(call, HTTP_NOTFOUND, "no such page");
}

struct control *control_create(
	struct event_base *base, const struct control_route *routes, size_t count, void *userdata)
{
	struct control *control = xcalloc(1, sizeof(*control));

	*control = (struct control){
		.http = evhttp_new(base),
		.routes = routes,
		.count = count,
		.userdata = userdata,
	};
	if (!control->http)
		abort();
	LIST_INIT(&control->calls);
	/* Wrong methods get our own answer. */
	evhttp_set_allowed_methods(control->http,
		EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
			EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	evhttp_set_max_headers_size(control->http, HEADERS_MAX);
	evhttp_set_max_body_size(control->http, CONTROL_BODY_MAX);
	evhttp_set_timeout(control->http, IDLE_SECONDS);
	evhttp_set_default_content_type(control->http, NULL);
	evhttp_set_gencb(control->http, on_request, control);
	return control;
}

/* Somebody answers there: 0, else -errno. */
static int probe(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* A socket, bound and listening, with nobody else's rights on its file if it has one. */
static int listen_at(const struct sockaddr *address, socklen_t length)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1,
	    r = 0;
	mode_t mask;

	if (fd < 0)
		return -errno;
	/* A port is free again at once after a restart. */
	if (address->sa_family != AF_UNIX &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		r = -errno;
	mask = umask(0177);
	if (r == 0 && bind(fd, address, length) < 0)
		r = -errno;
	umask(mask);
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int control_listen(struct control *control, const char *path, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		error_set(error, "%s: longer than a socket's path may be", path);
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		if (probe(&address) == 0) {
			error_set(error, "%s: another one listens there", path);
			return -EADDRINUSE;
		}
		unlink(path);
	}
	fd = listen_at((const struct sockaddr *)&address, sizeof(address));
	if (fd < 0) {
		error_set(error, "%s: %s", path, strerror(-fd));
		return fd;
	}
	if (evhttp_accept_socket(control->http, fd) < 0)
		abort();
	control->path = xstrdup(path);
	return 0;
}

int control_listen_tcp(struct control *control, const char *text, struct error *error)
{
	struct sockaddr_storage address;
	socklen_t length;
	int fd;

	if (listen_address_parse(text, &address, &length) < 0) {
		error_set(error, "%s: no address and port", text);
		return -EINVAL;
	}
	fd = listen_at((const struct sockaddr *)&address, length);
	if (fd < 0) {
		error_set(error, "%s: %s", text, strerror(-fd));
		return fd;
	}
	if (evhttp_accept_socket(control->http, fd) < 0)
		abort();
	return 0;
}

void control_destroy(struct control *control)
{
	struct control_call *call;

	if (!control)
		return;
	while ((call = LIST_FIRST(&control->calls))) {
		if (call->request)
			evhttp_connection_set_closecb(
				evhttp_request_get_connection(call->request), NULL, NULL);
		call_free(call);
	}
	evhttp_free(control->http);
	if (control->path)
		unlink(control->path);
	free(control->path);
	free(control);
}
