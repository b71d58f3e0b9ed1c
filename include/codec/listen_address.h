/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where to listen: "127.0.0.1:9487", "[::1]:9487". */

#include <sys/socket.h>

#include "core/base.h"

/*
 * A numeric address and a port that is not 0; names would have to be looked up. Returns 0 or
 * -EINVAL.
 */
int listen_address_parse(
	const char *text, struct sockaddr_storage *ret, socklen_t *ret_length) _warn_unused_;
