/* SPDX-License-Identifier: Apache-2.0 */
/* One text: where an engine is, and where to listen. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "codec/engine_address.h"
#include "codec/listen_address.h"

static bool has_controls(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

static void check_address(const struct engine_address *address, bool tls)
{
	_cleanup_(engine_address_finish) struct engine_address again = {};

	check(address->url && address->base_url);
	check(strncmp(address->base_url, "http", 4) == 0);
	if (address->unix_socket)
		check(address->unix_socket[0] == '/');
	else
		check(!has_controls(address->base_url));
	check(engine_address_parse(address->url, tls, &again, NULL) == 0);
	check(streq(address->url, again.url));
	check(streq(address->base_url, again.base_url));
	check(streq(address->unix_socket, again.unix_socket));
}

static void check_engine(const char *text, bool tls)
{
	_cleanup_(engine_address_finish) struct engine_address address = {};
	_cleanup_error_ struct error error = {};
	int r = engine_address_parse(text, tls, &address, &error);

	check(r == 0 || r == -EINVAL);
	check((r == 0) == !error.message);
	if (r == 0)
		check_address(&address, tls);
	else
		check(!address.url && !address.base_url && !address.unix_socket);
}

static char *print(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	bool is_v4 = address->ss_family == AF_INET;
	char host[INET6_ADDRSTRLEN];

	check(is_v4 || address->ss_family == AF_INET6);
	check(inet_ntop(address->ss_family,
		is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, host,
		sizeof(host)));
	return xasprintf(
		is_v4 ? "%s:%u" : "[%s]:%u", host, ntohs(is_v4 ? v4->sin_port : v6->sin6_port));
}

static void check_listen(const char *text)
{
	struct sockaddr_storage address = {}, again = {};
	socklen_t length = 0, length_again = 0;
	_cleanup_free_ char *printed = NULL;
	int r = listen_address_parse(text, &address, &length);

	if (r < 0) {
		check(r == -EINVAL && length == 0);
		return;
	}
	printed = print(&address);
	check(listen_address_parse(printed, &again, &length_again) == 0);
	check(length == length_again && memcmp(&address, &again, sizeof(address)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);

	check_engine(text, false);
	check_engine(text, true);
	check_listen(text);
	return 0;
}
