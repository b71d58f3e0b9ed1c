/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tallies.h"

#include <string.h>

#include "core/base.h"
#include "core/hash.h"

struct tally {
	char *id;
	struct holders holders;
	UT_hash_handle hh;
};

struct holders tallies_find(const struct tally *tallies, const char *id)
{
	struct tally *tally;

	HASH_FIND_STR(tallies, id, tally);
	return tally ? tally->holders : (struct holders){};
}

struct holders tallies_add(struct tally **tallies, const char *id, int children, int containers)
{
	struct holders holders;
	struct tally *tally;

	HASH_FIND_STR(*tallies, id, tally);
	if (!tally) {
		tally = xcalloc(1, sizeof(*tally));
		tally->id = xstrdup(id);
		HASH_ADD_KEYPTR(hh, *tallies, tally->id, strlen(id), tally);
	}
	tally->holders.children += (unsigned)children;
	tally->holders.containers += (unsigned)containers;
	holders = tally->holders;
	if (holders.children == 0 && holders.containers == 0) {
		HASH_DEL(*tallies, tally);
		free(tally->id);
		free(tally);
	}
	return holders;
}
