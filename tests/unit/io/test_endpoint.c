/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/endpoint.h"
#include "scratch.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The sockets that this test says are there. */
static const char *sockets[4];

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
	const char *end = strrchr(path, '.');

	if (!streq(end, ".sock"))
		return __real_access(path, mode);
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
		if (streq(sockets[i], path))
			return 0;
	errno = ENOENT;
	return -1;
}

static int setup(void **state)
{
	memset(sockets, 0, sizeof(sockets));
	if (scratch_setup(state) < 0)
		return -1;
	/* ~/.docker is in the test's folder. */
	return setenv("HOME", *state, 1);
}

static const struct endpoint_settings nothing = {
	.host = "", .tls_ca = "", .tls_cert = "", .tls_key = "", .tls_verify = true
};

static struct endpoint find(const struct endpoint_settings *settings)
{
	_cleanup_error_ struct error error = {};
	struct endpoint endpoint = {};

	if (endpoint_find(settings, &endpoint, &error) < 0)
		fail_msg("%s", error.message);
	return endpoint;
}

static void assert_found(
	const struct endpoint_settings *settings, const char *url, const char *source)
{
	_cleanup_(endpoint_finish) struct endpoint endpoint = find(settings);

	assert_string_equal(endpoint.url, url);
	assert_string_equal(endpoint.source, source);
}

/* What is found is an error with this in its message. */
static void assert_error(const struct endpoint_settings *settings, const char *part)
{
	_cleanup_error_ struct error error = {};
	struct endpoint endpoint = { .tls_verify = true };

	assert_int_equal(endpoint_find(settings, &endpoint, &error), -EINVAL);
	if (!strstr(error.message, part))
		fail_msg("%s: should have %s", error.message, part);
	assert_true(endpoint.tls_verify);
	assert_null(endpoint.url);
}

/* sha256 of the name, as the docker CLI calls a context's folder. */
#define REMOTE "9b7d6a60f8e6e4d5b1f0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6"
#define OTHER "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"

static void write_in(const char *folder, const char *name, const char *text)
{
	_cleanup_free_ char *path = scratch_path(folder, name);

	scratch_write(path, text);
}

/* Two contexts, `remote` with certificates and `other`, and a current one. */
static void write_contexts(const char *docker, const char *current)
{
	_cleanup_free_ char *config = xasprintf("{\"currentContext\":\"%s\"}", current);

	write_in(docker, "config.json", config);
	write_in(docker, "contexts/meta/" REMOTE "/meta.json",
		"{\"Name\":\"remote\",\"Metadata\":{},\"Endpoints\":{\"docker\":{\"Host\":"
		"\"tcp://remote.example\",\"SkipTLSVerify\":false}}}");
	write_in(docker, "contexts/tls/" REMOTE "/docker/ca.pem", "ca");
	write_in(docker, "contexts/tls/" REMOTE "/docker/cert.pem", "cert");
	write_in(docker, "contexts/tls/" REMOTE "/docker/key.pem", "key");
	write_in(docker, "contexts/meta/" OTHER "/meta.json",
		"{\"Name\":\"other\",\"Endpoints\":{\"docker\":{\"Host\":"
		"\"unix:///run/other.sock\"}}}");
	write_in(docker, "contexts/meta/damaged/meta.json", "{");
}

static void test_each_source_wins_over_those_after_it(void **state)
{
	_cleanup_free_ char *docker = scratch_path(*state, ".docker");
	struct endpoint_settings settings = nothing;

	/* Everything at once, then one after the other is taken away. */
	write_contexts(docker, "remote");
	sockets[0] = "/run/user/1/docker.sock";
	sockets[1] = "/var/run/docker.sock";
	sockets[2] = "/run/user/1/podman/podman.sock";
	sockets[3] = "/run/podman/podman.sock";
	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	setenv("DOCKER_HOST", "tcp://variable", 1);
	setenv("DOCKER_CONTEXT", "other", 1);
	settings.option = "unix:///option.sock";
	settings.host = "tcp://setting:1";

	assert_found(&settings, "unix:///option.sock", "--host");
	settings.option = NULL;
	assert_found(&settings, "tcp://setting:1", "engine.host");
	settings.host = "";
	assert_found(&settings, "tcp://variable:2375", "DOCKER_HOST");
	setenv("DOCKER_HOST", "", 1);
	assert_found(&settings, "unix:///run/other.sock", "the docker context \"other\"");
	setenv("DOCKER_CONTEXT", "", 1);
	assert_found(&settings, "tcp://remote.example:2376", "the docker context \"remote\"");
	write_contexts(docker, "");
	assert_found(&settings, "unix:///run/user/1/docker.sock", "the usual places");
	sockets[0] = NULL;
	assert_found(&settings, "unix:///var/run/docker.sock", "the usual places");
	sockets[1] = NULL;
	assert_found(&settings, "unix:///run/user/1/podman/podman.sock", "the usual places");
	sockets[2] = NULL;
	assert_found(&settings, "unix:///run/podman/podman.sock", "the usual places");
}

static void test_b19_without_any_socket_it_is_dockers(void **state)
{
	assert_found(&nothing, "unix:///var/run/docker.sock", "the usual places");
	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	assert_found(&nothing, "unix:///var/run/docker.sock", "the usual places");
}

static void test_sockets_of_users_only_where_they_have_a_folder(void **state)
{
	sockets[0] = "/docker.sock";
	sockets[1] = "/run/podman/podman.sock";
	assert_found(&nothing, "unix:///run/podman/podman.sock", "the usual places");
}

static void test_a_context_brings_its_certificates(void **state)
{
	_cleanup_free_ char *docker = scratch_path(*state, ".docker");
	_cleanup_free_ char *tls = scratch_path(docker, "contexts/tls/" REMOTE "/docker");
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};
	_cleanup_free_ char *ca = scratch_path(tls, "ca.pem"), *key = scratch_path(tls, "key.pem");

	write_contexts(docker, "remote");
	endpoint = find(&nothing);
	assert_string_equal(endpoint.base_url, "https://remote.example:2376");
	assert_string_equal(endpoint.tls_ca, ca);
	assert_string_equal(endpoint.tls_key, key);
	assert_true(endpoint.tls_verify);
}

static void test_a_context_may_skip_verification(void **state)
{
	_cleanup_free_ char *docker = scratch_path(*state, "elsewhere");
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};

	write_contexts(docker, "remote");
	write_in(docker, "contexts/meta/" REMOTE "/meta.json",
		"{\"Name\":\"remote\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://r:1\","
		"\"SkipTLSVerify\":true}}}");
	setenv("DOCKER_CONFIG", docker, 1);
	endpoint = find(&nothing);
	assert_string_equal(endpoint.base_url, "https://r:1");
	assert_false(endpoint.tls_verify);
}

static void test_a_context_without_certificates_is_plain(void **state)
{
	_cleanup_free_ char *docker = scratch_path(*state, ".docker");
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};

	write_in(docker, "contexts/meta/" OTHER "/meta.json",
		"{\"Name\":\"plain\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://p\"}}}");
	setenv("DOCKER_CONTEXT", "plain", 1);
	endpoint = find(&nothing);
	assert_string_equal(endpoint.base_url, "http://p:2375");
	assert_null(endpoint.tls_ca);
}

/* The context `bare`, which has no certificates, with this in its endpoint. */
static struct endpoint find_bare_context(
	void **state, const char *more, const struct endpoint_settings *settings)
{
	_cleanup_free_ char *docker = scratch_path(*state, ".docker");
	_cleanup_free_ char *meta = xasprintf("{\"Name\":\"bare\",\"Endpoints\":{\"docker\":"
					      "{\"Host\":\"tcp://r\"%s}}}",
		more);

	write_in(docker, "contexts/meta/" OTHER "/meta.json", meta);
	setenv("DOCKER_CONTEXT", "bare", 1);
	return find(settings);
}

static void test_a_context_that_skips_verification_means_tls(void **state)
{
	/* So does docker: Get "https://…". */
	_cleanup_(endpoint_finish) struct endpoint endpoint =
		find_bare_context(state, ",\"SkipTLSVerify\":true", &nothing);

	assert_string_equal(endpoint.base_url, "https://r:2376");
	assert_false(endpoint.tls_verify);
}

static void test_configured_certificates_hold_for_a_context(void **state)
{
	struct endpoint_settings settings = nothing;
	_cleanup_(endpoint_finish) struct endpoint endpoint = {}, unverified = {};

	settings.tls_ca = "/my/ca.pem";
	endpoint = find_bare_context(state, "", &settings);
	assert_string_equal(endpoint.base_url, "https://r:2376");
	assert_string_equal(endpoint.tls_ca, "/my/ca.pem");
	assert_true(endpoint.tls_verify);
	settings.tls_verify = false;
	unverified = find(&settings);
	assert_false(unverified.tls_verify);
}

static void test_the_default_context_is_none(void **state)
{
	_cleanup_free_ char *docker = scratch_path(*state, ".docker");

	write_contexts(docker, "default");
	assert_found(&nothing, "unix:///var/run/docker.sock", "the usual places");
	write_contexts(docker, "remote");
	setenv("DOCKER_CONTEXT", "default", 1);
	assert_found(&nothing, "unix:///var/run/docker.sock", "the usual places");
}

static void test_contexts_that_are_of_no_use(void **state)
{
	_cleanup_free_ char *docker = scratch_path(*state, ".docker");

	/* A context that is asked for is never replaced by another engine. */
	write_contexts(docker, "gone");
	assert_error(&nothing, "there is no docker context \"gone\"");
	setenv("DOCKER_CONTEXT", "missing", 1);
	assert_error(&nothing, "there is no docker context \"missing\" in ");
	/* It could be that one. */
	assert_error(&nothing, "/.docker/contexts/meta/damaged/meta.json: not JSON");
	unsetenv("DOCKER_CONTEXT");
	write_in(docker, "config.json", "{\"currentContext\":");
	assert_error(&nothing, "/.docker/config.json: not JSON");
	write_contexts(docker, "remote");
	write_in(docker, "contexts/meta/" REMOTE "/meta.json", "{\"Name\":\"remote\"}");
	assert_error(&nothing, "the context \"remote\" has no docker endpoint");
	write_in(docker, "contexts/meta/" REMOTE "/meta.json",
		"{\"Name\":\"remote\",\"Endpoints\":{\"docker\":{\"Host\":\"ssh://u@h\"}}}");
	assert_error(&nothing, "the docker context \"remote\": ssh://u@h: ssh:// is not supported");
	/* DOCKER_HOST has nothing to do with it. */
	setenv("DOCKER_HOST", "tcp://h:1", 1);
	assert_found(&nothing, "tcp://h:1", "DOCKER_HOST");
}

static void test_addresses_that_make_no_sense_are_told(void **state)
{
	struct endpoint_settings settings = nothing;

	settings.host = "ssh://h";
	assert_error(&settings, "engine.host: ssh://h: ssh:// is not supported");
	settings.option = "unix://x";
	assert_error(&settings, "--host: unix://x: the path of a socket must begin with /");
	setenv("DOCKER_HOST", "fd://", 1);
	assert_error(&nothing, "DOCKER_HOST: fd://: fd:// is not understood");
}

static void test_tls_by_the_environment(void **state)
{
	_cleanup_free_ char *certificates = scratch_path(*state, "certs");
	_cleanup_free_ char *ca = scratch_path(certificates, "ca.pem");
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};

	write_in(certificates, "ca.pem", "ca");
	setenv("DOCKER_HOST", "tcp://h", 1);
	setenv("DOCKER_TLS_VERIFY", "1", 1);
	setenv("DOCKER_CERT_PATH", certificates, 1);
	endpoint = find(&nothing);
	assert_string_equal(endpoint.base_url, "https://h:2376");
	assert_true(endpoint.tls_verify);
	assert_string_equal(endpoint.tls_ca, ca);
	/* Those that are not there are not named. */
	assert_null(endpoint.tls_cert);
	assert_null(endpoint.tls_key);
}

static void test_certificates_are_in_the_docker_folder_by_default(void **state)
{
	_cleanup_free_ char *docker = scratch_path(*state, ".docker");
	_cleanup_free_ char *key = scratch_path(docker, "key.pem");
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};

	write_in(docker, "key.pem", "key");
	setenv("DOCKER_HOST", "tcp://h:1", 1);
	setenv("DOCKER_TLS_VERIFY", "yes", 1);
	endpoint = find(&nothing);
	assert_string_equal(endpoint.base_url, "https://h:1");
	assert_string_equal(endpoint.tls_key, key);
}

static void test_who_verifies_must_have_an_authority(void **state)
{
	_cleanup_free_ char *ca = scratch_path(*state, "ca.pem");
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};

	/* So with docker: "open …/ca.pem: no such file or directory". */
	setenv("DOCKER_HOST", "tcp://h:1", 1);
	setenv("DOCKER_TLS_VERIFY", "1", 1);
	setenv("DOCKER_CERT_PATH", *state, 1);
	endpoint = find(&nothing);
	assert_string_equal(endpoint.tls_ca, ca);
}

static void test_a_key_that_anybody_can_read(void **state)
{
	_cleanup_free_ char *key = scratch_path(*state, "key.pem"), *warning = NULL;
	struct endpoint endpoint = { .base_url = "https://h:1", .tls_key = key };

	assert_null(endpoint_warn_of_key(&endpoint)); /* nor is it there */
	write_in(*state, "key.pem", "key");
	assert_int_equal(chmod(key, 0640), 0);
	assert_null(endpoint_warn_of_key(&endpoint));
	assert_int_equal(chmod(key, 0644), 0);
	warning = endpoint_warn_of_key(&endpoint);
	assert_non_null(strstr(warning, key));
	endpoint.base_url = "http://localhost";
	assert_null(endpoint_warn_of_key(&endpoint)); /* nor is it used */
}

static void test_an_empty_tls_variable_is_unset(void **state)
{
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};

	setenv("DOCKER_HOST", "tcp://h", 1);
	setenv("DOCKER_TLS_VERIFY", "", 1);
	endpoint = find(&nothing);
	assert_string_equal(endpoint.base_url, "http://h:2375");
}

static void test_a_path_for_certificates_alone_asks_for_no_tls(void **state)
{
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};

	/* So does docker 28: "Cannot connect to the Docker daemon at tcp://h:2375". */
	setenv("DOCKER_HOST", "tcp://h", 1);
	setenv("DOCKER_CERT_PATH", *state, 1);
	endpoint = find(&nothing);
	assert_string_equal(endpoint.base_url, "http://h:2375");
}

static void test_a_path_for_certificates_alone_switches_no_verification_off(void **state)
{
	struct endpoint_settings settings = nothing;
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};

	settings.host = "https://h:1";
	setenv("DOCKER_CERT_PATH", *state, 1);
	endpoint = find(&settings);
	assert_true(endpoint.tls_verify);
}

static void test_tls_by_the_configuration(void **state)
{
	struct endpoint_settings settings = nothing;
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};

	settings.host = "tcp://h";
	settings.tls_ca = "/my/ca.pem";
	settings.tls_key = "/my/key.pem";
	settings.tls_verify = false;
	endpoint = find(&settings);
	assert_string_equal(endpoint.base_url, "https://h:2376");
	assert_string_equal(endpoint.tls_ca, "/my/ca.pem");
	assert_null(endpoint.tls_cert);
	assert_string_equal(endpoint.tls_key, "/my/key.pem");
	assert_false(endpoint.tls_verify);
}

static void test_configured_certificates_win_over_the_environments(void **state)
{
	struct endpoint_settings settings = nothing;
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};
	_cleanup_free_ char *cert = scratch_path(*state, "cert.pem");

	write_in(*state, "ca.pem", "ca");
	write_in(*state, "cert.pem", "cert");
	setenv("DOCKER_TLS_VERIFY", "1", 1);
	setenv("DOCKER_CERT_PATH", *state, 1);
	settings.host = "tcp://h";
	settings.tls_ca = "/my/ca.pem";
	endpoint = find(&settings);
	assert_string_equal(endpoint.tls_ca, "/my/ca.pem");
	assert_string_equal(endpoint.tls_cert, cert);
}

static void test_a_pinned_api_version(void **state)
{
	_cleanup_(endpoint_finish) struct endpoint without = find(&nothing), with = {}, v = {};

	assert_null(without.api_version);
	setenv("DOCKER_API_VERSION", "1.41", 1);
	with = find(&nothing);
	assert_string_equal(with.api_version, "1.41");
	setenv("DOCKER_API_VERSION", "v1.42", 1);
	v = find(&nothing);
	assert_string_equal(v.api_version, "1.42");
}

#define endpoint_test(f) cmocka_unit_test_setup_teardown(f, setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		endpoint_test(test_each_source_wins_over_those_after_it),
		endpoint_test(test_b19_without_any_socket_it_is_dockers),
		endpoint_test(test_sockets_of_users_only_where_they_have_a_folder),
		endpoint_test(test_a_context_brings_its_certificates),
		endpoint_test(test_a_context_may_skip_verification),
		endpoint_test(test_a_context_without_certificates_is_plain),
		endpoint_test(test_a_context_that_skips_verification_means_tls),
		endpoint_test(test_configured_certificates_hold_for_a_context),
		endpoint_test(test_the_default_context_is_none),
		endpoint_test(test_contexts_that_are_of_no_use),
		endpoint_test(test_addresses_that_make_no_sense_are_told),
		endpoint_test(test_tls_by_the_environment),
		endpoint_test(test_certificates_are_in_the_docker_folder_by_default),
		endpoint_test(test_who_verifies_must_have_an_authority),
		endpoint_test(test_a_key_that_anybody_can_read),
		endpoint_test(test_an_empty_tls_variable_is_unset),
		endpoint_test(test_a_path_for_certificates_alone_asks_for_no_tls),
		endpoint_test(test_a_path_for_certificates_alone_switches_no_verification_off),
		endpoint_test(test_tls_by_the_configuration),
		endpoint_test(test_configured_certificates_win_over_the_environments),
		endpoint_test(test_a_pinned_api_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
