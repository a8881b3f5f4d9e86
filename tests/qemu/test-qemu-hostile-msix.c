/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest aims the device's MSI-X message at the device itself. QEMU must stay responsive, and the
 * device must work again once the guest is reasonable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/qemu/pci.h"

#define MESSAGE	   UINT64_C(0x200000)
#define ECAM	   UINT64_C(0xb0000000)
#define PCIEXBAR   0x60 /* q35's host bridge: where the configuration space is in memory */
#define DEVCTL	   8	/* in the PCI Express capability */
#define DEVCTL_FLR 0x8000u

static const char *const arguments[] = { "-machine", "q35", "-device", "vgpu,link=@LINK@", NULL };

static void start(struct vm *vm, struct pci_device *device)
{
	vm_prepare(vm);
	vm_start(vm, arguments);
	pci_bring_up(vm, device);
	msix_enable(device);
}

/* Without a mediator every doorbell completes at once with an error, and interrupts. */
static void still_works(struct vm *vm, struct pci_device *device)
{
	pci_place(device, 0);
	msix_enable(device);
	vm_write(vm, 4, MESSAGE, 0);
	msix_aim(device, VGPU_MSIX_MAILBOX, MESSAGE, 0x77);
	reg_write(device, VGPU_REG_INTERRUPT_CTRL, 1);
	mailbox_submit(device, "ping", 4);
	reg_wait(device, VGPU_REG_STATUS, VGPU_STATUS_ERROR);
	vm_wait(vm, MESSAGE, 0x77);
}

/* Each completion's message rings the doorbell, whose completion sends a message, for ever. */
static void a_message_that_rings_the_doorbell(void **state)
{
	struct pci_device device;
	uint32_t first;
	struct vm vm;

	(void)state;
	start(&vm, &device);
	msix_aim(&device, VGPU_MSIX_MAILBOX, device.registers + VGPU_REG_DOORBELL, 1);
	reg_write(&device, VGPU_REG_INTERRUPT_CTRL, 1);
	mailbox_submit(&device, "ping", 4);
	/* It goes round: the completion time moves. And QEMU serves everything else meanwhile. */
	first = reg_read(&device, VGPU_REG_TIMESTAMP_LO);
	for (int i = 0; i < 100 && reg_read(&device, VGPU_REG_TIMESTAMP_LO) == first; i++)
		vm_qmp(&vm, "{\"execute\": \"query-status\"}");
	assert_int_not_equal(reg_read(&device, VGPU_REG_TIMESTAMP_LO), first);
	reg_write(&device, VGPU_REG_INTERRUPT_CTRL, 0);
	still_works(&vm, &device);
	vm_stop(&vm);
}

static void a_message_that_changes_a_register(void **state)
{
	struct pci_device device;
	struct vm vm;

	(void)state;
	start(&vm, &device);
	msix_aim(&device, VGPU_MSIX_MAILBOX, device.registers + VGPU_REG_SCRATCH, 0x5a5a);
	reg_write(&device, VGPU_REG_INTERRUPT_CTRL, 1);
	mailbox_submit(&device, "ping", 4);
	reg_wait(&device, VGPU_REG_SCRATCH, 0x5a5a);
	still_works(&vm, &device);
	vm_stop(&vm);
}

static void a_message_that_resets_the_device(void **state)
{
	struct pci_device device;
	struct vm vm;

	(void)state;
	start(&vm, &device);
	assert_int_not_equal(device.express, 0);
	pci_config_write(&vm, 0, 0, PCIEXBAR + 4, 0);
	pci_config_write(&vm, 0, 0, PCIEXBAR, (uint32_t)ECAM | 1);
	reg_write(&device, VGPU_REG_SCRATCH, 0x1234);
	msix_aim(&device, VGPU_MSIX_MAILBOX,
		 ECAM + ((uint64_t)device.slot << 15) + device.express + DEVCTL, DEVCTL_FLR);
	reg_write(&device, VGPU_REG_INTERRUPT_CTRL, 1);
	mailbox_submit(&device, "ping", 4);
	/* The reset took the BARs' addresses away. */
	vm_wait(&vm, ECAM + ((uint64_t)device.slot << 15) + 0x10, 0);
	pci_place(&device, 0);
	assert_int_equal(reg_read(&device, VGPU_REG_SCRATCH), 0);
	assert_int_equal(reg_read(&device, VGPU_REG_STATUS), VGPU_STATUS_IDLE);
	still_works(&vm, &device);
	vm_stop(&vm);
}

static void a_message_into_the_message_table(void **state)
{
	struct pci_device device;
	struct vm vm;

	(void)state;
	start(&vm, &device);
	/* Rewrites its own data word. */
	msix_aim(&device, VGPU_MSIX_MAILBOX, device.table + 8, 0x31337);
	reg_write(&device, VGPU_REG_INTERRUPT_CTRL, 1);
	mailbox_submit(&device, "ping", 4);
	vm_wait(&vm, device.table + 8, 0x31337);
	still_works(&vm, &device);
	vm_stop(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_that_rings_the_doorbell),
		cmocka_unit_test(a_message_that_changes_a_register),
		cmocka_unit_test(a_message_that_resets_the_device),
		cmocka_unit_test(a_message_into_the_message_table),
	};

	vm_prerequisites();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
