/* SPDX-License-Identifier: Apache-2.0 */
#include "io/api_version.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct api_version oldest = { 1, 24 }, newest = { 1, 55 };

int api_version_parse(const char *text, struct api_version *ret)
{
	struct api_version version;
	int length = 0;

	/* NOLINTNEXTLINE(cert-err34-c): three digits are never too large */
	if (sscanf(text, "%3u.%3u%n", &version.major, &version.minor, &length) != 2 ||
		text[length] || strspn(text, "0123456789.") != strlen(text))
		return -EINVAL;
	*ret = version;
	return 0;
}

int api_version_compare(struct api_version a, struct api_version b)
{
	if (a.major != b.major)
		return a.major < b.major ? -1 : 1;
	return (a.minor > b.minor) - (a.minor < b.minor);
}

int api_version_negotiate(
	const char *min, const char *max, struct api_version *ret, struct error *error)
{
	struct api_version from = {}, to;

	if (api_version_parse(max, &to) < 0 || (*min && api_version_parse(min, &from) < 0) ||
		api_version_compare(from, to) > 0) {
		error_set(error, "the engine's API versions make no sense: \"%s\" to \"%s\"", min,
			max);
		return -EPROTONOSUPPORT;
	}
	if (api_version_compare(to, oldest) < 0 || api_version_compare(from, newest) > 0) {
		error_set(error,
			"the engine speaks API %s%s%s, dockergcd %u.%u to %u.%u: one of them is "
			"too old",
			min, *min ? " to " : "", max, oldest.major, oldest.minor, newest.major,
			newest.minor);
		return -EPROTONOSUPPORT;
	}
	*ret = api_version_compare(to, newest) > 0 ? newest : to;
	return 0;
}

int api_version_pin(const char *text, struct api_version *ret, struct error *error)
{
	struct api_version version;

	if (api_version_parse(text, &version) < 0) {
		error_set(error, "DOCKER_API_VERSION is \"%s\", which is no version", text);
		return -EINVAL;
	}
	if (api_version_compare(version, oldest) < 0 || api_version_compare(version, newest) > 0) {
		error_set(error, "DOCKER_API_VERSION is %s, dockergcd speaks %u.%u to %u.%u", text,
			oldest.major, oldest.minor, newest.major, newest.minor);
		return -EPROTONOSUPPORT;
	}
	*ret = version;
	return 0;
}
