/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A random world around the daemon: an engine, a user, clocks and mishaps, all made from one seed.
 * The daemon is the real one from daemon_create() on. What it has of the world outside (io/engine,
 * io/http's streams, io/clock, the cache file, libevent's timers) is here instead, by the same
 * names. Whatever happens is a step; after each the oracle looks whether what was promised holds.
 */

#include "codec/event_json.h"
#include "codec/settings.h"
#include "core/base.h"
#include "core/inventory.h"
#include "core/ledger.h"
#include "core/plan.h"
#include "daemon/daemon.h"
#include "io/engine.h"

#define MSEC NSEC_PER_MSEC
#define SECOND NSEC_PER_SEC
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define REPOSITORIES 6
#define TAGS 3
#define NAMES (REPOSITORIES * TAGS)
#define LAYERS_MAX 6 /* of an image */
#define LAYERS 64 /* diff IDs that there are */
#define SIZE_STEP 50 /* of layers and limits: so that they are met exactly at times */
#define NOBODY SIZE_MAX
#define DISK ((uint64_t)1 << 40)

/* Numbers that are the same again for the same seed. */

/* Returns what it was. */
uint64_t random_seed(uint64_t seed);
uint64_t random_next(void);
/* Below n. */
static inline uint64_t random_below(uint64_t n)
{
	return random_next() % n;
}
static inline bool random_chance(unsigned percent)
{
	return random_below(100) < percent;
}
static inline nsec_t random_between(nsec_t a, nsec_t b)
{
	return a + (nsec_t)random_below((uint64_t)(b - a) + 1);
}

/*
 * The truth about an image. An engine's changes have numbers (world.changes): the daemon was told
 * of an image up to one of them, by an event or by an answer.
 */
struct thing {
	char id[72]; /* "sha256:…" */
	char digest[72]; /* of its manifest: in names by digest */
	unsigned layers[LAYERS_MAX]; /* diff IDs, bottom first */
	size_t layer_count;
	size_t parent; /* of a classic build, or NOBODY */
	bool labelled; /* with what keeps it */
	nsec_t created;
	unsigned digests; /* by repository: a bit for each that it has a digest in */
	bool present;

	uint64_t changed; /* when it came or went last */
	uint64_t had_come, had_gone; /* the same of its stay before this one */
	uint64_t renamed; /* when it got or lost a name last */
	uint64_t told; /* up to here the daemon knows */
	uint64_t answered; /* the same, by answers alone: an event does not tell all names */
	bool asked; /* an answer told of it since the last step of a removal */
	bool silent; /* something about it no event tells, until the next list */
	nsec_t came, seen; /* by world.awake; seen: by the daemon */
	bool named; /* the daemon has seen it with a name */
	unsigned origins; /* a bit for each that it may have by the rules */
	/* What events told, while there may be questions: an answer can come after its return. */
	unsigned open_origins;
	nsec_t open_use; /* 0: none */
	unsigned saved_origins; /* as the cache file may have them */
	bool saved_named; /* the cache file says so */

	/* By world.awake. */
	nsec_t used; /* last, as the daemon was told: it must not say less */
	nsec_t credited; /* last, as it may have been told: it must not say more */
	nsec_t saved; /* used, as it is in the cache file; -1: not there */
	nsec_t by_name; /* a use that was told by a name, which may have moved */
	size_t name;
	uint64_t by_name_change;
	/*
	 * A digest of a pull or a push is told by the name alone: who asks gets another image if
	 * that has moved.
	 */
	uint64_t digested; /* when it got a digest last */
	unsigned fresh_digests; /* a bit for each repository: not yet seen by the daemon */
	bool missed_digest; /* a name that told of one has moved */
	bool uncounted; /* it went before the daemon knew it, which thus knows of no bytes */
};

enum box_state {
	BOX_CREATED,
	BOX_RUNNING,
	BOX_EXITED,
	BOX_GONE,
};

/* A container. */
struct box {
	char id[72];
	size_t thing;
	char *text; /* that the user typed */
	enum box_state state;
	uint64_t created, destroyed; /* changes */
	uint64_t told;
	bool known; /* the daemon has known which image it holds */
	size_t former; /* whose it is by a name that had moved without a word, or NOBODY: as long */
};

/* An event of the engine's. */
struct happening {
	enum event_kind kind;
	uint64_t change;
	nsec_t time; /* by the engine's clock */
	nsec_t awake;
	size_t thing; /* that it is about, NOBODY for what is of no interest */
	size_t box;
	size_t name; /* by which it tells of it, or NOBODY */
	unsigned origin; /* a bit, or 0 */
};

/* A rule of images.rules, so that it need not be read from its pattern. */
struct naive_rule {
	enum {
		RULE_ALL,
		RULE_REPOSITORY,
		RULE_NAME,
		RULE_LABEL,
	} kind;
	size_t number; /* of the repository or the name */
	bool keep;
	unsigned origins;
	nsec_t max_unused, grace; /* -1: not said */
};
#define RULES_MAX 5

/* How this world is. */
struct scale {
	nsec_t interval, settle, max_unused, grace,
		delay; /* delay: of answers and events, at most */
	bool graph_driver;
	bool faults; /* lists fail, streams break */
	bool clock_changes;
	size_t ring; /* events that the engine remembers */
	size_t repositories;
	size_t crowd; /* so many images, and somebody tidies up */
};

/* Nobody watched; by awake. */
struct gap {
	nsec_t begin, end;
};

/* What makes the daemon's times less exact than the truth: see truth_disturbed(). */
struct disturbance {
	nsec_t when, slack;
	nsec_t asleep; /* world's, from then on */
};

struct world {
	uint64_t seed;
	uint64_t number;
	struct scale scale;
	uint64_t steps; /* all that has happened, in all worlds so far */
	uint64_t operations, operations_max;

	/* Clocks. */
	nsec_t awake, asleep, offset; /* elapsed is awake + asleep, real is elapsed + offset */

	/* The engine. */
	bool up;
	unsigned instance; /* goes up with each of its starts */
	ARRAY(struct thing) things;
	ARRAY(struct box) boxes;
	size_t names[NAMES]; /* whose they are */
	uint64_t name_moved[NAMES]; /* changes */
	uint64_t name_answered[NAMES]; /* since that step as well, changes + 1 */
	size_t loaded_from[NAMES]; /* who lost it to what was loaded, of which no event tells */
	bool name_used[NAMES]; /* the daemon was told of a use by it, perhaps not yet whose */
	nsec_t name_asked[NAMES]; /* when a pull was that was told last, until its image is known */
	size_t registry[NAMES]; /* what a pull brings */
	uint64_t layer_sizes[LAYERS];
	size_t layers_used;
	uint64_t changes;
	uint64_t usage, usage_change; /* as computed last, and when: change and one */
	ARRAY(struct happening) ring; /* all of this instance; the last scale.ring are remembered */
	size_t forgotten; /* of them */
	uint64_t other_bytes; /* that fill the disk */

	/* The daemon, as far as it is looked at. */
	struct inventory *inventory; /* NULL: there is no daemon */
	struct ledger *ledger;
	const struct policy *policy;
	const struct cycle *cycle;
	struct watch *watch;
	bool enabled;
	uint64_t policy_seed;
	struct naive_rule rules[RULES_MAX]; /* in force */
	size_t rule_count;
	bool crashed; /* what it saves from now on is lost */
	char *file; /* the cache file, or NULL */
	uint64_t met_change; /* the first list ever; 0: not yet */

	/* What was and what was not watched, by awake. */
	ARRAY(struct gap) gaps;
	nsec_t saved_awake; /* watched until then, as the cache file says */
	nsec_t set_back; /* the clock, by so much since it was written */
	/* By so much that no file tells of, before then: what was used before looks older. */
	nsec_t set_back_unseen, set_back_until;
	ARRAY(struct disturbance) disturbances;
	uint64_t measured; /* change of the last measure that was told */
	uint64_t listed; /* goes up with each list that was told */
	nsec_t removed; /* when an image went last */
	bool list_failed; /* since the last one */
	bool faults; /* now */
	bool verbose, print_operations;
};

extern struct world world;

nsec_t world_real(void);
static inline struct thing *at(size_t thing)
{
	return &world.things.items[thing];
}
/* Of requests, answers and events on their way. */
static inline nsec_t some_delay(void)
{
	return random_between(MSEC / 10, world.scale.delay);
}

/* model.c */

/* What must not be is told, with seed, step and the last operations, and the end. */
void fail(const char *invariant, const char *format, ...) _printf_(2, 3) __attribute__((noreturn));
void note(const char *format, ...) _printf_(1, 2);
void trace(const char *format, ...) _printf_(1, 2);

/* loop.c */

/* Something that happens at a time of world.awake. */
struct due {
	nsec_t when;
	uint64_t order;
	void (*happen)(struct due *due);
	bool waiting;
	size_t place;
};
void due_at(struct due *due, nsec_t delay);
void due_cancel(struct due *due);
/* Lets the next thing happen, up to awake. False if there was none: then it is that time. */
bool loop_step(nsec_t until);
/* The daemon's loop ends. */
void loop_break(void);
/* A signal for the daemon. */
void loop_signal(int number);
void loop_reset(void);

/* docker.c: moby's rules. They return false where the engine says no. */

/* NOBODY for what is no name. */
size_t docker_find_name(const char *canonical);
size_t docker_find_familiar(const char *familiar);
const char *docker_familiar(size_t name);
const char *docker_canonical(size_t name);
const char *docker_repository(size_t repository);
bool docker_is_used(size_t thing);
bool docker_has_children(size_t thing); /* by their parent */
unsigned docker_digests(size_t thing);
size_t docker_count_names(size_t thing);
/* Whether the second one stands on the first, by layers. */
bool docker_stands_on(const struct thing *base, const struct thing *top);
uint64_t docker_size(const struct thing *thing);
/* What all images take, and what these do. */
uint64_t docker_usage(void);
uint64_t docker_usage_of(const struct thing *const *things, size_t count);

size_t docker_make_image(size_t base, size_t more_layers, size_t parent);
void docker_pull(size_t name);
void docker_load(size_t thing, size_t name);
void docker_tag(size_t thing, size_t name, bool silently);
void docker_touch(size_t thing, enum event_kind kind);
void docker_push(size_t name);
void docker_build(size_t base, size_t name, size_t steps, bool silently);
size_t docker_create(size_t thing, const char *text);
void docker_start(size_t box);
void docker_die(size_t box);
void docker_destroy(size_t box);
/* By a name, or by ID where that is NOBODY; *removed has what went. 0, or ENGINE_CONFLICT. */
int docker_remove(
	size_t thing, size_t name, size_t digest_repository, bool prune, struct removal *removal);
void docker_restart(void);
void docker_noise(size_t count);

/* requests.c */

void requests_engine_gone(void);
bool requests_wait(void);

/* stream.c */

/* An event has happened: who listens gets it. */
void stream_tell(const struct happening *happening);
void stream_cut(void);
/* Whether events come in, and the daemon can know that it misses none. */
bool stream_is_whole(void);
/* Whether all events have been read. */
bool stream_is_idle(void);
/* A daemon begins where the cache file ends. */
void stream_begin(void);
/* The engine was met: what it remembers now is the past. */
void stream_note_past(void);
/* The daemon knows that it was. */
void stream_connected(void);
/* The daemon ends. */
void stream_reset(void);

/* policy.c */

/* By world.policy_seed; for struct daemon_options. */
int policy_load(void *userdata, struct settings *ret, char **ret_name, struct strings *errors);

/* truth.c */

void truth_gap(nsec_t begin, nsec_t end);
/* What the daemon says of times may be less than the truth by so much from now on. */
void truth_disturbed(nsec_t slack);
/* By how much, of a time of awake: it is seen when somebody looks next, after an interval at most.
 */
nsec_t truth_slack_since(nsec_t awake);
/* Watched since that time of awake. */
nsec_t truth_watched_since(nsec_t awake);
nsec_t truth_used(const struct thing *thing);
/* Watched since it was used: the daemon must not say more. */
nsec_t truth_unused_at_most(const struct thing *thing);
/* The wall clock as it was, if nobody set it since. */
nsec_t truth_real_at(nsec_t awake);

/* What the rules, the label and what is managed make of an image. */
struct verdict {
	bool kept, managed;
	nsec_t max_unused, grace;
};
struct verdict truth_verdict(size_t thing, enum origin origin);

/* told.c */

void told_event(const struct happening *happening);
/* asked: by which name, canonical, or ID. pulled: by that, told before it was asked; 0: not. */
void told_thing(
	const struct image_record *record, uint64_t change, const char *asked, nsec_t pulled);
/* Whose it was then, if it is a name. */
void told_name(const char *text, uint64_t change);
/* names: whose they were then. */
void told_images(uint64_t change, const size_t names[static NAMES]);
void told_containers(uint64_t change);
/* The daemon has made of an answer what it makes of it. */
void told_answer_taken(void);
/* No event waits for an answer any more. */
void told_forget_questions(void);
/* The cache file: what it says is all that is known after a crash. */
void told_saved(const char *text);
void told_loaded(void);

/* oracle.c */

void oracle_judge_removal(const char *name, size_t thing, bool prune);
/* All is quiet: what the daemon knows is what is so. */
void oracle_check_settled(void);
/* It had all the time it needs. */
void oracle_check_liveness(void);

/* plan.c */

/* Holds a plan against one made by other means. */
void plan_check(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct usage *usage, const struct progress *progress,
	nsec_t now, const struct plan *plan);
/* Whose ID it is, or NOBODY. */
size_t thing_of(const char *id);
size_t box_of(const char *id);
/* The daemon's own, which it reaches by way of the model. */
void __wrap_plan_make(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct usage *usage, const struct progress *progress,
	nsec_t now, struct plan *ret);
void __real_plan_make(const struct policy *policy, const struct inventory *inventory,
	const struct ledger *ledger, const struct usage *usage, const struct progress *progress,
	nsec_t now, struct plan *ret);

/* operations.c */

/* A new world has its first images. */
void operations_begin(void);
/* The next step, of whatever kind. */
void operations_live(void);
/* Right when an image goes, somebody wants it, or makes room himself. */
void operations_race(size_t thing);
/* Nobody is there to watch: some of them go by. */
void operations_pass(void);
