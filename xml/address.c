/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/address.h"

#include <errno.h>
#include <string.h>

#include "xml/tree.h"

/*
 * Libvirt's allocator, both when a domain is defined and when a device is plugged in, takes the
 * lowest slot without any function; further functions of a slot only for root ports, in slots that
 * it began for them. The chipset's slot it keeps, with the functions that have a fixed meaning.
 *
 * pc (i440fx): every slot of pci.0 from 3 upward is handed out sooner or later, by plugging in too.
 * So the vGPU is a function of PIIX3's slot 1, of which the chipset has 0 to 3. Slot 2 is kept for
 * the first display. The slots from the top are for a domain that has even those functions taken.
 *
 * q35: on pcie.0 libvirt puts only root ports (eight to a slot, from slot 1 or 2 upward) and
 * chipset devices, the latter where real hardware has them: 1f LPC, SATA and SMBus, 1e
 * dmi-to-pci-bridge, 1d and 1a USB 2, 1b sound. Those stay free for it. What is plugged in goes
 * behind root ports. So the vGPU has a high slot, which to the guest is an IOMMU group of its own,
 * and shares the chipset's only where every slot is taken.
 */
static const struct address pc_addresses[] = {
	{ 0x01, 7 }, { 0x01, 6 }, { 0x01, 5 }, { 0x01, 4 }, { 0x1f, 0 }, { 0x1e, 0 }, { 0x1d, 0 },
	{ 0x1c, 0 }, { 0x1b, 0 }, { 0x1a, 0 }, { 0x19, 0 }, { 0x18, 0 }, { -1, 0 },
};
static const struct address q35_addresses[] = {
	{ 0x1c, 0 }, { 0x19, 0 }, { 0x18, 0 }, { 0x17, 0 }, { 0x16, 0 }, { 0x15, 0 },
	{ 0x14, 0 }, { 0x13, 0 }, { 0x12, 0 }, { 0x11, 0 }, { 0x10, 0 }, { 0x0f, 0 },
	{ 0x0e, 0 }, { 0x0d, 0 }, { 0x0c, 0 }, { 0x0b, 0 }, { 0x0a, 0 }, { 0x09, 0 },
	{ 0x08, 0 }, { 0x07, 0 }, { 0x06, 0 }, { 0x05, 0 }, { 0x04, 0 }, { 0x03, 0 },
	{ 0x02, 0 }, { 0x1f, 7 }, { 0x1f, 6 }, { 0x1f, 5 }, { 0x1f, 4 }, { -1, 0 },
};

/* What the machine type brings along, whether the document says so or not. */
static const struct addresses pc_chipset = {
	.used = { [0x00] = 0xff, [0x01] = 0x0f, [0x02] = 0xff }
};
static const struct addresses q35_chipset = { .used = { [0x00] = 0xff, [0x1f] = 0x0f } };

static int chipset_slot(const struct machine *machine)
{
	return machine->q35 ? 0x1f : 0x01;
}

/* A function that cannot be read is 0: libvirt or QEMU will refuse it. */
static void take(struct addresses *addresses, long slot, long function)
{
	if (slot >= 0 && slot < ADDRESS_SLOTS)
		addresses->used[slot] |=
			(uint8_t)(1u << (function >= 0 && function < 8 ? function : 0));
}

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

static int add_address(const xmlNode *address, struct addresses *addresses, struct vgpu_error **err)
{
	TREE_AUTO_STRING xmlChar *type = NULL;
	long domain, bus, slot, function;

	if (tree_attribute(address, "type", &type, err) < 0 ||
	    read_number(address, "domain", 0, &domain, err) < 0 ||
	    read_number(address, "bus", 0, &bus, err) < 0 ||
	    read_number(address, "slot", 0, &slot, err) < 0 ||
	    read_number(address, "function", 0, &function, err) < 0)
		return -1;
	if (type && strcmp((const char *)type, "pci") == 0 && domain == 0 && bus == 0)
		take(addresses, slot, function);
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
		 const struct commandline *commandline, struct addresses *addresses,
		 struct vgpu_error **err)
{
	const xmlNode *devices = tree_child(domain->root, NULL, "devices");

	*addresses = machine->q35 ? q35_chipset : pc_chipset;
	addresses->machine = machine;
	for (; devices; devices = tree_next(devices, NULL, "devices"))
		for (const xmlNode *device = devices->children; device; device = device->next) {
			/* Only a direct child: <source><address> is a device of the host. */
			const xmlNode *address = device->type == XML_ELEMENT_NODE
							 ? tree_child(device, NULL, "address")
							 : NULL;

			if (address && add_address(address, addresses, err) < 0)
				return -1;
		}
	for (size_t i = 0; i < commandline->count; i++) {
		const struct commandline_device *device = &commandline->devices[i];

		if (device != commandline->vgpu && on_root_bus(&device->option, machine->bus))
			take(addresses, device->option.slot, device->option.function);
	}
	return 0;
}

bool address_fits(const struct addresses *addresses, const struct address *address)
{
	uint8_t used = addresses->used[address->slot];

	/* QEMU allows a function beside others only where function 0 is made for that. */
	if (address->slot == chipset_slot(addresses->machine))
		return !(used >> address->function & 1);
	return used == 0 && address->function == 0;
}

int address_choose(const struct addresses *addresses, struct address *address,
		   struct vgpu_error **err)
{
	const struct address *candidate = addresses->machine->q35 ? q35_addresses : pc_addresses;

	for (; candidate->slot >= 0; candidate++)
		if (address_fits(addresses, candidate)) {
			*address = *candidate;
			return 0;
		}
	return vgpu_error_set(err, EINVAL,
			      "no free address for the vGPU on %s: move a device to another bus",
			      addresses->machine->bus);
}
