/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/docker_config.h"

#include <errno.h>

#include "codec/json.h"

int decode_docker_config(const char *data, size_t length, char **ret_context, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	const char *context;
	int r = json_read(data, length, json_type_object, &object, error);

	if (r < 0)
		return r;
	context = json_text(object, "currentContext");
	*ret_context = context && *context ? xstrdup(context) : NULL;
	return 0;
}

void docker_context_finish(struct docker_context *context)
{
	free(context->name);
	free(context->host);
	*context = (struct docker_context){};
}

int decode_docker_context(
	const char *data, size_t length, struct docker_context *ret, struct error *error)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct json_object *endpoint, *skip;
	const char *name, *host;
	int r = json_read(data, length, json_type_object, &object, error);

	if (r < 0)
		return r;
	name = json_text(object, "Name");
	if (!name) {
		error_set(error, "Name is missing");
		return -EBADMSG;
	}
	endpoint = json_member(object, "Endpoints", json_type_object);
	endpoint = json_member(endpoint, "docker", json_type_object);
	host = json_text(endpoint, "Host");
	skip = json_member(endpoint, "SkipTLSVerify", json_type_boolean);
	*ret = (struct docker_context){
		.name = xstrdup(name),
		.host = host && *host ? xstrdup(host) : NULL,
		.skip_tls_verify = skip && json_object_get_boolean(skip),
	};
	return 0;
}
