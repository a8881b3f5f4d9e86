/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/merge.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/uuid.h"

#define PROFILE_PREFIX "vgpu-"
#define MIB	       (UINT64_C(1) << 20)

struct pci {
	unsigned int domain, bus, slot, function;
};

/* Reads "0000:41:00.0", with more zeros in front, or without the domain. */
static bool read_pci(const char *text, struct pci *pci)
{
	char end;

	if (sscanf(text, "%8x:%2x:%2x.%1x%c", &pci->domain, &pci->bus, &pci->slot, &pci->function,
		   &end) == 4)
		return true;
	pci->domain = 0;
	return sscanf(text, "%2x:%2x.%1x%c", &pci->bus, &pci->slot, &pci->function, &end) == 3;
}

/* Software has no address: one that no hardware has stands for it. */
static struct pci pci_of(const struct seat *seat)
{
	struct pci pci;

	if (read_pci(seat->pci_address, &pci))
		return pci;
	return (struct pci){ .domain = 0xffff, .bus = 0xff, .slot = seat->gpu_index };
}

static json_t *hex(unsigned int number, int digits)
{
	return json_sprintf("0x%0*x", digits, number);
}

static json_t *libvirt_address(const struct pci *pci)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "domain", hex(pci->domain, 4), "bus",
			 hex(pci->bus, 2), "slot", hex(pci->slot, 2), "function",
			 hex(pci->function, 1));
}

/* CloudStack counts in MiB; null for what is not known. */
static json_t *mebibytes(uint64_t bytes)
{
	return bytes ? json_integer((json_int_t)(bytes / MIB)) : json_null();
}

static size_t count_alike(const struct seats *seats, const struct seat *seat)
{
	size_t count = 0;

	for (size_t i = 0; i < seats->count; i++)
		count += strcmp(seats->list[i].profile, seat->profile) == 0 &&
			 strcmp(seats->list[i].gpu_id, seat->gpu_id) == 0;
	return count;
}

static json_t *used_by(const struct seat *seat, const char *uuid, const json_t *running)
{
	const char *name =
		running ? json_string_value(json_object_get(running, uuid)) : seat->vm_name;

	return name ? json_string(name) : json_null();
}

static json_t *seat_to_json(const struct seats *seats, const struct seat *seat,
			    const json_t *running)
{
	const struct pci pci = pci_of(seat);
	char uuid[VGPU_UUID_TEXT];

	vgpu_uuid_format(seat->uuid, uuid);
	return json_pack("{s:s, s:o, s:I, s:o, s:n, s:n, s:n, s:o, s:o}", "mdev_uuid", uuid,
			 "profile_name", json_sprintf(PROFILE_PREFIX "%s", seat->profile),
			 "max_instances", (json_int_t)count_alike(seats, seat), "video_ram",
			 mebibytes(seat->memory_bytes), "max_heads", "max_resolution_x",
			 "max_resolution_y", "libvirt_address", libvirt_address(&pci), "used_by_vm",
			 used_by(seat, uuid, running));
}

static json_t *find_card(json_t *gpus, const struct pci *wanted)
{
	json_t *gpu;
	size_t index;

	json_array_foreach (gpus, index, gpu) {
		const char *address = json_string_value(json_object_get(gpu, "pci_address"));
		struct pci pci;

		if (address && read_pci(address, &pci) && memcmp(&pci, wanted, sizeof(pci)) == 0)
			return gpu;
	}
	return NULL;
}

/* A card that the original did not name. NVIDIA's vendor id is all that is known of the ids. */
static json_t *add_card(json_t *gpus, const struct seat *seat, const struct pci *pci)
{
	json_t *card = json_pack(
		"{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:n, s:n, s:n, s:n, s:o,"
		" s:n, s:n, s:n}",
		"pci_address",
		json_sprintf("%04x:%02x:%02x.%x", pci->domain, pci->bus, pci->slot, pci->function),
		"vendor_id", "10de", "device_id", "0000", "vendor", "NVIDIA Corporation", "device",
		*seat->gpu_name ? seat->gpu_name : "GPU", "driver", "nvidia", "pci_class", "0302",
		"iommu_group", "pci_root", "numa_node", "sriov_totalvfs", "max_instances",
		"video_ram", mebibytes(seat->gpu_memory_bytes), "max_heads", "max_resolution_x",
		"max_resolution_y");

	return json_array_append_new(gpus, card) < 0 ? NULL : card;
}

/* The member of that name, an array: made where there is none. NULL: no memory. */
static json_t *array_of(json_t *card, const char *name)
{
	json_t *array = json_object_get(card, name);

	if (json_is_array(array))
		return array;
	array = json_array();
	return json_object_set_new(card, name, array) < 0 ? NULL : array;
}

/* A card of ours is not for passing through; who has it still has it. */
static int close_card(json_t *card, const struct pci *pci)
{
	json_t *passthrough = json_object_get(card, "full_passthrough");

	if (!json_is_object(passthrough)) {
		passthrough = json_pack("{s:o, s:n}", "libvirt_address", libvirt_address(pci),
					"used_by_vm");
		if (json_object_set_new(card, "full_passthrough", passthrough) < 0)
			return -1;
	}
	return json_object_set_new(passthrough, "enabled", json_integer(0));
}

json_t *merge_read(const char *text, size_t length)
{
	json_t *json = json_loadb(text, length, 0, NULL);
	const json_t *gpus = json_object_get(json, "gpus"), *gpu;
	bool good = json_is_array(gpus);
	size_t index;

	json_array_foreach (gpus, index, gpu)
		good = good && json_is_object(gpu);
	if (good)
		return json;
	json_decref(json);
	return NULL;
}

int merge_seats(json_t *gpus, const struct seats *seats, const json_t *running)
{
	for (size_t i = 0; i < seats->count; i++) {
		const struct seat *seat = &seats->list[i];
		const struct pci pci = pci_of(seat);
		json_t *card;

		if (!seat->present)
			continue;
		card = find_card(gpus, &pci);
		if (!card)
			card = add_card(gpus, seat, &pci);
		if (!card || close_card(card, &pci) < 0 || !array_of(card, "vf_instances") ||
		    json_array_append_new(array_of(card, "vgpu_instances"),
					  seat_to_json(seats, seat, running)) < 0)
			return -1;
	}
	return 0;
}
