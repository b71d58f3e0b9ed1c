/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Recorded events, again and again, from bytes to the ledger of many images. */

#include "crowd.h"
#include "recording.h"

#include "codec/lines.h"
#include "daemon/apply.h"

struct streams {
	struct crowd crowd;
	struct apply apply;
	struct recording *recording;
	struct bytes bytes; /* of this round */
	struct lines lines;
	nsec_t time;
	size_t parts; /* played so far */
	size_t events, known, open, size; /* counted */
};

/* With the events in these folders. */
void streams_init(struct streams *streams, const char *const *folders, size_t count);
void streams_finish(struct streams *streams);

/* Makes the bytes of the next so many events. */
void streams_play(struct streams *streams, size_t count);

/* Reads these bytes as they would come from libcurl. */
void streams_read(struct streams *streams);
