/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CloudStack's own script said, with seats put into it, and the seats' file: up to the first
 * zero byte the one, behind it the other. What comes out is CloudStack's form for every card that
 * has seats.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloudstack-plugin/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char some_seats[] =
	"{\"format\":1,\"link_dir\":\"/l\",\"seats\":[{\"uuid\":"
	"\"aaaaaaaa-0000-4000-8000-000000000001\",\"profile\":\"gold\",\"present\":true,"
	"\"gpu\":{\"id\":\"a\",\"pci_address\":\"00000000:41:00.0\"}},{\"uuid\":"
	"\"aaaaaaaa-0000-4000-8000-000000000002\",\"profile\":\"gold\",\"present\":true,"
	"\"gpu\":{\"id\":\"b\"},\"vm\":{\"name\":\"i-2-1-VM\"}}]}";

static void check(json_t *result, const struct seats *seats)
{
	size_t there = 0, wanted = 0, index, n;
	const json_t *card, *one;

	for (size_t i = 0; i < seats->count; i++)
		wanted += seats->list[i].present;
	json_array_foreach (json_object_get(result, "gpus"), index, card) {
		json_array_foreach (json_object_get(card, "vgpu_instances"), n, one)
			there += json_object_get(one, "mdev_uuid") != NULL;
	}
	if (there < wanted)
		abort();
}

static void merge(const char *text, size_t length, const char *file, size_t file_length)
{
	json_t *result = merge_read(text, length);
	struct seats seats;

	if (!result)
		result = json_pack("{s:[]}", "gpus");
	if (seats_parse(&seats, file, file_length, NULL) == 0) {
		if (merge_seats(json_object_get(result, "gpus"), &seats, NULL) == 0)
			check(result, &seats);
		seats_clear(&seats);
	}
	json_decref(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *zero = size ? memchr(data, 0, size) : NULL;

	if (zero)
		merge(text, (size_t)(zero - text), zero + 1, size - (size_t)(zero - text) - 1);
	else
		merge(text, size, some_seats, strlen(some_seats));
	return 0;
}
