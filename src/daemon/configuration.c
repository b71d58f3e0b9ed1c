/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/configuration.h"

#include <errno.h>

#include "daemon/status.h"

int configuration_apply(const struct daemon_options *options, struct settings *settings,
	struct endpoint *ret_endpoint, struct error *error)
{
	struct endpoint_settings endpoint = {
		.option = options->host,
		.host = settings->engine_host,
		.tls_verify = settings->tls_verify,
		.tls_ca = settings->tls_ca,
		.tls_cert = settings->tls_cert,
		.tls_key = settings->tls_key,
	};

	int r;

	settings->dry_run = settings->dry_run || options->dry_run;
	r = endpoint_find(&endpoint, ret_endpoint, error);
	if (r < 0)
		return r;
	if (policy_needs_space(&settings->policy) && !ret_endpoint->unix_socket) {
		error_set(error,
			"gc.min_free_space and percentages are of the engine's file system, but "
			"%s (from %s) is not on this machine",
			ret_endpoint->url, ret_endpoint->source);
		return -EINVAL;
	}
	return 0;
}

static int load(const struct daemon_options *options, struct settings *ret,
	struct endpoint *ret_endpoint, char **ret_name, struct strings *errors)
{
	_cleanup_(settings_finish) struct settings settings = {};
	_cleanup_error_ struct error error = {};
	_cleanup_free_ char *name = NULL;

	if (options->load_settings(options->userdata, &settings, &name, errors) < 0)
		return -EINVAL;
	if (configuration_apply(options, &settings, ret_endpoint, &error) < 0) {
		strings_add(errors, error.message);
		return -EINVAL;
	}
	*ret = TAKE_STRUCT(settings);
	*ret_name = TAKE_PTR(name);
	return 0;
}

static void refuse(const struct strings *errors, char **problem)
{
	for (size_t i = 0; i < errors->count; i++)
		log_error("%s", errors->items[i]);
	log_error("configuration not reloaded, the old one stays in force");
	free(*problem);
	*problem = xasprintf("configuration not reloaded: %s", errors->items[0]);
}

int configuration_reload(const struct daemon_options *options, struct settings *settings,
	struct endpoint *ret_endpoint, struct settings *ret_old, char **problem)
{
	_cleanup_strings_ struct strings errors = {}, restarts = {};
	_cleanup_free_ char *name = NULL, *keys = NULL;
	struct settings loaded;

	if (load(options, &loaded, ret_endpoint, &name, &errors) < 0) {
		refuse(&errors, problem);
		return -EINVAL;
	}
	*ret_old = *settings;
	*settings = loaded;
	freep(problem);
	*problem = NULL;
	settings_list_restarts(ret_old, settings, &restarts);
	keys = strings_join(&restarts, ", ");
	log_info("configuration reloaded from %s", name);
	if (restarts.count > 0)
		log_warning("needs a restart to take effect: %s", keys);
	log_set_level(configuration_log_level(options, settings));
	configuration_announce(settings);
	return 0;
}

bool configuration_has_same_engine(const struct settings *a, const struct endpoint *a_endpoint,
	const struct settings *b, const struct endpoint *b_endpoint)
{
	return streq(a_endpoint->url, b_endpoint->url) &&
		streq(a_endpoint->tls_ca, b_endpoint->tls_ca) &&
		streq(a_endpoint->tls_cert, b_endpoint->tls_cert) &&
		streq(a_endpoint->tls_key, b_endpoint->tls_key) &&
		a_endpoint->tls_verify == b_endpoint->tls_verify &&
		a->connect_timeout == b->connect_timeout &&
		a->request_timeout == b->request_timeout;
}

enum log_level configuration_log_level(
	const struct daemon_options *options, const struct settings *settings)
{
	enum log_level level;

	if (options->has_log_level)
		return options->log_level;
	/* The settings let no other names through. */
	return log_level_parse(settings->log_level, &level) < 0 ? LEVEL_INFO : level;
}

void configuration_announce(const struct settings *settings)
{
	_cleanup_free_ char *limits = status_describe_limits(settings);

	for (size_t i = 0; i < settings->warnings.count; i++)
		log_warning("%s", settings->warnings.items[i]);
	if (!settings->enabled)
		log_info("tracking only, nothing is removed (gc.enabled = false)");
	else
		log_info("%s %s", settings->dry_run ? "dry run, would remove" : "removing", limits);
}
