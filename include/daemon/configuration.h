/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the command line and the configuration file make together, at start and at each reload. */

#include "codec/settings.h"
#include "core/base.h"
#include "io/endpoint.h"
#include "io/log.h"

/* From the command line; what is set here wins over the configuration, at reload too. */
struct daemon_options {
	const char *host; /* --host, or NULL */
	bool dry_run, once;
	bool has_log_level;
	enum log_level log_level;
	/*
	 * Reads the configuration anew. Returns 0, or -EINVAL with one message for each thing that
	 * is wrong. *ret_name is the file's name or "built-in defaults"; the caller frees.
	 */
	int (*load_settings)(
		void *userdata, struct settings *ret, char **ret_name, struct strings *errors);
	/* The loop runs; may be NULL. */
	void (*ready)(void *userdata);
	void *userdata;
};

/*
 * The settings as the options change them, and the engine that they lead to. Returns 0, or -EINVAL
 * with *error for an address that makes no sense.
 */
int configuration_apply(const struct daemon_options *options, struct settings *settings,
	struct endpoint *ret_endpoint, struct error *error) _warn_unused_;

/*
 * Reads all of it anew, see load_settings. If all of it is good, puts it in force in *settings and
 * the log's level, says so and what takes a restart, clears *problem and returns 0. Else -EINVAL:
 * all stays in force as it is, and *problem, on the heap or NULL, says why for people. The caller
 * finishes what was returned.
 */
int configuration_reload(const struct daemon_options *options, struct settings *settings,
	struct endpoint *ret_endpoint, struct settings *ret_old, char **problem) _warn_unused_;

/* Whether two configurations talk to the same engine in the same way. */
bool configuration_has_same_engine(const struct settings *a, const struct endpoint *a_endpoint,
	const struct settings *b, const struct endpoint *b_endpoint);

/* The option's, else the file's. */
enum log_level configuration_log_level(
	const struct daemon_options *options, const struct settings *settings);

/* Tells what will be removed, and what of the configuration has no effect. */
void configuration_announce(const struct settings *settings);
