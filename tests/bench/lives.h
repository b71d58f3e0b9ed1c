/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Rows of events that leave nothing open, of images picked at random. */

#include "codec/event_json.h"
#include "crowd.h"

struct lives {
	struct engine_event *items;
	size_t count, allocated;
};

/* Containers that are created, start, die and are destroyed, many at a time. */
void lives_init_containers(
	struct lives *lives, const struct crowd *crowd, size_t count, nsec_t begin);

/* A tag for every tenth image, each given to one image after the other. */
void lives_init_tags(struct lives *lives, const struct crowd *crowd, size_t count, nsec_t begin);

void lives_finish(struct lives *lives);

/* All of it later. */
void lives_delay(struct lives *lives, nsec_t by);
