/* SPDX-License-Identifier: Apache-2.0 */
#include "io/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

struct detach {
	int pipe; /* a byte in it means ready, its end alone that we are no more */
};

static int wait_for_child(pid_t child, int pipe)
{
	char byte;
	ssize_t n;
	int status;

	do
		n = read(pipe, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return EXIT_SUCCESS;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILURE;
	/* It has said why. Ending well before it was up is no success either. */
	return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EXIT_FAILURE;
}

struct detach *detach_start(int *ret_code)
{
	struct detach *detach;
	int fds[2];
	pid_t child;

	*ret_code = EXIT_FAILURE;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return NULL;
	child = fork();
	if (child < 0) {
		close(fds[0]);
		close(fds[1]);
		return NULL;
	}
	if (child > 0) {
		close(fds[1]);
		*ret_code = wait_for_child(child, fds[0]);
		close(fds[0]);
		return NULL;
	}
	close(fds[0]);
	setsid();
	detach = xcalloc(1, sizeof(*detach));
	detach->pipe = fds[1];
	return detach;
}

void detach_ready(struct detach *detach)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
		dup2(null, STDERR_FILENO) < 0)
		abort();
	if (null > STDERR_FILENO)
		close(null);
	/* No mount is held up by us. Paths were made absolute before. */
	if (chdir("/") < 0 || write(detach->pipe, "", 1) != 1)
		abort();
	close(detach->pipe);
	free(detach);
}
