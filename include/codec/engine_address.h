/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Addresses of engines as docker takes them: unix://, tcp://, http://, https://. */

#include "core/base.h"

struct engine_address {
	char *url; /* for people: "unix:///var/run/docker.sock", "tcp://host:2376" */
	char *unix_socket; /* path, or NULL */
	char *base_url; /* "http://localhost", "https://host:2376", "http://host:80/prefix" */
};
void engine_address_finish(struct engine_address *address);

/*
 * Understands one address. tls: a tcp:// address without a word of its own is meant with TLS, and
 * has port 2376 instead of 2375. A path is what a proxy has put before all of the engine's own.
 * Returns 0 or -EINVAL with *error; ssh:// gets advice.
 */
int engine_address_parse(
	const char *text, bool tls, struct engine_address *ret, struct error *error) _warn_unused_;
