/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A server that answers every request with the same bytes, right or wrong, in the test's loop. */

#include <event2/event.h>

#include "core/base.h"

struct script {
	const char *answer; /* NULL: never answers */
	size_t length; /* 0: up to its NUL */
	bool close; /* behind the answer */
	size_t piece; /* so many bytes at a time, a millisecond apart; 0: all at once */
	const char *endlessly; /* and then this, again and again */
};

struct server {
	struct script script;
	unsigned connections, closed, requests;
	char *request; /* the last one's header */
	char *path; /* of the Unix socket */
	unsigned port; /* on 127.0.0.1 */
	struct event_base *base;
	struct evconnlistener *listener;
	struct server_connection *list;
};

/* On a Unix socket, or with path NULL on a TCP port. */
struct server *server_create(
	struct event_base *base, const char *path, const struct script *script);
void server_destroy(struct server *server);
