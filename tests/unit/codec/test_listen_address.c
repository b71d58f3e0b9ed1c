/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/listen_address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>

/* The library's own way back to text must give it again. */
static void assert_taken(const char *text, int family, const char *host, const char *port)
{
	struct sockaddr_storage address;
	socklen_t length;
	char got_host[NI_MAXHOST], got_port[NI_MAXSERV];

	if (listen_address_parse(text, &address, &length) != 0)
		fail_msg("%s was not taken", text);
	assert_int_equal(address.ss_family, family);
	assert_int_equal(
		getnameinfo((const struct sockaddr *)&address, length, got_host, sizeof(got_host),
			got_port, sizeof(got_port), NI_NUMERICHOST | NI_NUMERICSERV),
		0);
	assert_string_equal(got_host, host);
	assert_string_equal(got_port, port);
}

static void test_addresses(void **state)
{
	assert_taken("127.0.0.1:9487", AF_INET, "127.0.0.1", "9487");
	assert_taken("0.0.0.0:1", AF_INET, "0.0.0.0", "1");
	assert_taken("[::1]:9487", AF_INET6, "::1", "9487");
	assert_taken("[::]:65535", AF_INET6, "::", "65535");
	assert_taken("[2001:db8::7]:80", AF_INET6, "2001:db8::7", "80");
}

static void test_what_is_none(void **state)
{
	static const char *const wrong[] = { "", ":", "9487", ":9487", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:70000",
		"127.0.0.1:999999", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 1", "127.0.0.1:1 ",
		"127.0.0.1:0x50", "127.0.0.1:http", "127.1:80", "256.0.0.1:80", "localhost:9487",
		"*:9487", "::1:9487", "[::1]", "[::1]:", "[::1:9487", "::1]:9487", "[]:9487",
		"[:9487", "]:9487", "[127.0.0.1]:9487", "[fe80::1%lo]:80", "http://127.0.0.1:9487",
		"127.0.0.1:9487/metrics" };
	struct sockaddr_storage address = { .ss_family = 77 };
	socklen_t length = 7;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (listen_address_parse(wrong[i], &address, &length) != -EINVAL)
			fail_msg("%s was taken", wrong[i]);
	assert_int_equal(address.ss_family, 77);
	assert_int_equal(length, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
