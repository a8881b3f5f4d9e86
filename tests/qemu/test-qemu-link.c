/* SPDX-License-Identifier: Apache-2.0 */
/* The link by itself follows a mediator that comes, goes and refuses; the window goes with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/qemu/mediator.h"
#include "tests/qemu/pci.h"

static const char *const arguments[] = { "-machine", "q35", "-device", "vgpu,link=@LINK@", NULL };

static void a_mediator_that_comes_later(void **state)
{
	struct vgpu_link_request request;
	struct mediator mediator;
	struct pci_device device;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	vm_start(&vm, arguments);
	pci_bring_up(&vm, &device);
	assert_int_equal(reg_read(&device, VGPU_REG_LINK_STATE), VGPU_LINK_DOWN);
	mailbox_submit(&device, "ping", 4);
	assert_int_equal(reg_read(&device, VGPU_REG_ERROR_CODE), VGPU_ERR_UNAVAILABLE);
	mediator_listen(&mediator, vm.link);
	mediator_serve(&mediator);
	reg_wait(&device, VGPU_REG_LINK_STATE, VGPU_LINK_UP);
	mailbox_submit(&device, "ping", 4);
	mediator_receive_request(&mediator, &request);
	mediator_respond(&mediator, request.tag, VGPU_ERR_QUEUE_FULL, "", 0);
	reg_wait(&device, VGPU_REG_STATUS, VGPU_STATUS_ERROR);
	assert_int_equal(reg_read(&device, VGPU_REG_ERROR_CODE), VGPU_ERR_QUEUE_FULL);
	mediator_end(&mediator, vm.link);
	vm_stop(&vm);
}

static void a_mediator_that_dies_in_a_request(void **state)
{
	struct vgpu_link_request request;
	struct mediator mediator;
	struct pci_device device;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	mediator_listen(&mediator, vm.link);
	vm_start(&vm, arguments);
	mediator_serve(&mediator);
	pci_bring_up(&vm, &device);
	reg_wait(&device, VGPU_REG_LINK_STATE, VGPU_LINK_UP);
	mailbox_submit(&device, "ping", 4);
	mediator_receive_request(&mediator, &request);
	mediator_end(&mediator, vm.link);
	reg_wait(&device, VGPU_REG_STATUS, VGPU_STATUS_ERROR);
	assert_int_equal(reg_read(&device, VGPU_REG_ERROR_CODE), VGPU_ERR_UNAVAILABLE);
	/* It may have found the socket once more before nobody listened there. */
	reg_wait(&device, VGPU_REG_LINK_STATE, VGPU_LINK_DOWN);

	/* Its successor is found without anybody's help. */
	mediator_listen(&mediator, vm.link);
	mediator_serve(&mediator);
	reg_wait(&device, VGPU_REG_LINK_STATE, VGPU_LINK_UP);
	mailbox_submit(&device, "ping", 4);
	mediator_receive_request(&mediator, &request);
	mediator_respond(&mediator, request.tag, VGPU_ERR_NONE, "pong", 4);
	reg_wait(&device, VGPU_REG_STATUS, VGPU_STATUS_DONE);
	mediator_end(&mediator, vm.link);
	vm_stop(&vm);
}

/* Trying again costs next to nothing, and no descriptor of a dead link keeps the main loop awake.
 */
static void a_device_without_mediator_is_idle(void **state)
{
	struct mediator mediator;
	struct pci_device device;
	unsigned int before;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	mediator_listen(&mediator, vm.link);
	vm_start(&vm, arguments);
	mediator_serve(&mediator);
	pci_bring_up(&vm, &device);
	reg_wait(&device, VGPU_REG_LINK_STATE, VGPU_LINK_UP);
	mediator_end(&mediator, vm.link);
	reg_wait(&device, VGPU_REG_LINK_STATE, VGPU_LINK_DOWN);
	before = vm_cpu_ms(&vm);
	usleep(1000 * 1000);
	assert_in_range(vm_cpu_ms(&vm) - before, 0, 100);
	vm_stop(&vm);
}

/* The mediator hangs: it accepts nothing. QEMU and the device's registers do not. */
static void a_mediator_that_hangs(void **state)
{
	struct mediator mediator;
	struct pci_device device;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	mediator_listen(&mediator, vm.link);
	vm_start(&vm, arguments);
	pci_bring_up(&vm, &device);
	assert_int_equal(reg_read(&device, VGPU_REG_LINK_STATE), VGPU_LINK_CONNECTING);
	mailbox_submit(&device, "ping", 4);
	assert_int_equal(reg_read(&device, VGPU_REG_ERROR_CODE), VGPU_ERR_UNAVAILABLE);
	mediator_end(&mediator, vm.link);
	vm_stop(&vm);
}

/* Two devices of one VM on one link: the second is told so, and the first goes on. */
static void a_second_device_is_refused(void **state)
{
	const char *const two[] = { "-machine", "q35",
				    "-device",	"vgpu,id=first,window-size=1M,link=@LINK@",
				    "-device",	"vgpu,id=second,window-size=2M,link=@LINK@",
				    NULL };
	struct mediator mediator, second = { .listener = -1, .link = -1, .window = -1 };
	struct pci_device devices[2];
	struct vgpu_link_request request;
	char messages[4096];
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	mediator_listen(&mediator, vm.link);
	vm_start(&vm, two);
	/* First: who was refused shows that for 2 s, and then tries again. */
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(pci_find(&vm, 0, i, &devices[i]));
		pci_place(&devices[i], i);
	}
	mediator_serve(&mediator);
	assert_int_equal(mediator.hello.window_bytes, 1 << 20);
	second.listener = mediator.listener;
	mediator_accept(&second);
	assert_int_equal(second.hello.window_bytes, 2 << 20);
	mediator_refuse(&second, VGPU_REFUSED_BUSY, "another device holds this link");
	mediator_drop(&second);

	reg_wait(&devices[1], VGPU_REG_LINK_STATE, VGPU_LINK_REFUSED);
	reg_wait(&devices[0], VGPU_REG_LINK_STATE, VGPU_LINK_UP);
	vm_messages(&vm, messages, sizeof(messages));
	assert_non_null(strstr(messages, "second: "));
	assert_non_null(strstr(messages, "another device holds this link"));
	mailbox_submit(&devices[0], "ping", 4);
	mediator_receive_request(&mediator, &request);
	mediator_respond(&mediator, request.tag, VGPU_ERR_NONE, "pong", 4);
	reg_wait(&devices[0], VGPU_REG_STATUS, VGPU_STATUS_DONE);
	mediator_end(&mediator, vm.link);
	vm_stop(&vm);
}

static void the_window_is_shared_memory(void **state)
{
	const char *const small[] = { "-machine", "q35", "-device",
				      "vgpu,window-size=1M,link=@LINK@", NULL };
	struct mediator mediator;
	struct pci_device device;
	uint8_t *window;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	mediator_listen(&mediator, vm.link);
	vm_start(&vm, small);
	mediator_serve(&mediator);
	pci_bring_up(&vm, &device);
	window = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, mediator.window, 0);
	assert_ptr_not_equal(window, MAP_FAILED);
	vm_write(&vm, 8, device.window + 0x1000, UINT64_C(0x1122334455667788));
	vm_write(&vm, 1, device.window + 0xfffff, 0x99);
	assert_int_equal(window[0x1000], 0x88);
	assert_int_equal(window[0x1007], 0x11);
	assert_int_equal(window[0xfffff], 0x99);
	memcpy(window + 0x2000, "\xef\xbe\xad\xde", 4);
	assert_int_equal(vm_read(&vm, 4, device.window + 0x2000), 0xdeadbeef);
	munmap(window, 1 << 20);
	mediator_end(&mediator, vm.link);
	vm_stop(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mediator_that_comes_later),
		cmocka_unit_test(a_mediator_that_dies_in_a_request),
		cmocka_unit_test(a_device_without_mediator_is_idle),
		cmocka_unit_test(a_mediator_that_hangs),
		cmocka_unit_test(a_second_device_is_refused),
		cmocka_unit_test(the_window_is_shared_memory),
	};

	vm_prerequisites();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
