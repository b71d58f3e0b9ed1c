/* SPDX-License-Identifier: Apache-2.0 */
/* A line of the event stream: read in place and by json-c, to the same. */
#include "fuzz.h"

#include <errno.h>

#include "codec/event_json.h"
#include "codec/event_scan.h"

static void check_slice(struct text_slice slice, const char *line, size_t length)
{
	if (!slice.at)
		return;
	check(slice.at > line && slice.at + slice.length < line + length);
	for (size_t i = 0; i < slice.length; i++)
		check(slice.at[i] >= ' ' && slice.at[i] < 0x7f);
}

static void check_scan(const char *line, size_t length)
{
	struct event_scan scan = { .time = 7 };

	if (!event_scan(line, length, &scan)) {
		check(scan.time == 7 && !scan.type.at);
		return;
	}
	check_slice(scan.type, line, length);
	check_slice(scan.action, line, length);
	check_slice(scan.actor, line, length);
	check_slice(scan.image, line, length);
	check_slice(scan.name, line, length);
}

static void check_event(const struct engine_event *event, size_t length)
{
	check(event->time > 0);
	check(event->kind < EVENT_KIND_COUNT);
	check((event->kind == EVENT_OTHER) == !event_kind_type(event->kind));
	check(strlen(event->actor) + strlen(event->image) + strlen(event->name) < length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *line = fuzz_bytes(data, size), *with_blank = xcalloc(size + 1, 1);
	_cleanup_error_ struct error error = {}, slow_error = {};
	struct engine_event event = {}, slow = {};
	int r = decode_event(line, size, &event, &error), s;

	/* A blank in front makes the line not plain, and is no matter to json-c. */
	with_blank[0] = ' ';
	if (size > 0)
		memcpy(with_blank + 1, data, size);
	s = decode_event(with_blank, size + 1, &slow, &slow_error);
	check_scan(line, size);
	check(r == s && (r == 0 || r == -EBADMSG));
	check((r < 0) == (error.message != NULL));
	check(event.kind == slow.kind && event.time == slow.time);
	check(streq(event.actor, slow.actor) && streq(event.image, slow.image) &&
		streq(event.name, slow.name));
	if (r == 0)
		check_event(&event, size);
	engine_event_finish(&event);
	engine_event_finish(&slow);
	return 0;
}
