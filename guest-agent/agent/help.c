/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "guest-agent/agent/agent.h"

static const char common_options[] =
	"  -T, --transport=TRANSPORT  which vGPU: pci (the first on the PCI bus, and the\n"
	"                             default), pci:ADDRESS (0000:00:05.0), file:FOLDER\n"
	"                             (that the host shares; " AGENT_FOLDER " where there is no\n"
	"                             device), or local:SOCKET (a VM's link socket of a\n"
	"                             mediator on this host)\n"
	"  -t, --timeout=SECONDS      how long a request may take (default: 30)\n"
	"  -j, --json                 print one JSON object, errors included\n"
	"  -h, --help                 print this help\n";

static void print_overview(void)
{
	printf("Usage: vgpu-agent [OPTION]... COMMAND [ARGUMENT]...\n"
	       "Submits work to this virtual machine's vGPU.\n"
	       "\n"
	       "Commands:\n");
	for (size_t i = 0; commands[i]; i++)
		printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n"
	       "Options, before or after the command:\n"
	       "%s"
	       "      --version              print the version\n"
	       "\n"
	       "'vgpu-agent help COMMAND' tells more of a command.\n",
	       common_options);
}

void help_print_command(const struct command *command)
{
	if (command)
		printf("%s\nOptions of every command:\n%s", command->usage, common_options);
	else
		print_overview();
}

static int help_run(struct agent *agent, int argc, char **argv)
{
	const struct command *command = NULL;
	bool done = false;
	int status = agent_options(agent, argc, argv, &command_help, &done);

	if (done)
		return status;
	if (argc - optind > 1)
		return agent_fail(agent, EX_USAGE, "help: one command at a time");
	if (optind < argc) {
		command = command_find(argv[optind]);
		if (!command)
			return agent_fail(agent, EX_USAGE, "help: '%s' is not a command",
					  argv[optind]);
	}
	help_print_command(command);
	return EX_OK;
}

const struct command command_help = {
	.name = "help",
	.summary = "explain a command",
	.usage = "Usage: vgpu-agent help [COMMAND]\n"
		 "Explains a command, or lists all of them.\n",
	.run = help_run,
};
