/* SPDX-License-Identifier: Apache-2.0 */
#include "core/reference.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_DOMAIN "docker.io"
#define DEFAULT_PATH "library/"
#define PATH_LENGTH_MAX 255

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* As sha256 has it, and whoever makes IDs of it. */
static bool is_digest_hex(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* A path component: alphanumerics joined by one of . or _, by two _, or by any number of -. */
static bool is_path_component(const char *s, size_t length)
{
	size_t i = 0;

	for (;;) {
		size_t start = i, separator;

		while (i < length && is_lower_alnum(s[i]))
			i++;
		if (i == start)
			return false;
		if (i == length)
			return true;
		separator = i;
		while (i < length && s[i] == s[separator] && strchr("._-", s[i]))
			i++;
		if (i == separator || (s[separator] == '.' && i - separator > 1) ||
			(s[separator] == '_' && i - separator > 2))
			return false;
	}
}

static bool is_path(const char *s, size_t length)
{
	const char *end = s + length;

	if (length == 0 || length > PATH_LENGTH_MAX)
		return false;
	for (;;) {
		const char *slash = memchr(s, '/', (size_t)(end - s));

		if (!is_path_component(s, (size_t)((slash ? slash : end) - s)))
			return false;
		if (!slash)
			return true;
		s = slash + 1;
	}
}

static bool is_tag(const char *s, size_t length)
{
	if (length == 0 || length > 128 || *s == '.' || *s == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("_.-", s[i]))
			return false;
	return true;
}

/*
 * "algorithm:hex", at least 32 digits; sha256 has 64. An algorithm is words that begin with a
 * letter, joined by one of +.-_
 */
static bool is_digest(const char *s)
{
	const char *colon = strchr(s, ':');
	size_t digits;

	if (!colon || colon == s)
		return false;
	for (const char *c = s; c < colon; c++) {
		bool is_first = c == s || strchr("+.-_", c[-1]);

		if (is_first ? !isalpha((unsigned char)*c)
			     : !isalnum((unsigned char)*c) && !strchr("+.-_", *c))
			return false;
	}
	if (strchr("+.-_", colon[-1]))
		return false;
	digits = strspn(colon + 1, "0123456789abcdefABCDEF");
	if (colon[1 + digits])
		return false;
	return strncmp(s, "sha256:", 7) == 0 ? is_digest_hex(colon + 1) : digits >= 32;
}

/* Letters, digits and inner dashes, in parts between dots. */
static bool is_host_name(const char *s, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		bool is_edge = i == 0 || i + 1 == length || s[i - 1] == '.' || s[i + 1] == '.';

		if (!isalnum((unsigned char)s[i]) && (is_edge || !strchr(".-", s[i])))
			return false;
	}
	return length > 0;
}

static bool is_bracketed_address(const char *s, size_t length)
{
	if (length < 3 || s[0] != '[' || s[length - 1] != ']')
		return false;
	for (size_t i = 1; i < length - 1; i++)
		if (!isxdigit((unsigned char)s[i]) && s[i] != ':')
			return false;
	return true;
}

/* A host name, or an IPv6 address in brackets, with or without a port. */
static bool is_domain(const char *s, size_t length)
{
	const char *bracket = s[0] == '[' ? memchr(s, ']', length) : NULL,
		   *colon = memchr(bracket ? bracket : s, ':',
			   length - (bracket ? (size_t)(bracket - s) : 0));
	size_t i = colon ? (size_t)(colon - s) : length;

	if (!is_host_name(s, i) && !is_bracketed_address(s, i))
		return false;
	if (i == length)
		return true;
	if (s[i++] != ':' || i == length)
		return false;
	while (i < length && isdigit((unsigned char)s[i]))
		i++;
	return i == length;
}

/* The length of the first part if it is a domain, 0 if the name has none. */
static size_t find_domain(const char *name, size_t length)
{
	const char *slash = memchr(name, '/', length);
	size_t first;

	if (!slash)
		return 0;
	first = (size_t)(slash - name);
	if (first == strlen("localhost") && memcmp(name, "localhost", first) == 0)
		return first;
	for (size_t i = 0; i < first; i++)
		if (strchr(".:", name[i]) || isupper((unsigned char)name[i]))
			return first;
	return 0;
}

/* Where the tag's colon is in name[0..length), length if there is none. */
static size_t find_tag(const char *name, size_t length)
{
	for (size_t i = length; i > 0 && name[i - 1] != '/'; i--)
		if (name[i - 1] == ':')
			return i - 1;
	return length;
}

static bool is_image_id(const char *text)
{
	return is_digest_hex(strncmp(text, "sha256:", 7) == 0 ? text + 7 : text);
}

int reference_canonicalise(const char *text, char **ret)
{
	size_t length = strcspn(text, "@"), domain, path, path_length, tag;
	const char *digest = text[length] == '@' ? text + length + 1 : NULL;
	const char *domain_name = DEFAULT_DOMAIN, *prefix = "";

	tag = find_tag(text, length);
	if (digest ? !is_digest(digest) : is_image_id(text))
		return -EINVAL;
	if (tag < length && !is_tag(text + tag + 1, length - tag - 1))
		return -EINVAL;
	domain = find_domain(text, tag);
	path = domain ? domain + 1 : 0;
	path_length = tag - path;
	if ((domain && !is_domain(text, domain)) || !is_path(text + path, path_length))
		return -EINVAL;
	if (domain == 0 ||
		(domain == strlen("index.docker.io") &&
			memcmp(text, "index.docker.io", domain) == 0))
		domain = strlen(domain_name);
	else
		domain_name = text;
	if (domain == strlen(DEFAULT_DOMAIN) && memcmp(domain_name, DEFAULT_DOMAIN, domain) == 0 &&
		!memchr(text + path, '/', path_length))
		prefix = DEFAULT_PATH;
	/* As the engine counts it, which adds the prefix first. */
	if (strlen(prefix) + path_length > PATH_LENGTH_MAX)
		return -EINVAL;
	if (digest)
		*ret = xasprintf("%.*s/%s%.*s@%s", (int)domain, domain_name, prefix,
			(int)path_length, text + path, digest);
	else
		*ret = xasprintf("%.*s/%s%.*s:%.*s", (int)domain, domain_name, prefix,
			(int)path_length, text + path, tag < length ? (int)(length - tag - 1) : 6,
			tag < length ? text + tag + 1 : "latest");
	return 0;
}

/* Where the familiar form starts within a canonical one. */
static const char *skip_defaults(const char *canonical)
{
	static const char domain[] = DEFAULT_DOMAIN "/", path[] = DEFAULT_PATH;

	if (strncmp(canonical, domain, sizeof(domain) - 1) != 0)
		return canonical;
	/* What comes first then must not look like a domain itself. */
	if (find_domain(canonical + sizeof(domain) - 1,
		    strcspn(canonical, ":@") - (sizeof(domain) - 1)) > 0)
		return canonical;
	canonical += sizeof(domain) - 1;
	/*
	 * "library/a/b" would not come back to docker.io/library/a/b if it lost its first part, and
	 * what is left of "library/sha256:…" would be an image's ID.
	 */
	if (strncmp(canonical, path, sizeof(path) - 1) == 0 &&
		!strchr(canonical + sizeof(path) - 1, '/') &&
		!is_image_id(canonical + sizeof(path) - 1))
		canonical += sizeof(path) - 1;
	return canonical;
}

char *reference_familiar(const char *canonical)
{
	return xstrdup(skip_defaults(canonical));
}

bool reference_has_digest(const char *canonical)
{
	return strchr(canonical, '@');
}

int image_id_normalise(const char *text, char **ret)
{
	if (!is_image_id(text))
		return -EINVAL;
	*ret = xasprintf("sha256:%s", strncmp(text, "sha256:", 7) == 0 ? text + 7 : text);
	return 0;
}

bool container_id_is_valid(const char *text)
{
	return is_digest_hex(text);
}

char *image_id_short(const char *id, char buffer[static SHORT_ID_MAX])
{
	const char *colon = strchr(id, ':');

	snprintf(buffer, SHORT_ID_MAX, "%.12s", colon ? colon + 1 : id);
	return buffer;
}

bool glob_match(const char *pattern, const char *text)
{
	return fnmatch(pattern, text, FNM_NOESCAPE) == 0;
}

/* A pattern's last path component has a tag or digest part of its own. */
static bool pattern_has_tag(const char *pattern)
{
	const char *slash = strrchr(pattern, '/');

	return strchr(pattern, '@') || strchr(slash ? slash : pattern, ':');
}

bool reference_match(const char *pattern, const char *canonical)
{
	const char *familiar = skip_defaults(canonical);
	_cleanup_free_ char *bare = NULL;
	size_t length;

	if (glob_match(pattern, familiar) || glob_match(pattern, canonical))
		return true;
	if (pattern_has_tag(pattern))
		return false;
	length = strcspn(canonical, "@");
	bare = xstrndup(canonical, canonical[length] ? length : find_tag(canonical, length));
	return glob_match(pattern, bare) || glob_match(pattern, bare + (familiar - canonical));
}

/* The length of the glob's first element: *, ?, [...] or one character. */
static size_t element_length(const char *glob)
{
	const char *end = glob + 1;

	if (*glob != '[')
		return 1;
	if (*end == '!' || *end == '^')
		end++;
	if (*end == ']')
		end++;
	end = strchr(end, ']');
	return end ? (size_t)(end - glob) + 1 : 1;
}

/* Whether an element that is no * matches all that another one matches. */
static bool element_covers(const char *wide, const char *narrow)
{
	size_t length = element_length(wide);

	if (*narrow == '\0' || *narrow == '*')
		return false;
	return *wide == '?' ||
		(length == element_length(narrow) && strncmp(wide, narrow, length) == 0);
}

/* "[[:alpha:]]" and the like: where such a set ends is a matter of fnmatch(3)'s own. */
static bool may_have_classes(const char *glob)
{
	return strstr(glob, "[:") || strstr(glob, "[.") || strstr(glob, "[=");
}

/* As one matches a text, with the narrow glob's elements for characters. */
bool glob_covers(const char *wide, const char *narrow)
{
	const char *star = NULL, *resume = NULL;

	if (may_have_classes(wide) || may_have_classes(narrow))
		return streq(wide, narrow) || (*wide && wide[strspn(wide, "*")] == '\0');
	while (*narrow) {
		if (*wide == '*') {
			star = wide++;
			resume = narrow;
		} else if (*wide && element_covers(wide, narrow)) {
			wide += element_length(wide);
			narrow += element_length(narrow);
		} else if (star) {
			resume += element_length(resume);
			narrow = resume;
			wide = star + 1;
		} else {
			return false;
		}
	}
	return wide[strspn(wide, "*")] == '\0';
}

static bool has_wildcards(const char *pattern)
{
	return strpbrk(pattern, "*?[");
}

static bool ends_with_star(const char *pattern)
{
	return *pattern && pattern[strlen(pattern) - 1] == '*';
}

/* The pattern without its tag, where that is the same one for all that it matches; else NULL. */
static char *drop_plain_tag(const char *pattern)
{
	const char *slash = strrchr(pattern, '/'), *colon = strrchr(pattern, ':');

	if (!colon || (slash && colon < slash) || has_wildcards(colon) || strchr(pattern, '@'))
		return NULL;
	return xstrndup(pattern, (size_t)(colon - pattern));
}

/* In the form that the engine would give it; NULL for more than one name. */
static char *canonicalise_pattern(const char *pattern)
{
	char *canonical;

	if (has_wildcards(pattern) || reference_canonicalise(pattern, &canonical) < 0)
		return NULL;
	if (!pattern_has_tag(pattern))
		canonical[find_tag(canonical, strlen(canonical))] = '\0';
	return canonical;
}

static bool covers_as_written(const char *wide, const char *narrow)
{
	_cleanup_free_ char *bare = NULL;

	/* What has no tag also matches names without theirs; then so must the other one. */
	if (pattern_has_tag(wide) && !pattern_has_tag(narrow) && !ends_with_star(wide))
		return false;
	if (glob_covers(wide, narrow))
		return true;
	bare = pattern_has_tag(wide) ? NULL : drop_plain_tag(narrow);
	return bare && glob_covers(wide, bare);
}

bool reference_pattern_covers(const char *wide, const char *narrow)
{
	_cleanup_free_ char *canonical = canonicalise_pattern(narrow);

	return covers_as_written(wide, narrow) || (canonical && covers_as_written(wide, canonical));
}
