/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's lists of images, and one of them by inspect. */
#include "fuzz_records.h"

#include "codec/records_json.h"

static void check_names(const struct strings *names, bool by_digest)
{
	for (size_t i = 0; i < names->count; i++) {
		_cleanup_free_ char *again = NULL;

		check(reference_canonicalise(names->items[i], &again) == 0);
		check(streq(again, names->items[i]));
		check(reference_has_digest(again) == by_digest);
		for (size_t n = 0; n < i; n++)
			check(!streq(names->items[n], names->items[i]));
	}
}

/* All that was copied of an answer is in it, but for the defaults that names get. */
static size_t length_of(const struct image_record *record)
{
	size_t length = 0;

	for (size_t i = 0; i < record->labels.count; i++)
		length += strlen(record->labels.items[i].key);
	for (size_t i = 0; i < record->layers.count; i++)
		length += strlen(record->layers.items[i]);
	return length;
}

static void check_image(const struct image_record *record, size_t size)
{
	check_id(record->id);
	if (record->parent)
		check_id(record->parent);
	check_names(&record->references, false);
	check_names(&record->digests, true);
	check(record->has_size ? record->size < INT64_MAX : record->size == 0);
	for (size_t i = 0; i < record->labels.count; i++)
		check(record->labels.items[i].key && record->labels.items[i].value);
	check(length_of(record) < size);
}

static void check_list(const struct image_records *records, size_t size)
{
	for (size_t i = 0; i < records->count; i++) {
		const struct image_record *record = &records->items[i];

		check_image(record, size);
		check(!record->has_layers && record->layers.count == 0 && record->created >= 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_bytes(data, size);
	_cleanup_(image_records_finish) struct image_records images = {}, sizes = {};
	_cleanup_(image_record_finish) struct image_record image = {};
	_cleanup_error_ struct error images_error = {}, sizes_error = {}, image_error = {};

	if (check_result(decode_images(text, size, &images, &images_error), &images_error))
		check_list(&images, size);
	else
		check(!images.items);
	if (check_result(decode_image_sizes(text, size, &sizes, &sizes_error), &sizes_error))
		check_list(&sizes, size);
	else
		check(!sizes.items);
	if (check_result(decode_image(text, size, &image, &image_error), &image_error)) {
		check_image(&image, size);
		check(image.has_layers);
	} else {
		check(!image.id);
	}
	return 0;
}
