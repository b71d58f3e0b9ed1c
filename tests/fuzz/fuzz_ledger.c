/* SPDX-License-Identifier: Apache-2.0 */
/* A cache file: what loads is saved, loads again and is saved as the same text, bit for bit. */
#include "fuzz.h"

#include <errno.h>

#include "codec/ledger_json.h"

static char *encode(const struct ledger *ledger)
{
	struct inventory inventory;
	struct policy policy = {};
	char *text;

	inventory_init(&inventory);
	text = ledger_encode(ledger, &inventory, &policy);
	inventory_finish(&inventory);
	return text;
}

static void check_entries(const struct ledger *ledger)
{
	struct ledger_entry *entry, *next;

	check(ledger->met >= 0 && ledger->observed_until >= 0 && ledger->unobserved >= 0);
	HASH_ITER (hh, ledger->entries, entry, next) {
		check(entry->first_seen >= 0 && entry->last_used >= 0);
		check(entry->unobserved >= 0 && entry->unobserved <= ledger->unobserved);
		check(entry->origin < ORIGIN_COUNT);
		check(ledger_unused(ledger, entry, NSEC_MAX) >= 0);
	}
}

/* A bit of a saved text that flips is found, or makes no difference. */
static void check_damage(const char *text, size_t seed)
{
	_cleanup_free_ char *damaged = xstrdup(text), *back = NULL;
	struct ledger ledger = {};
	size_t length = strlen(text);

	damaged[seed / 8 % length] ^= (char)(1U << (seed & 7));
	if (ledger_decode(damaged, length, &ledger, NULL) < 0)
		return;
	back = encode(&ledger);
	check(streq(text, back));
	ledger_finish(&ledger);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *bytes = fuzz_bytes(data, size), *text = NULL, *back = NULL;
	_cleanup_error_ struct error error = {};
	struct ledger ledger, again;
	int r;

	memset(&ledger, 0x5a, sizeof(ledger));
	again = ledger;
	r = ledger_decode(bytes, size, &ledger, &error);
	if (r < 0) {
		check(r == -EBADMSG || r == -EPROTO);
		check(error.message && *error.message);
		check(memcmp(&ledger, &again, sizeof(ledger)) == 0);
		return 0;
	}
	check(r == 0 && !error.message);
	check_entries(&ledger);
	text = encode(&ledger);
	check(ledger_decode(text, strlen(text), &again, NULL) == 0);
	check_entries(&again);
	back = encode(&again);
	check(streq(text, back));
	check_damage(text, (size_t)hash_bytes(text, strlen(text)));
	ledger_finish(&ledger);
	ledger_finish(&again);
	return 0;
}
