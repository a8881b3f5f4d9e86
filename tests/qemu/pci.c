/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/qemu/pci.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"

#define COMMAND		   0x04
#define COMMAND_MEMORY	   0x2u
#define COMMAND_MASTER	   0x4u
#define BAR(number)	   (0x10u + 4u * (number))
#define CAPABILITIES	   0x34
#define CAPABILITY_EXPRESS 0x10u
#define CAPABILITY_MSIX	   0x11u
#define MSIX_ENABLE	   0x80000000u

static void select_register(struct vm *vm, unsigned int bus, unsigned int slot, unsigned int offset)
{
	vm_out32(vm, 0xcf8, 0x80000000u | bus << 16 | slot << 11 | offset);
}

uint32_t pci_config_read(struct vm *vm, unsigned int bus, unsigned int slot, unsigned int offset)
{
	select_register(vm, bus, slot, offset);
	return vm_in32(vm, 0xcfc);
}

void pci_config_write(struct vm *vm, unsigned int bus, unsigned int slot, unsigned int offset,
		      uint32_t value)
{
	select_register(vm, bus, slot, offset);
	vm_out32(vm, 0xcfc, value);
}

static uint32_t config(const struct pci_device *device, unsigned int offset)
{
	return pci_config_read(device->vm, device->bus, device->slot, offset);
}

static void set_config(const struct pci_device *device, unsigned int offset, uint32_t value)
{
	pci_config_write(device->vm, device->bus, device->slot, offset, value);
}

bool pci_find(struct vm *vm, unsigned int bus, unsigned int nth, struct pci_device *device)
{
	unsigned int at;

	memset(device, 0, sizeof(*device));
	device->vm = vm;
	device->bus = bus;
	for (device->slot = 0; device->slot < 32; device->slot++)
		if (config(device, 0) == (VGPU_PCI_DEVICE_ID << 16 | VGPU_PCI_VENDOR_ID) &&
		    nth-- == 0)
			break;
	if (device->slot == 32)
		return false;
	for (at = config(device, CAPABILITIES) & 0xfc; at; at = config(device, at) >> 8 & 0xfc) {
		if ((config(device, at) & 0xff) == CAPABILITY_MSIX)
			device->msix = at;
		if ((config(device, at) & 0xff) == CAPABILITY_EXPRESS)
			device->express = at;
	}
	assert_int_not_equal(device->msix, 0);
	return true;
}

void pci_place(struct pci_device *device, unsigned int nth)
{
	uint64_t bars[6] = { 0 };
	uint32_t table, pending;

	bars[0] = BAR0_ADDRESS + nth * UINT64_C(0x10000);
	bars[2] = BAR2_ADDRESS + nth * VGPU_WINDOW_SIZE_MAX;
	bars[4] = BAR4_ADDRESS + nth * UINT64_C(0x10000);
	set_config(device, BAR(0), (uint32_t)bars[0]);
	set_config(device, BAR(2), (uint32_t)bars[2]);
	set_config(device, BAR(3), (uint32_t)(bars[2] >> 32));
	set_config(device, BAR(4), (uint32_t)bars[4]);
	set_config(device, COMMAND, COMMAND_MEMORY | COMMAND_MASTER);
	table = config(device, device->msix + 4);
	pending = config(device, device->msix + 8);
	assert_int_equal(table & 7, VGPU_BAR_MSIX);
	assert_int_equal(pending & 7, VGPU_BAR_MSIX);
	device->registers = bars[0];
	device->window = bars[2];
	device->table = bars[4] + (table & ~7u);
	device->pending = bars[4] + (pending & ~7u);
}

void pci_bring_up(struct vm *vm, struct pci_device *device)
{
	assert_true(pci_find(vm, 0, 0, device));
	pci_place(device, 0);
}

uint32_t reg_read(const struct pci_device *device, unsigned int offset)
{
	return (uint32_t)vm_read(device->vm, 4, device->registers + offset);
}

void reg_write(const struct pci_device *device, unsigned int offset, uint32_t value)
{
	vm_write(device->vm, 4, device->registers + offset, value);
}

void reg_wait(const struct pci_device *device, unsigned int offset, uint32_t value)
{
	vm_wait(device->vm, device->registers + offset, value);
}

void msix_enable(const struct pci_device *device)
{
	set_config(device, device->msix, config(device, device->msix) | MSIX_ENABLE);
}

void msix_aim(const struct pci_device *device, unsigned int vector, uint64_t address, uint32_t data)
{
	uint64_t entry = device->table + 16 * vector;

	vm_write(device->vm, 4, entry, (uint32_t)address);
	vm_write(device->vm, 4, entry + 4, (uint32_t)(address >> 32));
	vm_write(device->vm, 4, entry + 8, data);
	msix_mask(device, vector, false);
}

void msix_mask(const struct pci_device *device, unsigned int vector, bool masked)
{
	vm_write(device->vm, 4, device->table + 16 * vector + 12, masked);
}

void mailbox_submit(const struct pci_device *device, const void *bytes, uint32_t length)
{
	uint8_t padded[VGPU_MAILBOX_BYTES] = { 0 };

	assert_in_range(length, 1, sizeof(padded));
	memcpy(padded, bytes, length);
	for (uint32_t at = 0; at < length; at += 4)
		reg_write(device, VGPU_REG_REQUEST_BUF + at, vgpu_load32(padded + at));
	reg_write(device, VGPU_REG_REQUEST_LEN, length);
	reg_write(device, VGPU_REG_DOORBELL, 1);
}
