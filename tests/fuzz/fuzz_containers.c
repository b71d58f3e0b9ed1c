/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's list of containers, and one of them by inspect. */
#include "fuzz_records.h"

#include "codec/records_json.h"

static void check_container(const struct container_record *record, size_t size)
{
	check(record->id);
	check(record->image_id || record->image_text);
	if (record->image_id)
		check_id(record->image_id);
	check(strlen(record->id) + (record->image_text ? strlen(record->image_text) : 0) < size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_bytes(data, size);
	_cleanup_(container_records_finish) struct container_records list = {};
	_cleanup_(container_record_finish) struct container_record one = {};
	_cleanup_error_ struct error list_error = {}, one_error = {};

	if (check_result(decode_containers(text, size, &list, &list_error), &list_error)) {
		for (size_t i = 0; i < list.count; i++)
			check_container(&list.items[i], size);
	} else {
		check(!list.items);
	}
	if (check_result(decode_container(text, size, &one, &one_error), &one_error)) {
		check_container(&one, size);
		check(one.image_id);
	} else {
		check(!one.id);
	}
	return 0;
}
