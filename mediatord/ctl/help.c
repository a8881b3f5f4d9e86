/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "mediatord/ctl/ctl.h"

static const char common_options[] =
	"      --socket=PATH      the mediator's control socket (default:\n"
	"                         " VGPU_RUN_DIR "/control.sock)\n"
	"      --url=URL          https://HOST:PORT instead, where the mediator serves TCP\n"
	"      --token-file=FILE  a file with the token to show there; only its owner may\n"
	"                         read it\n"
	"      --cacert=FILE      certificates to trust there, instead of the system's\n"
	"  -t, --timeout=SECONDS  how long an answer may take (default: 10)\n"
	"  -j, --json             print the API's JSON, errors as an object too\n"
	"  -h, --help             print this help\n";

static const char environment[] =
	"\n"
	"VGPUCTL_SOCKET, VGPUCTL_URL, VGPUCTL_TOKEN_FILE and VGPUCTL_CACERT in the environment\n"
	"stand for the options that are not given.\n";

static void print_summaries(const char *group)
{
	char title[32];

	for (size_t i = 0; commands[i]; i++)
		if (!group || (commands[i]->group && strcmp(commands[i]->group, group) == 0))
			printf("  %-14s %s\n", command_title(commands[i], title, sizeof(title)),
			       commands[i]->summary);
}

void help_print_overview(void)
{
	printf("Usage: vgpuctl [OPTION]... COMMAND [ARGUMENT]...\n"
	       "Operates this host's vgpu-mediatord, or another's.\n"
	       "\n"
	       "Commands:\n");
	print_summaries(NULL);
	printf("\n"
	       "Options, before or after the command:\n"
	       "%s"
	       "      --version          the same as the command version\n"
	       "%s"
	       "\n"
	       "'vgpuctl help COMMAND' tells more of a command; 'vgpuctl doctor' looks for what "
	       "is\n"
	       "wrong on this host.\n",
	       common_options, environment);
}

void help_print_group(const char *group)
{
	printf("Usage: vgpuctl %s COMMAND [ARGUMENT]...\n\nCommands:\n", group);
	print_summaries(group);
}

void help_print_command(const struct command *command)
{
	printf("%s\nOptions of every command:\n%s%s", command->usage, common_options, environment);
}

static int help_run(struct ctl *ctl, int count, char **operands)
{
	const struct command *command;
	int used;

	if (count == 0) {
		help_print_overview();
		return EX_OK;
	}
	command = command_find(count, operands, &used);
	if (command && used == count) {
		help_print_command(command);
		return EX_OK;
	}
	for (size_t i = 0; count == 1 && commands[i]; i++) {
		if (commands[i]->group && strcmp(commands[i]->group, operands[0]) == 0) {
			help_print_group(operands[0]);
			return EX_OK;
		}
	}
	return ctl_fail(ctl, EX_USAGE, "help: '%s%s%s' is not a command", operands[0],
			count > 1 ? " " : "", count > 1 ? operands[1] : "");
}

const struct command command_help = {
	.name = "help",
	.summary = "explain a command",
	.usage = "Usage: vgpuctl help [COMMAND]\n"
		 "Explains a command, as 'vm set', or lists all of them.\n",
	.operands_max = 2,
	.run = help_run,
};
