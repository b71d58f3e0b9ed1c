/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/ledger_json.h"
#include "core/units.h"

#include <string.h>

#define NOW (1795475000 * NSEC_PER_SEC + 123456789)

/* A normalised ID of 64 times the same digit. Good until the 4th call from now. */
static const char *id_of(char digit)
{
	static char ids[4][80];
	static unsigned next;
	char *id = ids[next++ % ARRAY_SIZE(ids)];

	memcpy(id, "sha256:", 7);
	memset(id + 7, digit, 64);
	id[71] = '\0';
	return id;
}

struct book {
	struct ledger ledger;
	struct inventory inventory; /* empty */
	struct policy policy;
};

static int setup(void **state)
{
	struct book *book = xcalloc(1, sizeof(*book));

	ledger_init(&book->ledger);
	inventory_init(&book->inventory);
	*state = book;
	return 0;
}

static int teardown(void **state)
{
	struct book *book = *state;

	ledger_finish(&book->ledger);
	inventory_finish(&book->inventory);
	policy_finish(&book->policy);
	free(book);
	return 0;
}

static char *encode(const struct book *book)
{
	return ledger_encode(&book->ledger, &book->inventory, &book->policy);
}

static void decode(const char *text, struct ledger *ledger)
{
	_cleanup_error_ struct error error = {};

	if (ledger_decode(text, strlen(text), ledger, &error) < 0)
		fail_msg("%s\n%s", text, error.message);
}

static struct ledger_entry *add(
	struct book *book, char digit, enum origin origin, const char *references)
{
	struct ledger_entry *entry = ledger_add(&book->ledger, id_of(digit), origin, NOW);

	if (references)
		strings_add(&entry->references, references);
	return entry;
}

/* With one of everything that a file keeps. */
static void fill(struct book *book)
{
	struct ledger_entry *entry;

	book->ledger.engine_id = xstrdup("the \"engine\"/id");
	book->ledger.met = NOW - WEEK;
	book->ledger.observed_until = NOW;
	book->ledger.unobserved = 129600;
	entry = add(book, 'c', ORIGIN_PULLED, "docker.io/library/alpine:3.20");
	strings_add(&entry->references, "docker.io/library/alpine:latest");
	entry->named = true;
	entry->last_used = NOW - 1;
	entry->unobserved = 3600;
	entry = add(book, 'a', ORIGIN_BUILT, NULL);
	entry->named = false;
	entry->first_seen = 1;
	entry->last_used = 2;
	entry->unobserved = 0;
	entry = add(book, 'b', ORIGIN_LOADED, NULL);
	entry->named = true;
	entry->tracked = true;
	entry = add(book, 'd', ORIGIN_EXISTING,
		"host:5000/x@sha256:"
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	entry->named = true;
	entry->forgotten = true;
	ledger_add_tracked(&book->ledger, xstrdup("docker.io/library/z:1"), NOW, true);
	ledger_add_tracked(&book->ledger, xstrdup("ghcr.io/a/b:2"), 5, false);
}

static void assert_same_entry(const struct ledger_entry *a, const struct ledger_entry *b)
{
	assert_non_null(b);
	assert_string_equal(a->id, b->id);
	assert_int_equal(a->origin, b->origin);
	assert_int_equal(a->tracked, b->tracked);
	assert_int_equal(a->forgotten, b->forgotten);
	assert_int_equal(a->named, b->named);
	assert_true(strings_equal(&a->references, &b->references));
	assert_nsec_equal(b->first_seen, a->first_seen);
	assert_nsec_equal(b->last_used, a->last_used);
	assert_nsec_equal(b->unobserved, a->unobserved);
}

static void test_b15_writing_and_reading_is_the_identity(void **state)
{
	struct book *book = *state;
	_cleanup_(ledger_finish) struct ledger again = {};
	_cleanup_free_ char *text = NULL, *twice = NULL;
	struct ledger_entry *entry, *next;

	fill(book);
	text = encode(book);
	decode(text, &again);
	assert_string_equal(again.engine_id, book->ledger.engine_id);
	assert_nsec_equal(again.met, book->ledger.met);
	assert_nsec_equal(again.observed_until, book->ledger.observed_until);
	assert_nsec_equal(again.unobserved, 129600);
	assert_int_equal(HASH_COUNT(again.entries), 4);
	HASH_ITER (hh, book->ledger.entries, entry, next)
		assert_same_entry(entry, ledger_find(&again, entry->id));
	assert_int_equal(again.tracked.count, 2);
	for (size_t i = 0; i < again.tracked.count; i++) {
		assert_int_equal(
			again.tracked.items[i].imported, book->ledger.tracked.items[i].imported);
		assert_string_equal(
			again.tracked.items[i].canonical, book->ledger.tracked.items[i].canonical);
		assert_nsec_equal(
			again.tracked.items[i].last_used, book->ledger.tracked.items[i].last_used);
	}
	twice = ledger_encode(&again, &book->inventory, &book->policy);
	assert_string_equal(twice, text);
}

/* A flipped bit is found, or it changes nothing that we read. */
static void test_b16_no_flipped_bit_is_believed(void **state)
{
	struct book *book = *state;
	_cleanup_free_ char *text = NULL;
	size_t found = 0;

	fill(book);
	text = encode(book);
	for (size_t bit = 0; bit < strlen(text) * 8; bit++) {
		_cleanup_(ledger_finish) struct ledger again = {};
		_cleanup_free_ char *flipped = xstrdup(text), *twice = NULL;

		flipped[bit / 8] = (char)(flipped[bit / 8] ^ (1 << bit % 8));
		if (ledger_decode(flipped, strlen(text), &again, NULL) < 0) {
			found++;
			continue;
		}
		twice = ledger_encode(&again, &book->inventory, &book->policy);
		assert_string_equal(twice, text);
	}
	assert_true(found > strlen(text) * 7);
}

static void test_what_a_person_changed_is_taken(void **state)
{
	struct book *book = *state;
	_cleanup_(ledger_finish) struct ledger again = {};
	_cleanup_free_ char *text = NULL, *changed = NULL;
	char *rest;

	fill(book);
	text = encode(book);
	rest = strstr(text, "\"origin\":");
	assert_non_null(rest);
	/* Another length: no disk does that. */
	changed = xasprintf("%.*s %s", (int)(rest - text), text, rest);
	decode(changed, &again);
	assert_int_equal(HASH_COUNT(again.entries), 4);
}

static void test_an_empty_ledger(void **state)
{
	struct book *book = *state;
	_cleanup_(ledger_finish) struct ledger again = {};
	_cleanup_free_ char *text = encode(book), *twice = NULL;

	decode(text, &again);
	assert_null(again.engine_id);
	assert_nsec_equal(again.met, 0);
	assert_nsec_equal(again.observed_until, 0);
	assert_null(again.entries);
	assert_int_equal(again.tracked.count, 0);
	twice = ledger_encode(&again, &book->inventory, &book->policy);
	assert_string_equal(twice, text);
}

static void test_the_form_is_the_promised_one(void **state)
{
	struct book *book = *state;
	_cleanup_free_ char *text = NULL;
	struct ledger_entry *entry;

	book->ledger.engine_id = xstrdup("E");
	book->ledger.observed_until = NOW;
	book->ledger.unobserved = 129600;
	entry = add(book, '1', ORIGIN_PULLED, "docker.io/library/alpine:3.20");
	entry->unobserved = 3600;
	ledger_add_tracked(&book->ledger, xstrdup("docker.io/library/alpine:3.21"), NOW, false);
	text = encode(book);
	assert_non_null(strstr(text, "\"version\":1,"));
	assert_non_null(strstr(text, "\"engine_id\":\"E\","));
	assert_non_null(strstr(text, "\"observed_until\":\"2026-11-23T23:03:20.123456789Z\","));
	assert_non_null(strstr(text, "\"unobserved_seconds\":129600,"));
	assert_non_null(strstr(text, "\"origin\":\"pulled\","));
	assert_non_null(strstr(text, "\"docker.io/library/alpine:3.20\""));
	assert_non_null(strstr(text, "\"first_seen\":\"2026-11-23T23:03:20.123456789Z\","));
	assert_non_null(strstr(text, "\"last_used\":\"2026-11-23T23:03:20.123456789Z\","));
	assert_non_null(strstr(text, "\"unobserved_seconds\":3600"));
	/* Asked for names are as elastic-package has them. */
	assert_non_null(strstr(text, "\"image_tag\":\"alpine:3.21\","));
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void test_what_is_open_is_told_again(void **state)
{
	struct book *book = *state;
	_cleanup_free_ char *text = NULL, *later = NULL;

	book->ledger.observed_until = NOW;
	book->ledger.open_since = NOW - 1;
	text = encode(book);
	assert_non_null(strstr(text, "\"observed_until\":\"2026-11-23T23:03:20.123456788Z\","));
	book->ledger.open_since = NOW + 1;
	later = encode(book);
	assert_non_null(strstr(later, "\"observed_until\":\"2026-11-23T23:03:20.123456789Z\","));
}

static void test_managed_is_written_for_readers(void **state)
{
	struct book *book = *state;
	struct image_record record = { .id = xstrdup(id_of('1')), .size = 1 };
	_cleanup_free_ char *absent = NULL, *managed = NULL, *forgotten = NULL;

	book->policy.manage[ORIGIN_PULLED] = true;
	add(book, '1', ORIGIN_PULLED, NULL);
	absent = encode(book);
	inventory_put_image(&book->inventory, &record);
	image_record_finish(&record);
	managed = encode(book);
	ledger_find(&book->ledger, id_of('1'))->forgotten = true;
	forgotten = encode(book);
	assert_non_null(strstr(absent, "\"managed\":false"));
	assert_non_null(strstr(managed, "\"managed\":true"));
	assert_non_null(strstr(forgotten, "\"managed\":false"));
}

static void test_the_same_ledger_gives_the_same_text(void **state)
{
	static const char digits[] = "0123456789abcdef";
	struct book *book = *state;
	_cleanup_free_ char *text = NULL, *reversed = NULL;

	for (size_t i = 0; i < 16; i++)
		add(book, digits[i], ORIGIN_PULLED, NULL);
	text = encode(book);
	for (size_t i = 0; i < 16; i++)
		ledger_remove(&book->ledger, id_of(digits[i]));
	for (size_t i = 16; i > 0; i--)
		add(book, digits[i - 1], ORIGIN_PULLED, NULL);
	reversed = encode(book);
	assert_string_equal(reversed, text);
	assert_true(strstr(text, id_of('3')) < strstr(text, id_of('4')));
}

static void test_b9_elastic_packages_cache_becomes_tracked(void **state)
{
	static const char text[] =
		"[{\"image_tag\":\"docker.elastic.co/elasticsearch/elasticsearch:8.16.0\","
		"\"last_used\":\"2026-11-23T22:31:47.123456789+01:00\"},"
		"{\"image_tag\":\"alpine\",\"last_used\":\"2026-11-20T00:00:00Z\",\"more\":1}]";
	_cleanup_(ledger_finish) struct ledger ledger = {};
	nsec_t time = 0;

	decode(text, &ledger);
	assert_null(ledger.entries);
	assert_null(ledger.engine_id);
	assert_nsec_equal(ledger.met, 0);
	assert_int_equal(ledger.tracked.count, 2);
	assert_string_equal(ledger.tracked.items[0].canonical,
		"docker.elastic.co/elasticsearch/elasticsearch:8.16.0");
	assert_int_equal(parse_time("2026-11-23T21:31:47.123456789Z", &time), 0);
	assert_nsec_equal(ledger.tracked.items[0].last_used, time);
	assert_true(ledger.tracked.items[0].imported);
	assert_string_equal(ledger.tracked.items[1].canonical, "docker.io/library/alpine:latest");
}

static void test_elastic_packages_empty_cache(void **state)
{
	_cleanup_(ledger_finish) struct ledger ledger = {};

	decode("[]\n", &ledger);
	assert_int_equal(ledger.tracked.count, 0);
	assert_null(ledger.entries);
}

#define IMAGE(digits, rest)                                                                   \
	"{\"id\":\"" digits digits digits digits                                              \
	"\",\"origin\":\"pulled\",\"references\":[],\"first_seen\":\"2026-01-01T00:00:00Z\"," \
	"\"last_used\":\"2026-01-01T00:00:00Z\"" rest "}"

static void test_b12_a_missing_unobserved_time_keeps_longer(void **state)
{
	static const char text[] =
		"{\"version\":1,\"observed_until\":\"2026-01-03T00:00:00Z\","
		"\"unobserved_seconds\":86400,\"images\":[" IMAGE("0123456789abcdef", "") "," IMAGE(
			"fedcba9876543210", ",\"unobserved_seconds\":86400") "]}";
	_cleanup_(ledger_finish) struct ledger ledger = {};
	const struct ledger_entry *without, *with;
	nsec_t now = 0;

	decode(text, &ledger);
	assert_int_equal(parse_time("2026-01-03T00:00:00Z", &now), 0);
	without = ledger_find(&ledger,
		"sha256:0123456789abcdef0123456789abcdef"
		"0123456789abcdef0123456789abcdef");
	with = ledger_find(&ledger,
		"sha256:fedcba9876543210fedcba9876543210"
		"fedcba9876543210fedcba9876543210");
	/* Used two days ago; the day that nobody watched came after it, or before it. */
	assert_nsec_equal(ledger_unused(&ledger, without, now), DAY);
	assert_nsec_equal(ledger_unused(&ledger, with, now), 2 * DAY);
}

static void test_b12_a_file_without_times_counts_nothing_as_watched(void **state)
{
	static const char text[] = "{\"version\":1,\"images\":[" IMAGE("0123456789abcdef", "") "]}";
	_cleanup_(ledger_finish) struct ledger ledger = {};
	nsec_t then = 0;

	decode(text, &ledger);
	assert_int_equal(parse_time("2026-01-01T00:00:00Z", &then), 0);
	assert_nsec_equal(ledger.observed_until, then);
	ledger_watch_begin(&ledger, &(struct clocks){ .real = then + 400 * DAY });
	assert_nsec_equal(ledger_unused(&ledger, ledger.entries, then + 401 * DAY), DAY);
}

static void test_keys_of_later_days_and_nulls_do_not_matter(void **state)
{
	static const char text[] =
		"{\"version\":1,\"colour\":{\"red\":[1]},\"engine_id\":\"\",\"images\":[" IMAGE(
			"0123456789abcdef", ",\"size\":5,\"managed\":true") "],\"tracked\":[]}";
	_cleanup_(ledger_finish) struct ledger ledger = {};

	decode(text, &ledger);
	assert_null(ledger.engine_id);
	assert_int_equal(HASH_COUNT(ledger.entries), 1);
	/* Not read back: it follows from the rest. */
	assert_false(ledger.entries->tracked);
}

#define book_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		book_test(test_b15_writing_and_reading_is_the_identity),
		book_test(test_b16_no_flipped_bit_is_believed),
		book_test(test_what_a_person_changed_is_taken),
		book_test(test_an_empty_ledger),
		book_test(test_the_form_is_the_promised_one),
		book_test(test_what_is_open_is_told_again),
		book_test(test_managed_is_written_for_readers),
		book_test(test_the_same_ledger_gives_the_same_text),
		cmocka_unit_test(test_b9_elastic_packages_cache_becomes_tracked),
		cmocka_unit_test(test_elastic_packages_empty_cache),
		cmocka_unit_test(test_b12_a_missing_unobserved_time_keeps_longer),
		cmocka_unit_test(test_b12_a_file_without_times_counts_nothing_as_watched),
		cmocka_unit_test(test_keys_of_later_days_and_nulls_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
