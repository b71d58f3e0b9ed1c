/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool tls_is_used(const struct http_server *server)
{
	return !server->unix_socket && strncmp(server->base_url, "https:", 6) == 0;
}

void tls_set_up(CURL *easy, const struct http_server *server)
{
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, server->tls_verify ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, server->tls_verify ? 2L : 0L);
	/* A file that is mended or renewed would have no effect for a day. */
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	if (server->tls_ca) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, server->tls_ca);
		/* Or everybody whom this system trusts could be the engine, too. */
		curl_easy_setopt(easy, CURLOPT_CAPATH, (char *)NULL);
	}
	if (server->tls_cert)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, server->tls_cert);
	if (server->tls_key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, server->tls_key);
}

/* The first of the files that cannot be read, and why. */
static char *explain_file(const struct http_server *server)
{
	const char *const files[] = { server->tls_ca, server->tls_cert, server->tls_key };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int fd = files[i] ? open(files[i], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
				  : -1;

		if (files[i] && fd < 0)
			return xasprintf("%s: %s", files[i], strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

/* Of our own certificate and its key. */
static char *explain_pair(const struct http_server *server, const char *text)
{
	if (!strstr(text, "private key"))
		return xasprintf("%s: not a certificate in PEM format (%s)",
			server->tls_cert ? server->tls_cert : "", text);
	if (!server->tls_key)
		return xasprintf("there is no key for our certificate %s: it is engine.tls_key, "
				 "or key.pem beside cert.pem (%s)",
			server->tls_cert, text);
	return xasprintf("%s: not the key of our certificate %s (%s)", server->tls_key,
		server->tls_cert, text);
}

static char *explain_peer(const struct http_server *server, const char *text)
{
	if (strstr(text, "expired"))
		return xasprintf("the engine's certificate has expired (%s)", text);
	if (strstr(text, "not yet valid"))
		return xasprintf("the engine's certificate is not valid yet, or the clock of this "
				 "machine is slow (%s)",
			text);
	if (strstr(text, "host name"))
		return xasprintf("the engine's certificate is not for the host that the address "
				 "names (%s)",
			text);
	if (server->tls_ca)
		return xasprintf("the engine's certificate is not signed by the authority in %s "
				 "(%s)",
			server->tls_ca, text);
	return xasprintf(
		"the engine's certificate is not signed by an authority that this system "
		"trusts: engine.tls_ca, or ca.pem in DOCKER_CERT_PATH, says which to trust "
		"(%s)",
		text);
}

/* Other alerts are of versions and ciphers. */
static bool is_alert_about_certificate(const char *text)
{
	const char *alert = strstr(text, "alert");

	return alert &&
		(strstr(alert, "certificate") || strstr(alert, "unknown ca") ||
			strstr(alert, "access denied"));
}

/* The engine has looked at our certificate, or missed it, and wants no more of us. */
static char *explain_refusal(const struct http_server *server, const char *text)
{
	if (!server->tls_cert)
		return xasprintf("the engine wants a certificate of ours, and there is none: it is "
				 "engine.tls_cert, or cert.pem in DOCKER_CERT_PATH (%s)",
			text);
	return xasprintf("the engine does not accept our certificate %s: has it expired, or is it "
			 "signed by an authority that the engine does not trust? (%s)",
		server->tls_cert, text);
}

char *tls_explain(const struct http_server *server, CURLcode result, const char *text, bool unheard)
{
	char *file;

	switch ((int)result) {
	case CURLE_SSL_CACERT_BADFILE:
		file = explain_file(server);
		return file ? file : xasprintf("%s: no certificates in PEM format", server->tls_ca);
	case CURLE_SSL_CERTPROBLEM:
		file = explain_file(server);
		return file ? file : explain_pair(server, text);
	case CURLE_PEER_FAILED_VERIFICATION:
		return explain_peer(server, text);
	case CURLE_SSL_CONNECT_ERROR:
		if (strstr(text, "wrong version number"))
			return xasprintf(
				"the engine does not speak TLS at this address (%s)", text);
		return is_alert_about_certificate(text) ? explain_refusal(server, text) : NULL;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		/*
		 * With TLS 1.3 we are through before the engine has looked at our certificate. What
		 * it makes of that is lost if it hangs up while we write.
		 */
		return is_alert_about_certificate(text) || (unheard && server->tls_cert)
			? explain_refusal(server, text)
			: NULL;
	default:
		return NULL;
	}
}
