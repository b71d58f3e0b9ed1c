/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/engine_address.h"

#include <errno.h>
#include <string.h>

static void test_addresses(void **state)
{
	static const struct {
		const char *text;
		bool tls;
		const char *url, *socket, *base_url;
	} expected[] = {
		{ "unix:///run/d.sock", false, "unix:///run/d.sock", "/run/d.sock",
			"http://localhost" },
		{ "unix:///run/d.sock", true, "unix:///run/d.sock", "/run/d.sock",
			"http://localhost" },
		{ "tcp://h", false, "tcp://h:2375", NULL, "http://h:2375" },
		{ "tcp://h", true, "tcp://h:2376", NULL, "https://h:2376" },
		{ "tcp://h:1234", false, "tcp://h:1234", NULL, "http://h:1234" },
		{ "tcp://h:1234", true, "tcp://h:1234", NULL, "https://h:1234" },
		{ "tcp://h:1234/", false, "tcp://h:1234", NULL, "http://h:1234" },
		/* Behind a proxy, as docker has it. */
		{ "tcp://h:1/a/b/", false, "tcp://h:1/a/b", NULL, "http://h:1/a/b" },
		{ "https://h/a", false, "https://h:2376/a", NULL, "https://h:2376/a" },
		{ "tcp://h//", false, "tcp://h:2375", NULL, "http://h:2375" },
		{ "tcp://[::1]", false, "tcp://[::1]:2375", NULL, "http://[::1]:2375" },
		{ "tcp://[::1]:99", true, "tcp://[::1]:99", NULL, "https://[::1]:99" },
		{ "http://h", false, "http://h:2375", NULL, "http://h:2375" },
		{ "http://h:80", true, "http://h:80", NULL, "http://h:80" },
		{ "https://h", false, "https://h:2376", NULL, "https://h:2376" },
		{ "https://h:443", false, "https://h:443", NULL, "https://h:443" },
		/* Without a scheme it is tcp. */
		{ "h", false, "tcp://h:2375", NULL, "http://h:2375" },
		{ "127.0.0.1:2375", false, "tcp://127.0.0.1:2375", NULL, "http://127.0.0.1:2375" },
		{ "localhost:1", true, "tcp://localhost:1", NULL, "https://localhost:1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_(engine_address_finish) struct engine_address address = {};
		_cleanup_error_ struct error error = {};

		if (engine_address_parse(expected[i].text, expected[i].tls, &address, &error) < 0)
			fail_msg("%s: %s", expected[i].text, error.message);
		assert_string_equal(address.url, expected[i].url);
		assert_string_equal(address.base_url, expected[i].base_url);
		if (expected[i].socket)
			assert_string_equal(address.unix_socket, expected[i].socket);
		else
			assert_null(address.unix_socket);
	}
}

static void assert_refused(const char *text, const char *message)
{
	_cleanup_(engine_address_finish) struct engine_address address = {};
	_cleanup_error_ struct error error = {};

	if (engine_address_parse(text, false, &address, &error) != -EINVAL)
		fail_msg("\"%s\" was taken as %s", text, address.base_url);
	if (message)
		assert_string_equal(error.message, message);
	assert_non_null(error.message);
	assert_null(address.base_url);
}

static void test_what_is_no_address(void **state)
{
	assert_refused("", "tcp://: not a host and a port");
	assert_refused("tcp://", "tcp://: not a host and a port");
	assert_refused("tcp://:2375", "tcp://:2375: not a host and a port");
	assert_refused("tcp:///path", "tcp:///path: not a host and a port");
	assert_refused("tcp://u@h:1", "tcp://u@h:1: not a host and a port");
	assert_refused("tcp://h?x", "tcp://h?x: not a host and a port");
	assert_refused("tcp://h/a?x", "tcp://h/a?x: not a host and a port");
	assert_refused("tcp://h h", "tcp://h h: not a host and a port");
	assert_refused("tcp://a\nb:80", NULL);
	assert_refused("tcp://a/\x7f", NULL);
	assert_refused("tcp://h:", "tcp://h:: not a port: ");
	assert_refused("tcp://h:port", "tcp://h:port: not a port: port");
	assert_refused("tcp://h:-1", "tcp://h:-1: not a port: -1");
	assert_refused("tcp://[::1", NULL);
	assert_refused("tcp://::1", NULL);
	assert_refused("fd://",
		"fd://: fd:// is not understood: use unix://, tcp://, http:// or https://");
	assert_refused("npipe:////./pipe/docker_engine", NULL);
	assert_refused("UNIX:///run/d.sock", NULL);
}

static void test_ports_have_16_bits(void **state)
{
	assert_refused("tcp://h:65536", NULL);
	assert_refused("tcp://h:99999999999999999999", NULL);
}

static void test_ssh_is_refused_with_advice(void **state)
{
	_cleanup_(engine_address_finish) struct engine_address address = {};
	_cleanup_error_ struct error error = {};

	assert_int_equal(engine_address_parse("ssh://u@h", false, &address, &error), -EINVAL);
	assert_non_null(strstr(error.message, "ssh:// is not supported"));
	assert_non_null(strstr(error.message, "ssh -nNT -L "));
	assert_non_null(strstr(error.message, "unix://"));
}

static void test_paths_of_sockets(void **state)
{
	_cleanup_(engine_address_finish) struct engine_address address = {};
	char longest[128] = "unix:///", longer[128] = "unix:///";

	assert_refused("unix://", "unix://: the path of a socket must begin with /");
	assert_refused("unix://d.sock", "unix://d.sock: the path of a socket must begin with /");
	/* sun_path has 108 bytes with the NUL. */
	memset(longest + 8, 'x', 106);
	memset(longer + 8, 'x', 107);
	assert_refused(longer, NULL);
	assert_int_equal(engine_address_parse(longest, false, &address, NULL), 0);
	assert_int_equal(strlen(address.unix_socket), 107);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_what_is_no_address),
		cmocka_unit_test(test_ports_have_16_bits),
		cmocka_unit_test(test_ssh_is_refused_with_advice),
		cmocka_unit_test(test_paths_of_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
