/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "codec/event_json.h"
#include "codec/lines.h"
#include "recorded.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

static const char *const kind_names[] = {
	[EVENT_OTHER] = "-",
	[EVENT_CONTAINER_CREATE] = "create",
	[EVENT_CONTAINER_START] = "start",
	[EVENT_CONTAINER_DIE] = "die",
	[EVENT_CONTAINER_DESTROY] = "destroy",
	[EVENT_IMAGE_PULL] = "pull",
	[EVENT_IMAGE_TAG] = "tag",
	[EVENT_IMAGE_UNTAG] = "untag",
	[EVENT_IMAGE_LOAD] = "load",
	[EVENT_IMAGE_IMPORT] = "import",
	[EVENT_IMAGE_CREATE] = "image-create",
	[EVENT_IMAGE_PUSH] = "push",
	[EVENT_IMAGE_SAVE] = "save",
	[EVENT_IMAGE_DELETE] = "delete",
};

/* What each operation looks like from here; "-" is of no interest. */
static const struct {
	const char *engine, *operation, *kinds;
} operations[] = {
	{ "docker-20.10", "build-classic-run",
		"create - - start die - destroy create destroy tag" },
	{ "docker-20.10", "build-classic", "create destroy create destroy create destroy tag" },
	{ "docker-20.10", "buildkit-build-new", "" },
	{ "docker-20.10", "commit-tagged", "tag -" },
	{ "docker-20.10", "ctr-create-by-id", "create" },
	{ "docker-20.10", "ctr-create-labels-image-exitCode-name", "create" },
	{ "docker-20.10", "ctr-exec", "- - -" },
	{ "docker-20.10", "ctr-healthcheck", "- - - - - - - - -" },
	{ "docker-20.10", "ctr-kill", "- die -" },
	{ "docker-20.10", "ctr-rm", "destroy" },
	{ "docker-20.10", "ctr-run-rm", "create - - start die - destroy" },
	{ "docker-20.10", "ctr-start-moved-tag", "- start" },
	{ "docker-20.10", "ctr-stop", "- die - -" },
	{ "docker-20.10", "engine-shutdown", "- - die die - - - -" },
	{ "docker-20.10", "image-prune-dangling", "delete delete delete delete delete delete -" },
	{ "docker-20.10", "import-tagged", "tag import" },
	{ "docker-20.10", "load-new", "load" },
	{ "docker-20.10", "pull-all-tags", "pull" },
	{ "docker-20.10", "pull-by-digest-new", "pull" },
	{ "docker-20.10", "pull-new", "pull" },
	{ "docker-20.10", "push", "push" },
	{ "docker-20.10", "save", "save" },
	{ "docker-20.10", "system-prune", "- - untag delete delete - -" },
	{ "docker-20.10", "tag", "tag" },
	{ "docker-20.10", "untag-one-of-several", "untag" },
	{ "docker-20.10", "volume-create-rm", "- -" },
	{ "docker-28.5", "build-classic-run",
		"create - - start - die image-create destroy create "
		"image-create destroy tag" },
	{ "docker-28.5", "build-classic",
		"create image-create destroy create image-create destroy "
		"create image-create destroy tag" },
	{ "docker-28.5", "buildkit-build-new", "tag image-create" },
	{ "docker-28.5", "commit-tagged", "image-create tag -" },
	{ "docker-28.5", "ctr-create-by-id", "create" },
	{ "docker-28.5", "ctr-create-labels-image-exitCode-name", "create" },
	{ "docker-28.5", "ctr-exec", "- - -" },
	{ "docker-28.5", "ctr-kill", "- - die" },
	{ "docker-28.5", "ctr-rm", "destroy" },
	{ "docker-28.5", "ctr-run-rm", "create - - start - die destroy" },
	{ "docker-28.5", "ctr-start-moved-tag", "- start" },
	{ "docker-28.5", "ctr-stop", "- - - die" },
	{ "docker-28.5", "image-prune-dangling", "delete delete delete delete delete delete -" },
	{ "docker-28.5", "import-tagged", "tag import" },
	{ "docker-28.5", "load-new", "load" },
	{ "docker-28.5", "pull-all-tags", "pull" },
	{ "docker-28.5", "pull-by-digest-new", "pull" },
	{ "docker-28.5", "pull-new", "pull" },
	{ "docker-28.5", "push", "push" },
	{ "docker-28.5", "save", "save" },
	{ "docker-28.5", "system-prune", "- - untag delete delete - -" },
	{ "docker-28.5", "tag", "tag" },
	{ "docker-28.5", "untag-one-of-several", "untag" },
	{ "docker-28.5", "volume-create-rm", "- -" },
	{ "docker-29.7", "build-classic-run",
		"create - - start - die image-create destroy create "
		"image-create destroy tag" },
	{ "docker-29.7", "build-classic",
		"image-create create image-create destroy create "
		"image-create destroy create image-create destroy tag" },
	{ "docker-29.7", "buildkit-build-new", "image-create tag" },
	{ "docker-29.7", "commit-tagged", "image-create tag -" },
	{ "docker-29.7", "ctr-create-by-id", "create" },
	{ "docker-29.7", "ctr-create-labels-image-exitCode-name", "create" },
	{ "docker-29.7", "ctr-exec", "- - -" },
	{ "docker-29.7", "ctr-healthcheck", "- - - - - - - - -" },
	{ "docker-29.7", "ctr-kill", "- - die" },
	{ "docker-29.7", "ctr-rm", "destroy" },
	{ "docker-29.7", "ctr-run-rm", "create - - start - die destroy" },
	{ "docker-29.7", "ctr-start-moved-tag", "- start" },
	{ "docker-29.7", "ctr-stop", "- - - die" },
	{ "docker-29.7", "engine-shutdown", "- - - - - - die die" },
	{ "docker-29.7", "image-prune-dangling",
		"untag delete untag delete untag delete untag delete untag "
		"delete untag untag delete untag delete untag delete untag "
		"delete untag delete untag delete untag delete untag delete" },
	{ "docker-29.7", "import-tagged", "tag import" },
	{ "docker-29.7", "load-new", "load load" },
	{ "docker-29.7", "pull-all-tags", "pull pull" },
	{ "docker-29.7", "pull-by-digest-new", "pull" },
	{ "docker-29.7", "pull-new", "pull" },
	{ "docker-29.7", "push", "push" },
	{ "docker-29.7", "save", "save save" },
	{ "docker-29.7", "system-prune", "- - untag delete -" },
	{ "docker-29.7", "tag", "tag" },
	{ "docker-29.7", "untag-one-of-several", "untag" },
	{ "docker-29.7", "volume-create-rm", "- -" },
	{ "podman-4.3", "build", "image-create" },
	{ "podman-4.3", "build-cached-newtag", "image-create" },
	{ "podman-4.3", "ctr-create-by-tag", "tag create" },
	{ "podman-4.3", "ctr-exec", "-" },
	{ "podman-4.3", "ctr-rm", "destroy" },
	{ "podman-4.3", "ctr-run", "create - start die -" },
	{ "podman-4.3", "ctr-stop", "- die - - -" },
	{ "podman-4.3", "image-prune-dangling", "delete delete" },
	{ "podman-4.3", "import-tagged", "tag" },
	{ "podman-4.3", "load-present", "load" },
	{ "podman-4.3", "load", "untag delete delete delete load" },
	{ "podman-4.3", "pull-new", "pull" },
	{ "podman-4.3", "push", "push" },
	{ "podman-4.3", "save", "save" },
	{ "podman-4.3", "tag", "tag" },
	{ "podman-4.3", "untag-one-of-several", "untag delete" },
};

struct recording {
	ARRAY(struct engine_event) events;
};

static void recording_finish(struct recording *recording)
{
	for (size_t i = 0; i < recording->events.count; i++)
		engine_event_finish(&recording->events.items[i]);
	free(recording->events.items);
}

/* All events of an operation, by way of the framer. */
static struct recording play(const char *engine, const char *operation)
{
	_cleanup_free_ char *name = xasprintf("events-%s.ndjson", operation);
	_cleanup_(lines_finish) struct lines lines;
	struct recording recording = {};
	const char *line;
	size_t length;
	_cleanup_free_ char *data = recorded_read(engine, name, &length);

	lines_init(&lines, 1 << 20);
	lines_feed(&lines, data, length);
	while ((line = lines_next(&lines, &length))) {
		_cleanup_error_ struct error error = {};

		if (decode_event(line, length, array_push(&recording.events), &error) < 0)
			fail_msg("%s %s: %s", engine, operation, error.message);
	}
	return recording;
}

static char *kinds_of(const struct recording *recording)
{
	_cleanup_strings_ struct strings kinds = {};

	for (size_t i = 0; i < recording->events.count; i++)
		strings_add(&kinds, kind_names[recording->events.items[i].kind]);
	return strings_join(&kinds, " ");
}

static void test_b2_every_operation_of_every_engine(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		_cleanup_(recording_finish) struct recording recording =
			play(operations[i].engine, operations[i].operation);
		_cleanup_free_ char *kinds = kinds_of(&recording);

		if (!streq(kinds, operations[i].kinds))
			fail_msg("%s, %s: %s, should be %s", operations[i].engine,
				operations[i].operation, kinds, operations[i].kinds);
		for (size_t j = 0; j < recording.events.count; j++)
			assert_true(recording.events.items[j].time > 1795474800 * NSEC_PER_SEC);
	}
}

/* The one event of an operation. */
static void assert_event(const char *engine, const char *operation, const char *actor,
	const char *image, const char *name, nsec_t time)
{
	_cleanup_(recording_finish) struct recording recording = play(engine, operation);
	const struct engine_event *event = &recording.events.items[0];

	assert_int_equal(recording.events.count, 1);
	assert_string_equal(event->actor, actor);
	assert_string_equal(event->image, image);
	assert_string_equal(event->name, name);
	assert_nsec_equal(event->time, time);
}

static void test_b5_names_and_ids_where_each_engine_puts_them(void **state)
{
	assert_event("docker-20.10", "tag",
		"sha256:f0a3c340d96839e79625d8c7f2c5b5ad3d83f0dfa6f22e2b64e74a18265dd8d2", "",
		"slp:alias", 1795474870392519083);
	assert_event("docker-29.7", "pull-new", "127.0.0.1:5005/d29:v1", "", "127.0.0.1:5005/d29",
		1795475409842498728);
	assert_event("docker-29.7", "ctr-create-by-id",
		"9652784e77b15b56f87182895d137c07eda1d1775d8209f5aaa41f3921e3ca0a",
		"sha256:29cca8da8858466567088dc1395e0b75cf0877dd26bb1958ab8886bcb476ca8c", "c_id",
		1795475436707110992);
	/* podman has no ID here, and bare hex there. */
	assert_event(
		"podman-4.3", "pull-new", "", "", "127.0.0.1:5005/pod4:v1", 1795476921405073187);
	assert_event("podman-4.3", "tag",
		"58d4dcec39ba0a6c98a5b47829eeeaa47be510e9d49d553050b943865b4455d5", "",
		"docker.io/library/slp:alias", 1795476911840511903);
}

static void test_b5_a_containers_labels_shadow_neither_image_nor_name(void **state)
{
	static const struct {
		const char *engine, *actor;
		nsec_t time;
	} expected[] = {
		{ "docker-20.10",
			"32adb60ecfd2cf3c72949f64e86f33a3177fa6dd3adde7405b5e5436be9486da",
			1795474957356668678 },
		{ "docker-29.7", "541b7fe35036ae473d19dd977af8782f6f01e879489b8035b69772e0018d257b",
			1795475445027058050 },
	};

	/* It was run with the labels image=evil, name=evilname. */
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_event(expected[i].engine, "ctr-create-labels-image-exitCode-name",
			expected[i].actor, "slp:1", "c_lab", expected[i].time);
}

static void test_b5_with_and_without_the_legacy_fields(void **state)
{
	_cleanup_(recording_finish) struct recording old = play("docker-29.7", "by-version-v1.51");
	_cleanup_(recording_finish) struct recording new = play("docker-29.7", "by-version-v1.52");
	_cleanup_free_ char *kinds = kinds_of(&old);

	assert_string_equal(kinds, "image-create image-create tag untag delete delete");
	assert_int_equal(old.events.count, new.events.count);
	for (size_t i = 0; i < old.events.count; i++) {
		const struct engine_event *a = &old.events.items[i], *b = &new.events.items[i];

		assert_int_equal(a->kind, b->kind);
		/* The same command at another time: other IDs, but in the same places. */
		assert_int_equal(strlen(a->actor), strlen(b->actor));
		assert_int_equal(strlen(a->name), strlen(b->name));
	}
}

static int decode(const char *text, struct engine_event *event, struct error *error)
{
	_cleanup_free_ char *copy = exactly(text, strlen(text));

	return decode_event(copy, strlen(text), event, error);
}

static void test_b5_legacy_fields_alone_say_nothing(void **state)
{
	static const char text[] = "{\"status\":\"pull\",\"id\":\"alpine\",\"from\":\"x\","
				   "\"time\":1795474870}";
	_cleanup_error_ struct error error = {};
	struct engine_event event = {};

	assert_int_equal(decode(text, &event, &error), -EBADMSG);
	assert_string_equal(error.message, "Type is missing");
	assert_null(event.actor);
}

#define EVENT(rest) "{\"Type\":\"image\",\"Action\":\"pull\"," rest "}"

static void test_b5_an_empty_or_absent_actor_id(void **state)
{
	static const char *const texts[] = {
		EVENT("\"Actor\":{\"ID\":\"\"},\"timeNano\":5"),
		EVENT("\"Actor\":{},\"timeNano\":5"),
		EVENT("\"Actor\":{\"ID\":null,\"Attributes\":null},\"timeNano\":5"),
		EVENT("\"Actor\":{\"ID\":7,\"Attributes\":{\"name\":7}},\"timeNano\":5"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(engine_event_finish) struct engine_event event = {};

		assert_int_equal(decode(texts[i], &event, NULL), 0);
		assert_int_equal(event.kind, EVENT_IMAGE_PULL);
		assert_string_equal(event.actor, "");
		assert_string_equal(event.name, "");
		assert_string_equal(event.image, "");
	}
}

static void assert_time(const char *text, nsec_t expected)
{
	_cleanup_(engine_event_finish) struct engine_event event = {};

	assert_int_equal(decode(text, &event, NULL), 0);
	assert_nsec_equal(event.time, expected);
}

static void test_times(void **state)
{
	/* Above 2^53, where a double loses digits. */
	assert_time(EVENT("\"Actor\":{},\"time\":1,\"timeNano\":1795474870392519083"),
		1795474870392519083);
	assert_time(EVENT("\"Actor\":{},\"time\":1795474870"), 1795474870 * NSEC_PER_SEC);
	assert_time(EVENT("\"Actor\":{},\"time\":1795474870,\"timeNano\":0"),
		1795474870 * NSEC_PER_SEC);
	assert_time(EVENT("\"Actor\":{},\"time\":5,\"timeNano\":\"7\""), 5 * NSEC_PER_SEC);
}

static void assert_refused(const char *text, const char *message)
{
	_cleanup_error_ struct error error = {};
	struct engine_event event = { .time = 7 };

	if (decode(text, &event, &error) != -EBADMSG)
		fail_msg("%s was taken", text);
	if (message)
		assert_string_equal(error.message, message);
	assert_nsec_equal(event.time, 7);
	assert_null(event.actor);
	assert_int_equal(decode(text, &event, NULL), -EBADMSG);
}

static void test_b5_malformed_lines(void **state)
{
	assert_refused("", "not JSON: it ends too early");
	assert_refused("{}", "Type is missing");
	assert_refused("null", NULL);
	assert_refused("[]", "not a JSON object but array");
	assert_refused("<html><body>502</body></html>", NULL);
	assert_refused("{\"Type\":\"image\",\"Actor\":{},\"timeNano\":1}", "Action is missing");
	assert_refused(
		"{\"Type\":5,\"Action\":\"pull\",\"Actor\":{},\"timeNano\":1}", "Type is missing");
	assert_refused(EVENT("\"timeNano\":1"), "Actor is missing");
	assert_refused(EVENT("\"Actor\":\"x\",\"timeNano\":1"), "Actor is missing");
	assert_refused(EVENT("\"Actor\":{}"), "timeNano is missing");
	assert_refused(EVENT("\"Actor\":{},\"timeNano\":-1"), "timeNano is missing");
	assert_refused(EVENT("\"Actor\":{},\"timeNano\":1.5e18"), "timeNano is missing");
	/* Seconds that are none: nanoseconds would not fit. */
	assert_refused(EVENT("\"Actor\":{},\"time\":9223372037"), "timeNano is missing");
	assert_refused(EVENT("\"Actor\":{},\"timeNano\":1") " {}", NULL);
}

static void test_b5_an_event_cut_short_never_passes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(recorded_engines); i++) {
		size_t length;
		_cleanup_free_ char *data =
			recorded_read(recorded_engines[i], "events-tag.ndjson", &length);
		size_t end = (size_t)(strrchr(data, '}') - data);

		for (size_t n = 0; n <= end; n++) {
			_cleanup_free_ char *copy = exactly(data, n);
			struct engine_event event = {};

			assert_int_equal(decode_event(copy, n, &event, NULL), -EBADMSG);
			assert_null(event.name);
		}
	}
}

static void test_b1_actions_are_matched_whole(void **state)
{
	static const char *const texts[] = {
		"{\"Type\":\"container\",\"Action\":\"exec_start: create\",\"Actor\":{},\"time\":1}",
		"{\"Type\":\"container\",\"Action\":\"started\",\"Actor\":{},\"time\":1}",
		"{\"Type\":\"container\",\"Action\":\"pull\",\"Actor\":{},\"time\":1}",
		"{\"Type\":\"image\",\"Action\":\"start\",\"Actor\":{},\"time\":1}",
		"{\"Type\":\"plugin\",\"Action\":\"create\",\"Actor\":{},\"time\":1}",
		"{\"Type\":\"Image\",\"Action\":\"pull\",\"Actor\":{},\"time\":1}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(engine_event_finish) struct engine_event event = {};

		assert_int_equal(decode(texts[i], &event, NULL), 0);
		assert_int_equal(event.kind, EVENT_OTHER);
	}
}

static void test_b1_the_filters_ask_for_nothing_of_no_interest(void **state)
{
	struct json_object *filters = json_tokener_parse(event_filters), *types, *events;
	static const char *const noise[] = { "exec_create", "exec_start", "exec_die",
		"health_status", "top", "resize", "attach", "kill", "stop", "prune" };

	assert_non_null(filters);
	assert_true(json_object_object_get_ex(filters, "type", &types));
	assert_true(json_object_object_get_ex(filters, "event", &events));
	assert_int_equal(json_object_object_length(filters), 2);
	assert_string_equal(json_object_to_json_string_ext(types, JSON_C_TO_STRING_PLAIN),
		"[\"container\",\"image\"]");
	/* Each is one that decode_event() knows, of images or of containers. */
	for (size_t i = 0; i < json_object_array_length(events); i++) {
		const char *action = json_object_get_string(json_object_array_get_idx(events, i));
		_cleanup_(engine_event_finish) struct engine_event image = {}, container = {};
		_cleanup_free_ char *a = xasprintf(
			"{\"Type\":\"image\",\"Action\":\"%s\",\"Actor\":{},\"time\":1}", action);
		_cleanup_free_ char *b = xasprintf(
			"{\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{},\"time\":1}",
			action);

		assert_int_equal(decode(a, &image, NULL), 0);
		assert_int_equal(decode(b, &container, NULL), 0);
		assert_true(image.kind != EVENT_OTHER || container.kind != EVENT_OTHER);
		for (size_t j = 0; j < ARRAY_SIZE(noise); j++)
			assert_string_not_equal(action, noise[j]);
	}
	/* 17 rows know 16 words, "create" twice. */
	assert_int_equal(json_object_array_length(events), 16);
	json_object_put(filters);
}

/* An event made of the words of a kind is of that kind. */
static void test_b41_each_kind_has_the_words_of_docker(void **state)
{
	assert_null(event_kind_type(EVENT_OTHER));
	assert_null(event_kind_action(EVENT_OTHER));
	for (enum event_kind kind = EVENT_OTHER + 1; kind < EVENT_KIND_COUNT; kind++) {
		_cleanup_(engine_event_finish) struct engine_event event = {};
		_cleanup_free_ char *line =
			xasprintf("{\"Type\":\"%s\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"x\"},"
				  "\"timeNano\":1}",
				event_kind_type(kind), event_kind_action(kind));

		assert_int_equal(decode_event(line, strlen(line), &event, NULL), 0);
		assert_int_equal(event.kind, kind);
	}
	assert_string_equal(event_kind_action(EVENT_CONTAINER_DESTROY), "destroy");
	assert_string_equal(event_kind_action(EVENT_IMAGE_LOAD), "load");
	assert_string_equal(event_kind_action(EVENT_IMAGE_CREATE), "create");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_b2_every_operation_of_every_engine),
		cmocka_unit_test(test_b5_names_and_ids_where_each_engine_puts_them),
		cmocka_unit_test(test_b5_a_containers_labels_shadow_neither_image_nor_name),
		cmocka_unit_test(test_b5_with_and_without_the_legacy_fields),
		cmocka_unit_test(test_b5_legacy_fields_alone_say_nothing),
		cmocka_unit_test(test_b5_an_empty_or_absent_actor_id),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_b5_malformed_lines),
		cmocka_unit_test(test_b5_an_event_cut_short_never_passes),
		cmocka_unit_test(test_b1_actions_are_matched_whole),
		cmocka_unit_test(test_b1_the_filters_ask_for_nothing_of_no_interest),
		cmocka_unit_test(test_b41_each_kind_has_the_words_of_docker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
