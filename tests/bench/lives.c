/* SPDX-License-Identifier: Apache-2.0 */
#include "lives.h"

#include "bench.h"

#define AT_A_TIME 64
#define STEPS 4

struct life {
	char id[BENCH_HEX + 1];
	const struct image *image;
	size_t step; /* of STEPS; STEPS: it is over */
};

static void begin_life(struct life *life, const struct crowd *crowd, uint64_t *random)
{
	bench_hex(random, life->id);
	life->id[BENCH_HEX] = '\0';
	life->image = crowd_pick(crowd, random);
	life->step = 0;
}

static void next_step(struct life *life, struct lives *lives, nsec_t time)
{
	static const enum event_kind kinds[STEPS] = {
		EVENT_CONTAINER_CREATE,
		EVENT_CONTAINER_START,
		EVENT_CONTAINER_DIE,
		EVENT_CONTAINER_DESTROY,
	};

	*array_push(lives) = (struct engine_event){
		.kind = kinds[life->step++],
		.actor = xstrdup(life->id),
		.image = crowd_name(life->image),
		.name = xstrdup("determined_lehmann"),
		.time = time,
	};
}

void lives_init_containers(
	struct lives *lives, const struct crowd *crowd, size_t count, nsec_t begin)
{
	struct life all[AT_A_TIME];
	uint64_t random = 20;
	size_t left = count / STEPS; /* yet to begin */

	bench_require(count % STEPS == 0 && left >= AT_A_TIME, "no whole lives");
	*lives = (struct lives){};
	for (size_t i = 0; i < AT_A_TIME; i++, left--)
		begin_life(&all[i], crowd, &random);
	while (lives->count < count) {
		struct life *life = &all[bench_pick(&random, AT_A_TIME)];

		if (life->step == STEPS && left > 0) {
			begin_life(life, crowd, &random);
			left--;
		}
		if (life->step < STEPS)
			next_step(life, lives, begin + (nsec_t)lives->count * NSEC_PER_MSEC);
	}
}

void lives_init_tags(struct lives *lives, const struct crowd *crowd, size_t count, nsec_t begin)
{
	uint64_t random = 40;

	*lives = (struct lives){};
	while (lives->count < count) {
		nsec_t time = begin + (nsec_t)lives->count * NSEC_PER_MSEC;

		*array_push(lives) = (struct engine_event){
			.kind = EVENT_IMAGE_TAG,
			.actor = xstrdup(crowd_pick(crowd, &random)->id),
			.image = xstrdup(""),
			.name = xasprintf("registry.example.com:5000/moving/name%zu:latest",
				bench_pick(&random, crowd->count / CROWD_GROUP)),
			.time = time,
		};
	}
}

void lives_finish(struct lives *lives)
{
	for (size_t i = 0; i < lives->count; i++)
		engine_event_finish(&lives->items[i]);
	free(lives->items);
	*lives = (struct lives){};
}

void lives_delay(struct lives *lives, nsec_t by)
{
	for (size_t i = 0; i < lives->count; i++)
		lives->items[i].time += by;
}
