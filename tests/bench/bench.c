/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <stdio.h>
#include <time.h>

nsec_t bench_clock(void)
{
	struct timespec now;

	bench_require(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0, "no clock");
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static nsec_t measure(void (*side)(void *userdata), void *userdata)
{
	nsec_t begin = bench_clock();

	side(userdata);
	return bench_clock() - begin;
}

struct bench_result bench_run(const struct bench *bench, void *userdata)
{
	struct bench_result best = { NSEC_MAX, NSEC_MAX };

	for (unsigned round = 0; round <= bench->rounds; round++) {
		nsec_t a, b;

		if (bench->prepare)
			bench->prepare(userdata);
		a = measure(bench->a, userdata);
		b = measure(bench->b, userdata);
		if (round == 0)
			continue; /* caches and the allocator are warm now */
		best.a = MIN(best.a, a);
		best.b = MIN(best.b, b);
	}
	return best;
}

static bool report(const char *name, const char *figure, double ratio, const char *word,
	double bound, bool holds)
{
	printf("%-28s %-34s ratio %6.2f  %s %5.2f  %s\n", name, figure, ratio, word, bound,
		holds ? "ok" : "too slow");
	fflush(stdout);
	return holds;
}

bool bench_at_most(const char *name, double ratio, double bound, const char *format, ...)
{
	_cleanup_free_ char *figure = NULL;
	va_list args;

	va_start(args, format);
	figure = xvasprintf(format, args);
	va_end(args);
	return report(name, figure, ratio, "at most ", bound, ratio <= bound);
}

bool bench_at_least(const char *name, double ratio, double bound, const char *format, ...)
{
	_cleanup_free_ char *figure = NULL;
	va_list args;

	va_start(args, format);
	figure = xvasprintf(format, args);
	va_end(args);
	return report(name, figure, ratio, "at least", bound, ratio >= bound);
}

void bench_note(const char *name, const char *format, ...)
{
	_cleanup_free_ char *figure = NULL;
	va_list args;

	va_start(args, format);
	figure = xvasprintf(format, args);
	va_end(args);
	printf("%-28s %s\n", name, figure);
	fflush(stdout);
}

void bench_require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "bench: %s\n", what);
	abort();
}

/* xorshift64* */
uint64_t bench_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

size_t bench_pick(uint64_t *state, size_t limit)
{
	return (size_t)((bench_random(state) >> 32) * (uint64_t)limit >> 32);
}

void bench_hex(uint64_t *state, char *ret)
{
	for (size_t i = 0; i < BENCH_HEX; i += 16) {
		uint64_t number = bench_random(state);

		for (size_t j = 0; j < 16; j++, number >>= 4)
			ret[i + j] = "0123456789abcdef"[number & 15];
	}
}
