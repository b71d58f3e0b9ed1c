/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/event_scan.h"

#include <string.h>

#define DEPTH_MAX 8
/* So many fit a nsec_t if the first is no 9: times are below 9 * 10^18 until the year 2255. */
#define DIGITS_MAX 19

enum level {
	LEVEL_EVENT,
	LEVEL_ACTOR,
	LEVEL_ATTRIBUTES,
	LEVEL_OTHER, /* and all within: of no interest */
};

enum value {
	VALUE_TEXT,
	VALUE_NUMBER,
	VALUE_OBJECT,
};

/* A member that counts, and of which type it has to be. */
struct member {
	enum level level;
	struct text_slice key;
	enum value value;
	size_t offset; /* where it goes in struct event_scan, but for objects */
	enum level below; /* an object's */
};

#define KEY(text)                      \
	{                              \
		text, sizeof(text) - 1 \
	}
#define AT(field) offsetof(struct event_scan, field)

static const struct member members[] = {
	{ LEVEL_EVENT, KEY("Type"), VALUE_TEXT, AT(type) },
	{ LEVEL_EVENT, KEY("Action"), VALUE_TEXT, AT(action) },
	{ LEVEL_EVENT, KEY("timeNano"), VALUE_NUMBER, AT(time) },
	{ LEVEL_EVENT, KEY("Actor"), VALUE_OBJECT, .below = LEVEL_ACTOR },
	{ LEVEL_ACTOR, KEY("ID"), VALUE_TEXT, AT(actor) },
	{ LEVEL_ACTOR, KEY("Attributes"), VALUE_OBJECT, .below = LEVEL_ATTRIBUTES },
	{ LEVEL_ATTRIBUTES, KEY("image"), VALUE_TEXT, AT(image) },
	{ LEVEL_ATTRIBUTES, KEY("name"), VALUE_TEXT, AT(name) },
};

struct scanner {
	const char *at, *end;
	unsigned seen; /* a bit for each of the members */
	struct event_scan found;
};

bool text_slice_is(const struct text_slice *slice, const char *text)
{
	return strlen(text) == slice->length && memcmp(slice->at, text, slice->length) == 0;
}

static bool scan_char(struct scanner *scanner, char c)
{
	if (scanner->at == scanner->end || *scanner->at != c)
		return false;
	scanner->at++;
	return true;
}

static bool scan_text(struct scanner *scanner, struct text_slice *ret)
{
	const char *begin = scanner->at + 1;

	if (!scan_char(scanner, '"'))
		return false;
	for (; scanner->at < scanner->end; scanner->at++) {
		unsigned char c = (unsigned char)*scanner->at;

		if (c == '"') {
			*ret = (struct text_slice){ begin, (size_t)(scanner->at++ - begin) };
			return true;
		}
		if (c < ' ' || c >= 0x7f || c == '\\')
			return false;
	}
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A fraction or an exponent stops the caller, who expects a comma or a brace behind it. */
static bool scan_number(struct scanner *scanner, nsec_t *ret)
{
	const char *begin = scanner->at;
	nsec_t number = 0;

	if (scanner->at == scanner->end || *begin == '0' || *begin == '9')
		return false;
	while (scanner->at < scanner->end && is_digit(*scanner->at) &&
		scanner->at - begin < DIGITS_MAX)
		number = number * 10 + (*scanner->at++ - '0');
	*ret = number;
	return scanner->at > begin;
}

/* NULL if the member does not count. */
static const struct member *find_member(enum level level, const struct text_slice *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (members[i].level == level && members[i].key.length == key->length &&
			memcmp(members[i].key.at, key->at, key->length) == 0)
			return &members[i];
	return NULL;
}

static bool scan_object(struct scanner *scanner, enum level level, unsigned depth);

static bool scan_value(struct scanner *scanner, const struct member *member, unsigned depth)
{
	void *target = member ? (char *)&scanner->found + member->offset : NULL;
	struct text_slice text;
	nsec_t number;
	enum value value;

	if (scanner->at == scanner->end)
		return false;
	value = *scanner->at == '"'   ? VALUE_TEXT
		: *scanner->at == '{' ? VALUE_OBJECT
				      : VALUE_NUMBER;
	if (member && member->value != value)
		return false;
	switch (value) {
	case VALUE_TEXT:
		return scan_text(scanner, target ? target : &text);
	case VALUE_NUMBER:
		return scan_number(scanner, target ? target : &number);
	case VALUE_OBJECT:
		return scan_object(scanner, member ? member->below : LEVEL_OTHER, depth + 1);
	}
	abort();
}

static bool scan_member(struct scanner *scanner, enum level level, unsigned depth)
{
	const struct member *member;
	struct text_slice key;

	if (!scan_text(scanner, &key) || !scan_char(scanner, ':'))
		return false;
	member = find_member(level, &key);
	if (member) {
		/* Of several of one name the last one counts: rare enough to be left to json-c. */
		if (scanner->seen & 1U << (member - members))
			return false;
		scanner->seen |= 1U << (member - members);
	}
	return scan_value(scanner, member, depth);
}

static bool scan_object(struct scanner *scanner, enum level level, unsigned depth)
{
	if (depth > DEPTH_MAX || !scan_char(scanner, '{'))
		return false;
	if (scan_char(scanner, '}'))
		return true;
	do {
		if (!scan_member(scanner, level, depth))
			return false;
	} while (scan_char(scanner, ','));
	return scan_char(scanner, '}');
}

bool event_scan(const char *line, size_t length, struct event_scan *ret)
{
	struct scanner scanner = { .at = line, .end = line + length };

	if (!scan_object(&scanner, LEVEL_EVENT, 0) || scanner.at != scanner.end ||
		!scanner.found.type.at || !scanner.found.action.at || !scanner.found.actor.at ||
		scanner.found.time <= 0)
		return false;
	*ret = scanner.found;
	return true;
}
