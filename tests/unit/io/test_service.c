/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/service.h"
#include "scratch.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* What a service manager would listen on. */
static int notify_socket = -1;

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (scratch_setup(state) < 0)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", (char *)*state);
	notify_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(notify_socket, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

static int teardown(void **state)
{
	close(notify_socket);
	return scratch_teardown(state);
}

/* The next datagram; false if there is none. */
static bool receive(char text[static 1000])
{
	ssize_t n = recv(notify_socket, text, 999, 0);

	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void assert_received(const char *expected)
{
	char text[1000];

	assert_true(receive(text));
	assert_string_equal(text, expected);
	assert_false(receive(text));
}

static long long monotonic_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void test_ready_and_stopping(void **state)
{
	assert_true(service_is_managed());
	service_ready();
	assert_received("READY=1");
	service_stopping();
	assert_received("STOPPING=1");
}

static void test_reloading_has_its_time(void **state)
{
	long long before = monotonic_usec(), usec = 0;
	char text[1000];
	int end = 0;

	service_reloading();
	assert_true(receive(text));
	assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%lld%n", &usec, &end), 1);
	assert_int_equal(text[end], '\0');
	assert_true(usec >= before && usec <= monotonic_usec());
}

static void test_status_is_one_line(void **state)
{
	service_status("Watching tcp://h (Docker 29.7.2): 12 of 40 images managed");
	assert_received("STATUS=Watching tcp://h (Docker 29.7.2): 12 of 40 images managed");
	service_status("evil\nREADY=1\n");
	assert_received("STATUS=evil\\x0aREADY=1\\x0a");
	service_status("100%s");
	assert_received("STATUS=100%s");
	service_status("");
	assert_received("STATUS=");
}

static void test_without_a_manager_nothing_happens(void **state)
{
	char text[1000];

	unsetenv("NOTIFY_SOCKET");
	assert_false(service_is_managed());
	service_ready();
	service_reloading();
	service_status("x");
	service_stopping();
	assert_false(receive(text));
	setenv("NOTIFY_SOCKET", "", 1);
	assert_false(service_is_managed());
	/* Nor where it has gone. */
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	service_ready();
	assert_false(receive(text));
}

static void test_the_watchdog_is_kicked_from_the_loop_alone(void **state)
{
	struct event_base *base = event_base_new();
	_cleanup_free_ char *pid = xasprintf("%ld", (long)getpid());
	struct event *watchdog;
	char text[1000];
	int kicks = 0;

	setenv("WATCHDOG_USEC", "100000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	watchdog = service_watchdog_create(base);
	assert_non_null(watchdog);
	/* A loop that hangs does not kick. */
	usleep(120000);
	assert_false(receive(text));
	scratch_run_for(base, 320 * NSEC_PER_MSEC);
	while (receive(text)) {
		assert_string_equal(text, "WATCHDOG=1");
		kicks++;
	}
	/* At half its time: 6 in 320 ms, fewer on a busy machine. */
	assert_in_range(kicks, 3, 7);
	event_free(watchdog);
	event_base_free(base);
}

static void test_no_watchdog_unless_it_is_ours(void **state)
{
	struct event_base *base = event_base_new();

	assert_null(service_watchdog_create(base));
	setenv("WATCHDOG_USEC", "100000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	assert_null(service_watchdog_create(base));
	setenv("WATCHDOG_USEC", "nonsense", 1);
	unsetenv("WATCHDOG_PID");
	assert_null(service_watchdog_create(base));
	event_base_free(base);
}

#define service_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		service_test(test_ready_and_stopping),
		service_test(test_reloading_has_its_time),
		service_test(test_status_is_one_line),
		service_test(test_without_a_manager_nothing_happens),
		service_test(test_the_watchdog_is_kicked_from_the_loop_alone),
		service_test(test_no_watchdog_unless_it_is_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
