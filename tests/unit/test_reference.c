/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/reference.h"

#include <errno.h>
#include <string.h>

#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX HEX32 HEX32
#define DIGEST "sha256:" HEX
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X128 X64 X64

static void test_canonical_form(void **state)
{
	static const struct {
		const char *text, *canonical;
	} cases[] = {
		{ "alpine", "docker.io/library/alpine:latest" },
		{ "alpine:3.20", "docker.io/library/alpine:3.20" },
		{ "library/alpine", "docker.io/library/alpine:latest" },
		{ "docker.io/alpine", "docker.io/library/alpine:latest" },
		{ "docker.io/library/alpine:3.20", "docker.io/library/alpine:3.20" },
		{ "index.docker.io/alpine", "docker.io/library/alpine:latest" },
		{ "index.docker.io/elastic/x:1", "docker.io/elastic/x:1" },
		{ "index.docker.io/library/alpine:3.20", "docker.io/library/alpine:3.20" },
		{ "index.docker.io/alpine:3.20@" DIGEST, "docker.io/library/alpine@" DIGEST },
		{ "docker.io/library/alpine:3.20@" DIGEST, "docker.io/library/alpine@" DIGEST },
		{ "elastic/x", "docker.io/elastic/x:latest" },
		{ "a/b/c:1", "docker.io/a/b/c:1" },
		{ "localhost/x", "localhost/x:latest" },
		{ "localhost:5000/x:1", "localhost:5000/x:1" },
		{ "host:5000/x", "host:5000/x:latest" },
		{ "host:5000", "docker.io/library/host:5000" },
		{ "registry.example.com/base/x:1", "registry.example.com/base/x:1" },
		{ "localhost/library/x", "localhost/library/x:latest" },
		{ "localhost/x@" DIGEST, "localhost/x@" DIGEST },
		{ "localhost:5000", "docker.io/library/localhost:5000" },
		/* A domain is another one in other letters, to an engine. */
		{ "Host/x", "Host/x:latest" },
		{ "LOCALHOST/x", "LOCALHOST/x:latest" },
		{ "DOCKER.IO/x", "DOCKER.IO/x:latest" },
		{ "Registry.Example.COM:5000/a/x:1", "Registry.Example.COM:5000/a/x:1" },
		{ "docker.io:443/x", "docker.io:443/x:latest" },
		{ "127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest" },
		{ "[::1]:5000/x:1", "[::1]:5000/x:1" },
		{ "alpine@" DIGEST, "docker.io/library/alpine@" DIGEST },
		{ "alpine:3.20@" DIGEST, "docker.io/library/alpine@" DIGEST },
		{ "host:5000/x:1@" DIGEST, "host:5000/x@" DIGEST },
		{ "x@sha512:" HEX HEX, "docker.io/library/x@sha512:" HEX HEX },
		{ "x@a1.b+c:" HEX32, "docker.io/library/x@a1.b+c:" HEX32 },
		{ "a-b.c/x", "a-b.c/x:latest" },
		{ "a-b--c_d__e.f", "docker.io/library/a-b--c_d__e.f:latest" },
		{ "x:_1.-A", "docker.io/library/x:_1.-A" },
		{ "x:" X128, "docker.io/library/x:" X128 },
		/* Hexadecimal and short: a name as far as anybody can tell. */
		{ "abcdef012345", "docker.io/library/abcdef012345:latest" },
		{ "sha256:abcdef012345", "docker.io/library/sha256:abcdef012345" },
		{ HEX ":1", "docker.io/library/" HEX ":1" },
		{ "a/" HEX, "docker.io/a/" HEX ":latest" },
		{ "docker.io/library/" HEX ":latest", "docker.io/library/" HEX ":latest" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *canonical = NULL, *again = NULL, *familiar = NULL,
				    *back = NULL;

		if (reference_canonicalise(cases[i].text, &canonical) != 0)
			fail_msg("%s is a reference", cases[i].text);
		assert_string_equal(canonical, cases[i].canonical);
		assert_int_equal(reference_canonicalise(canonical, &again), 0);
		assert_string_equal(again, canonical);
		familiar = reference_familiar(canonical);
		if (reference_canonicalise(familiar, &back) != 0)
			fail_msg("%s is the familiar form of %s", familiar, canonical);
		assert_string_equal(back, canonical);
	}
}

static void test_what_is_no_reference(void **state)
{
	static const char *const cases[] = {
		"",
		":",
		":latest",
		"@" DIGEST,
		"/x",
		"x/",
		"a//b",
		"Alpine",
		"alpine:",
		"alpine:.x",
		"alpine:-x",
		"alpine:a b",
		"alpine :1",
		" alpine",
		"alpine:1:2",
		"x:" X128 "x",
		"x@",
		"x@sha256:",
		"x@sha256:" HEX32,
		"x@" DIGEST "0",
		"x@sha256:0123456789ABCDEF0123456789abcdef" HEX32,
		"x@" DIGEST "@" DIGEST,
		"x@" HEX,
		"x@:" HEX,
		"x@sha!256:" HEX,
		"x@sha~256:" HEX,
		"[::1",
		"[::1/x",
		"[::1]",
		"_x",
		"x_",
		"x___y",
		"x..y",
		"x._y",
		"-x",
		"x-",
		"host:port/x",
		"host:/x",
		"http://host/x",
		"../x",
		".a/x",
		"a./x",
		"a..b/x",
		"-a.b/x",
		"a-.b/x",
		"[::1/x",
		"[:\x1b]/x",
		"[]:5000/x",
		"x@.:" HEX,
		"x@a..b:" HEX,
		"x@a.:" HEX,
		"x@5:" HEX,
		"<none>:<none>",
		"<none>@<none>",
		HEX,
		DIGEST,
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char untouched[] = "", *canonical = untouched;

		if (reference_canonicalise(cases[i], &canonical) != -EINVAL)
			fail_msg("\"%s\" is no reference, but %s", cases[i], canonical);
		assert_ptr_equal(canonical, untouched);
	}
}

static void test_a_path_has_at_most_255_characters(void **state)
{
	char path[257];
	_cleanup_free_ char *canonical = NULL;

	memset(path, 'a', sizeof(path) - 1);
	path[256] = '\0';
	assert_int_equal(reference_canonicalise(path, &canonical), -EINVAL);
	path[255] = '\0';
	path[1] = '/';
	assert_int_equal(reference_canonicalise(path, &canonical), 0);
	/* "library/" counts. */
	path[1] = 'a';
	path[248] = '\0';
	assert_int_equal(reference_canonicalise(path, &canonical), -EINVAL);
	path[247] = '\0';
	free(canonical);
	assert_int_equal(reference_canonicalise(path, &canonical), 0);
}

static void test_familiar_form_canonicalises_to_the_same(void **state)
{
	static const struct {
		const char *canonical, *familiar;
	} cases[] = {
		{ "docker.io/library/alpine:latest", "alpine:latest" },
		{ "docker.io/library/alpine:3.20", "alpine:3.20" },
		{ "docker.io/library/alpine@" DIGEST, "alpine@" DIGEST },
		{ "docker.io/elastic/x:1", "elastic/x:1" },
		{ "docker.io/library/a/b:1", "library/a/b:1" },
		{ "localhost/x:latest", "localhost/x:latest" },
		{ "host:5000/library/x:1", "host:5000/library/x:1" },
		{ "docker.io.example/library/x:1", "docker.io.example/library/x:1" },
		/* What stands first would be taken for a domain. */
		{ "docker.io/localhost/x:1", "docker.io/localhost/x:1" },
		{ "docker.io/my.org/x:1", "docker.io/my.org/x:1" },
		/* What is left would be taken for an ID. */
		{ "docker.io/library/" DIGEST, "library/" DIGEST },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *familiar = reference_familiar(cases[i].canonical);
		_cleanup_free_ char *back = NULL;

		assert_string_equal(familiar, cases[i].familiar);
		assert_int_equal(reference_canonicalise(familiar, &back), 0);
		assert_string_equal(back, cases[i].canonical);
	}
}

static void test_digest_is_told_from_tag(void **state)
{
	assert_true(reference_has_digest("docker.io/library/x@" DIGEST));
	assert_false(reference_has_digest("host:5000/x:1"));
}

static void test_image_ids_in_both_forms(void **state)
{
	static const char *const wrong[] = {
		"",
		"sha256:",
		"abcdef012345",
		"sha256:abcdef012345",
		HEX "0",
		"SHA256:" HEX,
		"sha512:" HEX,
		HEX32 "0123456789ABCDEF0123456789ABCDEF",
		HEX32 "g123456789abcdef0123456789abcdef",
	};
	_cleanup_free_ char *long_form = NULL, *bare = NULL;

	assert_int_equal(image_id_normalise(DIGEST, &long_form), 0);
	assert_string_equal(long_form, DIGEST);
	assert_int_equal(image_id_normalise(HEX, &bare), 0);
	assert_string_equal(bare, DIGEST);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char *id = NULL;

		assert_int_equal(image_id_normalise(wrong[i], &id), -EINVAL);
		assert_null(id);
		assert_false(container_id_is_valid(wrong[i]));
	}
}

static void test_container_ids_are_bare(void **state)
{
	assert_true(container_id_is_valid(HEX));
	assert_false(container_id_is_valid(DIGEST));
}

static void test_short_id_has_twelve_digits(void **state)
{
	char buffer[SHORT_ID_MAX];

	assert_string_equal(image_id_short(DIGEST, buffer), "0123456789ab");
	assert_string_equal(image_id_short(HEX, buffer), "0123456789ab");
	assert_string_equal(image_id_short("sha256:01", buffer), "01");
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *canonical;
		bool matches;
	} cases[] = {
		{ "alpine:3.20", "docker.io/library/alpine:3.20", true },
		{ "docker.io/library/alpine:3.20", "docker.io/library/alpine:3.20", true },
		{ "alpine:3.20", "docker.io/library/alpine:3.2", false },
		{ "alpine:3.2", "docker.io/library/alpine:3.20", false },
		/* No tag, no digest: any. */
		{ "alpine", "docker.io/library/alpine:3.20", true },
		{ "alpine", "docker.io/library/alpine@" DIGEST, true },
		{ "docker.io/library/alpine", "docker.io/library/alpine:3.20", true },
		{ "alpine", "docker.io/library/alpine-x:1", false },
		{ "alpine", "docker.io/elastic/alpine:1", false },
		{ "alpine:*", "docker.io/library/alpine@" DIGEST, false },
		{ "host:5000/x", "host:5000/x:1", true },
		{ "host:5000/x", "host:5000/x/y:1", false },
		{ "host:5000/x:1", "host:5000/x:1", true },
		/* An asterisk crosses slashes. */
		{ "*", "docker.io/library/alpine:3.20", true },
		{ "registry.example.com/base/*", "registry.example.com/base/a/b:1", true },
		{ "registry.example.com/base/*", "registry.example.com/bases/a:1", false },
		{ "docker.io/*", "docker.io/library/alpine:3.20", true },
		{ "elastic-package-service-*", "docker.io/library/elastic-package-service-x:latest",
			true },
		{ "elastic-package-service-*", "host/elastic-package-service-x:latest", false },
		{ "*/base", "host/team/base:1", true },
		{ "alpine:3.?", "docker.io/library/alpine:3.9", true },
		{ "alpine:3.?", "docker.io/library/alpine:3.20", false },
		{ "alpine:3.[12]*", "docker.io/library/alpine:3.20", true },
		{ "alpine:[!3]*", "docker.io/library/alpine:3.20", false },
		/* By digest. */
		{ "alpine@" DIGEST, "docker.io/library/alpine@" DIGEST, true },
		{ "alpine@sha256:0123*", "docker.io/library/alpine@" DIGEST, true },
		{ "alpine@sha256:1*", "docker.io/library/alpine@" DIGEST, false },
		{ "*@*", "docker.io/library/alpine:3.20", false },
		/* Case matters, as it does to engines; nothing is quoted. */
		{ "ALPINE", "docker.io/library/alpine:3.20", false },
		{ "", "docker.io/library/alpine:3.20", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (reference_match(cases[i].pattern, cases[i].canonical) != cases[i].matches)
			fail_msg("%s %s %s", cases[i].pattern,
				cases[i].matches ? "should match" : "should not match",
				cases[i].canonical);
}

static void test_globs_match_whole_texts(void **state)
{
	assert_true(glob_match("a*c", "a/b/c"));
	assert_true(glob_match("*", ""));
	assert_true(glob_match("*", ".hidden"));
	assert_true(glob_match("a\\*", "a\\b"));
	assert_false(glob_match("a", "ab"));
	assert_false(glob_match("", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canonical_form),
		cmocka_unit_test(test_what_is_no_reference),
		cmocka_unit_test(test_a_path_has_at_most_255_characters),
		cmocka_unit_test(test_familiar_form_canonicalises_to_the_same),
		cmocka_unit_test(test_digest_is_told_from_tag),
		cmocka_unit_test(test_image_ids_in_both_forms),
		cmocka_unit_test(test_container_ids_are_bare),
		cmocka_unit_test(test_short_id_has_twelve_digits),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_globs_match_whole_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
