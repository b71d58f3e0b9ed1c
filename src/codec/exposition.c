/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/exposition.h"

#include <inttypes.h>
#include <string.h>

#include "core/printable.h"

void exposition_begin(struct exposition *exposition)
{
	*exposition = (struct exposition){};
	exposition->out = open_memstream(&exposition->text, &exposition->size);
	if (!exposition->out)
		abort();
}

char *exposition_end(struct exposition *exposition)
{
	char *text;

	if (fclose(exposition->out) != 0)
		abort();
	text = exposition->text;
	*exposition = (struct exposition){};
	return text;
}

void exposition_family(
	struct exposition *exposition, const char *name, enum metric_type type, const char *help)
{
	exposition->family = name;
	exposition->type = type;
	exposition->help = help;
	exposition->has_samples = false;
}

/* Before the first sample. */
static void write_family(struct exposition *exposition)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
	};

	if (!exposition->has_samples)
		fprintf(exposition->out, "# HELP %s %s\n# TYPE %s %s\n", exposition->family,
			exposition->help, exposition->family, types[exposition->type]);
	exposition->has_samples = true;
}

static void write_label(FILE *out, const char **separator, const char *name, const char *value)
{
	/* The format itself could carry control characters; who reads it may not. */
	_cleanup_free_ char *printable = printable_escape(value);

	fprintf(out, "%s%s=\"", *separator, name);
	for (const char *c = printable; *c; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', out);
		fputc(*c, out);
	}
	fputc('"', out);
	*separator = ",";
}

/* All but the value. `bound`: of a histogram's bucket, or NULL. */
static void write_sample(struct exposition *exposition, const char *suffix,
	const struct metric_label *labels, const char *bound)
{
	const char *separator = "{";

	write_family(exposition);
	fprintf(exposition->out, "%s%s", exposition->family, suffix);
	for (; labels->name; labels++)
		write_label(exposition->out, &separator, labels->name, labels->value);
	if (bound)
		write_label(exposition->out, &separator, "le", bound);
	fputs(*separator == '{' ? " " : "} ", exposition->out);
}

/* "0.005", "2": seconds to the nanosecond, as floating point would not have them. */
static char *format_seconds(nsec_t value)
{
	const char *sign = value < 0 ? "-" : "";
	uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value,
		 second = (uint64_t)NSEC_PER_SEC;
	char *text =
		xasprintf("%s%" PRIu64 ".%09" PRIu64, sign, magnitude / second, magnitude % second);
	size_t length = strlen(text);

	while (text[length - 1] == '0')
		length--;
	if (text[length - 1] == '.')
		length--;
	text[length] = '\0';
	return text;
}

void exposition_number(
	struct exposition *exposition, const struct metric_label *labels, uint64_t value)
{
	write_sample(exposition, "", labels, NULL);
	fprintf(exposition->out, "%" PRIu64 "\n", value);
}

static void write_seconds(struct exposition *exposition, const char *suffix,
	const struct metric_label *labels, nsec_t value)
{
	_cleanup_free_ char *text = format_seconds(value);

	write_sample(exposition, suffix, labels, NULL);
	fprintf(exposition->out, "%s\n", text);
}

void exposition_seconds(
	struct exposition *exposition, const struct metric_label *labels, nsec_t value)
{
	write_seconds(exposition, "", labels, value);
}

void exposition_histogram(struct exposition *exposition, const struct metric_label *labels,
	const struct duration_histogram *histogram)
{
	uint64_t count = 0;

	for (size_t i = 0; i <= histogram->bound_count; i++) {
		_cleanup_free_ char *bound = i < histogram->bound_count
			? format_seconds(histogram->bounds[i])
			: xstrdup("+Inf");

		count += histogram->counts[i];
		write_sample(exposition, "_bucket", labels, bound);
		fprintf(exposition->out, "%" PRIu64 "\n", count);
	}
	write_seconds(exposition, "_sum", labels, histogram->sum);
	write_sample(exposition, "_count", labels, NULL);
	fprintf(exposition->out, "%" PRIu64 "\n", count);
}
