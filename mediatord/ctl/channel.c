/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl channel list. */
#include "mediatord/ctl/print.h"
#include "mediatord/ctl/show.h"
#include "mediatord/ctl/vm.h"

static void add_channel(struct table *table, const json_t *channel)
{
	show_cell(table, channel, "channel", SHOW_PLAIN);
	show_cell(table, channel, "state", SHOW_PLAIN);
	show_cell(table, channel, "worker_pid", SHOW_PLAIN);
	show_cell(table, channel, "region_bytes", SHOW_SIZE);
	show_cell(table, channel, "memory_used_bytes", SHOW_SIZE);
	show_cell(table, channel, "submissions", SHOW_PLAIN);
	show_cell(table, channel, "errors", SHOW_PLAIN);
	show_cell(table, channel, "gpu_time_ns", SHOW_TIME);
	show_cell(table, channel, "context", SHOW_PLAIN);
	show_cell(table, channel, "gpu_index", SHOW_PLAIN);
	show_cell(table, channel, "gpu", SHOW_PLAIN);
}

static int list(struct ctl *ctl, int count, char **operands)
{
	static const struct table_column columns[] = {
		{ .title = "CHANNEL", .right = true },
		{ .title = "STATE" },
		{ .title = "WORKER", .right = true },
		{ .title = "REGION", .right = true },
		{ .title = "MEMORY", .right = true },
		{ .title = "SUBMISSIONS", .right = true },
		{ .title = "ERRORS", .right = true },
		{ .title = "GPU TIME", .right = true },
		{ .title = "CONTEXT" },
		{ .title = "GPU", .right = true },
		{ .title = "NAME", .flexible = true },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);
	VGPU_AUTO_JSON json_t *vm = NULL, *answer = NULL;
	char path[VM_PATH_BYTES];
	json_t *channels;
	int status = vm_find_path(ctl, operands[0], "", path);

	(void)count;
	if (status == 0)
		status = ctl_get(ctl, path, &vm);
	if (status)
		return status;
	channels = json_object_get(vm, "channels");
	if (!json_is_array(channels))
		return ctl_fail(ctl, EX_PROTOCOL, "the mediator's answer has no list 'channels'");
	answer = json_pack("{s:O}", "channels", channels);
	return print_answer(ctl, answer, "channels", &table, add_channel);
}

const struct command command_channel_list = {
	.group = "channel",
	.name = "list",
	.summary = "a VM's channels",
	.usage = "Usage: vgpuctl channel list VM\n"
		 "Lists the channels that a VM's device has open, opens or closes.\n",
	.operands_min = 1,
	.operands_max = 1,
	.run = list,
};
