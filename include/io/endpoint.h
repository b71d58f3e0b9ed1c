/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the engine is: what the command line, the configuration, the environment, docker's contexts
 * and the usual sockets say, in that order (as the docker CLI looks for it).
 */

#include "core/base.h"

struct endpoint {
	char *url; /* for people: "unix:///var/run/docker.sock", "tcp://host:2376" */
	char *source; /* who said so: "--host", "DOCKER_HOST", "the context \"x\"" … */
	char *unix_socket; /* path, or NULL */
	char *base_url; /* "http://localhost", "https://host:2376", "http://host:80/prefix" */
	bool tls_verify;
	char *tls_ca, *tls_cert, *tls_key; /* paths, or NULL */
	char *api_version; /* pinned by DOCKER_API_VERSION, or NULL */
};

/* What the configuration says of it; empty strings are unset. */
struct endpoint_settings {
	const char *option; /* --host, or NULL */
	const char *host;
	bool tls_verify;
	const char *tls_ca, *tls_cert, *tls_key;
};

void endpoint_finish(struct endpoint *endpoint);

/*
 * Finds the engine. A Unix socket need not be there yet. Returns 0, or -EINVAL with *error for an
 * address or a context that is not understood, ssh:// included, which names who said so; *ret is
 * untouched then.
 */
int endpoint_find(const struct endpoint_settings *settings, struct endpoint *ret,
	struct error *error) _warn_unused_;

/* A warning if the private key that will be used can be read by anybody, or NULL. Caller frees. */
char *endpoint_warn_of_key(const struct endpoint *endpoint) _warn_unused_;
