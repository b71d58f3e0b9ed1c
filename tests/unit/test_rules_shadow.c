/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that earlier ones leave nothing to: told for sure, or not at all. */
#include "test.h"

#include "core/reference.h"
#include "core/rules.h"

#include <string.h>

struct pair {
	const char *wide, *narrow;
};

static bool shadows(const char *wide, const char *narrow)
{
	struct world world;
	bool shadowed;

	world_init(&world);
	world_rule(&world, wide);
	world_rule(&world, narrow);
	assert_false(rules_shadow(&world.policy.rules, 0));
	shadowed = rules_shadow(&world.policy.rules, 1);
	world_finish(&world);
	return shadowed;
}

static void test_what_leaves_nothing(void **state)
{
	static const struct pair pairs[] = {
		{ "*", "alpine" },
		{ "*", "*:latest" },
		{ "alpine", "alpine" },
		{ "alpine", "alpine:3.20" },
		{ "alp*", "alpine:3.2?" },
		{ "docker.io/library/*", "alpine" },
		{ "docker.io/*", "bitnami/redis:7" },
		{ "docker.io/library/alpine", "alpine:3.20" },
		{ "registry.example.com/*", "registry.example.com/base/*" },
		{ "a?c*", "abc*" },
		{ "a[bc]d*", "a[bc]d:1" },
		{ "a[!bc]d", "a[!bc]d:1" },
		{ "a[!]b]d*", "a[!]b]d" },
		{ "a?d", "a[^bc]d" },
		{ "repo@sha256:*", "repo@sha256:0123*" },
		{ "label:a", "label:a" },
		{ "label:a", "label:a=b" },
		{ "label:a=*", "label:a=b*" },
		{ "sha256:*", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
		{ "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (!shadows(pairs[i].wide, pairs[i].narrow))
			fail_msg("%s leaves nothing to %s", pairs[i].wide, pairs[i].narrow);
}

static void test_what_leaves_something(void **state)
{
	static const struct pair pairs[] = {
		{ "alpine", "*" },
		{ "alpine:3.20", "alpine" },
		{ "alpine:3.20", "alpine:3.2?" },
		{ "docker.io/library/*", "alp*" }, /* also alp.example.com/x */
		{ "registry.example.com/base/*", "registry.example.com/*" },
		{ "a", "a:3*" }, /* also a:3/b */
		{ "*b]", "a[ab]" },
		{ "a[b", "a[bc]" },
		{ "?]", "[[:alpha:]]" }, /* that is one letter */
		{ "?.]", "[[.-.]]" },
		{ "localhost:5000?app", "localhost:5000/app" },
		/* Images without a name, or with another one. */
		{ "*", "label:a" },
		{ "*", "sha256:01*" },
		{ "repo", "repo@sha256:01*" },
		{ "label:a=b", "label:a" },
		{ "label:a=b", "label:ab=b" },
		{ "label:a=b", "label:a=c" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (shadows(pairs[i].wide, pairs[i].narrow))
			fail_msg("%s leaves something to %s", pairs[i].wide, pairs[i].narrow);
}

static void test_origins_are_taken_one_by_one(void **state)
{
	struct world *w = *state;
	const struct rules *rules = &w->policy.rules;

	memset(world_rule(w, "a*")->origins, 0, sizeof(rules->items->origins));
	assert_true(rules_shadow(rules, 0)); /* it is for none */
	rules->items[0].origins[ORIGIN_PULLED] = true;
	world_rule(w, "*")->origins[ORIGIN_PULLED] = false;
	world_rule(w, "ab");
	assert_false(rules_shadow(rules, 0));
	assert_false(rules_shadow(rules, 1));
	assert_true(rules_shadow(rules, 2));
	rules->items[1].origins[ORIGIN_LOADED] = false;
	assert_false(rules_shadow(rules, 2));
}

static unsigned random_below(uint64_t *seed, unsigned limit)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(*seed >> 33) % limit;
}

static void make_text(uint64_t *seed, const char *letters, char *text)
{
	size_t length = 1 + random_below(seed, 6);

	for (size_t i = 0; i < length; i++)
		text[i] = letters[random_below(seed, (unsigned)strlen(letters))];
	text[length] = '\0';
}

/* Where the patterns say so, no reference tells otherwise. */
static void test_it_is_never_said_wrongly(void **state)
{
	uint64_t seed = 4;
	char wide[8], narrow[8], text[8];
	size_t covered = 0, matched = 0;

	for (size_t i = 0; i < 60000; i++) {
		make_text(&seed, "ab*?:/.[]", wide);
		make_text(&seed, "ab*?:/.[]", narrow);
		if (!reference_pattern_covers(wide, narrow))
			continue;
		covered++;
		for (size_t j = 0; j < 200; j++) {
			_cleanup_free_ char *canonical = NULL;

			make_text(&seed, "aab:/.", text);
			if (reference_canonicalise(text, &canonical) < 0 ||
				!reference_match(narrow, canonical))
				continue;
			matched++;
			if (!reference_match(wide, canonical))
				fail_msg("%s does not match %s, %s does", wide, canonical, narrow);
		}
	}
	assert_true(covered > 500);
	assert_true(matched > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_leaves_nothing),
		cmocka_unit_test(test_what_leaves_something),
		world_test(test_origins_are_taken_one_by_one),
		cmocka_unit_test(test_it_is_never_said_wrongly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
