/* SPDX-License-Identifier: Apache-2.0 */
/* The docker CLI's files. */
#include "fuzz_records.h"

#include "codec/docker_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_bytes(data, size), *name = NULL;
	_cleanup_(docker_context_finish) struct docker_context context = {};
	_cleanup_error_ struct error error = {}, context_error = {};

	check_result(decode_docker_config(text, size, &name, &error), &error);
	check(!name || (*name && strlen(name) < size));
	if (!check_result(
		    decode_docker_context(text, size, &context, &context_error), &context_error)) {
		check(!context.name && !context.host);
		return 0;
	}
	check(context.name);
	check(!context.host || *context.host);
	check(!context.skip_tls_verify || size > strlen("SkipTLSVerify"));
	return 0;
}
