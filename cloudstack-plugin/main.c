/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-cloudstack(8): what CloudStack and a host's mediator need of each other. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cloudstack-plugin/commands.h"
#include "config.h"

static const char help_help[] = "Usage: vgpu-cloudstack help [COMMAND]\n"
				"Prints what a command does, or all commands.\n";

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "discover", command_discover, help_discover },
	{ "help", NULL, help_help },
	{ "offerings", command_offerings, help_offerings },
	{ "state", command_state, help_state },
	{ "sync", command_sync, help_sync },
	{ "transform", command_transform, help_transform },
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

static const char help[] =
	"Usage: vgpu-cloudstack COMMAND [OPTION]...\n"
	"Makes service offerings of CloudStack mean vGPUs.\n"
	"\n"
	"Commands:\n"
	"  discover   print the host's GPUs with their seats, for CloudStack's agent\n"
	"  help       print what a command does\n"
	"  offerings  create the service offerings that a file describes\n"
	"  state      note that the agent starts or stops a VM\n"
	"  sync       tell this host's mediator what service offerings say\n"
	"  transform  print a domain's XML with a vGPU in place of its seat\n"
	"\n"
	"Options:\n"
	"  --help     print this and exit\n"
	"  --version  print the version and exit\n";

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int print(const char *text)
{
	return fputs(text, stdout) == EOF || fflush(stdout) == EOF ? EX_IOERR : EX_OK;
}

static int usage(const char *name)
{
	fprintf(stderr, "vgpu-cloudstack: '%s' is no command; see vgpu-cloudstack --help\n", name);
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		fputs(help, stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || (strcmp(argv[1], "help") == 0 && argc == 2))
		return print(help);
	if (strcmp(argv[1], "--version") == 0)
		return print("vgpu-cloudstack " PACKAGE_VERSION "\n");
	if (strcmp(argv[1], "help") == 0 && strcmp(argv[2], "--help") != 0) {
		command = find(argv[2]);
		return command ? print(command->help) : usage(argv[2]);
	}
	command = find(argv[1]);
	if (!command)
		return usage(argv[1]);
	if (!command->run || (argc == 3 && strcmp(argv[2], "--help") == 0))
		return print(command->help);
	return command->run(argc - 1, argv + 1);
}
