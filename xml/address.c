/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/address.h"

#include <errno.h>
#include <string.h>

#include "xml/tree.h"

/*
 * Libvirt's allocator takes the lowest free slot, both when a domain is defined and when a device
 * is plugged in, so the vGPU goes to the top.
 *
 * pc (i440fx): slots 0 and 1 are the host bridge and PIIX3, 2 is kept for the first display; all
 * else is allocated from 3 upward.
 *
 * q35: on pcie.0 libvirt puts only root ports (eight to a slot, from slot 1 or 2 upward) and
 * chipset devices, the latter where real hardware has them: 1f LPC, SATA and SMBus, 1e
 * dmi-to-pci-bridge, 1d and 1a USB 2, 1b sound. Those stay free for it. Devices that are plugged
 * in go behind root ports, never to pcie.0.
 */
static const signed char pc_slots[] = { 0x1f, 0x1e, 0x1d, 0x1c, 0x1b, 0x1a, 0x19, 0x18, 0x17, 0x16,
					0x15, 0x14, 0x13, 0x12, 0x11, 0x10, 0x0f, 0x0e, 0x0d, 0x0c,
					0x0b, 0x0a, 0x09, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, -1 };
static const signed char q35_slots[] = { 0x1c, 0x19, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12,
					 0x11, 0x10, 0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09,
					 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, -1 };

/* What the machine type brings along, whether the document says so or not. */
#define PC_CHIPSET  (1u << 0x00 | 1u << 0x01 | 1u << 0x02)
#define Q35_CHIPSET (1u << 0x00 | 1u << 0x1f)

/*
 * A number as libvirt reads it: decimal, 0x or 0 in front. Returns 0; the value is `absent` where
 * the attribute lacks and -1 where it is no number, which libvirt will refuse.
 */
static int read_number(const xmlNode *address, const char *name, long absent, long *number,
		       struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *value = NULL;
	char *end;

	*number = absent;
	if (tree_attribute(address, name, &value, err) < 0)
		return -1;
	if (!value)
		return 0;
	errno = 0;
	*number = strtol((const char *)value, &end, 0);
	if (errno || end == (const char *)value || *end || *number < 0)
		*number = -1;
	return 0;
}

static int add_address(const xmlNode *address, uint32_t *used, struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *type = NULL;
	long domain, bus, slot;

	if (tree_attribute(address, "type", &type, err) < 0 ||
	    read_number(address, "domain", 0, &domain, err) < 0 ||
	    read_number(address, "bus", 0, &bus, err) < 0 ||
	    read_number(address, "slot", 0, &slot, err) < 0)
		return -1;
	if (type && strcmp((const char *)type, "pci") == 0 && domain == 0 && bus == 0 &&
	    slot >= 0 && slot < 32)
		*used |= UINT32_C(1) << slot;
	return 0;
}

/* Whether -device goes to the root bus, by its name, its path, or because nothing is said. */
static bool on_root_bus(const struct device_option *option, const char *root)
{
	const char *bus = option->bus;
	const char *last = bus ? strrchr(bus, '/') : NULL;

	return !bus || strcmp(last ? last + 1 : bus, root) == 0;
}

int address_used(const struct vgpu_domain *domain, const struct machine *machine,
		 const struct commandline *commandline, uint32_t *used, struct vgpu_error **err)
{
	const xmlNode *devices = tree_child(domain->root, NULL, "devices");

	*used = machine->q35 ? Q35_CHIPSET : PC_CHIPSET;
	for (; devices; devices = tree_next(devices, NULL, "devices"))
		for (const xmlNode *device = devices->children; device; device = device->next) {
			/* Only a direct child: <source><address> is a device of the host. */
			const xmlNode *address = device->type == XML_ELEMENT_NODE
							 ? tree_child(device, NULL, "address")
							 : NULL;

			if (address && add_address(address, used, err) < 0)
				return -1;
		}
	for (size_t i = 0; i < commandline->count; i++) {
		const struct commandline_device *device = &commandline->devices[i];

		if (device != commandline->vgpu && device->option.slot >= 0 &&
		    on_root_bus(&device->option, machine->bus))
			*used |= UINT32_C(1) << device->option.slot;
	}
	return 0;
}

int address_choose(const struct machine *machine, uint32_t used, struct vgpu_error **err)
{
	const signed char *slots = machine->q35 ? q35_slots : pc_slots;

	for (size_t i = 0; slots[i] >= 0; i++)
		if (!(used >> slots[i] & 1))
			return slots[i];
	return vgpu_error_set(err, EINVAL,
			      "no free slot for the vGPU on %s: move a device to another bus",
			      machine->bus);
}
