/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/engine_address.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

void engine_address_finish(struct engine_address *address)
{
	free(address->url);
	free(address->unix_socket);
	free(address->base_url);
	*address = (struct engine_address){};
}

static int parse_unix(const char *path, struct engine_address *ret, struct error *error)
{
	struct sockaddr_un address;

	if (*path != '/') {
		error_set(error, "unix://%s: the path of a socket must begin with /", path);
		return -EINVAL;
	}
	if (strlen(path) >= sizeof(address.sun_path)) {
		error_set(error, "unix://%s: the path of a socket may have %zu characters at most",
			path, sizeof(address.sun_path) - 1);
		return -EINVAL;
	}
	ret->unix_socket = xstrdup(path);
	ret->base_url = xstrdup("http://localhost");
	ret->url = xasprintf("unix://%s", path);
	return 0;
}

static bool has_controls(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* "host", "host:port", "[::1]:port", and perhaps a path behind which a proxy has the engine. */
static int parse_tcp(const char *scheme, const char *address, bool tls, struct engine_address *ret,
	struct error *error)
{
	_cleanup_free_ char *host = xstrndup(address, strcspn(address, "/"));
	const char *bracket = strchr(host, ']');
	const char *colon = strchr(bracket ? bracket : host, ':');
	const char *port = tls ? "2376" : "2375";
	_cleanup_free_ char *path = xstrdup(address + strlen(host));

	if (!*host || colon == host || strpbrk(address, "@ ?#") || has_controls(address)) {
		error_set(error, "%s://%s: not a host and a port", scheme, address);
		return -EINVAL;
	}
	if (colon &&
		(!colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
			strlen(colon + 1) > 5 || strtoul(colon + 1, NULL, 10) > 65535)) {
		error_set(error, "%s://%s: not a port: %s", scheme, address, colon + 1);
		return -EINVAL;
	}
	while (*path && path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = '\0';
	ret->base_url = xasprintf("http%s://%s%s%s%s", tls ? "s" : "", host, colon ? "" : ":",
		colon ? "" : port, path);
	ret->url =
		xasprintf("%s://%s%s%s%s", scheme, host, colon ? "" : ":", colon ? "" : port, path);
	return 0;
}

int engine_address_parse(
	const char *text, bool tls, struct engine_address *ret, struct error *error)
{
	const char *separator = strstr(text, "://");
	_cleanup_free_ char *scheme =
		separator ? xstrndup(text, (size_t)(separator - text)) : xstrdup("tcp");
	const char *rest = separator ? separator + 3 : text;

	if (streq(scheme, "unix"))
		return parse_unix(rest, ret, error);
	if (streq(scheme, "tcp"))
		return parse_tcp(scheme, rest, tls, ret, error);
	if (streq(scheme, "http") || streq(scheme, "https"))
		return parse_tcp(scheme, rest, streq(scheme, "https"), ret, error);
	if (streq(scheme, "ssh"))
		error_set(error,
			"%s: ssh:// is not supported. Forward the engine's socket instead: "
			"ssh -nNT -L /run/user/UID/remote-docker.sock:/var/run/docker.sock HOST, "
			"then use unix:///run/user/UID/remote-docker.sock",
			text);
	else
		error_set(error,
			"%s: %s:// is not understood: use unix://, tcp://, http:// or https://",
			text, scheme);
	return -EINVAL;
}
