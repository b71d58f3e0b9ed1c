/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Prometheus' text exposition format, version 0.0.4:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */

#include <stdio.h>

#include "core/base.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
};

struct exposition {
	FILE *out;
	char *text;
	size_t size;
	/* The metric whose samples come next. */
	const char *family, *help;
	enum metric_type type;
	bool has_samples;
};

struct metric_label {
	const char *name, *value; /* any text: made harmless by printable_escape() */
};

/* The labels of one sample, ended by one without a name: LABELS({ "origin", "pulled" }). */
#define LABELS(...) ((const struct metric_label[]){ __VA_ARGS__, {} })
#define NO_LABELS ((const struct metric_label[]){ { NULL, NULL } })

/* How often something took so long. */
struct duration_histogram {
	const nsec_t *bounds; /* ascending, inclusive */
	const uint64_t *counts; /* of each bound, and one more for all that took longer */
	size_t bound_count;
	nsec_t sum;
};

void exposition_begin(struct exposition *exposition);

/* Ends it; the caller frees the text. */
char *exposition_end(struct exposition *exposition) _warn_unused_;

/*
 * Begins a metric; help is a plain sentence. Both must last until the next one begins. One without
 * samples is left out.
 */
void exposition_family(
	struct exposition *exposition, const char *name, enum metric_type type, const char *help);

/* Its samples. */
void exposition_number(
	struct exposition *exposition, const struct metric_label *labels, uint64_t value);
void exposition_seconds(
	struct exposition *exposition, const struct metric_label *labels, nsec_t value);
void exposition_histogram(struct exposition *exposition, const struct metric_label *labels,
	const struct duration_histogram *histogram);
