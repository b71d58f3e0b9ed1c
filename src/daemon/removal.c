/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/removal.h"

#include <string.h>

#include "daemon/observe.h"

struct removing {
	struct removal_context context;
	char *id;
	enum reason planned;
	bool by_id; /* the last step: all names are gone, or there was just one */
	char *name; /* under way */
	char *asked; /* for the step to come; see find_doubtful() */
	struct engine_call *call;
	bool waiting; /* for watch_is_settled() */
	uint64_t gone;
	removal_fn done;
	void *userdata;
};

static void removing_free(struct removing *removing)
{
	free(removing->id);
	free(removing->name);
	free(removing->asked);
	free(removing);
}

void removal_cancel(struct removing *removing)
{
	if (!removing)
		return;
	engine_cancel(removing->call);
	watch_set_removing(removing->context.watch, false);
	removing_free(removing);
}

static void finish(struct removing *removing, enum removal_result result, enum reason reason,
	const char *message)
{
	struct removal_outcome outcome = { result, reason, message, removing->gone };
	removal_fn done = removing->done;
	void *userdata = removing->userdata;

	watch_set_removing(removing->context.watch, false);
	removing_free(removing);
	done(userdata, &outcome);
}

static void next_step(struct removing *removing);

static void note_gone(struct removing *removing, const char *id)
{
	uint64_t before = removing->context.inventory->gone;

	watch_image_gone(removing->context.watch, id);
	removing->gone += removing->context.inventory->gone - before;
}

/* It answered to the last name, and yet it may be there: as the parent of another image. */
static void on_look(void *userdata, struct engine_answer *answer)
{
	struct removing *removing = userdata;

	removing->call = NULL;
	if (answer->result == ENGINE_NOT_FOUND) {
		note_gone(removing, removing->id);
		finish(removing, REMOVAL_DONE, removing->planned, NULL);
	} else if (answer->result == ENGINE_OK) {
		inventory_put_image(removing->context.inventory, &answer->image);
		finish(removing, REMOVAL_REFUSED, removing->planned,
			"it is still there after its removal: another image needs it");
	} else {
		finish(removing, REMOVAL_FAILED, removing->planned, answer->message);
	}
}

/* Everything that the engine says is gone, is; its list has IDs of layers, too. */
static bool apply_deleted(struct removing *removing, const struct removal *removal)
{
	for (size_t i = 0; i < removal->deleted.count; i++)
		note_gone(removing, removal->deleted.items[i]);
	return strings_contain(&removal->deleted, removing->id);
}

static void on_removed(void *userdata, struct engine_answer *answer)
{
	struct removing *removing = userdata;
	const struct removal_context *context = &removing->context;
	struct image *image = inventory_find_image(context->inventory, removing->id);

	removing->call = NULL;
	if (answer->result == ENGINE_CONFLICT) {
		finish(removing, REMOVAL_REFUSED, removing->planned, answer->message);
		return;
	}
	if (answer->result < 0) {
		finish(removing, REMOVAL_FAILED, removing->planned, answer->message);
		return;
	}
	if (apply_deleted(removing, &answer->removal) || !image ||
		(removing->by_id && answer->result == ENGINE_NOT_FOUND)) {
		note_gone(removing, removing->id);
		finish(removing, REMOVAL_DONE, removing->planned, NULL);
		return;
	}
	if (removing->by_id) {
		removing->call =
			engine_inspect_image(context->engine, removing->id, on_look, removing);
		return;
	}
	/* Untagged, or the name was gone already: on to the next one. */
	inventory_drop_reference(context->inventory, image, removing->name);
	next_step(removing);
}

static bool is_same_repository(const char *tag, const char *digest)
{
	size_t length = strcspn(digest, "@");

	return strncmp(tag, digest, length) == 0 && tag[length] == ':' &&
		!strchr(tag + length, '/');
}

/*
 * Names one by one while there are several, then the ID, which takes the last name and its digests
 * along. By the ID, because a name may have moved to another image by the time that the engine gets
 * to it, and that one must not go. A digest does not move.
 */
static const char *next_name(const struct image *image)
{
	if (image->references.count > 1)
		return image->references.items[0];
	if (image->references.count == 0)
		return image->digests.count > 1 ? image->digests.items[0] : NULL;
	for (size_t i = 0; i < image->digests.count; i++)
		if (!is_same_repository(image->references.items[0], image->digests.items[i]))
			return image->digests.items[i];
	return NULL;
}

/*
 * What to ask before this step, as BuildKit moves names without a word: by a name that has moved
 * another image would go, and a base that has lost its name would go along.
 */
static const char *find_doubtful(const char *name, const struct image *base)
{
	if (name)
		return strchr(name, '@') ? NULL : name;
	return base ? base->id : NULL;
}

/* Once before each step. True if there is an answer to wait for. */
static bool ask(struct removing *removing, const char *doubtful)
{
	if (!doubtful || (removing->asked && streq(removing->asked, doubtful)))
		return false;
	free(removing->asked);
	removing->asked = xstrdup(doubtful);
	return watch_ask_image(removing->context.watch, doubtful);
}

static void next_step(struct removing *removing)
{
	const struct removal_context *context = &removing->context;
	const struct image *image = inventory_find_image(context->inventory, removing->id);
	nsec_t now = observe_now(context->ledger);
	const struct image *base = NULL;
	const char *name;
	enum reason reason;
	bool prune;

	/* A use that was read meanwhile must have its say first. */
	removing->waiting = !watch_is_settled(context->watch);
	if (removing->waiting)
		return;
	if (!image) {
		finish(removing, REMOVAL_DONE, removing->planned, NULL);
		return;
	}
	reason = policy_check(context->policy, context->ledger, image, removing->planned, now);
	if (!reason_removes(reason)) {
		finish(removing, REMOVAL_KEPT, reason, NULL);
		return;
	}
	name = next_name(image);
	prune = policy_may_prune(
		context->policy, context->inventory, context->ledger, image, now, &base);
	removing->waiting = ask(removing, find_doubtful(name, base));
	if (removing->waiting)
		return;
	/* Its base has been asked for right before the last step alone. */
	prune = prune && !(name && base);
	removing->by_id = !name;
	free(removing->name);
	removing->name = xstrdup(name ? name : removing->id);
	free(TAKE_PTR(removing->asked));
	removing->call =
		engine_remove(context->engine, removing->name, prune, on_removed, removing);
}

void removal_settled(struct removing *removing)
{
	if (removing->waiting)
		next_step(removing);
}

void removal_start(const struct removal_context *context, const char *id, enum reason planned,
	removal_fn done, void *userdata, struct removing **ret)
{
	struct removing *removing = xcalloc(1, sizeof(*removing));

	removing->context = *context;
	removing->id = xstrdup(id);
	removing->planned = planned;
	removing->done = done;
	removing->userdata = userdata;
	*ret = removing;
	watch_set_removing(context->watch, true);
	next_step(removing);
}
