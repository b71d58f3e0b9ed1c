/* SPDX-License-Identifier: Apache-2.0 */
/* One text: a reference to its normal form and back, held against the grammar; IDs. */
#include "fuzz.h"

#include <regex.h>

#include "core/reference.h"

/* The distribution project's (reference/regexp.go). */
#define DOMAIN_PART "([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
#define DOMAIN "(" DOMAIN_PART "(\\." DOMAIN_PART ")*|\\[[a-fA-F0-9:]+\\])(:[0-9]+)?"
#define COMPONENT "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
#define PATH COMPONENT "(/" COMPONENT ")*"
#define TAG "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
#define ALGORITHM "[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*"
#define DIGEST ALGORITHM ":[0-9a-fA-F]{32,}"
#define PATH_MAX_LENGTH 255

static bool matches(const char *pattern, regex_t *compiled, bool *is_compiled, const char *text)
{
	if (!*is_compiled && regcomp(compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		abort();
	*is_compiled = true;
	return regexec(compiled, text, 0, NULL, 0) == 0;
}

static bool is_reference(const char *text)
{
	static regex_t compiled;
	static bool is_compiled;

	return matches(
		"^(" DOMAIN "/)?" PATH "(:" TAG ")?(@" DIGEST ")?$", &compiled, &is_compiled, text);
}

static bool is_canonical(const char *text)
{
	static regex_t compiled;
	static bool is_compiled;

	return matches(
		"^" DOMAIN "/" PATH "(:" TAG "|@" DIGEST ")$", &compiled, &is_compiled, text);
}

/* What has the form of a reference and is refused all the same. */
static bool may_be_refused(const char *text)
{
	static const char sha256[] = "sha256:";
	const char *at = strchr(text, '@'), *id = NULL;
	_cleanup_free_ char *normalised = NULL;

	if (image_id_normalise(text, &normalised) == 0 || strlen(text) > PATH_MAX_LENGTH - 8)
		return true;
	/* "[ab]/x" has no sign of a domain in its first part. */
	if (text[0] == '[' && memchr(text, ':', strcspn(text, "]")) == NULL)
		return true;
	/* A first part that has to be a domain, and is a path's alone. */
	if (memchr(text, '_', strcspn(text, "/")) && strpbrk(text, ".:"))
		return true;
	if (at && strncmp(at + 1, sha256, strlen(sha256)) == 0)
		id = at + 1 + strlen(sha256);
	return id && (strlen(id) != 64 || strspn(id, "0123456789abcdef") != 64);
}

static void check_canonical(const char *canonical)
{
	_cleanup_free_ char *familiar = reference_familiar(canonical), *again = NULL, *back = NULL;
	_cleanup_free_ char *shorter = NULL;

	check(is_canonical(canonical));
	check(reference_canonicalise(canonical, &again) == 0);
	check(streq(again, canonical));
	check(strlen(familiar) <= strlen(canonical));
	check(reference_canonicalise(familiar, &back) == 0);
	check(streq(back, canonical));
	shorter = reference_familiar(back);
	check(streq(shorter, familiar));
	check(reference_has_digest(canonical) == (strchr(canonical, '@') != NULL));
	if (!strchr(canonical, '[')) {
		check(reference_match(canonical, canonical));
		check(reference_match(familiar, canonical));
		check(reference_pattern_covers(canonical, canonical));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size), *id = NULL, *again = NULL;
	char *canonical = text;
	char short_id[SHORT_ID_MAX];

	if (reference_canonicalise(text, &canonical) == 0) {
		check_canonical(canonical);
		free(canonical);
	} else {
		check(canonical == text);
		check(!is_reference(text) || may_be_refused(text));
	}
	check(strlen(image_id_short(text, short_id)) < SHORT_ID_MAX);
	if (image_id_normalise(text, &id) == 0) {
		check(image_id_normalise(id, &again) == 0 && streq(id, again));
		check(reference_canonicalise(id, &canonical) < 0);
		check(strlen(image_id_short(id, short_id)) == SHORT_ID_MAX - 1);
	}
	return 0;
}
