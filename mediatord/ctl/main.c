/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl: the operator's command line to vgpu-mediatord. */
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "mediatord/ctl/ctl.h"

static bool is_group(const char *word)
{
	for (size_t i = 0; commands[i]; i++)
		if (commands[i]->group && strcmp(commands[i]->group, word) == 0)
			return true;
	return false;
}

static int run_command(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
	char title[32];
	bool done = false;
	int status, count;

	optind = 0; /* begins anew, also with what POSIXLY_CORRECT says */
	status = options_parse(ctl, argc, argv, command, &done);
	if (done)
		return status;
	count = argc - optind;
	command_title(command, title, sizeof(title));
	if (count < command->operands_min)
		return ctl_fail(ctl, EX_USAGE, "%s: an argument is missing; see 'vgpuctl help %s'",
				title, title);
	if (command->operands_max >= 0 && count > command->operands_max)
		return ctl_fail(ctl, EX_USAGE, "%s: '%s' is one argument too many", title,
				argv[optind + command->operands_max]);
	return command->run(ctl, count, argv + optind);
}

/* The command's words and all that follows. */
static int run(struct ctl *ctl, int argc, char **argv)
{
	const struct command *command;
	int used;

	if (argc == 0)
		return ctl_fail(ctl, EX_USAGE, "no command; try 'vgpuctl --help'");
	command = command_find(argc, argv, &used);
	if (command)
		return run_command(ctl, command, argc - used + 1, argv + used - 1);
	if (!is_group(argv[0]))
		return ctl_fail(ctl, EX_USAGE, "'%s' is not a command; try 'vgpuctl --help'",
				argv[0]);
	if (argc == 1)
		return ctl_fail(ctl, EX_USAGE, "%s: what of it? Try 'vgpuctl help %s'", argv[0],
				argv[0]);
	if (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)
		return ctl_fail(ctl, EX_USAGE, "'%s %s' is not a command; try 'vgpuctl help %s'",
				argv[0], argv[1], argv[0]);
	help_print_group(argv[0]);
	return EX_OK;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { 0 };
	bool done = false;
	int status;

	setlocale(LC_CTYPE, "");
	/* A reader of our output that went away is an error of the write. */
	signal(SIGPIPE, SIG_IGN);
	status = options_parse(&ctl, argc, argv, NULL, &done);
	if (!done)
		status = run(&ctl, argc - optind, argv + optind);
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == EX_OK) {
		fprintf(stderr, "vgpuctl: standard output: %s\n", strerror(errno));
		status = EX_IOERR;
	}
	if (ctl.token)
		explicit_bzero(ctl.token, strlen(ctl.token));
	free(ctl.token);
	return status;
}
