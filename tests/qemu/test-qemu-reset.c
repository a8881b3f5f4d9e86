/* SPDX-License-Identifier: Apache-2.0 */
/* A reset in the middle of a request leaves no stale completion, and the mediator hears of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/qemu/mediator.h"
#include "tests/qemu/pci.h"

#define MESSAGE UINT64_C(0x200000)

static const char *const q35[] = { "-machine", "q35", "-device", "vgpu,link=@LINK@", NULL };
static const char *const i440fx[] = { "-machine", "pc", "-device", "vgpu,link=@LINK@", NULL };

static void reboot(struct pci_device *device)
{
	vm_qmp(device->vm, "{\"execute\": \"system_reset\"}");
	vm_wait_event(device->vm, "RESET");
}

static void function_level_reset(struct pci_device *device)
{
	unsigned int devctl = device->express + 8;

	pci_config_write(device->vm, 0, device->slot, devctl,
			 pci_config_read(device->vm, 0, device->slot, devctl) | 0x8000);
}

struct way {
	const char *const *arguments;
	void (*reset)(struct pci_device *device);
};

static void forgets_the_request(void **state)
{
	const struct way *way = *state;
	struct vgpu_link_request request;
	struct mediator mediator;
	struct pci_device device;
	uint64_t stale;
	struct vm vm;

	vm_prepare(&vm);
	mediator_listen(&mediator, vm.link);
	vm_start(&vm, way->arguments);
	mediator_serve(&mediator);
	pci_bring_up(&vm, &device);
	reg_wait(&device, VGPU_REG_LINK_STATE, VGPU_LINK_UP);
	mediator_receive_reset(&mediator); /* the one that follows WELCOME */
	reg_write(&device, VGPU_REG_SCRATCH, 0x1234);
	reg_write(&device, VGPU_REG_INTERRUPT_CTRL, 1);
	mailbox_submit(&device, "before", 6);
	mediator_receive_request(&mediator, &request);
	stale = request.tag;

	way->reset(&device);
	mediator_receive_reset(&mediator);
	mediator_respond(&mediator, stale, VGPU_ERR_NONE, "stale", 5);
	pci_place(&device, 0);
	assert_int_equal(reg_read(&device, VGPU_REG_SCRATCH), 0);
	assert_int_equal(reg_read(&device, VGPU_REG_INTERRUPT_CTRL), 0);
	assert_int_equal(reg_read(&device, VGPU_REG_REQUEST_LEN), 0);
	assert_int_equal(reg_read(&device, VGPU_REG_REQUEST_BUF), 0);
	/* What the mediator said stays, and so does the link. */
	assert_int_equal(reg_read(&device, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
	assert_int_equal(reg_read(&device, VGPU_REG_VM_ID), 42);

	vm_write(&vm, 4, MESSAGE, 0);
	msix_enable(&device);
	msix_aim(&device, VGPU_MSIX_MAILBOX, MESSAGE, 0x11);
	reg_write(&device, VGPU_REG_INTERRUPT_CTRL, 1);
	mailbox_submit(&device, "after", 5);
	mediator_receive_request(&mediator, &request);
	assert_memory_equal(request.data, "after", 5);
	assert_true(request.tag != stale);
	/* The stale response came first, and completed nothing. */
	assert_int_equal(reg_read(&device, VGPU_REG_STATUS), VGPU_STATUS_BUSY);
	assert_int_equal(vm_read(&vm, 4, MESSAGE), 0);
	mediator_respond(&mediator, request.tag, VGPU_ERR_NONE, "fresh", 5);
	reg_wait(&device, VGPU_REG_STATUS, VGPU_STATUS_DONE);
	assert_int_equal(reg_read(&device, VGPU_REG_RESPONSE_BUF), 0x73657266);
	vm_wait(&vm, MESSAGE, 0x11);
	mediator_end(&mediator, vm.link);
	vm_stop(&vm);
}

int main(void)
{
	struct way reboot_q35 = { q35, reboot }, reboot_i440fx = { i440fx, reboot },
		   flr = { q35, function_level_reset };
	const struct CMUnitTest tests[] = {
		{ "the VM's reset, q35", forgets_the_request, NULL, NULL, &reboot_q35 },
		{ "the VM's reset, i440fx", forgets_the_request, NULL, NULL, &reboot_i440fx },
		{ "a function-level reset", forgets_the_request, NULL, NULL, &flr },
	};

	vm_prerequisites();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
