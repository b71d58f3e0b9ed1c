/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event_json.h"

#include <errno.h>
#include <string.h>

#include "codec/event_scan.h"
#include "codec/json.h"

/* What is used never shows in exec, health or top events: they are not asked for. */
const char event_filters[] =
	"{\"type\":[\"container\",\"image\"],"
	"\"event\":[\"create\",\"start\",\"die\",\"died\",\"destroy\","
	"\"remove\",\"pull\",\"tag\",\"untag\",\"load\",\"loadfromarchive\",\"import\","
	"\"build\",\"push\",\"save\",\"delete\"]}";

static const struct {
	const char *type, *action;
	enum event_kind kind;
} kinds[] = {
	{ "container", "create", EVENT_CONTAINER_CREATE },
	{ "container", "start", EVENT_CONTAINER_START },
	{ "container", "die", EVENT_CONTAINER_DIE },
	{ "container", "died", EVENT_CONTAINER_DIE }, /* what podman 4 filters by; it says die */
	{ "container", "destroy", EVENT_CONTAINER_DESTROY },
	{ "container", "remove", EVENT_CONTAINER_DESTROY }, /* podman's word */
	{ "image", "pull", EVENT_IMAGE_PULL },
	{ "image", "tag", EVENT_IMAGE_TAG },
	{ "image", "untag", EVENT_IMAGE_UNTAG },
	{ "image", "load", EVENT_IMAGE_LOAD },
	{ "image", "loadfromarchive", EVENT_IMAGE_LOAD }, /* podman's word */
	{ "image", "import", EVENT_IMAGE_IMPORT },
	{ "image", "create", EVENT_IMAGE_CREATE },
	{ "image", "build", EVENT_IMAGE_CREATE }, /* podman's word, also of what it had already */
	{ "image", "push", EVENT_IMAGE_PUSH },
	{ "image", "save", EVENT_IMAGE_SAVE },
	{ "image", "delete", EVENT_IMAGE_DELETE },
};

/* Docker's words come first. */
static size_t find_words(enum event_kind kind)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(kinds) && kinds[i].kind != kind)
		i++;
	return i;
}

const char *event_kind_type(enum event_kind kind)
{
	size_t i = find_words(kind);

	return i < ARRAY_SIZE(kinds) ? kinds[i].type : NULL;
}

const char *event_kind_action(enum event_kind kind)
{
	size_t i = find_words(kind);

	return i < ARRAY_SIZE(kinds) ? kinds[i].action : NULL;
}

void engine_event_finish(struct engine_event *event)
{
	free(event->actor);
	free(event->image);
	free(event->name);
	*event = (struct engine_event){};
}

static enum event_kind find_kind(struct text_slice type, struct text_slice action)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (text_slice_is(&type, kinds[i].type) && text_slice_is(&action, kinds[i].action))
			return kinds[i].kind;
	return EVENT_OTHER;
}

static char *copy_text(struct json_object *object, const char *key)
{
	const char *text = json_text(object, key);

	return xstrdup(text ? text : "");
}

static int read_time(struct json_object *object, nsec_t *ret)
{
	int64_t time;

	if (json_integer(object, "timeNano", &time) == 0 && time > 0) {
		*ret = time;
		return 0;
	}
	/* To the second, from engines that have no better clock. */
	if (json_integer(object, "time", &time) < 0 || time <= 0 || time > NSEC_MAX / NSEC_PER_SEC)
		return -EBADMSG;
	*ret = time * NSEC_PER_SEC;
	return 0;
}

static char *copy_slice(const struct text_slice *slice)
{
	return xstrndup(slice->at ? slice->at : "", slice->length);
}

static struct text_slice slice_of(const char *text)
{
	return (struct text_slice){ text, strlen(text) };
}

static int decode_by_json(
	const char *line, size_t length, struct engine_event *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct json_object *actor, *attributes;
	const char *type, *action;
	nsec_t time;
	int r = json_read(line, length, json_type_object, &object, error);

	if (r < 0)
		return r;
	type = json_text(object, "Type");
	action = json_text(object, "Action");
	actor = json_member(object, "Actor", json_type_object);
	if (!type || !action || !actor || read_time(object, &time) < 0) {
		error_set(error, "%s is missing",
			!type             ? "Type"
				: !action ? "Action"
				: !actor  ? "Actor"
					  : "timeNano");
		return -EBADMSG;
	}
	attributes = json_member(actor, "Attributes", json_type_object);
	*ret = (struct engine_event){
		.kind = find_kind(slice_of(type), slice_of(action)),
		.actor = copy_text(actor, "ID"),
		.image = copy_text(attributes, "image"),
		.name = copy_text(attributes, "name"),
		.time = time,
	};
	return 0;
}

int decode_event(const char *line, size_t length, struct engine_event *ret, struct error *error)
{
	struct event_scan scan;

	if (!event_scan(line, length, &scan))
		return decode_by_json(line, length, ret, error);
	*ret = (struct engine_event){
		.kind = find_kind(scan.type, scan.action),
		.actor = copy_slice(&scan.actor),
		.image = copy_slice(&scan.image),
		.name = copy_slice(&scan.name),
		.time = scan.time,
	};
	return 0;
}
