/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-agent: a guest's command line to its vGPU. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "guest-agent/agent/agent.h"

#define TIMEOUT_MAX_S 86400.0

const struct command *const commands[] = {
	&command_info,	&command_nop,	 &command_add,	&command_run,
	&command_bench, &command_daemon, &command_help, NULL,
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

long long agent_number(const char *text, long long low, long long high)
{
	long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtoll(text, &end, 10);
	return errno || *end || value < low || value > high ? -1 : value;
}

/* Seconds, with a fraction; 0 where text is not that. */
static unsigned int parse_timeout_ms(const char *text)
{
	double seconds;
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	seconds = strtod(text, &end);
	/* Written so that NaN fails. */
	if (*end || !(seconds >= 0.001 && seconds <= TIMEOUT_MAX_S))
		return 0;
	return (unsigned int)lround(seconds * 1000);
}

int agent_option(struct agent *agent, int option, const struct command *command, bool *done)
{
	switch (option) {
	case 'T':
		agent->transport = optarg;
		return 0;
	case 't':
		agent->timeout_ms = parse_timeout_ms(optarg);
		if (agent->timeout_ms)
			return 0;
		*done = true;
		return agent_fail(agent, EX_USAGE,
				  "--timeout: '%s' is not a number of seconds from 0.001 to 86400",
				  optarg);
	case 'j':
		agent->json = true;
		return 0;
	case 'h':
		*done = true;
		help_print_command(command);
		return 0;
	default: /* getopt_long() has said what is wrong */
		*done = true;
		fprintf(stderr, "Try 'vgpu-agent help%s%s'.\n", command ? " " : "",
			command ? command->name : "");
		return EX_USAGE;
	}
}

int agent_options(struct agent *agent, int argc, char **argv, const struct command *command,
		  bool *done)
{
	static const struct option options[] = { AGENT_LONG_OPTIONS, { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, AGENT_SHORT_OPTIONS, options, NULL)) != -1) {
		int status = agent_option(agent, option, command, done);

		if (*done)
			return status;
	}
	return 0;
}

/* Takes what stands before the command. Returns an exit status with *done, or leaves optind at it.
 */
static int global_options(struct agent *agent, int argc, char **argv, bool *done)
{
	static const struct option options[] = {
		AGENT_LONG_OPTIONS,
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "+" AGENT_SHORT_OPTIONS "V", options, NULL)) !=
	       -1) {
		int status;

		if (option == 'V') {
			*done = true;
			printf("vgpu-agent %s\n", PACKAGE_VERSION);
			return 0;
		}
		status = agent_option(agent, option, NULL, done);
		if (*done)
			return status;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct agent agent = { .timeout_ms = VGPU_TIMEOUT_DEFAULT_MS };
	const struct command *command;
	bool done = false;
	int status;

	status = global_options(&agent, argc, argv, &done);
	if (!done && optind == argc) {
		status = agent_fail(&agent, EX_USAGE, "no command; try 'vgpu-agent --help'");
		done = true;
	}
	if (!done) {
		command = command_find(argv[optind]);
		argv += optind;
		argc -= optind;
		optind = 0; /* begins anew, also with what POSIXLY_CORRECT says */
		status = command ? command->run(&agent, argc, argv)
				 : agent_fail(&agent, EX_USAGE,
					      "'%s' is not a command; try 'vgpu-agent --help'",
					      argv[0]);
	}
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == EX_OK) {
		fprintf(stderr, "vgpu-agent: standard output: %s\n", strerror(errno));
		status = EX_IOERR;
	}
	return status;
}
