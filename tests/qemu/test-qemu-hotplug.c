/* SPDX-License-Identifier: Apache-2.0 */
/* Plugging and unplugging leaves nothing behind, and a VM with a vGPU is not migrated. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/qemu/mediator.h"
#include "tests/qemu/pci.h"

/* i440fx's ACPI hotplug registers: which slot of the selected bus to eject. */
#define PCIHP_EJECT	 0xae08
#define PCIHP_SELECT_BUS 0xae10

static const char *const arguments[] = { "-machine", "pc", NULL };

/* How often the process's descriptor table or memory map names a vGPU window. */
static int windows_of(const struct vm *vm)
{
	char path[64], target[256];
	struct dirent *entry;
	int count = 0;
	FILE *maps;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)vm->pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[length < 0 ? 0 : length] = '\0';
		count += strstr(target, "vgpu-window") != NULL;
	}
	closedir(dir);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)vm->pid);
	maps = fopen(path, "re");
	assert_non_null(maps);
	while (fgets(target, sizeof(target), maps))
		count += strstr(target, "vgpu-window") != NULL;
	fclose(maps);
	return count;
}

static void add_device(struct vm *vm)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"vgpu\", "
		 "\"id\": \"gpu\", \"link\": \"%s\", \"window-size\": 1048576}}",
		 vm->link);
	assert_non_null(strstr(vm_qmp(vm, command), "\"return\""));
}

static void remove_device(struct vm *vm, unsigned int slot)
{
	const char *answer =
		vm_qmp(vm, "{\"execute\": \"device_del\", \"arguments\": {\"id\": \"gpu\"}}");

	assert_non_null(strstr(answer, "\"return\""));
	/* What the guest's ACPI code does when it agrees. */
	vm_out32(vm, PCIHP_SELECT_BUS, 0);
	vm_out32(vm, PCIHP_EJECT, 1u << slot);
	vm_wait_event(vm, "DEVICE_DELETED");
}

static void plug_and_unplug(void **state)
{
	struct mediator mediator;
	struct pci_device device;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	mediator_listen(&mediator, vm.link);
	vm_start(&vm, arguments);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(windows_of(&vm), 0);
		add_device(&vm);
		mediator_serve(&mediator);
		pci_bring_up(&vm, &device);
		reg_wait(&device, VGPU_REG_LINK_STATE, VGPU_LINK_UP);
		assert_true(windows_of(&vm) > 0);
		/* A request is under way when the device goes. */
		mailbox_submit(&device, "ping", 4);
		remove_device(&vm, device.slot);
		assert_true(mediator_sees_end(&mediator));
		mediator_drop(&mediator);
		assert_false(pci_find(&vm, 0, 0, &device));
		/* QEMU frees the memory region a little later, when no CPU can still see it. */
		for (int i = 0; i < PATIENCE_MS && windows_of(&vm) > 0; i++) {
			vm_qmp(&vm, "{\"execute\": \"query-status\"}");
			usleep(1000);
		}
	}
	assert_int_equal(windows_of(&vm), 0);
	mediator_end(&mediator, vm.link);
	vm_stop(&vm);
}

static void a_device_that_cannot_be_made_leaves_nothing(void **state)
{
	const char *answer;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	vm_start(&vm, arguments);
	for (int round = 0; round < 3; round++) {
		answer = vm_qmp(&vm, "{\"execute\": \"device_add\", \"arguments\": {\"driver\": "
				     "\"vgpu\", \"link\": \"/x\", \"window-size\": 3145728}}");
		assert_non_null(strstr(answer, "must be a power of two"));
		answer = vm_qmp(&vm, "{\"execute\": \"device_add\", \"arguments\": {\"driver\": "
				     "\"vgpu\"}}");
		assert_non_null(strstr(answer, "property 'link' is required"));
	}
	assert_int_equal(windows_of(&vm), 0);
	vm_stop(&vm);
}

static void is_not_migrated(void **state)
{
	const char *const with_device[] = { "-machine", "pc", "-device", "vgpu,link=@LINK@", NULL };
	const char *answer;
	struct vm vm;

	(void)state;
	vm_prepare(&vm);
	vm_start(&vm, with_device);
	answer = vm_qmp(&vm, "{\"execute\": \"migrate\", \"arguments\": "
			     "{\"uri\": \"exec:cat >/dev/null\"}}");
	assert_non_null(strstr(answer, "\"error\""));
	assert_non_null(strstr(answer, "vgpu"));
	vm_stop(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plug_and_unplug),
		cmocka_unit_test(a_device_that_cannot_be_made_leaves_nothing),
		cmocka_unit_test(is_not_migrated),
	};

	vm_prerequisites();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
