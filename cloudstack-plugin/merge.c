/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/merge.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloudstack-plugin/pci.h"
#include "common/cleanup.h"
#include "common/json_auto.h"
#include "common/uuid.h"

#define PROFILE_PREFIX "vgpu-"
#define MIB	       (UINT64_C(1) << 20)

/* Software has no address: one that no hardware has stands for it. */
static struct vgpu_domain_pci pci_of(const struct seat *seat)
{
	struct vgpu_domain_pci pci;

	if (pci_read(seat->pci_address, &pci))
		return pci;
	return (struct vgpu_domain_pci){ .domain = 0xffff, .bus = 0xff, .slot = seat->gpu_index };
}

static json_t *hex(unsigned int number, int digits)
{
	return json_sprintf("0x%0*x", digits, number);
}

static json_t *libvirt_address(const struct vgpu_domain_pci *pci)
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

/* What seats of one profile on one GPU have in common; freed with free(). NULL: no memory. */
static char *kind_of(const struct seat *seat)
{
	char *kind = NULL;

	return asprintf(&kind, "%s\n%s", seat->profile, seat->gpu_id) < 0 ? NULL : kind;
}

/* How many seats there are of each kind; NULL: no memory. */
static json_t *count_kinds(const struct seats *seats)
{
	VGPU_AUTO_JSON json_t *kinds = json_object();

	for (size_t i = 0; i < seats->count; i++) {
		VGPU_AUTO_FREE char *kind = kind_of(&seats->list[i]);
		json_int_t count = kind ? json_integer_value(json_object_get(kinds, kind)) : 0;

		if (!kind || json_object_set_new(kinds, kind, json_integer(count + 1)) < 0)
			return NULL;
	}
	return vgpu_steal_pointer(&kinds);
}

static json_t *used_by(const struct seat *seat, const char *uuid, const json_t *running)
{
	const char *name =
		running ? json_string_value(json_object_get(running, uuid)) : seat->vm_name;

	return name ? json_string(name) : json_null();
}

static json_t *seat_to_json(const json_t *kinds, const struct seat *seat, const json_t *running)
{
	VGPU_AUTO_FREE char *kind = kind_of(seat);
	const struct vgpu_domain_pci pci = pci_of(seat);
	char uuid[VGPU_UUID_TEXT];

	if (!kind)
		return NULL;
	vgpu_uuid_format(seat->uuid, uuid);
	return json_pack("{s:s, s:o, s:O, s:o, s:n, s:n, s:n, s:o, s:o}", "mdev_uuid", uuid,
			 "profile_name", json_sprintf(PROFILE_PREFIX "%s", seat->profile),
			 "max_instances", json_object_get(kinds, kind), "video_ram",
			 mebibytes(seat->memory_bytes), "max_heads", "max_resolution_x",
			 "max_resolution_y", "libvirt_address", libvirt_address(&pci), "used_by_vm",
			 used_by(seat, uuid, running));
}

static json_t *find_card(json_t *gpus, const struct vgpu_domain_pci *wanted)
{
	json_t *gpu;
	size_t index;

	json_array_foreach (gpus, index, gpu) {
		const char *address = json_string_value(json_object_get(gpu, "pci_address"));
		struct vgpu_domain_pci pci;

		if (address && pci_read(address, &pci) && memcmp(&pci, wanted, sizeof(pci)) == 0)
			return gpu;
	}
	return NULL;
}

/* A card that is none: the kernel knows nothing of it. */
static json_t *software_card(const struct vgpu_domain_pci *pci)
{
	char address[PCI_TEXT];

	pci_format(pci, address);
	return json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n,"
			 " s:n, s:n}",
			 "pci_address", address, "vendor_id", "0000", "device_id", "0000", "vendor",
			 "vgpu-toolkit", "device", "driver", "pci_class", "iommu_group", "pci_root",
			 "numa_node", "sriov_totalvfs", "max_instances", "video_ram", "max_heads",
			 "max_resolution_x", "max_resolution_y");
}

int merge_missing_cards(json_t *gpus, const struct seats *seats, const char *sysfs)
{
	for (size_t i = 0; i < seats->count; i++) {
		const struct seat *seat = &seats->list[i];
		struct vgpu_domain_pci pci = pci_of(seat), hardware;
		json_t *card;

		if (!seat->present || find_card(gpus, &pci))
			continue;
		card = pci_read(seat->pci_address, &hardware) ? pci_card(sysfs, &pci)
							      : software_card(&pci);
		/* One that the kernel does not know is gone. */
		if (!card)
			continue;
		if (json_object_set_new(card, "device",
					json_string(*seat->gpu_name ? seat->gpu_name : "GPU")) <
			    0 ||
		    json_object_set_new(card, "video_ram", mebibytes(seat->gpu_memory_bytes)) < 0) {
			json_decref(card);
			return -1;
		}
		if (json_array_append_new(gpus, card) < 0)
			return -1;
	}
	return 0;
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
static int close_card(json_t *card, const struct vgpu_domain_pci *pci)
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

/* Who has the device under `key`, as libvirt says. */
static int update_user(json_t *device, const char *key, const json_t *running)
{
	const char *name = json_string_value(json_object_get(running, key));

	return json_object_set_new(device, "used_by_vm", name ? json_string(name) : json_null());
}

static unsigned int part_of(const json_t *address, const char *name)
{
	const char *text = json_string_value(json_object_get(address, name));
	unsigned int part;

	return text && sscanf(text, "%x", &part) == 1 ? part : UINT_MAX;
}

/* The same, of a device that has a libvirt_address. */
static int update_addressed(json_t *device, const json_t *running)
{
	const json_t *address = json_object_get(device, "libvirt_address");
	const struct vgpu_domain_pci pci = {
		.domain = part_of(address, "domain"),
		.bus = part_of(address, "bus"),
		.slot = part_of(address, "slot"),
		.function = part_of(address, "function"),
	};
	char key[PCI_TEXT];

	if (!json_is_object(device) || pci.domain > 0xffff || pci.bus > 0xff || pci.slot > 0x1f ||
	    pci.function > 7)
		return 0;
	pci_format(&pci, key);
	return update_user(device, key, running);
}

static int update_card(json_t *card, const json_t *running)
{
	json_t *passthrough = json_object_get(card, "full_passthrough"), *device;
	const char *address = json_string_value(json_object_get(card, "pci_address"));
	struct vgpu_domain_pci pci;
	char key[PCI_TEXT];
	size_t index;
	int status = 0;

	if (json_is_object(passthrough) && address && pci_read(address, &pci)) {
		pci_format(&pci, key);
		status |= update_user(passthrough, key, running);
	}
	json_array_foreach (json_object_get(card, "vf_instances"), index, device)
		status |= update_addressed(device, running);
	json_array_foreach (json_object_get(card, "vgpu_instances"), index, device) {
		const char *uuid = json_string_value(json_object_get(device, "mdev_uuid"));

		if (uuid)
			status |= update_user(device, uuid, running);
		else
			status |= update_addressed(device, running);
	}
	return status;
}

int merge_update_users(json_t *gpus, const json_t *running)
{
	json_t *card;
	size_t index;
	int status = 0;

	json_array_foreach (gpus, index, card)
		status |= update_card(card, running);
	return status;
}

int merge_seats(json_t *gpus, const struct seats *seats, const json_t *running)
{
	VGPU_AUTO_JSON json_t *kinds = count_kinds(seats);

	if (!kinds)
		return -1;
	for (size_t i = 0; i < seats->count; i++) {
		const struct seat *seat = &seats->list[i];
		const struct vgpu_domain_pci pci = pci_of(seat);
		json_t *card = seat->present ? find_card(gpus, &pci) : NULL;

		if (!card)
			continue;
		if (close_card(card, &pci) < 0 || !array_of(card, "vf_instances") ||
		    json_array_append_new(array_of(card, "vgpu_instances"),
					  seat_to_json(kinds, seat, running)) < 0)
			return -1;
	}
	return 0;
}
