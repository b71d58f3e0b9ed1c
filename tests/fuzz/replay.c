/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the inputs of a corpus through a fuzz target, without libFuzzer:
 *
 *     fuzz_TARGET FILE|FOLDER...
 *
 * Each file is named before its turn, so that the last one is the one at fault. A folder without
 * files is an error.
 */
#include <dirent.h>
#include <err.h>
#include <sys/stat.h>

#include "fuzz.h"

static void replay_file(const char *path)
{
	FILE *file = fopen(path, "re");
	_cleanup_free_ char *data = NULL;
	size_t used = 0, allocated = 0, got;

	if (!file)
		err(1, "%s", path);
	do {
		allocated += 65536;
		data = xreallocarray(data, allocated, 1);
		got = fread(data + used, 1, allocated - used, file);
		used += got;
	} while (got > 0);
	if (ferror(file))
		err(1, "%s", path);
	fclose(file);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput((const uint8_t *)data, used);
}

static int is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void replay_folder(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_file, alphasort);

	if (count < 0)
		err(1, "%s", path);
	if (count == 0)
		errx(1, "%s: no files", path);
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *name = xasprintf("%s/%s", path, entries[i]->d_name);

		replay_file(name);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	struct stat st;

	if (argc < 2)
		errx(2, "usage: %s FILE|FOLDER...", argv[0]);
	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st) < 0)
			err(1, "%s", argv[i]);
		if (S_ISDIR(st.st_mode))
			replay_folder(argv[i]);
		else
			replay_file(argv[i]);
	}
	return 0;
}
