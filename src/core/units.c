/* SPDX-License-Identifier: Apache-2.0 */
#include "core/units.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A decimal number in fixed point: value / scale, scale a power of ten. */
struct decimal {
	uint64_t value, scale;
};

/* Reads "12" or "12.345" and returns what follows it, NULL if there is no number or no room. */
static const char *parse_decimal(const char *text, struct decimal *ret, int *ret_error)
{
	struct decimal d = { .scale = 1 };
	bool digits = false, point = false;

	for (; isdigit((unsigned char)*text) || (*text == '.' && !point); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		digits = true;
		/* More than nine decimals are below a nanosecond: dropped. */
		if (point && d.scale >= 1000000000)
			continue;
		if (__builtin_mul_overflow(d.value, 10, &d.value) ||
			__builtin_add_overflow(d.value, (uint64_t)(*text - '0'), &d.value)) {
			*ret_error = -ERANGE;
			return NULL;
		}
		if (point)
			d.scale *= 10;
	}
	if (!digits) {
		*ret_error = -EINVAL;
		return NULL;
	}
	*ret = d;
	return text;
}

/* d units, without losing a byte or nanosecond to floating point. */
static int multiply(struct decimal d, uint64_t unit, uint64_t *ret)
{
	unsigned __int128 product = (unsigned __int128)d.value * unit / d.scale;

	if (product > INT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)product;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit duration_units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "µs", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", 60000000000 },
	{ "h", 3600000000000 },
	{ "d", 86400000000000 },
	{ "w", 604800000000000 },
};

static const struct unit size_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "kB", 1000ULL },
	{ "KB", 1000ULL },
	{ "MB", 1000000ULL },
	{ "GB", 1000000000ULL },
	{ "TB", 1000000000000ULL },
	{ "PB", 1000000000000000ULL },
	{ "KiB", 1ULL << 10 },
	{ "MiB", 1ULL << 20 },
	{ "GiB", 1ULL << 30 },
	{ "TiB", 1ULL << 40 },
	{ "PiB", 1ULL << 50 },
};

static const struct unit *find_unit(
	const struct unit *units, size_t count, const char *name, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(units[i].name) == length && memcmp(units[i].name, name, length) == 0)
			return &units[i];
	return NULL;
}

int parse_duration(const char *text, nsec_t *ret)
{
	uint64_t total = 0;
	int r = -EINVAL;

	if (streq(text, "0")) {
		*ret = 0;
		return 0;
	}
	if (!*text)
		return -EINVAL;
	while (*text) {
		const struct unit *unit;
		struct decimal number;
		uint64_t part;
		size_t length;

		text = parse_decimal(text, &number, &r);
		if (!text)
			return r;
		length = strcspn(text, "0123456789.");
		unit = find_unit(duration_units, ARRAY_SIZE(duration_units), text, length);
		if (!unit)
			return -EINVAL;
		r = multiply(number, unit->factor, &part);
		if (r < 0)
			return r;
		total += part;
		if (total > INT64_MAX)
			return -ERANGE;
		text += length;
	}
	*ret = (nsec_t)total;
	return 0;
}

int parse_size(const char *text, uint64_t *ret)
{
	const struct unit *unit;
	struct decimal number;
	int r = -EINVAL;

	text = parse_decimal(text, &number, &r);
	if (!text)
		return r;
	if (*text == ' ' && text[1])
		text++;
	unit = find_unit(size_units, ARRAY_SIZE(size_units), text, strlen(text));
	if (!unit)
		return -EINVAL;
	return multiply(number, unit->factor, ret);
}

static bool is_zero(const char *text)
{
	return !text[strcspn(text, "123456789")];
}

int parse_amount(const char *text, struct amount *ret)
{
	struct amount amount = {};
	struct decimal number;
	uint64_t share;
	int r = -EINVAL;
	const char *rest = parse_decimal(text, &number, &r);

	if (!rest)
		return r;
	if (!streq(rest, "%")) {
		r = parse_size(text, &amount.bytes);
		if (r < 0)
			return r;
	} else {
		if (multiply(number, AMOUNT_ALL / 100, &share) < 0 || share > AMOUNT_ALL)
			return -ERANGE;
		amount.share = (unsigned)share;
	}
	/* Nothing means no limit, and that is not what was asked for. */
	if (!amount_is_set(amount) && !is_zero(text))
		return -EDOM;
	*ret = amount;
	return 0;
}

uint64_t amount_of(struct amount amount, uint64_t total)
{
	if (amount.share == 0)
		return amount.bytes;
	return (uint64_t)((unsigned __int128)total * amount.share / AMOUNT_ALL);
}

int parse_count(const char *text, uint64_t *ret)
{
	struct decimal number;
	int r = -EINVAL;

	if (strchr(text, '.'))
		return -EINVAL;
	text = parse_decimal(text, &number, &r);
	if (!text)
		return r;
	if (*text)
		return -EINVAL;
	return multiply(number, 1, ret);
}

/* Reads ".123456789" if it is there. */
static const char *parse_fraction(const char *text, nsec_t *ret)
{
	nsec_t value = 0, unit = NSEC_PER_SEC / 10;

	if (*text == '.') {
		text++;
		if (!isdigit((unsigned char)*text))
			return NULL;
		for (; isdigit((unsigned char)*text); text++, unit /= 10)
			value += (*text - '0') * unit;
	}
	*ret = value;
	return text;
}

/* Whether the text begins like the form, in which d is any digit. T may be t or a space. */
static bool has_form(const char *text, const char *form)
{
	for (; *form; form++, text++) {
		bool fits = *form == 'd' ? isdigit((unsigned char)*text) : *text == *form;

		if (!fits && !(*form == 'T' && (*text == 't' || *text == ' ')))
			return false;
	}
	return true;
}

static int read_digits(const char *digits, size_t count)
{
	int value = 0;

	for (size_t i = 0; i < count; i++)
		value = value * 10 + (digits[i] - '0');
	return value;
}

/* Reads "Z" or "+01:00" to the end of the text. */
static int parse_offset(const char *text, nsec_t *ret)
{
	int hours, minutes;

	if (streq(text, "Z") || streq(text, "z")) {
		*ret = 0;
		return 0;
	}
	if ((*text != '+' && *text != '-') || !has_form(text + 1, "dd:dd") || text[6])
		return -EINVAL;
	hours = read_digits(text + 1, 2);
	minutes = read_digits(text + 4, 2);
	if (hours > 23 || minutes > 59)
		return -EINVAL;
	*ret = (*text == '-' ? -1 : 1) * (nsec_t)(hours * 60 + minutes) * 60 * NSEC_PER_SEC;
	return 0;
}

int parse_time(const char *text, nsec_t *ret)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	struct tm tm = {}, back;
	nsec_t fraction, offset;
	time_t seconds;
	__int128 time;

	if (!has_form(text, form))
		return -EINVAL;
	tm.tm_year = read_digits(text, 4) - 1900;
	tm.tm_mon = read_digits(text + 5, 2) - 1;
	tm.tm_mday = read_digits(text + 8, 2);
	tm.tm_hour = read_digits(text + 11, 2);
	tm.tm_min = read_digits(text + 14, 2);
	tm.tm_sec = read_digits(text + 17, 2);
	text = parse_fraction(text + sizeof(form) - 1, &fraction);
	if (!text || parse_offset(text, &offset) < 0)
		return -EINVAL;
	/* timegm() takes the 31st of February: a date that does not come back was none. */
	back = tm;
	seconds = timegm(&back);
	if (tm.tm_mon < 0 || tm.tm_mon > 11 || back.tm_mday != tm.tm_mday || tm.tm_hour > 23 ||
		tm.tm_min > 59 || tm.tm_sec > 60)
		return -EINVAL;
	/* The whole has to fit, whatever its parts do. */
	time = (__int128)seconds * NSEC_PER_SEC + fraction - offset;
	if (time < INT64_MIN || time > INT64_MAX)
		return -ERANGE;
	*ret = (nsec_t)time;
	return 0;
}

char *format_size(uint64_t bytes, char buffer[static FORMAT_MAX])
{
	static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	size_t unit = 0;

	/* 999.5 and above would print as 1e+03. */
	while (value >= 999.5 && unit + 1 < ARRAY_SIZE(names)) {
		value /= 1000;
		unit++;
	}
	snprintf(buffer, FORMAT_MAX, "%.3g%s", value, names[unit]);
	return buffer;
}

char *format_amount(struct amount amount, char buffer[static FORMAT_MAX])
{
	unsigned whole = amount.share / 100, rest = amount.share % 100;

	if (amount.share == 0)
		return format_size(amount.bytes, buffer);
	if (rest == 0)
		snprintf(buffer, FORMAT_MAX, "%u%%", whole);
	else
		snprintf(buffer, FORMAT_MAX, rest % 10 ? "%u.%02u%%" : "%u.%u%%", whole,
			rest % 10 ? rest : rest / 10);
	return buffer;
}

char *format_duration(nsec_t duration, char buffer[static FORMAT_MAX])
{
	static const struct {
		nsec_t length;
		const char *name;
	} units[] = {
		{ 86400 * NSEC_PER_SEC, "d" },
		{ 3600 * NSEC_PER_SEC, "h" },
		{ 60 * NSEC_PER_SEC, "m" },
		{ NSEC_PER_SEC, "s" },
		{ NSEC_PER_MSEC, "ms" },
	};
	size_t used = 0, first = ARRAY_SIZE(units);

	duration = MAX(duration, (nsec_t)0);
	for (size_t i = 0; i < ARRAY_SIZE(units) && i <= first + 1; i++) {
		nsec_t n = duration / units[i].length;

		/* Milliseconds only stand alone: "3s", not "3s250ms". */
		if (n == 0 || (i == ARRAY_SIZE(units) - 1 && used > 0))
			continue;
		if (first == ARRAY_SIZE(units))
			first = i;
		used += (size_t)snprintf(
			buffer + used, FORMAT_MAX - used, "%lld%s", (long long)n, units[i].name);
		duration %= units[i].length;
	}
	if (used == 0)
		snprintf(buffer, FORMAT_MAX, "0s");
	return buffer;
}

/* Nanoseconds split so that the fraction is never negative. */
static void split_time(nsec_t time, struct tm *ret_tm, nsec_t *ret_fraction)
{
	time_t seconds = (time_t)(time / NSEC_PER_SEC);
	nsec_t fraction = time % NSEC_PER_SEC;

	if (fraction < 0) {
		seconds--;
		fraction += NSEC_PER_SEC;
	}
	gmtime_r(&seconds, ret_tm);
	*ret_fraction = fraction;
}

char *format_time_seconds(nsec_t time, char buffer[static FORMAT_MAX])
{
	nsec_t fraction;
	struct tm tm;

	split_time(time, &tm, &fraction);
	strftime(buffer, FORMAT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buffer;
}

char *format_time(nsec_t time, char buffer[static FORMAT_MAX])
{
	nsec_t fraction;
	struct tm tm;
	size_t used;

	split_time(time, &tm, &fraction);
	used = strftime(buffer, FORMAT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buffer + used, FORMAT_MAX - used, ".%09lldZ", (long long)fraction);
	return buffer;
}
