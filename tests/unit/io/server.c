/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "server.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <signal.h>
#include <string.h>
#include <sys/un.h>

struct server_connection {
	struct server *server;
	struct bufferevent *stream;
	struct event *timer;
	size_t sent;
	struct server_connection *next;
};

static void connection_free(struct server_connection *connection)
{
	struct server_connection **at = &connection->server->list;

	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	event_free(connection->timer);
	bufferevent_free(connection->stream);
	free(connection);
}

/* Sends what comes next, and returns whether there is more. */
static bool send_some(struct server_connection *connection)
{
	const struct script *script = &connection->server->script;
	size_t length = script->length ? script->length : strlen(script->answer);
	size_t size = length - connection->sent;

	if (size == 0 && script->endlessly) {
		bufferevent_write(connection->stream, script->endlessly, strlen(script->endlessly));
		return true;
	}
	if (script->piece)
		size = MIN(size, script->piece);
	bufferevent_write(connection->stream, script->answer + connection->sent, size);
	connection->sent += size;
	return connection->sent < length || script->endlessly;
}

static void on_written(struct bufferevent *stream, void *userdata)
{
	struct server_connection *connection = userdata;
	const struct script *script = &connection->server->script;
	size_t length = script->answer && !script->length ? strlen(script->answer) : script->length;

	if (script->close && connection->sent == length)
		connection_free(connection);
}

static void on_timer(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	struct server_connection *connection = userdata;
	const struct timeval tv = { 0, 1000 };

	if (send_some(connection))
		evtimer_add(connection->timer, &tv);
}

static void on_request(struct bufferevent *stream, void *userdata)
{
	struct server_connection *connection = userdata;
	struct server *server = connection->server;
	struct evbuffer *input = bufferevent_get_input(stream);
	struct evbuffer_ptr end = evbuffer_search(input, "\r\n\r\n", 4, NULL);

	if (end.pos < 0)
		return;
	free(server->request);
	server->request = xcalloc((size_t)end.pos + 5, 1);
	evbuffer_remove(input, server->request, (size_t)end.pos + 4);
	server->requests++;
	connection->sent = 0;
	if (server->script.answer)
		on_timer(-1, 0, connection);
}

static void on_end(struct bufferevent *stream _unused_, short what _unused_, void *userdata)
{
	struct server_connection *connection = userdata;

	connection->server->closed++;
	connection_free(connection);
}

static void on_connection(struct evconnlistener *listener _unused_, evutil_socket_t fd,
	struct sockaddr *address _unused_, int length _unused_, void *userdata)
{
	struct server *server = userdata;
	struct server_connection *connection = xcalloc(1, sizeof(*connection));

	server->connections++;
	connection->server = server;
	connection->next = server->list;
	server->list = connection;
	connection->timer = evtimer_new(server->base, on_timer, connection);
	connection->stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(connection->stream, on_request, on_written, on_end, connection);
	bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
}

struct server *server_create(struct event_base *base, const char *path, const struct script *script)
{
	struct server *server = xcalloc(1, sizeof(*server));
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in remote = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(remote);

	/* Who has asked may be gone while it is still being answered. */
	signal(SIGPIPE, SIG_IGN);
	server->script = *script;
	server->base = base;
	if (path) {
		assert_true(strlen(path) < sizeof(local.sun_path));
		memcpy(local.sun_path, path, strlen(path) + 1);
		server->path = xstrdup(path);
	}
	server->listener = evconnlistener_new_bind(base, on_connection, server,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 64,
		path ? (struct sockaddr *)&local : (struct sockaddr *)&remote,
		path ? (int)sizeof(local) : (int)sizeof(remote));
	assert_non_null(server->listener);
	if (!path) {
		assert_int_equal(getsockname(evconnlistener_get_fd(server->listener),
					 (struct sockaddr *)&remote, &length),
			0);
		server->port = ntohs(remote.sin_port);
	}
	return server;
}

void server_destroy(struct server *server)
{
	if (!server)
		return;
	while (server->list)
		connection_free(server->list);
	evconnlistener_free(server->listener);
	free(server->request);
	free(server->path);
	free(server);
}
