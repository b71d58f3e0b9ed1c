/* SPDX-License-Identifier: Apache-2.0 */
#include "core/relative_time.h"

#include <stdio.h>

#define MINUTE ((uint64_t)60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)
#define MONTH (30 * DAY)
#define YEAR (365 * DAY)

/* Each unit up to two of the next one: "1 hour" would leave too much open. */
static const struct {
	uint64_t length, until;
	const char *name;
} units[] = {
	{ 1, 2 * MINUTE, "second" },
	{ MINUTE, 2 * HOUR, "minute" },
	{ HOUR, 2 * DAY, "hour" },
	{ DAY, 2 * WEEK, "day" },
	{ WEEK, 2 * MONTH, "week" },
	{ MONTH, 2 * YEAR, "month" },
	{ YEAR, UINT64_MAX, "year" },
};

char *format_relative_time(nsec_t time, nsec_t now, char buffer[static FORMAT_MAX])
{
	bool past = time <= now;
	/* As unsigned numbers they cannot overflow. */
	uint64_t distance = past ? (uint64_t)now - (uint64_t)time : (uint64_t)time - (uint64_t)now,
		 seconds = distance / (uint64_t)NSEC_PER_SEC, count;
	size_t unit = 0;

	/* What was to come in two hours a moment ago still is. */
	if (!past)
		seconds++;
	if (seconds == 0) {
		snprintf(buffer, FORMAT_MAX, "now");
		return buffer;
	}
	while (seconds >= units[unit].until)
		unit++;
	count = seconds / units[unit].length;
	snprintf(buffer, FORMAT_MAX, "%s%llu %s%s%s", past ? "" : "in ", (unsigned long long)count,
		units[unit].name, count == 1 ? "" : "s", past ? " ago" : "");
	return buffer;
}
