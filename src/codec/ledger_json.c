/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/ledger_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/json.h"
#include "core/reference.h"
#include "core/units.h"

#define VERSION 1

/*
 * The last key, as it stands in the file: length and hash of all that stands before it. A year that
 * is another one by a single bit is as well-formed as before, and images would go for it. A text of
 * another length was changed by a person or a script, not by a disk.
 */
#define CHECKSUM_KEY ",\n  \"checksum\":"
#define CHECKSUM_FORMAT "%zu-%016llx"
#define CHECKSUM_MAX 48

/* Totals beyond this many seconds are damage; below it nothing overflows in nanoseconds. */
#define SECONDS_MAX (NSEC_MAX / NSEC_PER_SEC / 4)

static int complain(struct error *error, const char *what, const char *key)
{
	error_set(error, "%s%s%s is missing or wrong", what, *what ? ": " : "", key);
	return -EBADMSG;
}

static int read_time(struct json_object *object, const char *key, nsec_t *ret)
{
	const char *text = json_text(object, key);

	nsec_t time;

	/* Nobody used an image before 1970; differences from then on do not overflow. */
	if (!text || parse_time(text, &time) < 0 || time < 0)
		return -EBADMSG;
	*ret = time;
	return 0;
}

/* An optional time: 0 where it is missing. */
static int read_optional_time(struct json_object *object, const char *key, nsec_t *ret)
{
	*ret = 0;
	return json_object_object_get_ex(object, key, NULL) ? read_time(object, key, ret) : 0;
}

static int read_seconds(struct json_object *object, const char *key, int64_t missing, int64_t *ret)
{
	int64_t seconds;

	if (!json_object_object_get_ex(object, key, NULL)) {
		*ret = missing;
		return 0;
	}
	if (json_integer(object, key, &seconds) < 0 || seconds < 0 || seconds > SECONDS_MAX)
		return -EBADMSG;
	*ret = seconds;
	return 0;
}

static int read_flag(struct json_object *object, const char *key, bool *ret)
{
	struct json_object *member;

	if (json_optional(object, key, json_type_boolean, &member, NULL) < 0)
		return -EBADMSG;
	*ret = member && json_object_get_boolean(member);
	return 0;
}

static int read_references(struct json_object *object, struct strings *references)
{
	struct json_object *array = json_member(object, "references", json_type_array);

	if (!array)
		return -EBADMSG;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		char *canonical;

		if (!json_object_is_type(item, json_type_string) ||
			reference_canonicalise(json_object_get_string(item), &canonical) < 0)
			return -EBADMSG;
		strings_take(references, canonical);
	}
	strings_sort(references);
	return 0;
}

static int read_entry(struct json_object *object, struct ledger *ledger, struct error *error)
{
	_cleanup_free_ char *id = NULL;
	_cleanup_free_ char *what = NULL;
	_cleanup_strings_ struct strings references = {};
	struct ledger_entry *entry;
	enum origin origin;
	nsec_t first_seen, last_used;
	int64_t unobserved;
	bool tracked, forgotten, named;

	if (!json_text(object, "id") || image_id_normalise(json_text(object, "id"), &id) < 0)
		return complain(error, "an image", "id");
	what = xasprintf("image %s", id);
	if (ledger_find(ledger, id)) {
		error_set(error, "%s is there twice", what);
		return -EBADMSG;
	}
	if (!json_text(object, "origin") || origin_parse(json_text(object, "origin"), &origin) < 0)
		return complain(error, what, "origin");
	if (read_references(object, &references) < 0)
		return complain(error, what, "references");
	if (read_time(object, "first_seen", &first_seen) < 0)
		return complain(error, what, "first_seen");
	if (read_time(object, "last_used", &last_used) < 0)
		return complain(error, what, "last_used");
	/* Where it is missing, all the time so far was unobserved after that use: keep longer. */
	if (read_seconds(object, "unobserved_seconds", 0, &unobserved) < 0)
		return complain(error, what, "unobserved_seconds");
	if (read_flag(object, "tracked", &tracked) < 0 ||
		read_flag(object, "forgotten", &forgotten) < 0 ||
		read_flag(object, "named", &named) < 0)
		return complain(error, what, "tracked, forgotten or named");
	entry = ledger_add(ledger, id, origin, first_seen);
	entry->last_used = last_used;
	entry->unobserved = MIN(unobserved, ledger->unobserved);
	entry->tracked = tracked;
	entry->forgotten = forgotten;
	entry->named = entry->named || references.count > 0 || named;
	entry->references = TAKE_STRUCT(references);
	return 0;
}

static int add_tracked(
	struct json_object *object, struct ledger *ledger, bool imported, struct error *error)
{
	const char *text = json_text(object, "image_tag");
	char *canonical;
	nsec_t last_used;

	if (!text || reference_canonicalise(text, &canonical) < 0)
		return complain(error, "tracked", "image_tag");
	if (read_time(object, "last_used", &last_used) < 0) {
		free(canonical);
		return complain(error, "tracked", "last_used");
	}
	ledger_add_tracked(ledger, canonical, last_used, imported);
	return 0;
}

static int read_tracked(struct json_object *object, struct ledger *ledger, struct error *error)
{
	bool imported;

	if (read_flag(object, "imported", &imported) < 0)
		return complain(error, "tracked", "imported");
	return add_tracked(object, ledger, imported, error);
}

/* elastic-package's file has the same items as our `tracked`, but means images that it brought. */
static int read_imported(struct json_object *object, struct ledger *ledger, struct error *error)
{
	return add_tracked(object, ledger, true, error);
}

static int read_array(struct json_object *array, struct ledger *ledger,
	int (*read_item)(struct json_object *, struct ledger *, struct error *),
	struct error *error)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < json_object_array_length(array); i++)
		r = read_item(json_object_array_get_idx(array, i), ledger, error);
	return r;
}

static nsec_t earliest_use(const struct ledger *ledger)
{
	struct ledger_entry *entry, *next;
	nsec_t earliest = NSEC_MAX;

	HASH_ITER (hh, ledger->entries, entry, next)
		earliest = MIN(earliest, entry->last_used);
	return earliest;
}

/* A file that knows images but not since when: in doubt nobody has watched, and we came late. */
static void fill_in_times(struct ledger *ledger)
{
	if (!ledger->entries)
		return;
	if (ledger->observed_until == 0)
		ledger->observed_until = earliest_use(ledger);
	if (ledger->met == 0)
		ledger->met = ledger->observed_until;
}

static int read_ledger(struct json_object *object, struct ledger *ledger, struct error *error)
{
	struct json_object *images = json_member(object, "images", json_type_array);
	struct json_object *tracked;
	const char *engine_id = json_text(object, "engine_id");
	int64_t version;
	int r;

	if (json_integer(object, "version", &version) < 0 || version < 1)
		return complain(error, "", "version");
	if (version > VERSION) {
		error_set(
			error, "version %lld is newer than ours, %d", (long long)version, VERSION);
		return -EPROTO;
	}
	if (!images)
		return complain(error, "", "images");
	if (json_optional(object, "tracked", json_type_array, &tracked, NULL) < 0)
		return complain(error, "", "tracked");
	if (read_optional_time(object, "observed_until", &ledger->observed_until) < 0)
		return complain(error, "", "observed_until");
	if (read_optional_time(object, "met", &ledger->met) < 0)
		return complain(error, "", "met");
	if (read_seconds(object, "unobserved_seconds", 0, &ledger->unobserved) < 0)
		return complain(error, "", "unobserved_seconds");
	r = read_array(images, ledger, read_entry, error);
	if (r < 0)
		return r;
	if (tracked)
		r = read_array(tracked, ledger, read_tracked, error);
	if (r < 0)
		return r;
	if (engine_id && *engine_id)
		ledger->engine_id = xstrdup(engine_id);
	fill_in_times(ledger);
	return 0;
}

static void make_checksum(const char *data, size_t length, char buffer[static CHECKSUM_MAX])
{
	snprintf(buffer, CHECKSUM_MAX, CHECKSUM_FORMAT, length,
		(unsigned long long)hash_bytes(data, length));
}

static int check_sum(const char *data, size_t length, struct json_object *root, struct error *error)
{
	const char *key = memmem(data, length, CHECKSUM_KEY, strlen(CHECKSUM_KEY));
	const char *sum = json_text(root, "checksum");
	size_t covered = key ? (size_t)(key - data) : 0;
	char expected[CHECKSUM_MAX];

	if (!key || !sum || strtoull(sum, NULL, 10) != covered)
		return 0;
	make_checksum(data, covered, expected);
	if (streq(sum, expected))
		return 0;
	error_set(error,
		"the checksum is wrong: it was damaged, or changed by hand without "
		"removing \"checksum\"");
	return -EBADMSG;
}

int ledger_decode(const char *data, size_t length, struct ledger *ret, struct error *error)
{
	_cleanup_json_ struct json_object *root = NULL;
	_cleanup_(ledger_finish) struct ledger ledger = {};
	_cleanup_error_ struct error ignored = {};
	bool is_array = json_read(data, length, json_type_array, &root, &ignored) == 0;
	int r;

	ledger_init(&ledger);
	if (is_array) {
		r = read_array(root, &ledger, read_imported, error);
	} else {
		r = json_read(data, length, json_type_object, &root, error);
		if (r == 0)
			r = check_sum(data, length, root, error);
		if (r == 0)
			r = read_ledger(root, &ledger, error);
	}
	if (r < 0)
		return r;
	*ret = ledger;
	ledger_init(&ledger);
	return 0;
}

static void put(struct json_object *object, const char *key, struct json_object *value)
{
	if (!value || json_object_object_add(object, key, value) < 0)
		abort();
}

static void append(struct json_object *array, struct json_object *value)
{
	if (!value || json_object_array_add(array, value) < 0)
		abort();
}

static struct json_object *encode_time(nsec_t time)
{
	char buffer[FORMAT_MAX];

	return json_object_new_string(format_time(time, buffer));
}

static struct json_object *encode_entry(const struct ledger_entry *entry,
	const struct inventory *inventory, const struct policy *policy)
{
	const struct image *image = inventory_find_image(inventory, entry->id);
	struct json_object *object = json_object_new_object();
	struct json_object *references = json_object_new_array();

	for (size_t i = 0; i < entry->references.count; i++)
		append(references, json_object_new_string(entry->references.items[i]));
	put(object, "id", json_object_new_string(entry->id));
	put(object, "origin", json_object_new_string(origin_name(entry->origin)));
	put(object, "managed",
		json_object_new_boolean(image && policy_manages(policy, image, entry)));
	put(object, "references", references);
	put(object, "first_seen", encode_time(entry->first_seen));
	put(object, "last_used", encode_time(entry->last_used));
	put(object, "unobserved_seconds", json_object_new_int64(entry->unobserved));
	if (entry->tracked)
		put(object, "tracked", json_object_new_boolean(true));
	if (entry->forgotten)
		put(object, "forgotten", json_object_new_boolean(true));
	if (entry->named && entry->references.count == 0)
		put(object, "named", json_object_new_boolean(true));
	return object;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(
		(*(struct ledger_entry *const *)a)->id, (*(struct ledger_entry *const *)b)->id);
}

static struct json_object *encode_entries(
	const struct ledger *ledger, const struct inventory *inventory, const struct policy *policy)
{
	size_t count = HASH_COUNT(ledger->entries), i = 0;
	_cleanup_free_ struct ledger_entry **sorted = xcalloc(count, sizeof(struct ledger_entry *));
	struct json_object *array = json_object_new_array();
	struct ledger_entry *entry, *next;

	HASH_ITER (hh, ledger->entries, entry, next)
		sorted[i++] = entry;
	qsort(sorted, count, sizeof(struct ledger_entry *), compare_entries);
	for (i = 0; i < count; i++)
		append(array, encode_entry(sorted[i], inventory, policy));
	return array;
}

static struct json_object *encode_tracked(const struct ledger *ledger)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < ledger->tracked.count; i++) {
		const struct tracked_reference *tracked = &ledger->tracked.items[i];
		_cleanup_free_ char *familiar = reference_familiar(tracked->canonical);
		struct json_object *object = json_object_new_object();

		put(object, "image_tag", json_object_new_string(familiar));
		put(object, "last_used", encode_time(tracked->last_used));
		if (tracked->imported)
			put(object, "imported", json_object_new_boolean(true));
		append(array, object);
	}
	return array;
}

char *ledger_encode(
	const struct ledger *ledger, const struct inventory *inventory, const struct policy *policy)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	char sum[CHECKSUM_MAX];
	const char *text;
	size_t length;

	put(object, "version", json_object_new_int(VERSION));
	put(object, "engine_id",
		json_object_new_string(ledger->engine_id ? ledger->engine_id : ""));
	if (ledger->met > 0)
		put(object, "met", encode_time(ledger->met));
	/* Whoever reads it must be told again what is not in here. */
	if (ledger->observed_until > 0)
		put(object, "observed_until",
			encode_time(MIN(ledger->observed_until, ledger->open_since)));
	put(object, "unobserved_seconds", json_object_new_int64(ledger->unobserved));
	put(object, "images", encode_entries(ledger, inventory, policy));
	put(object, "tracked", encode_tracked(ledger));
	text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (!text)
		abort();
	/* Before the closing brace. */
	length = strlen(text) - strlen("\n}");
	make_checksum(text, length, sum);
	return xasprintf("%.*s" CHECKSUM_KEY "\"%s\"\n}\n", (int)length, text, sum);
}
