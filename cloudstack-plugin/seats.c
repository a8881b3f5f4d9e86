/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/seats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/uuid.h"
#include "xml/file.h"

#define FORMAT 1

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	return number > 0 ? (uint64_t)number : 0;
}

static int read_seat(const json_t *json, struct seat *seat, struct vgpu_error **err)
{
	const json_t *gpu = json_object_get(json, "gpu");

	*seat = (struct seat){
		.profile = text_of(json, "profile"),
		.memory_bytes = number_of(json, "memory_bytes"),
		.present = json_is_true(json_object_get(json, "present")),
		.gpu_id = text_of(gpu, "id"),
		.gpu_name = text_of(gpu, "name"),
		.pci_address = text_of(gpu, "pci_address"),
		.gpu_memory_bytes = number_of(gpu, "memory_bytes"),
		.gpu_index = (uint32_t)number_of(gpu, "index"),
		.vm_name = json_string_value(json_object_get(json_object_get(json, "vm"), "name")),
	};
	if (vgpu_uuid_parse(text_of(json, "uuid"), seat->uuid) < 0 || !*seat->profile ||
	    !*seat->gpu_id)
		return vgpu_error_set(err, EINVAL, "a seat without uuid, profile or GPU");
	return 0;
}

static int read_file(struct seats *seats, const char *text, size_t length, struct vgpu_error **err)
{
	json_error_t problem;
	json_t *list, *json;
	size_t index;

	seats->file = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
	if (!seats->file)
		return vgpu_error_set(err, EINVAL, "no JSON: line %d: %s", problem.line,
				      problem.text);
	list = json_object_get(seats->file, "seats");
	seats->link_dir = text_of(seats->file, "link_dir");
	if (number_of(seats->file, "format") != FORMAT || !json_is_array(list) ||
	    seats->link_dir[0] != '/')
		return vgpu_error_set(err, EINVAL, "no list of seats of format %d", FORMAT);
	seats->list = calloc(json_array_size(list) + 1, sizeof(*seats->list));
	if (!seats->list)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	json_array_foreach (list, index, json)
		if (read_seat(json, &seats->list[seats->count++], err) < 0)
			return -1;
	return 0;
}

int seats_parse(struct seats *seats, const char *text, size_t length, struct vgpu_error **err)
{
	*seats = (struct seats){ .count = 0 };
	if (read_file(seats, text, length, err) == 0)
		return 0;
	seats_clear(seats);
	return -1;
}

int seats_load(struct seats *seats, const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *text = NULL;
	size_t length;

	*seats = (struct seats){ .count = 0 };
	if (file_read_path(path, SEATS_BYTES_MAX, &text, &length, err) < 0)
		return -1;
	if (seats_parse(seats, text, length, err) == 0)
		return 0;
	vgpu_error_prefix(err, "%s", path);
	return -1;
}

void seats_clear(struct seats *seats)
{
	json_decref(seats->file);
	free(seats->list);
	*seats = (struct seats){ .count = 0 };
}

const struct seat *seats_find(const struct seats *seats, const uint8_t uuid[16])
{
	for (size_t i = 0; i < seats->count; i++)
		if (memcmp(seats->list[i].uuid, uuid, sizeof(seats->list[i].uuid)) == 0)
			return &seats->list[i];
	return NULL;
}
