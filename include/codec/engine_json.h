/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The engine's answers about itself and to removals (usage_json.h has what it measures,
 * records_json.h images and containers, event_json.h events). Everything comes from outside: a
 * missing field or a wrong type is an error that says which, never a zero. IDs come out normalised,
 * references canonical. All functions return 0, or -EBADMSG with what is wrong in *error (which may
 * be NULL) and outputs untouched. Sources: the engine API's reference, and answers recorded from
 * Docker 20.10 to 29 and podman.
 */

#include "core/base.h"

/* GET /version */
struct engine_version {
	char *version; /* "20.10.24" */
	char *api_version; /* newest that it speaks, "1.41" */
	char *min_api_version;
	bool is_podman;
};
void engine_version_finish(struct engine_version *version);
int decode_version(const char *data, size_t length, struct engine_version *ret,
	struct error *error) _warn_unused_;

/* GET /info */
struct engine_info {
	char *id; /* Info.ID; podman makes a new one for each answer */
	char *root_directory;
	char *driver;
	nsec_t system_time; /* the engine's clock, 0 if it does not say */
	bool is_containerd; /* the containerd image store, where digests prove no pull */
	bool is_in_vm; /* Docker Desktop: its files are not this machine's */
};
void engine_info_finish(struct engine_info *info);
int decode_info(const char *data, size_t length, struct engine_info *ret,
	struct error *error) _warn_unused_;

/* DELETE /images/{name}: what went. `deleted` also has IDs of layers. */
struct removal {
	struct strings untagged; /* as the engine says it */
	struct strings deleted; /* normalised */
};
void removal_finish(struct removal *removal);
int decode_removal(
	const char *data, size_t length, struct removal *ret, struct error *error) _warn_unused_;

/*
 * DELETE /libpod/images/remove, podman's own: 200 in any case. How it went is the exit code of
 * `podman rmi`: 0, or one with why in *error and *ret untouched.
 */
enum {
	PODMAN_NOT_FOUND = 1,
	PODMAN_IN_USE = 2,
};
int decode_podman_removal(
	const char *data, size_t length, struct removal *ret, struct error *error) _warn_unused_;

/* An error's body: {"message": …} or plain text, one line, shortened. The caller frees. */
char *decode_message(const char *data, size_t length) _warn_unused_;
