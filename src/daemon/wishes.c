/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/wishes.h"

#include <errno.h>

#include "codec/control_json.h"
#include "core/reference.h"
#include "daemon/observe.h"

/* All or none: first each of them has to be understood. */
static int canonicalise(const struct strings *references, struct strings *ret, struct error *error)
{
	for (size_t i = 0; i < references->count; i++) {
		char *canonical;

		if (reference_canonicalise(references->items[i], &canonical) < 0) {
			error_set(
				error, "\"%s\" is no reference of an image", references->items[i]);
			return -EBADMSG;
		}
		strings_take(ret, canonical);
	}
	return 0;
}

/* The references in the call's body. False if it has been answered. */
static bool read_references(
	struct control_call *call, struct strings *references, struct strings *canonical)
{
	_cleanup_error_ struct error error = {};
	const char *body;
	size_t length;

	body = control_body(call, &length);
	if (decode_references(body, length, references, &error) < 0 ||
		canonicalise(references, canonical, &error) < 0) {
		control_fail(call, STATUS_BAD_REQUEST, "%s", error.message);
		return false;
	}
	return true;
}

static void reply_tracking(struct control_call *call, const struct strings *references,
	const enum tracking_result *results)
{
	_cleanup_free_ char *json = encode_tracking(references, results);

	control_reply(call, STATUS_OK, json);
}

void wishes_track(struct wishes *wishes, struct control_call *call)
{
	_cleanup_strings_ struct strings references = {}, canonical = {};
	_cleanup_free_ enum tracking_result *results = NULL;

	if (!read_references(call, &references, &canonical))
		return;
	results = xcalloc(canonical.count, sizeof(*results));
	for (size_t i = 0; i < canonical.count; i++)
		results[i] = tracking_track(wishes->policy, wishes->ledger, wishes->inventory,
			canonical.items[i], observe_now(wishes->ledger));
	reply_tracking(call, &references, results);
	wishes->changed(wishes->userdata);
}

/* Leaves those alone that have the names as far as is known. */
static void forget(struct wishes *wishes, struct forgetting *forgetting)
{
	for (size_t i = 0; i < forgetting->canonical.count; i++) {
		enum tracking_result result = tracking_forget(
			wishes->ledger, wishes->inventory, forgetting->canonical.items[i]);

		if (forgetting->results[i] != TRACKING_FORGOTTEN)
			forgetting->results[i] = result;
	}
	wishes->changed(wishes->userdata);
}

static void forgetting_finish(struct forgetting *forgetting)
{
	strings_finish(&forgetting->references);
	strings_finish(&forgetting->canonical);
	free(forgetting->results);
}

static void reply_forgetting(struct forgetting *forgetting)
{
	reply_tracking(forgetting->call, &forgetting->references, forgetting->results);
	forgetting_finish(forgetting);
}

/* Whether it is known who has the names; if not the engine is asked. */
static bool knows_names(const struct wishes *wishes, struct forgetting *forgetting)
{
	struct watch *watch = wishes->watch;
	bool is_open = false;
	const char *id;

	for (size_t i = 0; i < forgetting->canonical.count; i++) {
		const char *canonical = forgetting->canonical.items[i];

		is_open |= forgetting->is_asked ? watch_awaits_name(watch, canonical, &id)
						: watch_ask_image(watch, canonical);
	}
	forgetting->is_asked = true;
	return !is_open;
}

void wishes_settled(struct wishes *wishes)
{
	size_t left = 0;

	for (size_t i = 0; i < wishes->forgetting.count; i++) {
		struct forgetting *forgetting = &wishes->forgetting.items[i];

		if (!knows_names(wishes, forgetting)) {
			wishes->forgetting.items[left++] = *forgetting;
			continue;
		}
		forget(wishes, forgetting);
		reply_forgetting(forgetting);
	}
	wishes->forgetting.count = left;
}

void wishes_forget(struct wishes *wishes, struct control_call *call)
{
	struct forgetting forgetting = { .call = call };

	if (!read_references(call, &forgetting.references, &forgetting.canonical)) {
		forgetting_finish(&forgetting);
		return;
	}
	forgetting.results = xcalloc(forgetting.canonical.count, sizeof(*forgetting.results));
	/* At once: a collection may be about to take them. */
	forget(wishes, &forgetting);
	*array_push(&wishes->forgetting) = forgetting;
	if (watch_is_settled(wishes->watch))
		wishes_settled(wishes);
}

void wishes_gone(struct wishes *wishes)
{
	for (size_t i = 0; i < wishes->forgetting.count; i++)
		reply_forgetting(&wishes->forgetting.items[i]);
	wishes->forgetting.count = 0;
}

void wishes_finish(struct wishes *wishes)
{
	for (size_t i = 0; i < wishes->forgetting.count; i++)
		forgetting_finish(&wishes->forgetting.items[i]);
	free(wishes->forgetting.items);
}
