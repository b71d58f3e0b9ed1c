/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The composition root: owns everything, wires it together, and runs the loop. */

#include "codec/settings.h"
#include "core/base.h"
#include "daemon/configuration.h"

struct daemon;

/* Exit codes of daemon_run() and of the programs. */
enum {
	EXIT_USAGE = 2,
	EXIT_UNAVAILABLE = 69, /* EX_UNAVAILABLE: no engine, with --once */
	EXIT_CONFIG = 78, /* EX_CONFIG */
};

/*
 * Takes the settings over (in every case). Returns 0, or an exit code with *error where the daemon
 * must not start: EXIT_CONFIG if the engine's address makes no sense, or limits that it cannot
 * have; EXIT_FAILURE if the cache file is held by another one.
 */
int daemon_create(const struct daemon_options *options, struct settings *settings,
	struct daemon **ret, struct error *error) _warn_unused_;
void daemon_destroy(struct daemon *daemon);

/* Runs until a signal stops it, or with `once` until one collection is over. Returns the exit code.
 */
int daemon_run(struct daemon *daemon);
