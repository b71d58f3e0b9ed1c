/* SPDX-License-Identifier: Apache-2.0 */
/* B5: plain events are read in place, to the same as json-c reads, or left to it. */
#include "test.h"

#include "codec/event_json.h"
#include "codec/event_scan.h"

#include "recorded.h"

#include <string.h>

static bool scans(const char *line)
{
	struct event_scan scan = { .time = 7 };
	_cleanup_free_ char *copy = exactly(line, strlen(line));
	bool plain = event_scan(copy, strlen(line), &scan);

	if (!plain)
		assert_nsec_equal(scan.time, 7); /* untouched */
	return plain;
}

#define BEGIN "{\"Type\":\"image\",\"Action\":\"tag\",\"timeNano\":5,\"Actor\":{\"ID\":\"x\"}"
#define EVENT(more) (BEGIN more "}")

static void test_what_is_plain(void **state)
{
	static const char *const lines[] = {
		EVENT(""),
		EVENT(",\"a\":{\"b\":{\"c\":{}}}"),
		EVENT(",\"Action2\":\"\""),
		("{\"Actor\":{\"Attributes\":{\"name\":\"n\"},\"ID\":\"\"},\"time\":1,"
		 "\"timeNano\":8999999999999999999,\"Action\":\"\",\"Type\":\"\"}"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!scans(lines[i]))
			fail_msg("%s", lines[i]);
}

static void test_what_is_left_to_json_c(void **state)
{
	static const char *const lines[] = {
		"",
		"{",
		"{}",
		(" " BEGIN "}"),
		(BEGIN "} "),
		(BEGIN "}" BEGIN "}"),
		EVENT(","),
		EVENT(",\"a\""),
		EVENT(",\"a\":"),
		EVENT(",\"a\":1.5"),
		EVENT(",\"a\":1e5"),
		EVENT(",\"a\":-1"),
		EVENT(",\"a\":0"),
		EVENT(",\"a\":null"),
		EVENT(",\"a\":true"),
		EVENT(",\"a\":[]"),
		EVENT(",\"a\": 1"),
		EVENT(",\"a\":\"\\n\""),
		EVENT(",\"a\":\"\n\""),
		EVENT(",\"a\":\"ü\""),
		EVENT(",\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":{\"g\":{\"h\":{\"i\":{}}}}}}}}}"),
		/* Of several the last one counts. */
		EVENT(",\"Type\":\"container\""),
		EVENT(",\"timeNano\":6"),
		EVENT(",\"Actor\":{\"ID\":\"y\"}"),
		/* Missing, or of another type. */
		"{\"Type\":\"image\",\"Action\":\"tag\",\"timeNano\":5,\"Actor\":{}}",
		"{\"Type\":\"image\",\"Action\":\"tag\",\"timeNano\":5,\"Actor\":\"x\"}",
		"{\"Type\":\"image\",\"Action\":\"tag\",\"timeNano\":5,\"Actor\":{\"ID\":5}}",
		"{\"Type\":\"image\",\"Action\":\"tag\",\"timeNano\":\"5\",\"Actor\":{\"ID\":\"x\"}}",
		("{\"Type\":\"image\",\"Action\":\"tag\",\"timeNano\":9999999999999999999,"
		 "\"Actor\":{\"ID\":\"x\"}}"),
		("{\"Type\":\"image\",\"Action\":\"tag\",\"timeNano\":10000000000000000000,"
		 "\"Actor\":{\"ID\":\"x\"}}"),
		"{\"Type\":5,\"Action\":\"tag\",\"timeNano\":5,\"Actor\":{\"ID\":\"x\"}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (scans(lines[i]))
			fail_msg("%s", lines[i]);
}

/* Both ways to the same: a blank in front is no matter to json-c, and makes the line not plain. */
static size_t check_both_ways(const char *line, size_t length)
{
	struct engine_event plain = {}, slow = {};
	struct event_scan scan;
	_cleanup_free_ char *exact = exactly(line, length),
			    *with_blank = xasprintf(" %.*s", (int)length, line);
	int r = decode_event(exact, length, &plain, NULL),
	    s = decode_event(with_blank, length + 1, &slow, NULL);

	if (r != s || plain.kind != slow.kind || plain.time != slow.time ||
		!streq(plain.actor, slow.actor) || !streq(plain.image, slow.image) ||
		!streq(plain.name, slow.name))
		fail_msg("read in two ways: %.*s", (int)length, line);
	engine_event_finish(&plain);
	engine_event_finish(&slow);
	return event_scan(exact, length, &scan);
}

static uint64_t seed = 5;

static size_t random_below(size_t limit)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (size_t)(seed >> 33) % limit;
}

/* Cut, doubled, swapped, or with a byte from JSON's grammar in it. */
static char *mutate(const char *line, size_t length)
{
	static const char bytes[] = "{}[]\":,\\09eE.-tn \x7f\xc3";
	char *copy = xasprintf("%.*s%.*s", (int)length, line, (int)random_below(length), line);
	size_t at = random_below(length);

	switch (random_below(4)) {
	case 0:
		copy[at] = '\0';
		break;
	case 1:
		copy[length] = '\0';
		memmove(copy + at, copy + at + 1, length - at);
		break;
	case 2:
		copy[length] = '\0';
		copy[at] = bytes[random_below(sizeof(bytes) - 1)];
		break;
	default:
		copy[length] = '\0';
		memcpy(copy + at, line, MIN(random_below(20), length - at));
		break;
	}
	return copy;
}

static void test_b5_recorded_events_and_what_may_become_of_them(void **state)
{
	static const char *const names[] = { "events.ndjson", "events-tag.ndjson",
		"events-pull-new.ndjson", "events-ctr-exec.ndjson", "events-ctr-rm.ndjson",
		"events-ctr-stop.ndjson", "events-push.ndjson", "events-save.ndjson",
		"events-untag-one-of-several.ndjson", "events-import-tagged.ndjson",
		"events-image-prune-dangling.ndjson" };
	size_t lines = 0, plain = 0, still_plain = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) * ARRAY_SIZE(recorded_engines); i++) {
		size_t length;
		_cleanup_free_ char *data =
			recorded_read(recorded_engines[i % ARRAY_SIZE(recorded_engines)],
				names[i / ARRAY_SIZE(recorded_engines)], &length);

		for (char *line = strtok(data, "\n"); line; line = strtok(NULL, "\n")) {
			lines++;
			plain += check_both_ways(line, strlen(line));
			for (size_t n = 0; n < 300; n++) {
				_cleanup_free_ char *other = mutate(line, strlen(line));

				still_plain += check_both_ways(other, strlen(other));
			}
		}
	}
	assert_true(lines > 50);
	assert_true(plain > lines * 9 / 10);
	assert_true(still_plain > lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_plain),
		cmocka_unit_test(test_what_is_left_to_json_c),
		cmocka_unit_test(test_b5_recorded_events_and_what_may_become_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
