/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How the docker CLI calls its plugins: docker runs docker-gc for "docker gc". */

#include "core/base.h"

/* Whether argv[0] says that we are called as docker's plugin. */
bool docker_plugin_is(const char *program);

/* Whether the only argument asks for what docker has to know about a plugin. */
bool docker_plugin_wants_metadata(int argc, char *const *argv);

/* The answer, one JSON object. The caller frees. */
char *docker_plugin_metadata(const char *version) _warn_unused_;

/*
 * docker hands on all that it was given: options of its own, "gc", and what is for the plugin.
 * Returns how many arguments after argv[0] are docker's. *ret_engine is the last one of them that
 * chooses an engine, or NULL.
 */
int docker_plugin_skip(int argc, char *const *argv, const char **ret_engine);
