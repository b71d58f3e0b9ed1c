/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A small world to decide about: an inventory, a ledger, a policy and a clock that stands still.
 * Images go by short names, times are ages. The golden scenarios in tests/policy use it too.
 */

#include "core/plan.h"

#define MINUTE (60 * NSEC_PER_SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)
#define MB ((uint64_t)1000000)
#define GB ((uint64_t)1000000000)

struct world {
	struct clocks clocks; /* for tests that take them apart */
	struct inventory inventory;
	struct ledger ledger;
	struct policy policy; /* no limits, grace 1h, pulled images managed */
	struct usage usage; /* not known */
	struct progress progress;
	struct plan plan; /* of the last world_plan() */
	nsec_t now;
};

/* An image. Lists are separated by spaces. */
struct spec {
	const char *name; /* its ID is made of it and sorts like it */
	const char *tags; /* in any form that docker takes */
	const char *digests; /* "alpine@x": expanded to 64 digits */
	const char *layers; /* bottom first; NULL: not known */
	const char *labels; /* KEY=VALUE */
	const char *parent; /* a name */
	const char *origin; /* NULL: pulled; "none": no entry in the ledger */
	uint64_t size;
	nsec_t idle; /* last used this long ago */
	nsec_t created;
};

void world_init(struct world *world);
void world_finish(struct world *world);

/* The ID of a name, and the name of an ID. Good until the 16th call from now. */
const char *world_id(const char *name);
const char *world_name(const char *id);

/* What an engine would tell of it. Free it with image_record_finish(). */
struct image_record world_record(const struct spec *spec);

/* Nobody watched for `length`, until `ago`. To be said before the images are added. */
void world_gap(struct world *world, nsec_t ago, nsec_t length);

/* Puts the image into the inventory and its entry into the ledger. */
struct image *world_add_spec(struct world *world, const struct spec *spec);
#define world_add(world, ...) world_add_spec(world, &(struct spec){ __VA_ARGS__ })

/* By name; they abort if there is none. */
/* By all three clocks, which agree as long as the machine neither sleeps nor is set. */
static inline struct clocks *world_clocks(nsec_t now)
{
	static struct clocks clocks;

	clocks = (struct clocks){ .real = now, .elapsed = now, .awake = now };
	return &clocks;
}

/* Brings the image's entry in line with it, as the daemon does after each event of it. */
struct ledger_entry *world_sync(struct world *world, const char *name);

struct image *world_image(const struct world *world, const char *name);
struct ledger_entry *world_entry(const struct world *world, const char *name);

/* A container that holds the image. */
void world_run(struct world *world, const char *container, const char *name);

/* A rule for all origins, after those before it. Good until the next one. */
struct rule *world_rule(struct world *world, const char *match);

/* The limit by size, which is the target as well. */
void world_limit(struct world *world, uint64_t bytes);

/* Another target. */
void world_target(struct world *world, uint64_t bytes);

/* The engine has measured this. */
void world_measure(struct world *world, uint64_t bytes);

/* Makes the plan and returns "NAME=REASON NAME=REASON …", in order. The caller frees. */
char *world_plan(struct world *world) _warn_unused_;
