/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mediatord/config_value.h"
#include "mediatord/ctl/show.h"
#include "mediatord/ctl/vm.h"

static bool is_uuid(const char *name, char uuid[VGPU_UUID_TEXT])
{
	uint8_t bytes[16];

	if (vgpu_uuid_parse(name, bytes) < 0)
		return false;
	vgpu_uuid_format(bytes, uuid);
	return true;
}

/* The vm_id that name may be, or -1. */
static int64_t as_vm_id(const char *name)
{
	uint64_t number;
	const char *end;

	return config_value_digits(name, INT64_MAX, &number, &end) == 0 && !*end ? (int64_t)number
										 : -1;
}

/* Whether the VM is meant; its uuid goes into a path, so it must be one. */
static bool is_meant(const json_t *vm, const char *name, int64_t vm_id, char uuid[VGPU_UUID_TEXT])
{
	bool meant = strcmp(show_text(vm, "name", ""), name) == 0 ||
		     (vm_id >= 0 && show_number(vm, "vm_id") == vm_id);

	return meant && is_uuid(show_text(vm, "uuid", ""), uuid);
}

/* Returns 0 and the uuid, or as vm_find_path(). */
static int find(struct ctl *ctl, const char *name, char uuid[VGPU_UUID_TEXT])
{
	VGPU_AUTO_JSON json_t *answer = NULL;
	char found[VGPU_UUID_TEXT];
	int64_t vm_id = as_vm_id(name);
	unsigned int count = 0;
	const json_t *vm;
	size_t index;
	int status;

	if (is_uuid(name, uuid))
		return 0;
	status = ctl_get_list(ctl, "/v1/vms", "vms", &answer);
	if (status)
		return status;
	json_array_foreach (json_object_get(answer, "vms"), index, vm) {
		if (!is_meant(vm, name, vm_id, found))
			continue;
		if (count++ == 0)
			memcpy(uuid, found, sizeof(found));
		else
			return ctl_fail(ctl, CTL_REFUSED,
					"'%s' is one VM's name and another's vm_id: say the uuid, "
					"%s or %s",
					name, uuid, found);
	}
	if (count == 0)
		return ctl_fail(ctl, CTL_REFUSED,
				"there is no VM '%s': no uuid, vm_id or name of one; see 'vgpuctl "
				"vm list'",
				name);
	return 0;
}

int vm_find_path(struct ctl *ctl, const char *name, const char *suffix, char path[VM_PATH_BYTES])
{
	char uuid[VGPU_UUID_TEXT];
	int status = find(ctl, name, uuid);

	if (status == 0)
		snprintf(path, VM_PATH_BYTES, "/v1/vms/%s%s", uuid, suffix);
	return status;
}
