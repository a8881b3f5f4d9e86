/* SPDX-License-Identifier: Apache-2.0 */
/* Every register through QEMU: reset values, which bits a guest can change, illegal accesses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/qemu/mediator.h"
#include "tests/qemu/pci.h"

static const char *const arguments[] = { "-machine", "q35", "-device", "vgpu,link=@LINK@", NULL };

/* Registers outside the buffers that do not read 0 at first, and what of them can be written. */
struct reg {
	unsigned int offset;
	uint32_t reset, writable;
};

static const struct reg registers[] = {
	{ VGPU_REG_POOL_ID, 'A', 0 },
	{ VGPU_REG_PRIORITY, VGPU_PRIORITY_MEDIUM, 0 },
	{ VGPU_REG_REQUEST_LEN, 0, 0xffffffff },
	{ VGPU_REG_PROTOCOL_VER, VGPU_PROTOCOL_VERSION, 0 },
	{ VGPU_REG_CAPABILITIES,
	  VGPU_CAP_MAILBOX | VGPU_CAP_INTERRUPT | VGPU_CAP_WINDOW | VGPU_CAP_CHANNELS, 0 },
	{ VGPU_REG_INTERRUPT_CTRL, 0, 1 },
	{ VGPU_REG_REQUEST_ID, 0, 0xffffffff },
	{ VGPU_REG_SCRATCH, 0, 0xffffffff },
	{ VGPU_REG_EXT_VERSION, VGPU_EXT_VERSION, 0 },
	{ VGPU_REG_GENERATION, 1, 0 },
	{ VGPU_REG_CHANNELS, VGPU_CHANNELS_MAX, 0 },
	{ VGPU_REG_WINDOW_SIZE_LO, (uint32_t)VGPU_WINDOW_SIZE_DEFAULT, 0 },
};

static const struct reg *find(unsigned int offset)
{
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		if (registers[i].offset == offset)
			return &registers[i];
	return NULL;
}

static uint32_t reset_value(unsigned int offset)
{
	const struct reg *reg = find(offset);

	return reg ? reg->reset : 0;
}

static uint32_t writable_bits(unsigned int offset)
{
	const struct reg *reg = find(offset);

	if (offset >= VGPU_REG_REQUEST_BUF && offset < VGPU_REG_REQUEST_BUF + VGPU_MAILBOX_BYTES)
		return 0xffffffff;
	return reg ? reg->writable : 0;
}

static void every_reset_value(void **state)
{
	struct pci_device device;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	vm_start(&vm, arguments);
	pci_bring_up(&vm, &device);
	for (unsigned int offset = 0; offset < 0x1000; offset += 4)
		if (reg_read(&device, offset) != reset_value(offset))
			fail_msg("register %#x reads %#x", offset, reg_read(&device, offset));
	/* The rest of the BAR is reserved. */
	for (unsigned int offset = 0x1000; offset < VGPU_BAR0_SIZE; offset += 0x3fc)
		assert_int_equal(reg_read(&device, offset), 0);
	assert_int_equal(reg_read(&device, VGPU_BAR0_SIZE - 4), 0);
	vm_stop(&vm);
}

static void only_what_is_writable_changes(void **state)
{
	struct pci_device device;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	vm_start(&vm, arguments);
	pci_bring_up(&vm, &device);
	/* All but the doorbell, which does things: test-qemu-mailbox rings it. */
	for (unsigned int offset = 4; offset < 0x1000; offset += 4)
		reg_write(&device, offset, 0xa5a5a5a5);
	for (unsigned int offset = 0; offset < 0x1000; offset += 4) {
		uint32_t writable = writable_bits(offset);
		uint32_t expected = (reset_value(offset) & ~writable) | (0xa5a5a5a5 & writable);

		if (reg_read(&device, offset) != expected)
			fail_msg("register %#x reads %#x, not %#x", offset,
				 reg_read(&device, offset), expected);
	}
	vm_stop(&vm);
}

static void other_sizes_and_alignments_do_nothing(void **state)
{
	const unsigned int sizes[] = { 1, 2, 4, 8 };
	struct pci_device device;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	vm_start(&vm, arguments);
	pci_bring_up(&vm, &device);
	reg_write(&device, VGPU_REG_SCRATCH, 0x11223344);
	reg_write(&device, VGPU_REG_REQUEST_BUF, 0x55667788);
	reg_write(&device, VGPU_REG_REQUEST_BUF + 4, 0x99aabbcc);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned int at = 0; at < 8; at++) {
			if (sizes[i] == 4 && at % 4 == 0)
				continue;
			assert_int_equal(
				vm_read(&vm, sizes[i], device.registers + VGPU_REG_SCRATCH + at),
				0);
			vm_write(&vm, sizes[i], device.registers + VGPU_REG_SCRATCH + at,
				 UINT64_C(0xffffffffffffffff));
		}
	assert_int_equal(reg_read(&device, VGPU_REG_SCRATCH), 0x11223344);
	assert_int_equal(reg_read(&device, VGPU_REG_REQUEST_BUF), 0x55667788);
	assert_int_equal(reg_read(&device, VGPU_REG_REQUEST_BUF + 4), 0x99aabbcc);
	/* Nor does an access that is half inside the BAR. */
	vm_write(&vm, 8, device.registers + VGPU_BAR0_SIZE - 4, 1);
	vm_read(&vm, 8, device.registers + VGPU_BAR0_SIZE - 4);
	assert_int_equal(reg_read(&device, VGPU_REG_SCRATCH), 0x11223344);
	vm_stop(&vm);
}

static void the_mediators_values_show(void **state)
{
	static const struct {
		unsigned int offset;
		uint32_t value;
	} shown[] = {
		{ VGPU_REG_POOL_ID, 'B' },
		{ VGPU_REG_PRIORITY, VGPU_PRIORITY_HIGH },
		{ VGPU_REG_VM_ID, 42 },
		{ VGPU_REG_WORKER_STATE, VGPU_WORKER_READY },
		{ VGPU_REG_QUOTA_MEMORY, 0x23456789 },
		{ VGPU_REG_QUOTA_MEMORY + 4, 0x1 },
		{ VGPU_REG_QUOTA_WINDOW, 0x34567891 },
		{ VGPU_REG_QUOTA_WINDOW + 4, 0x2 },
		{ VGPU_REG_QUOTA_TIME_GUARANTEED, 11 },
		{ VGPU_REG_QUOTA_TIME_MAX, 22 },
		{ VGPU_REG_QUOTA_REQUESTS_PER_SEC, 33 },
		{ VGPU_REG_QUOTA_BURST, 44 },
		{ VGPU_REG_QUOTA_QUEUE_DEPTH, 55 },
		{ VGPU_REG_QUOTA_CHANNELS, 6 },
		{ VGPU_REG_QUOTA_LONGEST_JOB, 77 },
		{ VGPU_REG_QUARANTINED, 1 },
		{ VGPU_REG_GPU_NAME, 0x74736554 },  /* "Test" */
		{ VGPU_REG_POOL_NAME, 0x74736574 }, /* "test" */
		{ VGPU_REG_VM_NAME + 4, 0x6d76 },   /* "vm" */
		{ VGPU_REG_VM_UUID, 0x13121110 },
		{ VGPU_REG_VM_UUID + 12, 0x1f1e1d1c },
	};
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
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		if (reg_read(&device, shown[i].offset) != shown[i].value)
			fail_msg("register %#x reads %#x, not %#x", shown[i].offset,
				 reg_read(&device, shown[i].offset), shown[i].value);
	assert_int_not_equal(reg_read(&device, VGPU_REG_CONFIG_SEQUENCE), 0);
	mediator_end(&mediator, vm.link);
	vm_stop(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reset_value),
		cmocka_unit_test(only_what_is_writable_changes),
		cmocka_unit_test(other_sizes_and_alignments_do_nothing),
		cmocka_unit_test(the_mediators_values_show),
	};

	vm_prerequisites();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
