/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl token list, add and rm. A token itself is shown to nobody but its file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "mediatord/config_value.h"
#include "mediatord/ctl/print.h"
#include "mediatord/ctl/show.h"

static void add_token(struct table *table, const json_t *token)
{
	show_cell(table, token, "name", SHOW_PLAIN);
	show_cell(table, token, "role", SHOW_PLAIN);
	show_cell(table, token, "created", SHOW_PLAIN);
	table_add(table, show_text(token, "expires", "never"));
}

static int list(struct ctl *ctl, int count, char **operands)
{
	static const struct table_column columns[] = {
		{ .title = "NAME", .flexible = true },
		{ .title = "ROLE" },
		{ .title = "CREATED" },
		{ .title = "EXPIRES" },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);

	(void)count;
	(void)operands;
	return print_list(ctl, "/v1/tokens", "tokens", &table, add_token);
}

const struct command command_token_list = {
	.group = "token",
	.name = "list",
	.summary = "who may ask the mediator over TCP",
	.usage = "Usage: vgpuctl token list\n"
		 "Lists the bearer tokens by name, with role and end. What a token is made of is "
		 "known\n"
		 "to nobody but its file.\n",
	.run = list,
};

/* A new file that only its owner may read. Returns its descriptor, or -1. */
static int make_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int write_token(int fd, const char *token)
{
	VGPU_AUTO_FREE char *line = NULL;
	int length = asprintf(&line, "%s\n", token);

	if (length < 0) {
		line = NULL;
		return -1;
	}
	return write(fd, line, (size_t)length) == length && fsync(fd) == 0 ? 0 : -1;
}

/* The body of the request. Returns 0, or an exit status with the error reported. */
static int make_body(struct ctl *ctl, const char *name, json_t *body)
{
	const char *end = "d";
	uint64_t days;
	int status = ctl_check_name(ctl, name);

	if (status)
		return status;
	json_object_set_new(body, "name", json_string(name));
	if (!ctl->role)
		return ctl_fail(ctl, EX_USAGE,
				"token add: --role is needed: read, operate or hook");
	json_object_set_new(body, "role", json_string(ctl->role));
	if (!ctl->expires)
		return 0;
	if (config_value_digits(ctl->expires, 36500, &days, &end) < 0 || strcmp(end, "d") != 0)
		return ctl_fail(ctl, EX_USAGE,
				"token add: --expires: '%s' is no number of days, as 90d",
				ctl->expires);
	json_object_set_new(body, "expires_in_seconds", json_integer((json_int_t)days * 86400));
	return 0;
}

static int add(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_JSON json_t *body = json_object(), *answer = NULL;
	VGPU_AUTO_CLOSE int fd = -1;
	const char *token;
	int status = make_body(ctl, operands[0], body);

	(void)count;
	if (status)
		return status;
	/* First: a token that has no place to go to would be one that nobody has. */
	fd = make_file(operands[1]);
	if (fd < 0)
		return ctl_fail(ctl, EX_CANTCREAT, "%s: %s", operands[1], strerror(errno));
	status = ctl_send(ctl, "POST", "/v1/tokens", NULL, body, &answer);
	token = show_text(answer, "token", "");
	if (status == 0 && !*token)
		status = ctl_fail(ctl, EX_PROTOCOL, "the mediator's answer has no token");
	else if (status == 0 && write_token(fd, token) < 0)
		status = ctl_fail(ctl, EX_IOERR, "%s: %s; remove the token '%s' and try again",
				  operands[1], strerror(errno), operands[0]);
	if (status)
		unlink(operands[1]);
	return status;
}

const struct command command_token_add = {
	.group = "token",
	.name = "add",
	.summary = "make a token, into a file",
	.usage =
		"Usage: vgpuctl token add NAME FILE --role ROLE [--expires DAYS]\n"
		"Has the mediator make a token, and writes it to FILE, which must not be there "
		"yet\n"
		"and which only its owner may read. It is shown nowhere, and cannot be read "
		"again.\n"
		"\n"
		"      --role=ROLE     read: look; operate: change too; hook: only what libvirt's\n"
		"                      hook does\n"
		"      --expires=DAYS  as 90d; without it the token does not expire\n",
	.options = "re",
	.operands_min = 2,
	.operands_max = 2,
	.run = add,
};

static int rm(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_JSON json_t *answer = NULL;
	char path[CTL_NAME_PATH_BYTES];
	int status = ctl_name_path(ctl, "tokens", operands[0], path);

	(void)count;
	return status ? status : ctl_send(ctl, "DELETE", path, NULL, NULL, &answer);
}

const struct command command_token_rm = {
	.group = "token",
	.name = "rm",
	.summary = "withdraw a token",
	.usage = "Usage: vgpuctl token rm NAME\n"
		 "Withdraws a token: from now on whoever shows it is refused.\n",
	.operands_min = 1,
	.operands_max = 1,
	.run = rm,
};
