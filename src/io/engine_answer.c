/* SPDX-License-Identifier: Apache-2.0 */
#include "io/engine_answer.h"

#include <errno.h>

#include "io/log.h"

void engine_answer_finish(struct engine_answer *answer)
{
	image_records_finish(&answer->images);
	image_record_finish(&answer->image);
	history_finish(&answer->history);
	container_records_finish(&answer->containers);
	container_record_finish(&answer->container);
	build_cache_finish(&answer->build_cache);
	removal_finish(&answer->removal);
}

int engine_answer_read_images(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	return decode_images(body, length, &answer->images, error);
}

int engine_answer_read_image(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	return decode_image(body, length, &answer->image, error);
}

int engine_answer_read_history(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	return decode_history(body, length, &answer->history, error);
}

int engine_answer_read_containers(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	return decode_containers(body, length, &answer->containers, error);
}

int engine_answer_read_container(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	return decode_container(body, length, &answer->container, error);
}

int engine_answer_read_usage(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	return decode_usage(body, length, &answer->usage, error);
}

/* What is wrong with the cache does not concern the images. */
static void decode_cache(const char *body, size_t length, struct engine_answer *answer)
{
	_cleanup_error_ struct error why = {};

	if (decode_build_cache(body, length, &answer->build_cache, &why) < 0)
		log_debug("build cache: %s", why.message);
}

int engine_answer_read_usage_and_cache(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	decode_cache(body, length, answer);
	return decode_usage(body, length, &answer->usage, error);
}

int engine_answer_read_usage_beside_cache(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	decode_cache(body, length, answer);
	return decode_usage_beside_cache(body, length, &answer->usage, error);
}

int engine_answer_read_pruned(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	return decode_pruned(body, length, &answer->pruned, error);
}

int engine_answer_read_removal(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	return decode_removal(body, length, &answer->removal, error);
}

int engine_answer_read_podman_removal(
	const char *body, size_t length, struct engine_answer *answer, struct error *error)
{
	int r = decode_podman_removal(body, length, &answer->removal, error);

	return r <= 0                   ? r
		: r == PODMAN_NOT_FOUND ? (int)ENGINE_NOT_FOUND
		: r == PODMAN_IN_USE    ? (int)ENGINE_CONFLICT
					: -EREMOTEIO;
}

void engine_answer_read_sizes(const char *body, size_t length, struct engine_answer *answer)
{
	_cleanup_error_ struct error why = {};

	if (decode_image_sizes(body, length, &answer->images, &why) < 0)
		log_debug("sizes of images: %s", why.message);
}
