/* SPDX-License-Identifier: Apache-2.0 */
/* What firmware finds: identity, BARs and capabilities, on both machine types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/qemu/pci.h"

static const char *const q35[] = { "-machine", "q35", "-device", "vgpu,link=@LINK@", NULL };
static const char *const q35_16g[] = { "-machine", "q35", "-device",
				       "vgpu,window-size=16G,link=@LINK@", NULL };
static const char *const i440fx[] = { "-machine", "pc", "-device", "vgpu,link=@LINK@", NULL };
static const char *const i440fx_16g[] = { "-machine", "pc", "-device",
					  "vgpu,window-size=16G,link=@LINK@", NULL };

struct expectation {
	const char *const *arguments;
	uint64_t window_bytes;
	bool express;
};

static void identity(struct vm *vm, const struct pci_device *device)
{
	uint32_t class_word = pci_config_read(vm, 0, device->slot, 0x08);

	assert_int_equal(class_word >> 16, VGPU_PCI_CLASS);
	assert_int_equal(class_word & 0xff, VGPU_PCI_REVISION);
	/* Neither a legacy interrupt nor an I/O BAR. */
	assert_int_equal(pci_config_read(vm, 0, device->slot, 0x3c) >> 8 & 0xff, 0);
}

/* The size that a BAR asks for: what stays 0 of all ones. */
static uint64_t bar_size(struct vm *vm, const struct pci_device *device, unsigned int bar,
			 bool wide, uint32_t *flags)
{
	unsigned int offset = 0x10 + 4 * bar;
	uint64_t mask;

	pci_config_write(vm, 0, device->slot, offset, 0xffffffff);
	mask = pci_config_read(vm, 0, device->slot, offset);
	*flags = mask & 0xf;
	if (wide) {
		pci_config_write(vm, 0, device->slot, offset + 4, 0xffffffff);
		mask |= (uint64_t)pci_config_read(vm, 0, device->slot, offset + 4) << 32;
	} else {
		mask |= UINT64_C(0xffffffff) << 32;
	}
	return ~(mask & ~UINT64_C(0xf)) + 1;
}

static void is_found(void **state)
{
	const struct expectation *expected = *state;
	struct pci_device device;
	uint32_t flags;
	struct vm vm;

	vm_prepare(&vm);
	vm_start(&vm, expected->arguments);
	assert_true(pci_find(&vm, 0, 0, &device));
	identity(&vm, &device);
	assert_int_equal(bar_size(&vm, &device, VGPU_BAR_REGISTERS, false, &flags), VGPU_BAR0_SIZE);
	assert_int_equal(flags, 0x0); /* 32-bit memory */
	assert_true(bar_size(&vm, &device, VGPU_BAR_WINDOW, true, &flags) ==
		    expected->window_bytes);
	assert_int_equal(flags, 0xc); /* 64-bit, prefetchable memory */
	assert_int_equal(bar_size(&vm, &device, VGPU_BAR_MSIX, false, &flags), 0x1000);
	assert_int_equal(flags, 0x0);
	assert_int_equal((pci_config_read(&vm, 0, device.slot, device.msix) >> 16 & 0x7ff) + 1,
			 VGPU_MSIX_VECTORS);
	assert_int_equal(device.express != 0, expected->express);

	pci_place(&device, 0);
	assert_int_equal(reg_read(&device, VGPU_REG_PROTOCOL_VER), VGPU_PROTOCOL_VERSION);
	assert_int_equal(reg_read(&device, VGPU_REG_WINDOW_SIZE_LO),
			 (uint32_t)expected->window_bytes);
	assert_int_equal(reg_read(&device, VGPU_REG_WINDOW_SIZE_HI), expected->window_bytes >> 32);
	/* The window's first and last bytes are memory. */
	vm_write(&vm, 8, device.window, UINT64_C(0x0123456789abcdef));
	vm_write(&vm, 8, device.window + expected->window_bytes - 8, 42);
	assert_true(vm_read(&vm, 8, device.window) == UINT64_C(0x0123456789abcdef));
	assert_int_equal(vm_read(&vm, 8, device.window + expected->window_bytes - 8), 42);
	vm_stop(&vm);
}

int main(void)
{
	struct expectation on_q35 = { q35, VGPU_WINDOW_SIZE_DEFAULT, true },
			   on_q35_16g = { q35_16g, UINT64_C(16) << 30, true },
			   on_i440fx = { i440fx, VGPU_WINDOW_SIZE_DEFAULT, false },
			   on_i440fx_16g = { i440fx_16g, UINT64_C(16) << 30, false };
	const struct CMUnitTest tests[] = {
		{ "q35", is_found, NULL, NULL, &on_q35 },
		{ "q35, 16 GiB", is_found, NULL, NULL, &on_q35_16g },
		{ "i440fx", is_found, NULL, NULL, &on_i440fx },
		{ "i440fx, 16 GiB", is_found, NULL, NULL, &on_i440fx_16g },
	};

	vm_prerequisites();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
