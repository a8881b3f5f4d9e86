/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl vm list, show and rm. */
#include <string.h>

#include "mediatord/ctl/print.h"
#include "mediatord/ctl/show.h"
#include "mediatord/ctl/values.h"
#include "mediatord/ctl/vm.h"

const char *vm_label(const json_t *vm)
{
	const char *name = show_text(vm, "name", "");

	return *name ? name : show_text(vm, "uuid", "-");
}

const char *vm_state(const json_t *vm)
{
	const char *hold = show_text(vm, "hold", "none");

	if (json_object_get(vm, "problem"))
		return "problem";
	if (json_is_true(json_object_get(vm, "quarantined")))
		return "quarantined";
	if (strcmp(hold, "none") != 0)
		return hold;
	if (strcmp(show_text(vm, "link.state", ""), "up") == 0)
		return "up";
	return json_is_true(json_object_get(vm, "attached")) ? "attached" : "down";
}

static void add_vm(struct table *table, const json_t *vm)
{
	table_add(table, vm_label(vm));
	show_cell(table, vm, "vm_id", SHOW_PLAIN);
	table_add(table, vm_state(vm));
	show_cell(table, vm, "pool", SHOW_PLAIN);
	show_cell(table, vm, "profile", SHOW_PLAIN);
	show_cell(table, vm, "priority", SHOW_PLAIN);
	show_cell(table, vm, "weight", SHOW_PLAIN);
	show_cell(table, vm, "usage.gpu_memory_bytes", SHOW_SIZE);
	show_limit_cell(table, vm, "quotas.gpu_memory_bytes", SHOW_SIZE);
	table_addf(table, "%zu", json_array_size(json_object_get(vm, "channels")));
}

static int list(struct ctl *ctl, int count, char **operands)
{
	static const struct table_column columns[] = {
		{ .title = "NAME", .flexible = true },
		{ .title = "ID", .right = true },
		{ .title = "STATE" },
		{ .title = "POOL" },
		{ .title = "PROFILE", .flexible = true },
		{ .title = "PRIORITY" },
		{ .title = "WEIGHT", .right = true },
		{ .title = "MEMORY", .right = true },
		{ .title = "QUOTA", .right = true },
		{ .title = "CH", .right = true },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);

	(void)count;
	(void)operands;
	return print_list(ctl, "/v1/vms", "vms", &table, add_vm);
}

const struct command command_vm_list = {
	.group = "vm",
	.name = "list",
	.summary = "all VMs",
	.usage = "Usage: vgpuctl vm list\n"
		 "Lists the registered VMs: what is configured, and what they hold of it.\n",
	.run = list,
};

static void show_row(struct table *table, const json_t *vm, const char *what, const char *path,
		     enum show_kind kind)
{
	if (!show_at(vm, path))
		return;
	table_add(table, what);
	show_cell(table, vm, path, kind);
	table_add(table, "");
}

/* What was configured, with the hand that did; under the names that `vm set` takes. */
static void show_values(struct table *table, const json_t *vm)
{
	const json_t *sources = json_object_get(vm, "sources");

	for (const struct value_key *key = value_keys; key->name; key++) {
		const char *source = json_string_value(json_object_get(sources, key->path));

		if (!show_at(vm, key->path))
			continue;
		table_add(table, key->name);
		values_cell(table, vm, key);
		table_add(table, source ? source : "");
	}
}

static void show_state(struct table *table, const json_t *vm)
{
	static const struct {
		const char *what, *path;
		enum show_kind kind;
	} rows[] = {
		{ "problem", "problem", SHOW_PLAIN },
		{ "attached", "attached", SHOW_PLAIN },
		{ "domain", "domain.state", SHOW_PLAIN },
		{ "hold", "hold", SHOW_PLAIN },
		{ "idle", "idle", SHOW_PLAIN },
		{ "quarantine", "quarantine.reason", SHOW_PLAIN },
		{ "quarantine until", "quarantine.until", SHOW_PLAIN },
		{ "link socket", "link.socket", SHOW_PLAIN },
		{ "link", "link.state", SHOW_PLAIN },
		{ "link pid", "link.pid", SHOW_PLAIN },
		{ "mailbox worker", "worker.state", SHOW_PLAIN },
		{ "mailbox worker pid", "worker.pid", SHOW_PLAIN },
		{ "gpu", "worker.gpu", SHOW_PLAIN },
		{ "gpu memory held", "usage.gpu_memory_bytes", SHOW_SIZE },
		{ "window held", "usage.window_bytes", SHOW_SIZE },
		{ "gpu time", "usage.gpu_time_ns", SHOW_TIME },
		{ "requests", "counters.requests", SHOW_PLAIN },
		{ "completed", "counters.completed", SHOW_PLAIN },
		{ "failed", "counters.failed", SHOW_PLAIN },
		{ "faults", "counters.faults", SHOW_PLAIN },
		{ "quarantines", "counters.quarantines", SHOW_PLAIN },
		{ "workers lost", "counters.workers_lost", SHOW_PLAIN },
		{ "links refused", "counters.links_refused", SHOW_PLAIN },
		{ "jobs", "counters.jobs", SHOW_PLAIN },
		{ "wait, p50", "latency_ns.queue.p50", SHOW_TIME },
		{ "wait, p99", "latency_ns.queue.p99", SHOW_TIME },
		{ "run, p50", "latency_ns.run.p50", SHOW_TIME },
		{ "run, p99", "latency_ns.run.p99", SHOW_TIME },
	};

	table_add(table, "state");
	table_add(table, vm_state(vm));
	table_add(table, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		show_row(table, vm, rows[i].what, rows[i].path, rows[i].kind);
	table_add(table, "channels");
	table_addf(table, "%zu", json_array_size(json_object_get(vm, "channels")));
	table_add(table, "");
}

/* Where libvirt's domain is not what is registered. */
static void show_drift(struct table *table, const json_t *vm)
{
	const json_t *drift;
	size_t index;

	json_array_foreach (show_at(vm, "domain.drift"), index, drift) {
		table_addf(table, "drift: %s", show_text(drift, "what", "?"));
		table_add(table, show_text(drift, "detail", "?"));
		table_add(table, "");
	}
}

static void show_all(struct table *table, const json_t *vm)
{
	show_row(table, vm, "uuid", "uuid", SHOW_PLAIN);
	show_values(table, vm);
	show_state(table, vm);
	show_drift(table, vm);
}

static int show(struct ctl *ctl, int count, char **operands)
{
	static const struct table_column columns[] = {
		{ .title = "WHAT" },
		{ .title = "VALUE" },
		{ .title = "FROM" },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);
	VGPU_AUTO_JSON json_t *vm = NULL;
	char path[VM_PATH_BYTES];
	int status = vm_find_path(ctl, operands[0], "", path);

	(void)count;
	if (status == 0)
		status = ctl_get(ctl, path, &vm);
	return status ? status : print_object(ctl, vm, &table, show_all);
}

const struct command command_vm_show = {
	.group = "vm",
	.name = "show",
	.summary = "one VM: its values, where they come from, and what it does",
	.usage =
		"Usage: vgpuctl vm show VM\n"
		"Shows a VM. FROM says who gave a value: the operator, the domain's metadata, its\n"
		"profile, or a default. VM is a uuid, a vm_id or a name of libvirt's.\n",
	.operands_min = 1,
	.operands_max = 1,
	.run = show,
};

static int rm(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_JSON json_t *answer = NULL;
	char path[VM_PATH_BYTES];
	int status = vm_find_path(ctl, operands[0], "", path);

	(void)count;
	return status ? status : ctl_send(ctl, "DELETE", path, NULL, NULL, &answer);
}

const struct command command_vm_rm = {
	.group = "vm",
	.name = "rm",
	.summary = "end a VM's link and workers, and forget it",
	.usage = "Usage: vgpuctl vm rm VM\n"
		 "Ends a VM's link and workers and forgets the VM. What it held is lost.\n",
	.operands_min = 1,
	.operands_max = 1,
	.run = rm,
};
