/* SPDX-License-Identifier: Apache-2.0 */
/* A completion's MSI-X message reaches memory, once, and only where the guest wants one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/qemu/mediator.h"
#include "tests/qemu/pci.h"

/* Guest memory that nothing else uses. */
#define MESSAGE UINT64_C(0x200000)

static const char *const arguments[] = { "-machine", "q35", "-device", "vgpu,link=@LINK@", NULL };

struct bench {
	struct vm vm;
	struct mediator mediator;
	struct pci_device device;
};

static void start(struct bench *bench)
{
	vm_prepare(&bench->vm);
	mediator_listen(&bench->mediator, bench->vm.link);
	vm_start(&bench->vm, arguments);
	mediator_serve(&bench->mediator);
	pci_bring_up(&bench->vm, &bench->device);
	reg_wait(&bench->device, VGPU_REG_LINK_STATE, VGPU_LINK_UP);
	msix_enable(&bench->device);
	vm_write(&bench->vm, 4, MESSAGE, 0);
}

static void stop(struct bench *bench)
{
	mediator_end(&bench->mediator, bench->vm.link);
	vm_stop(&bench->vm);
}

/* One request and its answer. When this returns the completion is visible in the registers. */
static void round_trip(struct bench *bench)
{
	struct vgpu_link_request request;

	mailbox_submit(&bench->device, "ping", 4);
	mediator_receive_request(&bench->mediator, &request);
	assert_int_equal(request.length, 4);
	assert_memory_equal(request.data, "ping", 4);
	assert_int_equal(reg_read(&bench->device, VGPU_REG_STATUS), VGPU_STATUS_BUSY);
	mediator_respond(&bench->mediator, request.tag, VGPU_ERR_NONE, "pong!", 5);
	reg_wait(&bench->device, VGPU_REG_STATUS, VGPU_STATUS_DONE);
}

/* The main loop has run: whatever was to be sent before this was called is sent. */
static void settle(struct bench *bench)
{
	for (int i = 0; i < 10; i++)
		vm_qmp(&bench->vm, "{\"execute\": \"query-status\"}");
}

static void completion_sends_the_message(void **state)
{
	struct bench bench;

	(void)state;
	start(&bench);
	msix_aim(&bench.device, VGPU_MSIX_MAILBOX, MESSAGE, 0x4321);
	reg_write(&bench.device, VGPU_REG_INTERRUPT_CTRL, 1);
	round_trip(&bench);
	assert_int_equal(reg_read(&bench.device, VGPU_REG_RESPONSE_LEN), 5);
	assert_int_equal(reg_read(&bench.device, VGPU_REG_RESPONSE_BUF), 0x676e6f70);
	assert_int_equal(reg_read(&bench.device, VGPU_REG_INTERRUPT_STATUS), 1);
	vm_wait(&bench.vm, MESSAGE, 0x4321);

	/* The next completion sends it again; nothing between the two does. */
	vm_write(&bench.vm, 4, MESSAGE, 0);
	reg_write(&bench.device, VGPU_REG_INTERRUPT_STATUS, 1);
	assert_int_equal(reg_read(&bench.device, VGPU_REG_INTERRUPT_STATUS), 0);
	settle(&bench);
	assert_int_equal(vm_read(&bench.vm, 4, MESSAGE), 0);
	round_trip(&bench);
	vm_wait(&bench.vm, MESSAGE, 0x4321);
	stop(&bench);
}

static void without_interrupt_ctrl_there_is_none(void **state)
{
	struct bench bench;

	(void)state;
	start(&bench);
	msix_aim(&bench.device, VGPU_MSIX_MAILBOX, MESSAGE, 0x4321);
	round_trip(&bench);
	settle(&bench);
	assert_int_equal(vm_read(&bench.vm, 4, MESSAGE), 0);
	assert_int_equal(reg_read(&bench.device, VGPU_REG_INTERRUPT_STATUS), 1);
	stop(&bench);
}

static void a_masked_message_waits(void **state)
{
	struct bench bench;

	(void)state;
	start(&bench);
	msix_aim(&bench.device, VGPU_MSIX_MAILBOX, MESSAGE, 0x4321);
	msix_mask(&bench.device, VGPU_MSIX_MAILBOX, true);
	reg_write(&bench.device, VGPU_REG_INTERRUPT_CTRL, 1);
	round_trip(&bench);
	vm_wait(&bench.vm, bench.device.pending, 1u << VGPU_MSIX_MAILBOX);
	assert_int_equal(vm_read(&bench.vm, 4, MESSAGE), 0);
	msix_mask(&bench.device, VGPU_MSIX_MAILBOX, false);
	vm_wait(&bench.vm, MESSAGE, 0x4321);
	assert_int_equal(vm_read(&bench.vm, 4, bench.device.pending), 0);
	stop(&bench);
}

/* Who has not enabled MSI-X polls, and gets no message for the past when enabling it. */
static void a_completion_before_msix_leaves_nothing_pending(void **state)
{
	struct bench bench;

	(void)state;
	vm_prepare(&bench.vm);
	vm_start(&bench.vm, arguments);
	pci_bring_up(&bench.vm, &bench.device);
	vm_write(&bench.vm, 4, MESSAGE, 0);
	msix_aim(&bench.device, VGPU_MSIX_MAILBOX, MESSAGE, 0x99);
	reg_write(&bench.device, VGPU_REG_INTERRUPT_CTRL, 1);
	mailbox_submit(&bench.device, "ping", 4);
	assert_int_equal(reg_read(&bench.device, VGPU_REG_STATUS), VGPU_STATUS_ERROR);
	settle(&bench);
	assert_int_equal(vm_read(&bench.vm, 4, bench.device.pending), 0);
	msix_enable(&bench.device);
	settle(&bench);
	assert_int_equal(vm_read(&bench.vm, 4, MESSAGE), 0);
	vm_stop(&bench.vm);
}

static void a_device_without_mediator_interrupts_too(void **state)
{
	struct bench bench;

	(void)state;
	vm_prepare(&bench.vm);
	vm_start(&bench.vm, arguments);
	pci_bring_up(&bench.vm, &bench.device);
	msix_enable(&bench.device);
	vm_write(&bench.vm, 4, MESSAGE, 0);
	msix_aim(&bench.device, VGPU_MSIX_MAILBOX, MESSAGE, 0x99);
	reg_write(&bench.device, VGPU_REG_INTERRUPT_CTRL, 1);
	mailbox_submit(&bench.device, "ping", 4);
	assert_int_equal(reg_read(&bench.device, VGPU_REG_STATUS), VGPU_STATUS_ERROR);
	assert_int_equal(reg_read(&bench.device, VGPU_REG_ERROR_CODE), VGPU_ERR_UNAVAILABLE);
	vm_wait(&bench.vm, MESSAGE, 0x99);
	vm_stop(&bench.vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(completion_sends_the_message),
		cmocka_unit_test(without_interrupt_ctrl_there_is_none),
		cmocka_unit_test(a_masked_message_waits),
		cmocka_unit_test(a_completion_before_msix_leaves_nothing_pending),
		cmocka_unit_test(a_device_without_mediator_interrupts_too),
	};

	vm_prerequisites();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
