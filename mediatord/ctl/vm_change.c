/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl vm add, set, and what is done to a VM. */
#include <stdio.h>

#include "mediatord/ctl/change.h"
#include "mediatord/ctl/vm.h"

#define VALUES_HELP                                                                                \
	"Values: name, vm-id, profile, pool, priority (low, medium, high), weight, link-uid,\n"    \
	"and the quotas gpu-memory, window (4GiB), gpu-time-guaranteed, gpu-time-max (20%),\n"     \
	"requests-per-second, burst, queue-depth, channels, longest-job (10s); 0 is no limit.\n"

static int add(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_JSON json_t *body = json_object(), *vm = NULL;
	char path[VM_PATH_BYTES], uuid[VGPU_UUID_TEXT];
	uint8_t bytes[16];
	int status;

	if (vgpu_uuid_parse(operands[0], bytes) < 0)
		return ctl_fail(ctl, EX_USAGE,
				"vm add: '%s' is no uuid, as 'virsh domuuid DOMAIN' prints it",
				operands[0]);
	vgpu_uuid_format(bytes, uuid);
	snprintf(path, sizeof(path), "/v1/vms/%s", uuid);
	status = change_body(ctl, &command_vm_add, count - 1, operands + 1, body);
	if (status == 0)
		status = ctl_send(ctl, "PUT", path, "If-None-Match: *", body, &vm);
	if (status || !ctl->json)
		return status;
	return ctl_print_json(vm);
}

const struct command command_vm_add = {
	.group = "vm",
	.name = "add",
	.summary = "register a VM",
	.usage = "Usage: vgpuctl vm add UUID [KEY=VALUE]...\n"
		 "Registers a VM under its domain's uuid, with the operator's values. What these "
		 "do\n"
		 "not say, the domain's metadata, the profile or the default profile "
		 "does.\n" VALUES_HELP,
	.operands_min = 1,
	.operands_max = -1,
	.run = add,
};

/* A patch is the change itself. */
static json_t *make_patch(const json_t *vm, const json_t *change)
{
	(void)vm;
	return json_deep_copy(change);
}

static int set(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_JSON json_t *body = json_object(), *vm = NULL;
	char path[VM_PATH_BYTES];
	int status = change_body(ctl, &command_vm_set, count - 1, operands + 1, body);

	if (status == 0)
		status = vm_find_path(ctl, operands[0], "", path);
	if (status == 0)
		status = change_send(ctl, "PATCH", path, make_patch, body, &vm);
	if (status || !ctl->json)
		return status;
	return ctl_print_json(vm);
}

const struct command command_vm_set = {
	.group = "vm",
	.name = "set",
	.summary = "change a VM's values, also while it runs",
	.usage = "Usage: vgpuctl vm set VM [--force] KEY=VALUE...\n"
		 "Changes what the operator says of a VM; it is in force and on the disk when the\n"
		 "command ends. 'KEY=' takes a value back, so that the domain's or the profile's\n"
		 "holds again. Where somebody else changes the VM in the same moment, nothing is\n"
		 "changed.\n" VALUES_HELP "\n"
		 "      --force  try again where somebody else changed the VM\n",
	.options = "F",
	.operands_min = 2,
	.operands_max = -1,
	.run = set,
};

/* POST of one of the actions. */
static int act(struct ctl *ctl, const char *name, const char *action)
{
	VGPU_AUTO_JSON json_t *answer = NULL;
	char path[VM_PATH_BYTES];
	int status = vm_find_path(ctl, name, action, path);

	if (status == 0)
		status = ctl_send(ctl, "POST", path, NULL, NULL, &answer);
	if (status || !ctl->json || !answer)
		return status;
	return ctl_print_json(answer);
}

#define ACTION(verb, what, more)                                                                   \
	static int verb##_vm(struct ctl *ctl, int count, char **operands)                          \
	{                                                                                          \
		(void)count;                                                                       \
		return act(ctl, operands[0], "/" #verb);                                           \
	}                                                                                          \
	const struct command command_vm_##verb = {                                                 \
		.group = "vm",                                                                     \
		.name = #verb,                                                                     \
		.summary = what,                                                                   \
		.usage = "Usage: vgpuctl vm " #verb " VM\n" more,                                  \
		.operands_min = 1,                                                                 \
		.operands_max = 1,                                                                 \
		.run = verb##_vm,                                                                  \
	}

ACTION(pause, "let a VM's work wait",
       "From now on the VM's work waits; what is on a GPU ends first. Nothing is lost.\n");
ACTION(resume, "let a paused or draining VM go on", "Undoes 'vm pause' and 'vm drain'.\n");
ACTION(drain, "let a VM finish what it has begun, and begin nothing",
       "The VM may finish what it has submitted; what it submits from now on waits.\n");
ACTION(quarantine, "refuse a VM's jobs",
       "Refuses the VM's jobs until 'vm release', and ends those that run.\n");
ACTION(release, "let a VM out of quarantine", "Ends a VM's quarantine.\n");
ACTION(reset, "end a VM's workers",
       "Ends the VM's workers: its programs find their contexts lost, and may begin anew.\n");
