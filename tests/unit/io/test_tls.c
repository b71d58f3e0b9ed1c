/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/tls.h"
#include "scratch.h"

#include <string.h>

static const struct http_server mutual = {
	.base_url = "https://h:1",
	.tls_ca = "/dev/null",
	.tls_cert = "/dev/zero",
	.tls_key = "/dev/full",
	.tls_verify = true,
};

static void assert_explained(const struct http_server *server, CURLcode result, const char *text,
	bool unheard, const char *expected)
{
	_cleanup_free_ char *words = tls_explain(server, result, text, unheard);

	if (!words || strncmp(words, expected, strlen(expected)) != 0)
		fail_msg("\"%s\" for \"%s\", expected \"%s\"", words ? words : "", text, expected);
}

static void test_tls_is_for_https_and_never_for_a_unix_socket(void **state)
{
	struct http_server server = mutual;

	assert_true(tls_is_used(&server));
	server.unix_socket = "/run/docker.sock";
	assert_false(tls_is_used(&server));
	server.unix_socket = NULL;
	server.base_url = "http://h:1";
	assert_false(tls_is_used(&server));
}

static void test_what_is_wrong_with_the_engines_certificate(void **state)
{
	/* libcurl 7.88's words, and OpenSSL 3's in them. */
	static const char issuer[] =
		"SSL certificate problem: unable to get local issuer certificate";
	static const char self[] =
		"SSL certificate problem: self-signed certificate in certificate chain";
	struct http_server trusting = mutual;

	assert_explained(&mutual, CURLE_PEER_FAILED_VERIFICATION,
		"SSL certificate problem: certificate has expired", false,
		"the engine's certificate has expired (SSL certificate problem: ");
	assert_explained(&mutual, CURLE_PEER_FAILED_VERIFICATION,
		"SSL certificate problem: certificate is not yet valid", false,
		"the engine's certificate is not valid yet, or the clock ");
	assert_explained(&mutual, CURLE_PEER_FAILED_VERIFICATION,
		"SSL: no alternative certificate subject name matches target host name 'h'", false,
		"the engine's certificate is not for the host ");
	assert_explained(&mutual, CURLE_PEER_FAILED_VERIFICATION, issuer, false,
		"the engine's certificate is not signed by the authority in /dev/null ");
	assert_explained(&mutual, CURLE_PEER_FAILED_VERIFICATION, self, false,
		"the engine's certificate is not signed by the authority in /dev/null ");
	trusting.tls_ca = NULL;
	assert_explained(&trusting, CURLE_PEER_FAILED_VERIFICATION, issuer, false,
		"the engine's certificate is not signed by an authority that this system trusts");
}

static void test_what_the_engine_has_against_ours(void **state)
{
	static const char bad[] = "OpenSSL SSL_read: OpenSSL/3.0.19: error:0A000412:SSL "
				  "routines::sslv3 alert bad certificate, errno 0";
	static const char required[] = "OpenSSL SSL_read: OpenSSL/3.0.19: error:0A00045C:SSL "
				       "routines::tlsv13 alert certificate required, errno 0";
	static const char unknown[] =
		"OpenSSL/3.0.19: error:0A000418:SSL routines::tlsv1 alert unknown ca";
	static const char reset[] = "Send failure: Connection reset by peer";
	static const char wanted[] = "the engine wants a certificate of ours, and there is none";
	static const char refused[] = "the engine does not accept our certificate /dev/zero: ";
	struct http_server anonymous = mutual;

	anonymous.tls_cert = NULL;
	assert_explained(&anonymous, CURLE_RECV_ERROR, bad, true, wanted);
	assert_explained(&anonymous, CURLE_RECV_ERROR, required, true, wanted);
	assert_explained(&anonymous, CURLE_SSL_CONNECT_ERROR, bad, true, wanted);
	assert_explained(&mutual, CURLE_RECV_ERROR, bad, true, refused);
	assert_explained(&mutual, CURLE_SSL_CONNECT_ERROR, unknown, true, refused);
	/* Where its alert is lost. */
	assert_explained(&mutual, CURLE_SEND_ERROR, reset, true, refused);
}

static void test_what_is_wrong_with_files(void **state)
{
	_cleanup_free_ char *missing = scratch_path(*state, "missing.pem");
	_cleanup_free_ char *expected = xasprintf("%s: No such file or directory", missing);
	struct http_server server = mutual;

	assert_explained(&mutual, CURLE_SSL_CACERT_BADFILE, "error setting certificate file", true,
		"/dev/null: no certificates in PEM format");
	assert_explained(&mutual, CURLE_SSL_CERTPROBLEM, "could not load PEM client certificate",
		true, "/dev/zero: not a certificate in PEM format (could not load ");
	assert_explained(&mutual, CURLE_SSL_CERTPROBLEM, "unable to set private key file: 'x'",
		true, "/dev/full: not the key of our certificate /dev/zero (unable to ");
	server.tls_key = NULL;
	assert_explained(&server, CURLE_SSL_CERTPROBLEM, "unable to set private key file: 'x'",
		true, "there is no key for our certificate /dev/zero: it is engine.tls_key, or ");
	server.tls_key = missing;
	assert_explained(&server, CURLE_SSL_CERTPROBLEM, "unable to set", true, expected);
	server.tls_ca = missing;
	assert_explained(&server, CURLE_SSL_CACERT_BADFILE, "error setting", true, expected);
}

static void test_tls_on_one_side_only(void **state)
{
	assert_explained(&mutual, CURLE_SSL_CONNECT_ERROR,
		"OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number", true,
		"the engine does not speak TLS at this address (OpenSSL/3.0.19: ");
}

static void test_what_is_not_for_tls_is_left_alone(void **state)
{
	struct http_server anonymous = mutual;

	anonymous.tls_cert = NULL;
	assert_null(tls_explain(&mutual, CURLE_COULDNT_CONNECT, "Connection refused", true));
	assert_null(tls_explain(&mutual, CURLE_RECV_ERROR, "Recv failure: reset", false));
	assert_null(tls_explain(&anonymous, CURLE_SEND_ERROR, "Send failure: reset", true));
	assert_null(tls_explain(&mutual, CURLE_SSL_CONNECT_ERROR,
		"error:0A000410:SSL routines::sslv3 alert handshake failure", true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls_is_for_https_and_never_for_a_unix_socket),
		cmocka_unit_test(test_what_is_wrong_with_the_engines_certificate),
		cmocka_unit_test(test_what_the_engine_has_against_ours),
		cmocka_unit_test_setup_teardown(
			test_what_is_wrong_with_files, scratch_setup, scratch_teardown),
		cmocka_unit_test(test_tls_on_one_side_only),
		cmocka_unit_test(test_what_is_not_for_tls_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
