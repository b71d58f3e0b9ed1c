/* SPDX-License-Identifier: Apache-2.0 */
/* The engine about itself, about removals and errors. */
#include "fuzz_records.h"

#include "codec/engine_json.h"

#define MESSAGE_MAX 300

static void check_version(const char *text, size_t size)
{
	_cleanup_(engine_version_finish) struct engine_version version = {};
	_cleanup_error_ struct error error = {};

	if (!check_result(decode_version(text, size, &version, &error), &error)) {
		check(!version.api_version);
		return;
	}
	check(version.version && version.api_version && version.min_api_version);
	check(strlen(version.version) + strlen(version.api_version) < size);
}

static void check_info(const char *text, size_t size)
{
	_cleanup_(engine_info_finish) struct engine_info info = {};
	_cleanup_error_ struct error error = {};

	if (!check_result(decode_info(text, size, &info, &error), &error)) {
		check(!info.id);
		return;
	}
	check(info.id && info.driver && info.root_directory);
	check(strlen(info.id) + strlen(info.driver) + strlen(info.root_directory) < size);
}

static void check_removal(const struct removal *removal, size_t size)
{
	for (size_t i = 0; i < removal->deleted.count; i++)
		check_id(removal->deleted.items[i]);
	check(removal->untagged.count + removal->deleted.count < size);
}

static void check_removals(const char *text, size_t size)
{
	_cleanup_(removal_finish) struct removal removal = {}, podman = {};
	_cleanup_error_ struct error error = {}, podman_error = {};
	int r;

	if (check_result(decode_removal(text, size, &removal, &error), &error))
		check_removal(&removal, size);
	else
		check(!removal.untagged.items && !removal.deleted.items);
	r = decode_podman_removal(text, size, &podman, &podman_error);
	check(r == 0 || r == -EBADMSG || (r > 0 && r <= UINT8_MAX));
	check((r == 0) == !podman_error.message);
	if (r == 0)
		check_removal(&podman, size);
	else
		check(!podman.untagged.items && !podman.deleted.items);
}

static bool has_controls(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			return true;
	return false;
}

/* One line, shortened; no character of a text that was well-formed is cut in two. */
static void check_message(const char *text, size_t size)
{
	_cleanup_free_ char *message = decode_message(text, size);
	_cleanup_free_ char *whole = fuzz_text((const uint8_t *)text, size);

	check(strlen(message) <= MESSAGE_MAX);
	check(!has_controls(message));
	if (fuzz_is_utf8(whole))
		check(fuzz_is_utf8(message));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_bytes(data, size);

	check_version(text, size);
	check_info(text, size);
	check_removals(text, size);
	check_message(text, size);
	return 0;
}
