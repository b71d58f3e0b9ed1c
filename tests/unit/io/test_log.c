/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/log.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct capture {
	int stderr_fd, fd;
};

/* From here on stderr is fd. */
static struct capture capture_into(int fd)
{
	struct capture capture = { .stderr_fd = dup(STDERR_FILENO), .fd = fd };

	assert_true(capture.stderr_fd >= 0 && fd >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	return capture;
}

static struct capture capture_begin(void **state)
{
	_cleanup_free_ char *path = scratch_path(*state, "stderr");

	return capture_into(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
}

/* And here it is what it was; this was written meanwhile. */
static void assert_captured(struct capture *capture, const char *expected)
{
	char text[4096] = "";
	ssize_t n;

	dup2(capture->stderr_fd, STDERR_FILENO);
	close(capture->stderr_fd);
	(void)lseek(capture->fd, 0, SEEK_SET);
	n = read(capture->fd, text, sizeof(text) - 1);
	close(capture->fd);
	assert_true(n >= 0);
	assert_string_equal(text, expected);
}

static int setup(void **state)
{
	int r = scratch_setup(state);

	log_open(LOG_TO_PEOPLE);
	log_set_level(LEVEL_INFO);
	return r;
}

static void test_lines_for_people(void **state)
{
	struct capture capture = capture_begin(state);

	log_open(LOG_TO_PEOPLE);
	log_error("no %s", "engine");
	log_warning("%d of %d", 1, 2);
	log_info("fine");
	assert_captured(&capture, "error: no engine\nwarning: 1 of 2\ninfo: fine\n");
}

static void test_levels(void **state)
{
	static const char *const expected[] = { "error: e\n", "error: e\nwarning: w\n",
		"error: e\nwarning: w\ninfo: i\n", "error: e\nwarning: w\ninfo: i\ndebug: d\n" };

	for (enum log_level level = LEVEL_ERROR; level <= LEVEL_DEBUG; level++) {
		struct capture capture = capture_begin(state);

		log_set_level(level);
		log_error("e");
		log_warning("w");
		log_info("i");
		log_debug("d");
		assert_captured(&capture, expected[level]);
	}
}

static void test_levels_by_name(void **state)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	enum log_level level = LEVEL_WARNING;

	assert_int_equal(log_level_parse("", &level), -EINVAL);
	assert_int_equal(log_level_parse("Info", &level), -EINVAL);
	assert_int_equal(log_level_parse("infos", &level), -EINVAL);
	assert_int_equal(level, LEVEL_WARNING);
	for (enum log_level i = LEVEL_ERROR; i <= LEVEL_DEBUG; i++) {
		assert_int_equal(log_level_parse(names[i], &level), 0);
		assert_int_equal(level, i);
	}
}

static void test_lines_for_a_service_manager(void **state)
{
	const struct log_field field = { "DOCKERGCD_IMAGE", "alpine" };
	struct capture capture = capture_begin(state);

	log_open(LOG_TO_MANAGER);
	log_set_level(LEVEL_DEBUG);
	log_error("e");
	log_warning("w");
	log_write(LEVEL_INFO, &field, 1, "i");
	log_debug("d");
	/* Fields go to the journal only. */
	assert_captured(&capture, "<3>e\n<4>w\n<6>i\n<7>d\n");
}

static void test_anothers_journal_stream_is_not_ours(void **state)
{
	struct capture capture = capture_begin(state);

	setenv("JOURNAL_STREAM", "1:2", 1);
	log_open(LOG_TO_MANAGER);
	log_info("i");
	setenv("JOURNAL_STREAM", "nonsense", 1);
	log_open(LOG_TO_MANAGER);
	log_info("j");
	assert_captured(&capture, "<6>i\n<6>j\n");
}

static void test_where_stderr_is_the_journal_it_is_not_written_twice(void **state)
{
	struct capture capture = capture_begin(state);
	_cleanup_free_ char *stream = NULL;
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	stream = xasprintf(
		"%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(LOG_TO_MANAGER);
	log_debug("not at this level");
	log_info("a test of dockergcd's log");
	/* For people it is stderr all the same. */
	log_open(LOG_TO_PEOPLE);
	log_info("i");
	assert_captured(&capture, "info: i\n");
}

static void test_control_characters_are_escaped(void **state)
{
	struct capture capture = capture_begin(state);

	log_info("%s", "a\033[31mred\033[0m\nerror: forged\r\t\177\001");
	assert_captured(
		&capture, "info: a\\x1b[31mred\\x1b[0m\\x0aerror: forged\\x0d\\x09\\x7f\\x01\n");
}

static void test_utf8_stays(void **state)
{
	struct capture capture = capture_begin(state);

	log_info("%s", "ümlaut \xe2\x82\xac \xc2\xa0 \xf0\x9f\x90\xb3");
	assert_captured(&capture, "info: ümlaut \xe2\x82\xac \xc2\xa0 \xf0\x9f\x90\xb3\n");
}

static void test_c1_control_characters_are_escaped_whole(void **state)
{
	struct capture capture = capture_begin(state);

	/* CSI, which begins what ESC [ begins. Its second byte alone is CSI to some terminals. */
	log_info("%s",
		"a\xc2\x9b"
		"31mred");
	assert_captured(&capture, "info: a\\xc2\\x9b31mred\n");
}

static void test_a_long_message_is_whole(void **state)
{
	struct capture capture = capture_begin(state);
	char text[2001], expected[2010];

	memset(text, 'x', 2000);
	text[2000] = '\0';
	log_info("%s", text);
	snprintf(expected, sizeof(expected), "info: %s\n", text);
	assert_captured(&capture, expected);
}

/* What comes out at the other end of a terminal. */
static void assert_terminal(const char *expected)
{
	struct capture capture;
	char text[200] = "";
	/* By hand: valgrind does not know the ioctl of openpty(). */
	int master = posix_openpt(O_RDWR | O_NOCTTY), terminal;

	assert_true(master >= 0);
	assert_int_equal(unlockpt(master), 0);
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(terminal >= 0);
	capture = capture_into(terminal);
	log_open(LOG_TO_PEOPLE);
	log_warning("w");
	dup2(capture.stderr_fd, STDERR_FILENO);
	close(capture.stderr_fd);
	assert_true(read(master, text, sizeof(text) - 1) > 0);
	close(terminal);
	close(master);
	assert_string_equal(text, expected);
}

static void test_colour_on_a_terminal_unless_it_is_unwanted(void **state)
{
	assert_terminal("\033[1;33mwarning:\033[0m w\r\n");
	setenv("NO_COLOR", "1", 1);
	assert_terminal("warning: w\r\n");
}

#define log_test(f) cmocka_unit_test_setup_teardown(f, setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		log_test(test_lines_for_people),
		log_test(test_levels),
		log_test(test_levels_by_name),
		log_test(test_lines_for_a_service_manager),
		log_test(test_anothers_journal_stream_is_not_ours),
		log_test(test_where_stderr_is_the_journal_it_is_not_written_twice),
		log_test(test_control_characters_are_escaped),
		log_test(test_utf8_stays),
		log_test(test_c1_control_characters_are_escaped_whole),
		log_test(test_a_long_message_is_whole),
		log_test(test_colour_on_a_terminal_unless_it_is_unwanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
