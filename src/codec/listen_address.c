/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/listen_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

/* 1 to 65535 in digits alone. Returns 0 or -EINVAL. */
static int parse_port(const char *text, in_port_t *ret)
{
	unsigned port = 0;

	if (*text == '\0' || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
		return -EINVAL;
	for (; *text; text++)
		port = port * 10 + (unsigned)(*text - '0');
	if (port == 0 || port > UINT16_MAX)
		return -EINVAL;
	*ret = htons((uint16_t)port);
	return 0;
}

int listen_address_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_length)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;
	bool in_brackets = length > 2 && text[0] == '[' && text[length - 1] == ']';
	_cleanup_free_ char *host = xstrndup(text + in_brackets, length - (in_brackets ? 2 : 0));
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct sockaddr_in6 address6 = { .sin6_family = AF_INET6 };
	in_port_t port;

	if (!colon || parse_port(colon + 1, &port) < 0)
		return -EINVAL;
	if (in_brackets && inet_pton(AF_INET6, host, &address6.sin6_addr) == 1) {
		address6.sin6_port = port;
		memcpy(ret, &address6, sizeof(address6));
		*ret_length = sizeof(address6);
		return 0;
	}
	if (!in_brackets && inet_pton(AF_INET, host, &address.sin_addr) == 1) {
		address.sin_port = port;
		memcpy(ret, &address, sizeof(address));
		*ret_length = sizeof(address);
		return 0;
	}
	return -EINVAL;
}
