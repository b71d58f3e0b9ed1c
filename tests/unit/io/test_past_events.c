/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/past_events.h"

static const struct engine_event told[] = {
	{ .kind = EVENT_IMAGE_TAG, .actor = "a", .time = 1 },
	{ .kind = EVENT_IMAGE_TAG, .actor = "b", .time = 2 },
	{ .kind = EVENT_IMAGE_TAG, .actor = "c", .time = 3 },
};

static const struct engine_event news = { .kind = EVENT_IMAGE_TAG, .actor = "a", .time = 4 };

static struct past_events make_past(void)
{
	struct past_events past = {};

	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		past_events_add(&past, &told[i]);
	return past;
}

static void test_b12_what_is_told_again_is_no_news(void **state)
{
	_cleanup_(past_events_finish) struct past_events past = make_past();

	for (size_t i = 0; i < ARRAY_SIZE(told); i++)
		assert_true(past_events_tell_again(&past, &told[i]));
	assert_false(past_events_tell_again(&past, &news));
}

static void test_b12_nothing_was_told(void **state)
{
	_cleanup_(past_events_finish) struct past_events past = {};

	assert_false(past_events_tell_again(&past, &news));
}

static void test_b12_an_engine_forgets_what_is_oldest(void **state)
{
	_cleanup_(past_events_finish) struct past_events past = make_past();

	assert_true(past_events_tell_again(&past, &told[1]));
	assert_true(past_events_tell_again(&past, &told[2]));
	assert_false(past_events_tell_again(&past, &news));
}

/* As when the clock was set back: what has a later time was not told as the past. */
static void test_b12_what_comes_among_it_is_news_and_what_follows(void **state)
{
	_cleanup_(past_events_finish) struct past_events past = make_past();

	assert_true(past_events_tell_again(&past, &told[0]));
	assert_false(past_events_tell_again(&past, &news));
	assert_false(past_events_tell_again(&past, &told[1]));
}

static void test_b12_all_of_it_must_be_the_same(void **state)
{
	for (unsigned differs = 0; differs < 3; differs++) {
		_cleanup_(past_events_finish) struct past_events past = make_past();
		struct engine_event event = told[0];

		if (differs == 0)
			event.kind = EVENT_IMAGE_UNTAG;
		else if (differs == 1)
			event.actor = "d";
		else
			event.time = 5;
		assert_false(past_events_tell_again(&past, &event));
	}
}

static void test_b11_a_stream_that_is_opened_again_begins_again(void **state)
{
	_cleanup_(past_events_finish) struct past_events past = make_past();

	assert_true(past_events_tell_again(&past, &told[0]));
	assert_true(past_events_tell_again(&past, &told[1]));
	past_events_rewind(&past);
	assert_true(past_events_tell_again(&past, &told[1]));
	assert_true(past_events_tell_again(&past, &told[2]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_b12_what_is_told_again_is_no_news),
		cmocka_unit_test(test_b12_nothing_was_told),
		cmocka_unit_test(test_b12_an_engine_forgets_what_is_oldest),
		cmocka_unit_test(test_b12_what_comes_among_it_is_news_and_what_follows),
		cmocka_unit_test(test_b12_all_of_it_must_be_the_same),
		cmocka_unit_test(test_b11_a_stream_that_is_opened_again_begins_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
