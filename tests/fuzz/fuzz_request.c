/* SPDX-License-Identifier: Apache-2.0 */
/* A body that names images: what the daemon reads of it, a client writes again. */
#include "fuzz.h"

#include <errno.h>

#include "codec/control_json.h"
#include "codec/control_request.h"
#include "codec/control_view.h"
#include "core/printable.h"

static void check_names(const struct strings *names)
{
	_cleanup_free_ char *body = request_names(names->items, names->count);
	_cleanup_strings_ struct strings again = {};

	check(decode_references(body, strlen(body), &again, NULL) == 0);
	check(strings_equal(names, &again));
}

/* Whatever the answer repeats of the request is JSON, and harmless once a client shows it. */
static void check_answer(const struct strings *names)
{
	_cleanup_free_ enum tracking_result *results = xcalloc(names->count, sizeof(*results));
	_cleanup_free_ char *answer = encode_tracking(names, results), *text = NULL;
	struct view view = {};

	check(fuzz_is_utf8(answer));
	check(view_format(VIEW_NAMES, answer, strlen(answer), &view, &text, NULL) == 0);
	check(fuzz_is_harmless(text, "\n"));
}

static void check_message(const char *text)
{
	_cleanup_free_ char *json = encode_message(text), *back = view_message(json, strlen(json)),
			    *expected = printable_escape(text);

	check(fuzz_is_utf8(json));
	check(*text ? streq(back, expected) : !back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *body = fuzz_bytes(data, size), *text = fuzz_text(data, size);
	_cleanup_strings_ struct strings names = {};
	_cleanup_error_ struct error error = {};
	int r = decode_references(body, size, &names, &error);

	check(r == 0 || r == -EBADMSG);
	check((r == 0) == !error.message);
	if (r == 0) {
		check_names(&names);
		check_answer(&names);
	}
	check_message(text);
	return 0;
}
