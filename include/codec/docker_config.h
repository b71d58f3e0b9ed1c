/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the docker CLI keeps in its configuration folder, as far as it says where the engine is
 * (docker/cli: cli/config, cli/context/store). All return 0, or -EBADMSG with *error.
 */

#include "core/base.h"

/* config.json: currentContext, NULL if it names none. The caller frees. */
int decode_docker_config(
	const char *data, size_t length, char **ret_context, struct error *error) _warn_unused_;

/* contexts/meta/…/meta.json */
struct docker_context {
	char *name;
	char *host; /* NULL if it has no docker endpoint */
	bool skip_tls_verify;
};
void docker_context_finish(struct docker_context *context);
int decode_docker_context(const char *data, size_t length, struct docker_context *ret,
	struct error *error) _warn_unused_;
