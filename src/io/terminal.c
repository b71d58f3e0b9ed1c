/* SPDX-License-Identifier: Apache-2.0 */
#include "io/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "core/units.h"
#include "io/files.h"

#define COLUMNS_DEFAULT 80
#define COLUMNS_MAX 10000

size_t terminal_columns(int fd)
{
	const char *columns = environment_get("COLUMNS");
	struct winsize size;
	uint64_t count;

	if (!isatty(fd))
		return 0;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	if (columns && parse_count(columns, &count) == 0 && count > 0 && count <= COLUMNS_MAX)
		return count;
	return COLUMNS_DEFAULT;
}

bool terminal_is_ansi(int fd)
{
	const char *term = environment_get("TERM");

	return isatty(fd) && term && !streq(term, "dumb");
}

bool terminal_has_colours(int fd)
{
	return terminal_is_ansi(fd) && !environment_get("NO_COLOR");
}
