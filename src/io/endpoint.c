/* SPDX-License-Identifier: Apache-2.0 */
#include "io/endpoint.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/docker_config.h"
#include "codec/engine_address.h"
#include "io/files.h"

#define DEFAULT_SOCKET "/var/run/docker.sock"
#define CONFIG_MAX ((size_t)1 << 20)

void endpoint_finish(struct endpoint *endpoint)
{
	free(endpoint->url);
	free(endpoint->source);
	free(endpoint->unix_socket);
	free(endpoint->base_url);
	free(endpoint->tls_ca);
	free(endpoint->tls_cert);
	free(endpoint->tls_key);
	free(endpoint->api_version);
	*endpoint = (struct endpoint){};
}

static int take_address(const char *url, bool tls, struct endpoint *ret, struct error *error)
{
	struct engine_address address = {};

	if (engine_address_parse(url, tls, &address, error) < 0)
		return -EINVAL;
	ret->url = address.url;
	ret->unix_socket = address.unix_socket;
	ret->base_url = address.base_url;
	return 0;
}

/* ${DOCKER_CONFIG:-~/.docker} */
static char *docker_directory(void)
{
	_cleanup_free_ char *home = NULL;
	const char *directory = environment_get("DOCKER_CONFIG");

	if (directory)
		return xstrdup(directory);
	home = home_directory();
	return xasprintf("%s/.docker", home);
}

/* The name of the context in force; NULL for none and for the built-in "default". */
static int find_context_name(const char *directory, char **ret, struct error *error)
{
	_cleanup_free_ char *path = xasprintf("%s/config.json", directory);
	_cleanup_free_ char *data = NULL, *name = NULL;
	_cleanup_error_ struct error why = {};
	const char *variable = environment_get("DOCKER_CONTEXT");
	size_t length;

	if (variable) {
		name = xstrdup(variable);
	} else if (file_read(path, CONFIG_MAX, &data, &length) == 0 &&
		decode_docker_config(data, length, &name, &why) < 0) {
		error_set(error, "%s: %s", path, why.message);
		return -EINVAL;
	}
	*ret = name && !streq(name, "default") ? TAKE_PTR(name) : NULL;
	return 0;
}

/* One that cannot be read is not passed over: it is told when it is wanted. */
static char *existing(const char *directory, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", directory, name);

	return access(path, F_OK) == 0 || errno == EACCES ? TAKE_PTR(path) : NULL;
}

static void take_certificates(struct endpoint *endpoint, const char *directory)
{
	endpoint->tls_ca = existing(directory, "ca.pem");
	endpoint->tls_cert = existing(directory, "cert.pem");
	endpoint->tls_key = existing(directory, "key.pem");
}

static bool has_certificates(const struct endpoint_settings *settings)
{
	return *settings->tls_ca || *settings->tls_cert;
}

static int use_context(const char *directory, const char *folder,
	const struct docker_context *context, const struct endpoint_settings *settings,
	struct endpoint *ret, struct error *error)
{
	_cleanup_free_ char *certificates =
		xasprintf("%s/contexts/tls/%s/docker", directory, folder);
	bool tls = context->skip_tls_verify || has_certificates(settings);

	if (!context->host) {
		error_set(error, "the context \"%s\" has no docker endpoint", context->name);
		return -EINVAL;
	}
	take_certificates(ret, certificates);
	tls = tls || ret->tls_ca || ret->tls_cert || ret->tls_key;
	ret->tls_verify = settings->tls_verify && !context->skip_tls_verify;
	ret->source = xasprintf("the docker context \"%s\"", context->name);
	return take_address(context->host, tls, ret, error);
}

static int read_context(const char *path, struct docker_context *ret, struct error *error)
{
	_cleanup_free_ char *data = NULL;
	size_t length;
	int r = file_read(path, CONFIG_MAX, &data, &length);

	if (r < 0) {
		error_set(error, "%s", strerror(-r));
		return r;
	}
	return decode_docker_context(data, length, ret, error);
}

/* Contexts are in folders named by a hash of their name; the name stands inside, too. */
static int find_context(const char *directory, const char *name,
	const struct endpoint_settings *settings, struct endpoint *ret, struct error *error)
{
	_cleanup_free_ char *meta = xasprintf("%s/contexts/meta", directory);
	_cleanup_free_ char *damaged = NULL;
	DIR *folders = opendir(meta);
	struct dirent *folder;
	bool found = false;
	int r = -EINVAL;

	while (!found && folders && (folder = readdir(folders))) {
		_cleanup_free_ char *path = xasprintf("%s/%s/meta.json", meta, folder->d_name);
		_cleanup_(docker_context_finish) struct docker_context context = {};
		_cleanup_error_ struct error why = {};

		if (*folder->d_name == '.')
			continue;
		if (read_context(path, &context, &why) < 0) {
			free(damaged);
			damaged = xasprintf(" (%s: %s)", path, why.message);
		}
		if (!streq(context.name, name))
			continue;
		found = true;
		r = use_context(directory, folder->d_name, &context, settings, ret, error);
	}
	if (folders)
		closedir(folders);
	if (!found)
		error_set(error, "there is no docker context \"%s\" in %s%s", name, meta,
			damaged ? damaged : "");
	return r;
}

/* DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, as the docker CLI takes them. */
static bool take_tls_environment(struct endpoint *endpoint)
{
	_cleanup_free_ char *directory = docker_directory();
	const char *path = environment_get("DOCKER_CERT_PATH");
	bool verify = environment_get("DOCKER_TLS_VERIFY");

	if (verify || path)
		take_certificates(endpoint, path ? path : directory);
	/* As docker has it: who asks for verification must say whom to trust. */
	if (verify && !endpoint->tls_ca)
		endpoint->tls_ca = xasprintf("%s/ca.pem", path ? path : directory);
	return verify;
}

static int use_address(const char *url, const char *source,
	const struct endpoint_settings *settings, struct endpoint *ret, struct error *error)
{
	bool tls = take_tls_environment(ret);

	ret->tls_verify = tls || settings->tls_verify;
	ret->source = xstrdup(source);
	return take_address(url, tls || has_certificates(settings), ret, error);
}

/* The sockets that engines make, the first that is there; docker's own if none is. */
static int use_socket(struct endpoint *ret, struct error *error)
{
	static const char *const fixed[] = { DEFAULT_SOCKET, "/run/podman/podman.sock" };
	const char *runtime = environment_get("XDG_RUNTIME_DIR");
	_cleanup_strings_ struct strings paths = {};
	_cleanup_free_ char *url = NULL;

	if (runtime)
		strings_addf(&paths, "%s/docker.sock", runtime);
	strings_add(&paths, fixed[0]);
	if (runtime)
		strings_addf(&paths, "%s/podman/podman.sock", runtime);
	strings_add(&paths, fixed[1]);
	ret->source = xstrdup("the usual places");
	for (size_t i = 0; i < paths.count && !url; i++)
		if (access(paths.items[i], F_OK) == 0)
			url = xasprintf("unix://%s", paths.items[i]);
	return take_address(url ? url : "unix://" DEFAULT_SOCKET, false, ret, error);
}

static int find(
	const struct endpoint_settings *settings, struct endpoint *endpoint, struct error *error)
{
	_cleanup_free_ char *directory = docker_directory();
	_cleanup_free_ char *context = NULL;
	const char *variable = environment_get("DOCKER_HOST");
	int r;

	if (settings->option)
		return use_address(settings->option, "--host", settings, endpoint, error);
	if (*settings->host)
		return use_address(settings->host, "engine.host", settings, endpoint, error);
	if (variable)
		return use_address(variable, "DOCKER_HOST", settings, endpoint, error);
	r = find_context_name(directory, &context, error);
	if (r < 0)
		return r;
	if (context)
		return find_context(directory, context, settings, endpoint, error);
	return use_socket(endpoint, error);
}

static void override_path(char **path, const char *setting)
{
	if (!*setting)
		return;
	free(*path);
	*path = xstrdup(setting);
}

int endpoint_find(
	const struct endpoint_settings *settings, struct endpoint *ret, struct error *error)
{
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};
	_cleanup_error_ struct error why = {};
	const char *version = environment_get("DOCKER_API_VERSION");
	int r = find(settings, &endpoint, &why);

	if (r < 0) {
		error_set(error, "%s%s%s", endpoint.source ? endpoint.source : "",
			endpoint.source ? ": " : "", why.message);
		return r;
	}
	override_path(&endpoint.tls_ca, settings->tls_ca);
	override_path(&endpoint.tls_cert, settings->tls_cert);
	override_path(&endpoint.tls_key, settings->tls_key);
	if (version)
		endpoint.api_version = xstrdup(*version == 'v' ? version + 1 : version);
	*ret = TAKE_STRUCT(endpoint);
	return 0;
}

char *endpoint_warn_of_key(const struct endpoint *endpoint)
{
	bool is_used = strncmp(endpoint->base_url, "https:", 6) == 0 && endpoint->tls_key;
	struct stat st;

	if (!is_used || stat(endpoint->tls_key, &st) < 0 || !(st.st_mode & S_IROTH))
		return NULL;
	return xasprintf("anybody can read our private key: chmod 600 %s", endpoint->tls_key);
}
