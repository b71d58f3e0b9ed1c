/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon asks the engine, in place of io/engine.c. A request takes its time to the engine,
 * and the answer back; what was cancelled never calls back.
 */
#include "model.h"

#include <errno.h>
#include <string.h>

struct engine {
	struct endpoint endpoint;
	struct engine_timeouts timeouts;
	struct engine_version version;
	struct engine_info info;
	struct request_stats stats;
};

struct engine_call {
	struct due due;
	enum engine_request request;
	struct engine *engine; /* of engine_connect() */
	char *name;
	bool prune;
	bool after_images; /* the second list of two */
	uint64_t images_change; /* of the first one */
	size_t images_names[NAMES]; /* whose they were in it */
	uint64_t change; /* the answer's */
	nsec_t pulled; /* by that name, as far as was told when it was asked; 0: not */
	struct engine_answer answer;
	engine_fn fn; /* NULL: cancelled */
	void *userdata;
	struct engine_call *next;
};

static struct engine_call *calls;
static const struct engine_call *in_callback;

/* Answers */

static struct image_record make_record(size_t number, bool with_layers)
{
	const struct thing *thing = at(number);
	struct image_record record = {
		.id = xstrdup(thing->id),
		.parent = thing->parent != NOBODY ? xstrdup(at(thing->parent)->id) : NULL,
		.size = docker_size(thing),
		.has_size = true,
		.created = thing->created,
	};

	if (thing->labelled)
		labels_add(&record.labels, "dockergcd.keep", "true");
	for (size_t i = 0; i < NAMES; i++)
		if (world.names[i] == number)
			strings_add(&record.references, docker_canonical(i));
	for (size_t i = 0; i < REPOSITORIES; i++)
		if (docker_digests(number) & 1U << i)
			strings_addf(&record.digests, "%s@%s", docker_repository(i), thing->digest);
	if (!world.scale.graph_driver) {
		record.size += record.size / 2; /* what was downloaded */
		record.has_size = !with_layers;
	}
	if (with_layers) {
		record.has_layers = true;
		for (size_t i = 0; i < thing->layer_count; i++)
			strings_addf(&record.layers, "sha256:%064u", thing->layers[i]);
	} else {
		record.created -= record.created % SECOND;
	}
	return record;
}

/* With an empty entry here and there, always the same ones for an image. */
static void make_history(const struct thing *thing, struct history *history)
{
	for (size_t i = 0; i < thing->layer_count; i++) {
		if (thing->digest[10 + i] < '8')
			*array_push(history) = 0;
		*array_push(history) = world.layer_sizes[thing->layers[i]];
	}
}

static void list_images(struct engine_answer *answer)
{
	for (size_t i = 0; i < world.things.count; i++)
		if (at(i)->present)
			*array_push(&answer->images) = make_record(i, false);
}

static struct container_record make_container(const struct box *box)
{
	return (struct container_record){
		.id = xstrdup(box->id),
		.image_id = xstrdup(at(box->thing)->id),
		.image_text = xstrdup(box->text),
	};
}

static void list_containers(struct engine_answer *answer)
{
	for (size_t i = 0; i < world.boxes.count; i++)
		if (world.boxes.items[i].state != BOX_GONE)
			*array_push(&answer->containers) = make_container(&world.boxes.items[i]);
}

/* The repository of a name by digest, or NOBODY. */
static size_t repository_of(const char *name)
{
	size_t length = strcspn(name, "@");

	for (size_t i = 0; name[length] && i < REPOSITORIES; i++)
		if (strlen(docker_repository(i)) == length &&
			strncmp(docker_repository(i), name, length) == 0)
			return i;
	return NOBODY;
}

static size_t find_digest(const char *digest, size_t repository)
{
	for (size_t i = 0; i < world.things.count; i++)
		if (at(i)->present && streq(at(i)->digest, digest) &&
			docker_digests(i) & 1U << repository)
			return i;
	return NOBODY;
}

/* The image that a full ID or a canonical reference means to the engine now. */
static size_t resolve(const char *name)
{
	size_t thing = thing_of(name), reference = docker_find_name(name),
	       repository = repository_of(name);

	if (thing != NOBODY)
		return at(thing)->present ? thing : NOBODY;
	if (reference != NOBODY)
		return world.names[reference];
	return repository != NOBODY ? find_digest(strchr(name, '@') + 1, repository) : NOBODY;
}

static void refuse(struct engine_answer *answer, int result)
{
	answer->result = result;
	answer->message = result == ENGINE_NOT_FOUND ? "no such thing"
		: result == ENGINE_CONFLICT          ? "conflict"
						     : "no answer";
}

static void remove_image(struct engine_call *call)
{
	size_t thing = resolve(call->name);
	int result = thing == NOBODY
		? ENGINE_NOT_FOUND
		: docker_remove(thing, docker_find_name(call->name), repository_of(call->name),
			  call->prune, &call->answer.removal);

	trace("engine: DELETE %s%s: %d", call->name, call->prune ? " and steps" : "", result);
	if (result != ENGINE_OK)
		refuse(&call->answer, result);
	else
		operations_race(thing);
}

static void inspect_image(struct engine_call *call, bool history)
{
	size_t thing = resolve(call->name);

	if (thing == NOBODY)
		refuse(&call->answer, ENGINE_NOT_FOUND);
	else if (history)
		make_history(at(thing), &call->answer.history);
	else
		call->answer.image = make_record(thing, true);
}

static void inspect_container(struct engine_call *call)
{
	size_t number = box_of(call->name);
	const struct box *box = number == NOBODY ? NULL : &world.boxes.items[number];

	if (!box || box->state == BOX_GONE)
		refuse(&call->answer, ENGINE_NOT_FOUND);
	else
		call->answer.container = make_container(box);
}

static void measure(struct engine_answer *answer)
{
	answer->usage.known = true;
	answer->usage.images = docker_usage();
	if (world.scale.graph_driver)
		return;
	answer->usage.images += answer->usage.images / 2;
	list_images(answer);
}

static void meet(struct engine *engine)
{
	engine->info.system_time = world_real();
	stream_note_past();
}

static void answer_request(struct engine_call *call)
{
	switch (call->request) {
	case REQUEST_IMAGES:
		list_images(&call->answer);
		memcpy(call->images_names, world.names, sizeof(world.names));
		break;
	case REQUEST_IMAGE:
		inspect_image(call, false);
		break;
	case REQUEST_HISTORY:
		inspect_image(call, true);
		break;
	case REQUEST_CONTAINERS:
		list_containers(&call->answer);
		break;
	case REQUEST_CONTAINER:
		inspect_container(call);
		break;
	case REQUEST_SYSTEM_DF:
		measure(&call->answer);
		break;
	case REQUEST_IMAGE_REMOVE:
		remove_image(call);
		break;
	case REQUEST_PING:
		meet(call->engine);
		break;
	case REQUEST_VERSION:
	case REQUEST_INFO:
	case REQUEST_BUILD_PRUNE:
	case REQUEST_COUNT:
		break;
	}
}

/* What the daemon knows once it has this answer. */
static void tell_oracle(struct engine_call *call)
{
	struct engine_answer *answer = &call->answer;

	world.list_failed =
		world.list_failed || (answer->result < 0 && call->request != REQUEST_IMAGE_REMOVE);
	for (size_t i = 0; i < answer->removal.deleted.count; i++)
		at(thing_of(answer->removal.deleted.items[i]))->told = call->change;
	if (answer->result >= 0 && call->request == REQUEST_IMAGE)
		told_name(call->name, call->change);
	if (answer->result == ENGINE_OK && call->request == REQUEST_SYSTEM_DF)
		world.measured = call->change;
	if (call->request != REQUEST_CONTAINERS || answer->result != ENGINE_OK)
		return;
	if (call->after_images)
		told_images(call->images_change, call->images_names);
	told_containers(call->change);
}

static void unlink_call(struct engine_call *call)
{
	for (struct engine_call **link = &calls; *link; link = &(*link)->next)
		if (*link == call) {
			*link = call->next;
			break;
		}
}

static void free_call(struct engine_call *call)
{
	unlink_call(call);
	due_cancel(&call->due);
	engine_answer_finish(&call->answer);
	free(call->name);
	free(call);
}

struct image *__real_inventory_put_image(
	struct inventory *inventory, const struct image_record *record);
struct image *__wrap_inventory_put_image(
	struct inventory *inventory, const struct image_record *record);

/* Of an answer that it takes for layers alone the daemon learns no names. */
struct image *__wrap_inventory_put_image(
	struct inventory *inventory, const struct image_record *record)
{
	if (in_callback && in_callback->request == REQUEST_IMAGE)
		told_thing(record, in_callback->change, in_callback->name, in_callback->pulled);
	return __real_inventory_put_image(inventory, record);
}

static void come_back(struct due *due)
{
	struct engine_call *call = (struct engine_call *)due;

	unlink_call(call);
	if (call->fn) {
		trace("answer: %s %s: %d", engine_request_name(call->request),
			call->name ? call->name : "", call->answer.result);
		if (call->request == REQUEST_PING)
			stream_connected();
		tell_oracle(call);
		in_callback = call;
		call->fn(call->userdata, &call->answer);
		in_callback = NULL;
		told_answer_taken();
	}
	free_call(call);
}

/* What can go wrong on the way, with or without effect. */
static bool fails(struct engine_call *call)
{
	if (!world.faults || !random_chance(3))
		return false;
	if (call->request == REQUEST_IMAGE_REMOVE && random_chance(50))
		remove_image(call);
	engine_answer_finish(&call->answer);
	refuse(&call->answer, random_chance(50) ? -ETIMEDOUT : -EREMOTEIO);
	return true;
}

static void arrive(struct due *due)
{
	struct engine_call *call = (struct engine_call *)due;
	nsec_t delay = some_delay();

	if (!world.up)
		refuse(&call->answer, -ECONNREFUSED);
	else if (!fails(call))
		answer_request(call);
	if (call->answer.result == -ETIMEDOUT)
		delay = 10 * SECOND;
	call->change = world.changes;
	call->due.happen = come_back;
	due_at(&call->due, delay);
}

void requests_engine_gone(void)
{
	for (struct engine_call *call = calls; call; call = call->next) {
		engine_answer_finish(&call->answer);
		refuse(&call->answer, -ECONNRESET);
		call->due.happen = come_back;
		due_at(&call->due, some_delay());
	}
}

static struct engine_call *ask(
	enum engine_request request, const char *name, engine_fn fn, void *userdata)
{
	struct engine_call *call = xcalloc(1, sizeof(*call));
	size_t image_name = request == REQUEST_IMAGE ? docker_find_name(name) : NOBODY;

	*call = (struct engine_call){
		.due.happen = arrive,
		.request = request,
		.name = name ? xstrdup(name) : NULL,
		.pulled = image_name == NOBODY ? 0 : world.name_asked[image_name],
		.fn = fn,
		.userdata = userdata,
		.next = calls,
	};
	calls = call;
	trace("request: %s %s", engine_request_name(request), name ? name : "");
	due_at(&call->due, some_delay());
	return call;
}

void engine_cancel(struct engine_call *call)
{
	if (!call)
		return;
	/* It may be on its way. */
	if (call->request == REQUEST_IMAGE_REMOVE && call->due.happen == arrive &&
		random_chance(50))
		call->fn = NULL;
	else
		free_call(call);
}

bool requests_wait(void)
{
	return calls;
}

/* io/engine.h */

struct engine *engine_create(struct event_base *base _unused_)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));

	engine->version.version = xstrdup("model");
	engine->info = (struct engine_info){
		.id = xstrdup("model"),
		.root_directory = xstrdup("/model"),
		.driver = xstrdup("model"),
	};
	return engine;
}

void engine_destroy(struct engine *engine)
{
	while (calls)
		free_call(calls);
	stream_reset();
	endpoint_finish(&engine->endpoint);
	engine_version_finish(&engine->version);
	engine_info_finish(&engine->info);
	free(engine);
}

void engine_set_endpoint(
	struct engine *engine, struct endpoint *endpoint, const struct engine_timeouts *timeouts)
{
	engine->endpoint = *endpoint;
	*endpoint = (struct endpoint){};
	engine->timeouts = *timeouts;
}

const struct endpoint *engine_endpoint(const struct engine *engine)
{
	return &engine->endpoint;
}

struct engine_call *engine_connect(struct engine *engine, engine_fn fn, void *userdata)
{
	struct engine_call *call = ask(REQUEST_PING, NULL, fn, userdata);

	call->engine = engine;
	return call;
}

nsec_t engine_connect_timeout(const struct engine *engine)
{
	return engine->timeouts.connect;
}

const struct engine_version *engine_version(const struct engine *engine)
{
	return &engine->version;
}

const struct engine_info *engine_info(const struct engine *engine)
{
	return &engine->info;
}

const char *engine_api_version(const struct engine *engine _unused_)
{
	return "1.47";
}

const struct request_stats *engine_request_stats(const struct engine *engine)
{
	return &engine->stats;
}

char *engine_identity(const struct engine *engine _unused_)
{
	return xstrdup("model");
}

bool engine_has_graph_driver(const struct engine *engine _unused_)
{
	return world.scale.graph_driver;
}

/* Those are podman's ways. */
bool engine_tells_pulls_of_runs(const struct engine *engine _unused_)
{
	return false;
}

bool engine_tells_beginnings(const struct engine *engine _unused_)
{
	return false;
}

bool engine_tells_past_late(const struct engine *engine _unused_)
{
	return false;
}

bool engine_has_past(const struct engine *engine, nsec_t since)
{
	return since < engine->info.system_time;
}

int engine_space(
	const struct engine *engine _unused_, struct space *ret, struct error *error _unused_)
{
	uint64_t used = docker_usage() + world.other_bytes;

	*ret = (struct space){
		.known = true,
		.total = DISK,
		.free = subtract_saturating(DISK, used),
	};
	return 0;
}

struct engine_call *engine_list_images(struct engine *engine _unused_, engine_fn fn, void *userdata)
{
	return ask(REQUEST_IMAGES, NULL, fn, userdata);
}

struct engine_call *engine_inspect_image(
	struct engine *engine _unused_, const char *name, engine_fn fn, void *userdata)
{
	return ask(REQUEST_IMAGE, name, fn, userdata);
}

struct engine_call *engine_image_history(
	struct engine *engine _unused_, const char *name, engine_fn fn, void *userdata)
{
	return ask(REQUEST_HISTORY, name, fn, userdata);
}

struct engine_call *engine_list_containers(
	struct engine *engine _unused_, engine_fn fn, void *userdata)
{
	struct engine_call *call = ask(REQUEST_CONTAINERS, NULL, fn, userdata);

	call->after_images = in_callback && in_callback->request == REQUEST_IMAGES;
	if (!call->after_images)
		return call;
	call->images_change = in_callback->change;
	memcpy(call->images_names, in_callback->images_names, sizeof(call->images_names));
	return call;
}

struct engine_call *engine_inspect_container(
	struct engine *engine _unused_, const char *id, engine_fn fn, void *userdata)
{
	return ask(REQUEST_CONTAINER, id, fn, userdata);
}

struct engine_call *engine_measure(
	struct engine *engine _unused_, bool build_cache _unused_, engine_fn fn, void *userdata)
{
	return ask(REQUEST_SYSTEM_DF, NULL, fn, userdata);
}

bool engine_prunes_within_limits(const struct engine *engine _unused_)
{
	return true;
}

struct engine_call *engine_prune_unused(
	struct engine *engine _unused_, nsec_t unused_for _unused_, engine_fn fn, void *userdata)
{
	return ask(REQUEST_BUILD_PRUNE, NULL, fn, userdata);
}

struct engine_call *engine_prune_down_to(
	struct engine *engine _unused_, uint64_t bytes _unused_, engine_fn fn, void *userdata)
{
	return ask(REQUEST_BUILD_PRUNE, NULL, fn, userdata);
}

struct engine_call *engine_remove(
	struct engine *engine _unused_, const char *name, bool prune, engine_fn fn, void *userdata)
{
	struct engine_call *call;

	oracle_judge_removal(name, resolve(name), prune);
	call = ask(REQUEST_IMAGE_REMOVE, name, fn, userdata);
	call->prune = prune;
	return call;
}
