/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* TLS as libcurl does it: whom to trust, who we are, and in words what is wrong with either. */

#include <curl/curl.h>

#include "io/http.h"

/* Whether the server is asked by TLS: https://, never over a Unix socket. */
bool tls_is_used(const struct http_server *server) _warn_unused_;

/* Trust, certificate and key of one transfer to such a server; the files are read anew for it. */
void tls_set_up(CURL *easy, const struct http_server *server);

/*
 * What a transfer to such a server failed of, with the file or the setting that it is about, or
 * NULL if it was not for TLS. text: libcurl's own words. unheard: it was the first transfer on its
 * connection, and no answer has begun. The caller frees.
 */
char *tls_explain(const struct http_server *server, CURLcode result, const char *text,
	bool unheard) _warn_unused_;
