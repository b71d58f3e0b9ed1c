/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One HTTP request over a Unix socket, waited for. For programs without a loop of their own. */

#include "core/base.h"

struct client_request {
	const char *socket; /* its path */
	const char *method;
	const char *target; /* path and query, percent-encoded */
	const char *body; /* JSON, NULL for none */
	nsec_t connect_timeout; /* 0: none */
	nsec_t timeout; /* for all of it; 0: none */
	size_t max_body; /* of the answer */

	/* Called every tick_interval for as long as there is no answer, if it is not NULL. It may
	 * make requests of its own. */
	void (*tick)(void *userdata);
	void *userdata;
	nsec_t tick_interval;
};

struct client_answer {
	unsigned status;
	char *body; /* with a NUL behind it; "" for none */
	size_t length;
};
void client_answer_finish(struct client_answer *answer);

/* Nobody listens there: no such socket, or one that was left behind. */
#define CLIENT_ABSENT 1

/*
 * Whatever the status, an answer is one. Returns 0, CLIENT_ABSENT, or with *error: -ETIMEDOUT,
 * -EFBIG (above max_body), -EACCES (no permission to connect), -EIO for everything else. To be
 * released with client_answer_finish() after 0.
 */
int client_request(const struct client_request *request, struct client_answer *ret,
	struct error *error) _warn_unused_;

/* Text as a part of a path or a query. The caller frees. */
char *client_encode(const char *text) _warn_unused_;
