/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan by other means: slow, by the rules as README.md has them, and held against the one that
 * the daemon is about to act on. Each plan is made twice, and once more from an inventory and a
 * ledger that were filled in another order.
 */
#include "model.h"

#include <string.h>

#include "codec/ledger_json.h"
#include "core/rules.h"

/* An image, as it is decided about. */
struct piece {
	const struct image *image;
	const struct ledger_entry *entry;
	const struct thing *thing;
	bool step; /* a mere one: in nobody's sight */
	bool gone;
	nsec_t last_used, unused;
	bool expired, dangling;
	unsigned height, rank; /* height: and one, 0: not yet known */
	enum reason reason;
};

struct puzzle {
	const struct policy *policy;
	const struct inventory *inventory;
	const struct ledger *ledger;
	nsec_t now;
	struct piece *pieces;
	size_t count;
	size_t words; /* of a set of pieces */
	uint64_t *above; /* by piece: the set of those that stand on it, by whatever */
};

static bool has(const struct puzzle *puzzle, size_t i, size_t j)
{
	return puzzle->above[i * puzzle->words + j / 64] >> j % 64 & 1;
}

static bool stands_on(const struct piece *base, const struct piece *top)
{
	if (streq(top->image->parent, base->image->id))
		return true;
	return base->image->has_layers && top->image->has_layers &&
		docker_stands_on(base->thing, top->thing);
}

static void find_above(struct puzzle *puzzle)
{
	size_t n = puzzle->count, words = puzzle->words = n / 64 + 1;
	uint64_t *above = puzzle->above = xcalloc(n * words, sizeof(*above));

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (i != j && stands_on(&puzzle->pieces[i], &puzzle->pieces[j]))
				above[i * words + j / 64] |= (uint64_t)1 << j % 64;
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < n; i++)
			for (size_t w = 0; has(puzzle, i, k) && w < words; w++)
				above[i * words + w] |= above[k * words + w];
}

static bool is_later(const struct ledger_entry *a, const struct ledger_entry *b)
{
	if (!b)
		return a;
	return a &&
		(a->last_used != b->last_used ? a->last_used > b->last_used
					      : strcmp(a->id, b->id) < 0);
}

static unsigned find_height(struct puzzle *puzzle, size_t i)
{
	struct piece *piece = &puzzle->pieces[i];

	if (piece->height > 0)
		return piece->height - 1;
	piece->height = 1;
	for (size_t j = 0; j < puzzle->count; j++)
		if (has(puzzle, i, j))
			piece->height = MAX(piece->height, find_height(puzzle, j) + 2);
	return piece->height - 1;
}

static void look_at(struct puzzle *puzzle, size_t i, bool pressed)
{
	struct piece *piece = &puzzle->pieces[i];
	struct treatment treatment = rules_apply(puzzle->policy, piece->image, piece->entry);
	const struct ledger_entry *latest = piece->entry;

	for (size_t j = 0; j < puzzle->count; j++)
		if (has(puzzle, i, j) && is_later(puzzle->pieces[j].entry, latest))
			latest = puzzle->pieces[j].entry;
	piece->last_used = latest ? latest->last_used : puzzle->now;
	piece->unused = latest ? ledger_unused(puzzle->ledger, latest, puzzle->now) : 0;
	if (piece->entry)
		piece->unused = MIN(
			piece->unused, ledger_unused(puzzle->ledger, piece->entry, puzzle->now));
	piece->expired = treatment.max_unused > 0 && piece->unused > treatment.max_unused;
	find_height(puzzle, i);
	piece->reason = policy_protects(puzzle->policy, piece->image, &treatment, piece->unused);
	piece->dangling = pressed && image_is_dangling(piece->image);
	piece->rank = piece->expired && piece->reason == REASON_WITHIN_LIMITS ? 0
		: piece->dangling                                             ? 1
									      : 2;
}

/* Nothing goes before what stands on it. */
static void find_ranks(struct puzzle *puzzle)
{
	size_t n = puzzle->count;
	unsigned *ranks = xcalloc(n, sizeof(*ranks));

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (i == j || has(puzzle, i, j))
				ranks[i] = MAX(ranks[i],
					puzzle->pieces[j].step ? 0 : puzzle->pieces[j].rank);
	for (size_t i = 0; i < n; i++)
		puzzle->pieces[i].rank = ranks[i];
	free(ranks);
}

static bool goes_before(const struct piece *a, const struct piece *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;
	if (a->last_used != b->last_used)
		return a->last_used < b->last_used;
	if (a->height != b->height)
		return a->height < b->height;
	return strcmp(a->image->id, b->image->id) < 0;
}

/* The next one in order, of those that had no turn. */
static struct piece *take_first(struct puzzle *puzzle, bool *taken)
{
	size_t first = NOBODY;

	for (size_t i = 0; i < puzzle->count; i++)
		if (!taken[i] && !puzzle->pieces[i].step &&
			(first == NOBODY ||
				goes_before(&puzzle->pieces[i], &puzzle->pieces[first])))
			first = i;
	if (first == NOBODY)
		return NULL;
	taken[first] = true;
	return &puzzle->pieces[first];
}

static bool is_held(const struct puzzle *puzzle, const struct piece *piece)
{
	for (size_t j = 0; j < puzzle->count; j++)
		if (!puzzle->pieces[j].gone && stands_on(piece, &puzzle->pieces[j]))
			return true;
	return false;
}

static struct piece *find_piece(const struct puzzle *puzzle, const char *id)
{
	for (size_t i = 0; i < puzzle->count; i++)
		if (streq(puzzle->pieces[i].image->id, id))
			return &puzzle->pieces[i];
	return NULL;
}

/* Steps that go along where they may. */
static void take_out(const struct puzzle *puzzle, struct piece *piece)
{
	bool prune = policy_may_prune(
		puzzle->policy, puzzle->inventory, puzzle->ledger, piece->image, puzzle->now, NULL);

	piece->gone = true;
	while (prune && piece->image->parent) {
		piece = find_piece(puzzle, piece->image->parent);
		if (!piece || !piece->step || piece->image->containers > 0)
			return;
		for (size_t j = 0; j < puzzle->count; j++)
			if (!puzzle->pieces[j].gone &&
				streq(puzzle->pieces[j].image->parent, piece->image->id))
				return;
		piece->gone = true;
	}
}

/* Which reason the rules give, all before it gone by the plan. */
static enum reason judge(const struct puzzle *puzzle, const struct plan *plan,
	const struct progress *progress, uint64_t freed, uint64_t removals,
	const struct piece *piece)
{
	enum reason reason;

	if (piece->reason != REASON_WITHIN_LIMITS)
		return piece->reason;
	if (is_held(puzzle, piece))
		return REASON_HAS_CHILDREN;
	if (piece->image->failed)
		return REASON_FAILED;
	if (piece->expired)
		reason = REASON_UNUSED;
	else if (plan->over_size && plan->before > plan->limits.target_total_size &&
		plan->before - plan->limits.target_total_size > freed)
		reason = REASON_OVER_SIZE;
	else if (plan->low_space && add_saturating(plan->free, freed) < plan->limits.min_free_space)
		reason = REASON_LOW_SPACE;
	else
		return REASON_WITHIN_LIMITS;
	if (puzzle->policy->max_removals > 0 &&
		progress->removed + removals >= puzzle->policy->max_removals)
		return REASON_WITHIN_LIMITS;
	return reason;
}

/* The limits, by whoever reads them literally. */
static void check_limits(const struct policy *policy, const struct usage *usage,
	const struct progress *progress, const struct plan *plan)
{
	uint64_t max = policy->max_total_size.bytes,
		 target = policy->has_target ? MIN(policy->target_total_size.bytes, max) : max;
	bool over = usage->known && max > 0 && (usage->images > max || progress->over_size),
	     low = usage->space.known && usage->space.free < policy->min_free_space.bytes;

	if (plan->limits.max_total_size != max || plan->limits.target_total_size != target ||
		plan->over_size != over || plan->low_space != low)
		fail("limits", "over %d (by the rules %d), low %d (%d), target %llu (%llu)",
			plan->over_size, over, plan->low_space, low,
			(unsigned long long)plan->limits.target_total_size,
			(unsigned long long)target);
}

static bool knows_layers(const struct puzzle *puzzle)
{
	for (size_t i = 0; i < puzzle->count; i++)
		if (!puzzle->pieces[i].image->has_layers)
			return false;
	return true;
}

/* What goes, layer by layer: within the bounds that the plan gives. */
static void check_bytes(
	const struct puzzle *puzzle, uint64_t before, uint64_t after, const struct plan_item *item)
{
	uint64_t freed = before - after;

	/* On containerd only the engine knows; and nobody while the layers of one are asked for. */
	if (!world.scale.graph_driver || !knows_layers(puzzle))
		return;
	if (freed < item->reclaims.lower || freed > item->reclaims.upper)
		fail("bytes", "%s frees %llu, by the plan %llu to %llu", item->image->id,
			(unsigned long long)freed, (unsigned long long)item->reclaims.lower,
			(unsigned long long)item->reclaims.upper);
}

static uint64_t usage_of(const struct puzzle *puzzle)
{
	const struct thing **things = xcalloc(puzzle->count, sizeof(*things));
	size_t count = 0;
	uint64_t usage;

	for (size_t i = 0; i < puzzle->count; i++)
		if (!puzzle->pieces[i].gone)
			things[count++] = puzzle->pieces[i].thing;
	usage = docker_usage_of(things, count);
	free(things);
	return usage;
}

static void check_items(
	struct puzzle *puzzle, const struct progress *progress, const struct plan *plan)
{
	bool *taken = xcalloc(puzzle->count, sizeof(bool));
	uint64_t freed = 0, removals = 0, usage = usage_of(puzzle);

	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_item *item = &plan->items[i];
		struct piece *piece = take_first(puzzle, taken);
		enum reason reason;

		if (!piece || piece->image != item->image)
			fail("order", "place %zu is %s's, by the rules %s's", i, item->image->id,
				piece ? piece->image->id : "nobody");
		reason = judge(puzzle, plan, progress, freed, removals, piece);
		if (reason != item->reason)
			fail("reason", "%s is %s, by the rules %s", item->image->id,
				reason_name(item->reason), reason_name(reason));
		if (item->last_used != piece->last_used || item->unused != piece->unused)
			fail("age", "%s is unused for %lld, by the rules for %lld", item->image->id,
				(long long)item->unused, (long long)piece->unused);
		if (!reason_removes(reason))
			continue;
		take_out(puzzle, piece);
		check_bytes(puzzle, usage, usage_of(puzzle), item);
		usage = usage_of(puzzle);
		freed = add_saturating(freed, item->reclaims.upper);
		removals++;
	}
	if (take_first(puzzle, taken))
		fail("order", "an image has no place in the plan");
	free(taken);
}

static void check_same(const struct plan *a, const struct plan *b, const char *how)
{
	if (a->count != b->count || a->removals != b->removals)
		fail("deterministic", "%zu of %zu go, and %s %zu of %zu", a->removals, a->count,
			how, b->removals, b->count);
	for (size_t i = 0; i < a->count; i++)
		if (!streq(a->items[i].image->id, b->items[i].image->id) ||
			a->items[i].reason != b->items[i].reason ||
			a->items[i].last_used != b->items[i].last_used)
			fail("deterministic", "place %zu: %s %s, and %s %s %s", i,
				a->items[i].image->id, reason_name(a->items[i].reason), how,
				b->items[i].image->id, reason_name(b->items[i].reason));
}

static struct image_record record_of(const struct image *image)
{
	struct image_record record = {
		.id = xstrdup(image->id),
		.parent = image->parent ? xstrdup(image->parent) : NULL,
		.references = strings_copy(&image->references),
		.digests = strings_copy(&image->digests),
		.labels = labels_copy(&image->labels),
		.size = image->size,
		.has_size = image->has_size,
		.created = image->created,
		.has_layers = image->has_layers,
	};
	const struct thing *thing = &world.things.items[thing_of(image->id)];

	for (size_t i = 0; image->has_layers && i < thing->layer_count; i++)
		strings_addf(&record.layers, "sha256:%064u", thing->layers[i]);
	return record;
}

/* The same in another order: images, containers, and the ledger by way of the cache file. */
static void shuffle(const struct puzzle *puzzle, struct inventory *inventory, struct ledger *ledger)
{
	size_t n = puzzle->count, *order = xcalloc(n, sizeof(*order));
	struct container *container, *next;
	_cleanup_free_ char *text =
		ledger_encode(puzzle->ledger, puzzle->inventory, puzzle->policy);

	for (size_t i = 0; i < n; i++) {
		size_t j = random_below(i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	HASH_ITER (hh, puzzle->inventory->containers, container, next)
		inventory_put_container(inventory, container->id, container->image_id);
	inventory->counts_layers = puzzle->inventory->counts_layers;
	for (size_t i = 0; i < n; i++) {
		const struct image *image = puzzle->pieces[order[i]].image;
		_cleanup_(image_record_finish) struct image_record record = record_of(image);

		inventory_put_image(inventory, &record)->failed = image->failed;
	}
	free(order);
	if (ledger_decode(text, strlen(text), ledger, NULL) < 0)
		fail("round trip", "the ledger cannot be read back");
}

static void check_shuffled(const struct puzzle *puzzle, const struct usage *usage,
	const struct progress *progress, const struct plan *plan)
{
	_cleanup_(inventory_finish) struct inventory inventory = {};
	_cleanup_(ledger_finish) struct ledger ledger = {};
	_cleanup_(plan_finish) struct plan again = {};

	/* What histories have told stays with the inventory that was told. */
	for (size_t i = 0; i < puzzle->count; i++)
		if (puzzle->pieces[i].image->has_history)
			return;
	inventory_init(&inventory);
	shuffle(puzzle, &inventory, &ledger);
	__real_plan_make(puzzle->policy, &inventory, &ledger, usage, progress, puzzle->now, &again);
	/* Layers remember what images have told that are gone. */
	for (size_t i = 0; i < MIN(plan->count, again.count); i++)
		if (plan->items[i].reclaims.upper != again.items[i].reclaims.upper)
			return;
	check_same(plan, &again, "in another order");
}

static void puzzle_init(struct puzzle *puzzle, bool pressed)
{
	struct image *image, *next;

	puzzle->pieces = xcalloc(HASH_COUNT(puzzle->inventory->images), sizeof(*puzzle->pieces));
	HASH_ITER (hh, puzzle->inventory->images, image, next)
		puzzle->pieces[puzzle->count++] = (struct piece){
			.image = image,
			.entry = ledger_find(puzzle->ledger, image->id),
			.thing = &world.things.items[thing_of(image->id)],
			.step = image_is_intermediate(image),
		};
	find_above(puzzle);
	for (size_t i = 0; i < puzzle->count; i++)
		look_at(puzzle, i, pressed);
	find_ranks(puzzle);
}

void plan_check(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct usage *usage, const struct progress *progress,
	nsec_t now, const struct plan *plan)
{
	_cleanup_(plan_finish) struct plan again = {};
	struct puzzle puzzle = {
		.policy = policy,
		.inventory = inventory,
		.ledger = ledger,
		.now = now,
	};

	puzzle_init(&puzzle, plan->over_size || plan->low_space);
	check_limits(policy, usage, progress, plan);
	check_items(&puzzle, progress, plan);
	__real_plan_make(policy, inventory, ledger, usage, progress, now, &again);
	check_same(plan, &again, "again");
	if (random_chance(5))
		check_shuffled(&puzzle, usage, progress, plan);
	free(puzzle.pieces);
	free(puzzle.above);
}
