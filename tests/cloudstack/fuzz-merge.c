/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CloudStack's own script said, with seats put into it, and the seats' file: up to the first
 * zero byte the one, behind it the other. No seat that needs no card of the host's is lost.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloudstack-plugin/merge.h"
#include "cloudstack-plugin/pci.h"

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
	struct vgpu_domain_pci pci;

	for (size_t i = 0; i < seats->count; i++)
		wanted += seats->list[i].present && !pci_read(seats->list[i].pci_address, &pci);
	json_array_foreach (json_object_get(result, "gpus"), index, card) {
		json_array_foreach (json_object_get(card, "vgpu_instances"), n, one)
			there += json_object_get(one, "mdev_uuid") != NULL;
	}
	if (there < wanted)
		abort();
}

static void merge(const char *text, size_t length, const char *file, size_t file_length)
{
	json_t *running = json_pack("{s:s, s:s}", "0000:41:00.0", "i-2-3-VM",
				    "aaaaaaaa-0000-4000-8000-000000000001", "i-2-4-VM");
	json_t *result = merge_read(text, length), *gpus;
	struct seats seats;

	if (!result)
		result = json_pack("{s:[]}", "gpus");
	gpus = json_object_get(result, "gpus");
	if (merge_update_users(gpus, running) != 0)
		abort();
	if (seats_parse(&seats, file, file_length, NULL) == 0) {
		if (merge_missing_cards(gpus, &seats, "/dev/null") == 0 &&
		    merge_seats(gpus, &seats, running) == 0)
			check(result, &seats);
		seats_clear(&seats);
	}
	json_decref(result);
	json_decref(running);
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
