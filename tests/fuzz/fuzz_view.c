/* SPDX-License-Identifier: Apache-2.0 */
/* A byte for the kind, one for the columns, and an answer of the control socket: lines for people.
 */
#include "fuzz.h"

#include <errno.h>

#include "codec/control_view.h"

#define KINDS (VIEW_PAUSE + 1)

/* A fixed time, so that an input always does the same. */
#define NOW ((nsec_t)1800000000 * NSEC_PER_SEC)

static void check_line(const char *text)
{
	if (text)
		check(fuzz_is_harmless(text, ""));
}

/* Without the escapes that colours are. */
static char *strip_colours(const char *text)
{
	char *plain = xcalloc(strlen(text) + 1, 1), *end = plain;

	while (*text) {
		if (strncmp(text, "\033[", 2) == 0)
			text += strcspn(text, "m") + 1;
		else
			*end++ = *text++;
	}
	return plain;
}

static void check_view(enum view_kind kind, const char *data, size_t size, size_t columns)
{
	struct view view = { .now = NOW, .columns = columns };
	_cleanup_error_ struct error error = {};
	_cleanup_free_ char *text = NULL, *coloured = NULL, *stripped = NULL;
	int r = view_format(kind, data, size, &view, &text, &error);

	check(r == 0 || r == -EBADMSG);
	check((r == 0) == (text != NULL) && (r == 0) == !error.message);
	if (r < 0)
		return;
	check(view_check(data, size, NULL) == 0);
	check(fuzz_is_harmless(text, "\n"));
	check(*text && text[strlen(text) - 1] == '\n');
	view.colours = true;
	check(view_format(kind, data, size, &view, &coloured, NULL) == 0);
	stripped = strip_colours(coloured);
	check(streq(stripped, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum view_kind kind = fuzz_byte(&data, &size) % KINDS;
	size_t columns = fuzz_byte(&data, &size);
	_cleanup_free_ char *body = fuzz_bytes(data, size), *message = NULL, *progress = NULL;

	check_view(kind, body, size, columns);
	message = view_message(body, size);
	progress = view_progress(body, size);
	check_line(message);
	check_line(progress);
	if (message || view_has_failed(body, size))
		check(progress);
	return 0;
}
