/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the daemon can be asked: the control socket, and an address for Prometheus. Both are there
 * for people's comfort, so what goes wrong with them is logged and kept, and no error.
 */

#include "core/base.h"
#include "daemon/api.h"
#include "io/control.h"

/* All zero but for the API, which stays the caller's: nobody can ask. */
struct listening {
	struct api *api;
	struct control *control, *metrics; /* NULL: not there */
	char *control_problem, *metrics_problem; /* why nobody listens there, for people, or NULL */
};

/* Drops the calls as well, so before the API. */
void listening_finish(struct listening *listening);

/* Listens at the configured socket, "" for where the environment says. Once. */
void listening_open_control(struct listening *listening, const char *configured);

/*
 * Listens for Prometheus at an address of listen_address.h's, "" for nowhere, and no longer where
 * it did before.
 */
void listening_open_metrics(struct listening *listening, const char *address);
