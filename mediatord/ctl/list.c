/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl pool list, gpu list, gpu show and seat list. */
#include <stdio.h>
#include <string.h>

#include "mediatord/config_value.h"
#include "mediatord/ctl/print.h"
#include "mediatord/ctl/show.h"

void print_gpu_row(struct table *table, const json_t *gpu)
{
	show_cell(table, gpu, "index", SHOW_PLAIN);
	show_cell(table, gpu, "name", SHOW_PLAIN);
	show_cell(table, gpu, "pool", SHOW_PLAIN);
	show_cell(table, gpu, "state", SHOW_PLAIN);
	show_cell(table, gpu, "utilization_percent", SHOW_PERCENT);
	show_cell(table, gpu, "memory_used_bytes", SHOW_SIZE);
	show_cell(table, gpu, "memory_bytes", SHOW_SIZE);
	show_cell(table, gpu, "temperature_celsius", SHOW_CELSIUS);
	show_cell(table, gpu, "power_milliwatts", SHOW_POWER);
}

static int list_gpus(struct ctl *ctl, int count, char **operands)
{
	static const struct table_column columns[] = {
		{ .title = "GPU", .right = true },
		{ .title = "NAME", .flexible = true },
		{ .title = "POOL" },
		{ .title = "STATE" },
		{ .title = "UTIL", .right = true },
		{ .title = "USED", .right = true },
		{ .title = "MEMORY", .right = true },
		{ .title = "TEMP", .right = true },
		{ .title = "POWER", .right = true },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);

	(void)count;
	(void)operands;
	return print_list(ctl, "/v1/gpus", "gpus", &table, print_gpu_row);
}

const struct command command_gpu_list = {
	.group = "gpu",
	.name = "list",
	.summary = "the host's GPUs",
	.usage = "Usage: vgpuctl gpu list\n"
		 "Lists the GPUs, as their driver described them some seconds ago.\n",
	.run = list_gpus,
};

static void add_gpu(struct table *table, const json_t *gpu)
{
	static const struct {
		const char *what, *path;
		enum show_kind kind;
	} rows[] = {
		{ "gpu", "index", SHOW_PLAIN },
		{ "name", "name", SHOW_PLAIN },
		{ "uuid", "uuid", SHOW_PLAIN },
		{ "pci address", "pci_address", SHOW_PLAIN },
		{ "pool", "pool", SHOW_PLAIN },
		{ "state", "state", SHOW_PLAIN },
		{ "problem", "problem", SHOW_PLAIN },
		{ "memory", "memory_bytes", SHOW_SIZE },
		{ "memory used", "memory_used_bytes", SHOW_SIZE },
		{ "utilization", "utilization_percent", SHOW_PERCENT },
		{ "temperature", "temperature_celsius", SHOW_CELSIUS },
		{ "power", "power_milliwatts", SHOW_POWER },
		{ "partitioned (MIG)", "mig", SHOW_PLAIN },
		{ "processes", "processes", SHOW_PLAIN },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		table_add(table, rows[i].what);
		show_cell(table, gpu, rows[i].path, rows[i].kind);
	}
}

static int show_gpu(struct ctl *ctl, int count, char **operands)
{
	static const struct table_column columns[] = { { .title = "WHAT" }, { .title = "VALUE" } };
	TABLE_AUTO struct table table = TABLE_INIT(columns);
	VGPU_AUTO_JSON json_t *answer = NULL;
	const json_t *gpu;
	const char *end;
	uint64_t wanted;
	size_t index;
	int status;

	(void)count;
	if (config_value_digits(operands[0], INT64_MAX, &wanted, &end) < 0 || *end)
		return ctl_fail(ctl, EX_USAGE, "gpu show: '%s' is no number of a GPU", operands[0]);
	status = ctl_get_list(ctl, "/v1/gpus", "gpus", &answer);
	if (status)
		return status;
	json_array_foreach (json_object_get(answer, "gpus"), index, gpu)
		if (show_number(gpu, "index") == (int64_t)wanted)
			return print_object(ctl, gpu, &table, add_gpu);
	return ctl_fail(ctl, CTL_REFUSED, "there is no GPU %s; see 'vgpuctl gpu list'",
			operands[0]);
}

const struct command command_gpu_show = {
	.group = "gpu",
	.name = "show",
	.summary = "one GPU",
	.usage = "Usage: vgpuctl gpu show GPU\n"
		 "Shows the GPU of this number.\n",
	.operands_min = 1,
	.operands_max = 1,
	.run = show_gpu,
};

/* "0,1": a table's cell has no room for more. */
static void add_gpus(struct table *table, const json_t *pool)
{
	const json_t *gpus = json_object_get(pool, "gpus"), *gpu;
	char text[256] = "";
	size_t index, used = 0;

	json_array_foreach (gpus, index, gpu) {
		if (!json_is_integer(gpu) || used + 24 > sizeof(text))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%lld",
					 used ? "," : "", (long long)json_integer_value(gpu));
	}
	table_add(table, used ? text : "-");
}

static void add_pool(struct table *table, const json_t *pool)
{
	show_cell(table, pool, "name", SHOW_PLAIN);
	add_gpus(table, pool);
	show_cell(table, pool, "vms", SHOW_PLAIN);
	show_cell(table, pool, "memory_bytes", SHOW_SIZE);
	show_cell(table, pool, "committed_bytes", SHOW_SIZE);
	show_limit_cell(table, pool, "limit_bytes", SHOW_SIZE);
	show_cell(table, pool, "contexts", SHOW_PLAIN);
}

static int list_pools(struct ctl *ctl, int count, char **operands)
{
	static const struct table_column columns[] = {
		{ .title = "NAME" },
		{ .title = "GPUS", .flexible = true },
		{ .title = "VMS", .right = true },
		{ .title = "MEMORY", .right = true },
		{ .title = "COMMITTED", .right = true },
		{ .title = "LIMIT", .right = true },
		{ .title = "CONTEXTS", .right = true },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);

	(void)count;
	(void)operands;
	return print_list(ctl, "/v1/pools", "pools", &table, add_pool);
}

const struct command command_pool_list = {
	.group = "pool",
	.name = "list",
	.summary = "the pools, and what is promised of their memory",
	.usage = "Usage: vgpuctl pool list\n"
		 "Lists the pools with their GPUs, and how much of these GPUs' memory is promised "
		 "to\n"
		 "VMs.\n",
	.run = list_pools,
};

/* A seat without its GPU, or one that goes once it is free, is not for new VMs. */
static const char *seat_state(const json_t *seat)
{
	if (!json_is_true(json_object_get(seat, "present")))
		return "GPU away";
	if (!json_is_true(json_object_get(seat, "offered")))
		return "leaving";
	return json_is_object(json_object_get(seat, "vm")) ? "used" : "free";
}

static void add_seat(struct table *table, const json_t *seat)
{
	show_cell(table, seat, "uuid", SHOW_PLAIN);
	show_cell(table, seat, "gpu.index", SHOW_PLAIN);
	show_cell(table, seat, "profile", SHOW_PLAIN);
	show_cell(table, seat, "number", SHOW_PLAIN);
	table_add(table, seat_state(seat));
	show_cell(table, seat, "vm.name", SHOW_PLAIN);
}

static int list_seats(struct ctl *ctl, int count, char **operands)
{
	static const struct table_column columns[] = {
		{ .title = "SEAT" },	{ .title = "GPU", .right = true },
		{ .title = "PROFILE" }, { .title = "NUMBER", .right = true },
		{ .title = "STATE" },	{ .title = "VM", .flexible = true },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);

	(void)count;
	(void)operands;
	return print_list(ctl, "/v1/seats", "seats", &table, add_seat);
}

const struct command command_seat_list = {
	.group = "seat",
	.name = "list",
	.summary = "the places that GPUs offer to CloudStack",
	.usage = "Usage: vgpuctl seat list\n"
		 "Lists the seats that profiles offer on the GPUs, which CloudStack sees as "
		 "devices,\n"
		 "and the VMs that have them.\n",
	.run = list_seats,
};
