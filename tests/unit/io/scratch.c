/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "scratch.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int scratch_setup(void **state)
{
	char *path = xstrdup("/tmp/dockergcd-test-XXXXXX");

	scratch_forget_environment();
	if (!mkdtemp(path))
		return -1;
	*state = path;
	return 0;
}

static int remove_one(const char *path, const struct stat *st _unused_, int kind _unused_,
	struct FTW *ftw _unused_)
{
	return remove(path);
}

int scratch_teardown(void **state)
{
	int r = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return r;
}

char *scratch_path(const char *folder, const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

void scratch_write(const char *path, const char *text)
{
	_cleanup_free_ char *copy = xstrdup(path);
	FILE *file;

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(copy, 0755);
		*slash = '/';
	}
	file = fopen(path, "we");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		fail_msg("cannot write %s", path);
}

char *scratch_read(const char *path)
{
	char *text = xcalloc(1 << 20, 1);
	FILE *file = fopen(path, "re");

	if (!file)
		fail_msg("cannot read %s", path);
	if (fread(text, 1, (1 << 20) - 1, file) == 0)
		*text = '\0';
	fclose(file);
	return text;
}

bool scratch_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

void scratch_forget_environment(void)
{
	static const char *const variables[] = { "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG",
		"DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION", "XDG_RUNTIME_DIR",
		"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "CACHE_DIRECTORY", "NOTIFY_SOCKET",
		"WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "NO_COLOR", "http_proxy",
		"HTTP_PROXY", "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		unsetenv(variables[i]);
	setenv("HOME", "/nonexistent", 1);
}

size_t scratch_count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void on_alarm(evutil_socket_t fd _unused_, short what _unused_, void *userdata)
{
	*(bool *)userdata = true;
}

/* Whether *done came before the time was over. */
static bool run(struct event_base *base, const bool *done, nsec_t duration)
{
	const struct timeval tv = { duration / NSEC_PER_SEC, duration % NSEC_PER_SEC / 1000 };
	bool over = false;
	struct event *alarm = evtimer_new(base, on_alarm, &over);

	evtimer_add(alarm, &tv);
	while (!over && !(done && *done))
		event_base_loop(base, EVLOOP_ONCE);
	event_free(alarm);
	return done && *done;
}

void scratch_run(struct event_base *base, const bool *done)
{
	if (!run(base, done, 10 * NSEC_PER_SEC))
		fail_msg("nothing came within ten seconds");
}

void scratch_run_for(struct event_base *base, nsec_t duration)
{
	(void)run(base, NULL, duration);
}
