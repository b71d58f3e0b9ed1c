/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Finds a daemon's control socket and asks there. */

#include "io/client.h"

struct client_call {
	const char *method;
	char *target; /* path and query, percent-encoded */
	char *body; /* JSON, or NULL */
	bool endless; /* no time-out, and a line on the terminal meanwhile: a collection */
};
void client_call_finish(struct client_call *call);

/*
 * Asks at socket; if that is NULL, wherever a daemon would have put its own, one place after the
 * other: as the configuration says, then as the environment does. Returns as client_request(),
 * *error is set for CLIENT_ABSENT as well.
 */
int control_client_ask(const char *socket, const struct client_call *call,
	struct client_answer *ret, struct error *error) _warn_unused_;
