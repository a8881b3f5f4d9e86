/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl profile list, show, add, set and rm. */
#include <string.h>

#include "mediatord/ctl/change.h"
#include "mediatord/ctl/print.h"
#include "mediatord/ctl/show.h"
#include "mediatord/ctl/values.h"

#define VALUES_HELP                                                                                \
	"Values: pool, priority (low, medium, high), weight, seats (that each GPU offers to\n"     \
	"CloudStack), and the quotas gpu-memory, window\n"                                         \
	"(4GiB), gpu-time-guaranteed, gpu-time-max (20%), requests-per-second, burst,\n"           \
	"queue-depth, channels, longest-job (10s); 0 is no limit.\n"

static void add_profile(struct table *table, const json_t *profile)
{
	show_cell(table, profile, "name", SHOW_PLAIN);
	show_cell(table, profile, "pool", SHOW_PLAIN);
	show_cell(table, profile, "priority", SHOW_PLAIN);
	show_cell(table, profile, "weight", SHOW_PLAIN);
	show_limit_cell(table, profile, "quotas.gpu_memory_bytes", SHOW_SIZE);
	show_limit_cell(table, profile, "quotas.window_bytes", SHOW_SIZE);
	show_limit_cell(table, profile, "quotas.gpu_time_guaranteed_percent", SHOW_PERCENT);
	show_limit_cell(table, profile, "quotas.gpu_time_max_percent", SHOW_PERCENT);
	show_cell(table, profile, "vms", SHOW_PLAIN);
	show_cell(table, profile, "origin", SHOW_PLAIN);
}

static int list(struct ctl *ctl, int count, char **operands)
{
	static const struct table_column columns[] = {
		{ .title = "NAME", .flexible = true },
		{ .title = "POOL" },
		{ .title = "PRIORITY" },
		{ .title = "WEIGHT", .right = true },
		{ .title = "MEMORY", .right = true },
		{ .title = "WINDOW", .right = true },
		{ .title = "GUARANTEED", .right = true },
		{ .title = "MAX", .right = true },
		{ .title = "VMS", .right = true },
		{ .title = "FROM" },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);

	(void)count;
	(void)operands;
	return print_list(ctl, "/v1/profiles", "profiles", &table, add_profile);
}

const struct command command_profile_list = {
	.group = "profile",
	.name = "list",
	.summary = "all profiles",
	.usage = "Usage: vgpuctl profile list\n"
		 "Lists the profiles: those of mediatord.conf, and those that operators made.\n",
	.run = list,
};

static void add_rows(struct table *table, const json_t *profile)
{
	table_add(table, "name");
	show_cell(table, profile, "name", SHOW_PLAIN);
	table_add(table, "from");
	show_cell(table, profile, "origin", SHOW_PLAIN);
	table_add(table, "vms");
	show_cell(table, profile, "vms", SHOW_PLAIN);
	for (const struct value_key *key = value_keys; key->name; key++) {
		if (key->vm_only)
			continue;
		table_add(table, key->name);
		values_cell(table, profile, key);
	}
}

static int show(struct ctl *ctl, int count, char **operands)
{
	static const struct table_column columns[] = { { .title = "WHAT" }, { .title = "VALUE" } };
	TABLE_AUTO struct table table = TABLE_INIT(columns);
	VGPU_AUTO_JSON json_t *profile = NULL;
	char path[CTL_NAME_PATH_BYTES];
	int status = ctl_name_path(ctl, "profiles", operands[0], path);

	(void)count;
	if (status == 0)
		status = ctl_get(ctl, path, &profile);
	return status ? status : print_object(ctl, profile, &table, add_rows);
}

const struct command command_profile_show = {
	.group = "profile",
	.name = "show",
	.summary = "one profile",
	.usage = "Usage: vgpuctl profile show PROFILE\n"
		 "Shows a profile as it is in force.\n",
	.operands_min = 1,
	.operands_max = 1,
	.run = show,
};

static int add(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_JSON json_t *body = json_object(), *profile = NULL;
	char path[CTL_NAME_PATH_BYTES];
	int status = ctl_name_path(ctl, "profiles", operands[0], path);

	if (status == 0)
		status = change_body(ctl, &command_profile_add, count - 1, operands + 1, body);
	if (status == 0)
		status = ctl_send(ctl, "PUT", path, "If-None-Match: *", body, &profile);
	if (status || !ctl->json)
		return status;
	return ctl_print_json(profile);
}

const struct command command_profile_add = {
	.group = "profile",
	.name = "add",
	.summary = "make a profile",
	.usage = "Usage: vgpuctl profile add PROFILE [KEY=VALUE]...\n"
		 "Makes a profile. What the values do not say it has from the built-in "
		 "one.\n" VALUES_HELP,
	.operands_min = 1,
	.operands_max = -1,
	.run = add,
};

/* Takes one value from `from` into `to`; null takes it out. */
static void carry(json_t *to, const json_t *from, const char *path)
{
	const char *dot = strchr(path, '.');
	json_t *value = show_at(from, path);

	if (value && dot && !json_object_get(to, "quotas"))
		json_object_set_new(to, "quotas", json_object());
	if (dot)
		to = json_object_get(to, "quotas");
	if (json_is_null(value))
		json_object_del(to, dot ? dot + 1 : path);
	else if (value)
		json_object_set(to, dot ? dot + 1 : path, value);
}

/* What is PUT is all that the profile says: what it said, and the change on top. */
static json_t *make_whole(const json_t *profile, const json_t *change)
{
	json_t *body = json_object();

	for (const struct value_key *key = value_keys; key->name; key++) {
		if (key->vm_only)
			continue;
		carry(body, profile, key->path);
		carry(body, change, key->path);
	}
	return body;
}

static int set(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_JSON json_t *body = json_object(), *profile = NULL;
	char path[CTL_NAME_PATH_BYTES];
	int status = ctl_name_path(ctl, "profiles", operands[0], path);

	if (status == 0)
		status = change_body(ctl, &command_profile_set, count - 1, operands + 1, body);
	if (status == 0)
		status = change_send(ctl, "PUT", path, make_whole, body, &profile);
	if (status || !ctl->json)
		return status;
	return ctl_print_json(profile);
}

const struct command command_profile_set = {
	.group = "profile",
	.name = "set",
	.summary = "change a profile, and with it the VMs that have it",
	.usage = "Usage: vgpuctl profile set PROFILE [--force] KEY=VALUE...\n"
		 "Changes a profile that operators made, at once for the VMs that have it. 'KEY='\n"
		 "takes a value back. Where somebody else changes it in the same moment, nothing "
		 "is\n"
		 "changed.\n" VALUES_HELP "\n"
		 "      --force  try again where somebody else changed the profile\n",
	.options = "F",
	.operands_min = 2,
	.operands_max = -1,
	.run = set,
};

static int rm(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_JSON json_t *answer = NULL;
	char path[CTL_NAME_PATH_BYTES];
	int status = ctl_name_path(ctl, "profiles", operands[0], path);

	(void)count;
	return status ? status : ctl_send(ctl, "DELETE", path, NULL, NULL, &answer);
}

const struct command command_profile_rm = {
	.group = "profile",
	.name = "rm",
	.summary = "remove a profile that no VM has",
	.usage = "Usage: vgpuctl profile rm PROFILE\n"
		 "Removes a profile that operators made and that no VM has.\n",
	.operands_min = 1,
	.operands_max = 1,
	.run = rm,
};
