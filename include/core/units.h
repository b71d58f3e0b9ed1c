/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Durations, sizes, counts and times as people write them, checked for overflow, both ways. */

#include "core/base.h"

/*
 * "336h", "1h30m", "1.5h", "250ms", "4w", "1d12h": Go's durations plus d (24 h) and w (7 d); "0"
 * needs no unit. Negative ones are refused. Returns 0, -EINVAL for another form, -ERANGE where
 * nanoseconds do not fit 63 bits.
 */
int parse_duration(const char *text, nsec_t *ret) _warn_unused_;

/*
 * "1.5GB", "512MiB", "100": kB MB GB TB PB are powers of 1000 (KB is taken as kB), KiB MiB GiB
 * TiB PiB powers of 1024, B or nothing bytes; a space may stand before the unit. Fractions of a
 * byte are dropped. Returns 0, -EINVAL or -ERANGE (above 2^63-1).
 */
int parse_size(const char *text, uint64_t *ret) _warn_unused_;

/* Bytes, or a share of a file system. Neither: no limit. */
struct amount {
	uint64_t bytes;
	unsigned share; /* in hundredths of a percent, up to AMOUNT_ALL */
};
#define AMOUNT_ALL 10000

/*
 * A size as above, or a percentage: "80%", "12.5%". As parse_size(); -ERANGE above 100 %, -EDOM for
 * what is not zero, but less than a byte or 0.01 %.
 */
int parse_amount(const char *text, struct amount *ret) _warn_unused_;

static inline bool amount_is_set(struct amount amount)
{
	return amount.bytes > 0 || amount.share > 0;
}

/* In bytes, of a file system of that size. */
uint64_t amount_of(struct amount amount, uint64_t total);

/* A decimal number without sign. Returns 0, -EINVAL or -ERANGE (above 2^63-1). */
int parse_count(const char *text, uint64_t *ret) _warn_unused_;

/*
 * RFC 3339 with up to nine digits of a second: "2026-11-23T22:31:47.123456789Z", any offset.
 * Returns 0, -EINVAL, or -ERANGE for years that do not fit.
 */
int parse_time(const char *text, nsec_t *ret) _warn_unused_;

/* Room for any of the following with its NUL. */
#define FORMAT_MAX 40

/* As docker prints sizes: three digits and a power of 1000: "18.2GB", "0B". Returns buffer. */
char *format_size(uint64_t bytes, char buffer[static FORMAT_MAX]);

/* As docker prints sizes, or "80%", "12.5%". Returns buffer. */
char *format_amount(struct amount amount, char buffer[static FORMAT_MAX]);

/* The two largest units that are not zero: "3d4h", "1h", "45s", "250ms", "0s". Returns buffer. */
char *format_duration(nsec_t duration, char buffer[static FORMAT_MAX]);

/* RFC 3339, UTC, with nine digits of a second. Returns buffer. */
char *format_time(nsec_t time, char buffer[static FORMAT_MAX]);

/* RFC 3339, UTC, whole seconds, for people. Returns buffer. */
char *format_time_seconds(nsec_t time, char buffer[static FORMAT_MAX]);
