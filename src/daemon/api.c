/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/api.h"

#include "codec/control_json.h"
#include "codec/exposition.h"
#include "core/units.h"
#include "daemon/wishes.h"

/* Somebody waits for a collection to end. */
struct waiter {
	struct control_call *call;
	unsigned collections; /* that have to end first: what was under way does not count */
};

struct api {
	struct api_context context;
	struct api_handler handler;
	void *userdata;
	struct event_base *base;
	ARRAY(struct waiter) waiters;
	struct wishes wishes;
};

static struct control_status describe(const struct api *api)
{
	struct control_status status = {};

	api->handler.describe(api->userdata, &status);
	return status;
}

/* Whether there is something to tell of the engine; else the call is answered. */
static bool has_engine(const struct api *api, struct control_call *call)
{
	if (watch_is_loaded(api->context.watch))
		return true;
	control_fail(call, STATUS_UNAVAILABLE, "waiting for Docker Engine at %s",
		engine_endpoint(api->context.engine)->url);
	return false;
}

static void get_status(void *userdata, struct control_call *call)
{
	const struct api *api = userdata;
	struct control_status status = describe(api);
	_cleanup_free_ char *json = encode_status(&status);

	control_reply(call, STATUS_OK, json);
}

static void get_images(void *userdata, struct control_call *call)
{
	const struct api *api = userdata;
	_cleanup_(plan_finish) struct plan plan = {};
	_cleanup_free_ char *json = NULL;

	if (!has_engine(api, call))
		return;
	cycle_plan(api->context.cycle, &plan);
	json = encode_images(api->context.inventory, &plan);
	control_reply(call, STATUS_OK, json);
}

static void get_image(void *userdata, struct control_call *call)
{
	const struct api *api = userdata;
	_cleanup_(plan_finish) struct plan plan = {};
	const struct image *image;

	if (!has_engine(api, call))
		return;
	image = inventory_resolve(api->context.inventory, control_rest(call));
	cycle_plan(api->context.cycle, &plan);
	for (size_t i = 0; image && i < plan.count; i++) {
		_cleanup_free_ char *json = NULL;

		if (plan.items[i].image != image)
			continue;
		json = encode_image(api->context.inventory, &plan, &plan.items[i]);
		control_reply(call, STATUS_OK, json);
		return;
	}
	control_fail(call, STATUS_NOT_FOUND, "no such image: %s", control_rest(call));
}

static void reply_plan(const struct api *api, struct control_call *call)
{
	_cleanup_(plan_finish) struct plan plan = {};
	_cleanup_free_ char *json = NULL;

	cycle_plan(api->context.cycle, &plan);
	json = encode_plan(&plan, cycle_usage(api->context.cycle), api->context.settings->enabled);
	control_reply(call, STATUS_OK, json);
}

static void get_plan(void *userdata, struct control_call *call)
{
	const struct api *api = userdata;

	if (has_engine(api, call))
		reply_plan(api, call);
}

/* As moby reads booleans in a query. */
static bool is_set(const struct control_call *call, const char *name)
{
	const char *value = control_parameter(call, name);

	return value && *value && !streq(value, "0") && !streq(value, "false") &&
		!streq(value, "no") && !streq(value, "none");
}

static void post_gc(void *userdata, struct control_call *call)
{
	struct api *api = userdata;
	struct control_status status = describe(api);

	if (!has_engine(api, call))
		return;
	if (is_set(call, "dry_run")) {
		reply_plan(api, call);
		return;
	}
	if (!api->context.settings->enabled) {
		control_fail(call, STATUS_CONFLICT, "gc.enabled = false: nothing is collected");
		return;
	}
	if (status.paused_until > 0) {
		control_fail(call, STATUS_CONFLICT, "paused: nothing is collected until resume");
		return;
	}
	if (is_set(call, "wait"))
		*array_push(&api->waiters) = (struct waiter){
			.call = call,
			.collections = cycle_state(api->context.cycle) == CYCLE_IDLE ? 1 : 2,
		};
	else
		control_reply(call, STATUS_ACCEPTED, "{}\n");
	api->handler.collect(api->userdata);
}

static void get_history(void *userdata, struct control_call *call)
{
	const struct api *api = userdata;
	_cleanup_free_ char *json = encode_removal_log(api->context.removals);

	control_reply(call, STATUS_OK, json);
}

static void post_track(void *userdata, struct control_call *call)
{
	struct api *api = userdata;

	if (has_engine(api, call))
		wishes_track(&api->wishes, call);
}

static void post_forget(void *userdata, struct control_call *call)
{
	struct api *api = userdata;

	if (has_engine(api, call))
		wishes_forget(&api->wishes, call);
}

static void reply_pause(const struct api *api, struct control_call *call)
{
	struct control_status status = describe(api);
	_cleanup_free_ char *json = encode_pause(status.paused_until);

	control_reply(call, STATUS_OK, json);
}

static void post_pause(void *userdata, struct control_call *call)
{
	struct api *api = userdata;
	const char *text = control_parameter(call, "for");
	nsec_t length = 0;

	if (text && (parse_duration(text, &length) < 0 || length == 0)) {
		control_fail(call, STATUS_BAD_REQUEST,
			"for=%s: must be a duration such as 90m or 2h", text);
		return;
	}
	api->handler.pause(api->userdata, length);
	reply_pause(api, call);
}

static void post_resume(void *userdata, struct control_call *call)
{
	struct api *api = userdata;

	api->handler.resume(api->userdata);
	reply_pause(api, call);
}

static void get_metrics(void *userdata, struct control_call *call)
{
	const struct api *api = userdata;
	_cleanup_free_ char *text = api->handler.measure(api->userdata);

	control_reply_text(call, EXPOSITION_TYPE, text);
}

static const struct control_route routes[] = {
	{ "GET", "/v1/status", get_status },
	{ "GET", "/v1/images", get_images },
	{ "GET", "/v1/images/*", get_image },
	{ "GET", "/v1/plan", get_plan },
	{ "POST", "/v1/gc", post_gc },
	{ "GET", "/v1/history", get_history },
	{ "POST", "/v1/track", post_track },
	{ "POST", "/v1/forget", post_forget },
	{ "POST", "/v1/pause", post_pause },
	{ "POST", "/v1/resume", post_resume },
	{ "GET", "/metrics", get_metrics },
};

/* Whoever reaches the TCP listener may see this, and nothing else. */
static const struct control_route metrics_routes[] = {
	{ "GET", "/metrics", get_metrics },
};

struct api *api_create(struct event_base *base, const struct api_context *context,
	const struct api_handler *handler, void *userdata)
{
	struct api *api = xcalloc(1, sizeof(*api));

	api->context = *context;
	api->handler = *handler;
	api->userdata = userdata;
	api->base = base;
	api->wishes = (struct wishes){
		.policy = &context->settings->policy,
		.inventory = context->inventory,
		.ledger = context->ledger,
		.watch = context->watch,
		.changed = handler->changed,
		.userdata = userdata,
	};
	return api;
}

void api_destroy(struct api *api)
{
	if (!api)
		return;
	wishes_finish(&api->wishes);
	free(api->waiters.items);
	free(api);
}

struct control *api_create_control(struct api *api)
{
	return control_create(api->base, routes, ARRAY_SIZE(routes), api);
}

struct control *api_create_metrics(struct api *api)
{
	return control_create(api->base, metrics_routes, ARRAY_SIZE(metrics_routes), api);
}

void api_settled(struct api *api)
{
	wishes_settled(&api->wishes);
}

void api_collected(struct api *api, const struct collection_record *record)
{
	_cleanup_free_ char *json = encode_collection(record);
	size_t left = 0;

	for (size_t i = 0; i < api->waiters.count; i++) {
		struct waiter *waiter = &api->waiters.items[i];

		if (--waiter->collections == 0)
			control_reply(waiter->call, STATUS_OK, json);
		else
			api->waiters.items[left++] = *waiter;
	}
	api->waiters.count = left;
}

void api_gone(struct api *api, const char *why)
{
	for (size_t i = 0; i < api->waiters.count; i++)
		control_fail(api->waiters.items[i].call, STATUS_UNAVAILABLE, "%s", why);
	api->waiters.count = 0;
	wishes_gone(&api->wishes);
}
