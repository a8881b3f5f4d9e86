/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl audit, backup and version. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/output.h"
#include "config.h"
#include "mediatord/ctl/print.h"
#include "mediatord/ctl/show.h"
#include "mediatord/ctl/text.h"

static void add_entry(struct table *table, const json_t *entry)
{
	show_cell(table, entry, "id", SHOW_PLAIN);
	show_cell(table, entry, "time", SHOW_PLAIN);
	show_cell(table, entry, "who", SHOW_PLAIN);
	show_cell(table, entry, "status", SHOW_PLAIN);
	show_cell(table, entry, "what", SHOW_PLAIN);
}

static int audit(struct ctl *ctl, int count, char **operands)
{
	/* None gives way: whoever reads an audit wants all of it. */
	static const struct table_column columns[] = {
		{ .title = "ID", .right = true },     { .title = "TIME" }, { .title = "WHO" },
		{ .title = "STATUS", .right = true }, { .title = "WHAT" },
	};
	TABLE_AUTO struct table table = TABLE_INIT(columns);

	(void)count;
	(void)operands;
	return print_list(ctl, "/v1/audit", "entries", &table, add_entry);
}

const struct command command_audit = {
	.name = "audit",
	.summary = "who changed what",
	.usage = "Usage: vgpuctl audit\n"
		 "Lists the changes that were asked for, the oldest first: who asked, for what, "
		 "and\n"
		 "the HTTP status that answered.\n",
	.run = audit,
};

/* Copies everything from one file to the other. Returns 0, or -1 with errno. */
static int copy(int from, FILE *to)
{
	char bytes[65536];
	ssize_t length;

	while ((length = read(from, bytes, sizeof(bytes))) > 0)
		if (fwrite(bytes, 1, (size_t)length, to) != (size_t)length)
			return -1;
	return length < 0 ? -1 : 0;
}

/* Moves the mediator's file to where the operator wants it; on any disk. */
static int fetch(struct ctl *ctl, const char *path, const char *target)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	OUTPUT_AUTO struct output output = { 0 };
	VGPU_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return ctl_fail(ctl, EX_NOINPUT,
				"the backup is made, but stays on the mediator's host as %s: %s",
				path, strerror(errno));
	/* It holds what tokens are known by. */
	umask(077);
	if (output_open(&output, target, &err) < 0)
		return ctl_fail(ctl, err->status, "%s; the backup stays %s", err->message, path);
	if (copy(fd, output.stream) < 0)
		return ctl_fail(ctl, EX_IOERR, "%s: %s; the backup stays %s", target,
				strerror(errno), path);
	if (output_commit(&output, &err) < 0)
		return ctl_fail(ctl, err->status, "%s; the backup stays %s", err->message, path);
	unlink(path);
	return EX_OK;
}

static int backup(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_JSON json_t *answer = NULL;
	VGPU_AUTO_FREE char *visible = NULL;
	const char *path;
	int status = server_prepare(ctl);

	if (status)
		return status;
	/* Else another host could have this one's files copied and removed. */
	if (count && ctl->server.url)
		return ctl_fail(ctl, EX_USAGE,
				"backup: the copy stays on the host of %s: leave '%s' out, and "
				"fetch it from there",
				ctl->server.url, operands[0]);
	status = ctl_send(ctl, "POST", "/v1/backup", NULL, NULL, &answer);
	if (status)
		return status;
	path = show_text(answer, "path", NULL);
	if (!path || *path != '/')
		return ctl_fail(ctl, EX_PROTOCOL, "the mediator does not say where its backup is");
	if (count)
		return fetch(ctl, path, operands[0]);
	if (ctl->json)
		return ctl_print_json(answer);
	visible = text_visible(path, NULL);
	puts(visible ? visible : "");
	return EX_OK;
}

const struct command command_backup = {
	.name = "backup",
	.summary = "copy the mediator's database while it runs",
	.usage = "Usage: vgpuctl backup [FILE]\n"
		 "Has the mediator make a copy of its database, of one moment and in full, and "
		 "moves\n"
		 "it to FILE, which is replaced. Without FILE, as it must be with --url, the copy "
		 "stays\n"
		 "beside the database, and its path is printed. To restore one, stop the mediator, "
		 "put\n"
		 "the copy in the database's place without the files NAME-wal and NAME-shm, and "
		 "start it.\n",
	.operands_max = 1,
	.run = backup,
};

/* Of the mediator only where it can be asked: a version is also asked for when it does not run. */
static int version(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_FREE char *mediator = NULL;
	int status = server_prepare(ctl);

	(void)count;
	(void)operands;
	if (status)
		return status;
	mediator = server_version(ctl);
	if (ctl->json) {
		VGPU_AUTO_JSON json_t *json =
			json_pack("{s:s, s:s?}", "vgpuctl", PACKAGE_VERSION, "mediator", mediator);

		return ctl_print_json(json);
	}
	puts("vgpuctl " PACKAGE_VERSION);
	if (mediator) {
		VGPU_AUTO_FREE char *text = text_visible(mediator, NULL);

		printf("vgpu-mediatord %s\n", text ? text : "");
	}
	return EX_OK;
}

const struct command command_version = {
	.name = "version",
	.summary = "the versions of vgpuctl and, where it answers, of the mediator",
	.usage = "Usage: vgpuctl version\n"
		 "Prints the version, and the mediator's where it answers.\n",
	.run = version,
};
