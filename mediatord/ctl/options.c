/* SPDX-License-Identifier: Apache-2.0 */
/* The command line's options. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mediatord/ctl/ctl.h"

#define TIMEOUT_DEFAULT_MS  10000u
#define INTERVAL_DEFAULT_MS 2000u
#define SECONDS_MAX	    86400.0

/* The letters of what every command takes. */
#define COMMON_LETTERS "huUkctj"

/* Those of the letters that are short options too. */
#define SHORT_OPTIONS "hjt:f"

static const struct option options[] = {
	{ "socket", required_argument, NULL, 'u' },
	{ "url", required_argument, NULL, 'U' },
	{ "token-file", required_argument, NULL, 'k' },
	{ "cacert", required_argument, NULL, 'c' },
	{ "timeout", required_argument, NULL, 't' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "config", required_argument, NULL, 'C' },
	{ "expires", required_argument, NULL, 'e' },
	{ "follow", no_argument, NULL, 'f' },
	{ "force", no_argument, NULL, 'F' },
	{ "interval", required_argument, NULL, 'd' },
	{ "once", no_argument, NULL, '1' },
	{ "role", required_argument, NULL, 'r' },
	{ "root", required_argument, NULL, 'R' },
	{ "since", required_argument, NULL, 's' },
	{ 0 },
};

static const char *option_name(int letter)
{
	size_t i = 0;

	while (options[i].name && options[i].val != letter)
		i++;
	return options[i].name;
}

/* Seconds, with a fraction; 0 where text is not that. */
static unsigned int parse_seconds_ms(const char *text)
{
	double seconds;
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	seconds = strtod(text, &end);
	/* Written so that NaN fails. */
	if (*end || !(seconds >= 0.001 && seconds <= SECONDS_MAX))
		return 0;
	return (unsigned int)lround(seconds * 1000);
}

/* Returns 0, or an exit status. */
static int set_seconds(struct ctl *ctl, int letter, unsigned int *ms)
{
	*ms = parse_seconds_ms(optarg);
	if (*ms)
		return 0;
	return ctl_fail(ctl, EX_USAGE, "--%s: '%s' is not a number of seconds from 0.001 to 86400",
			option_name(letter), optarg);
}

/* Returns 0, or an exit status. */
static int set_option(struct ctl *ctl, int letter)
{
	switch (letter) {
	case 'u':
		ctl->socket = optarg;
		return 0;
	case 'U':
		ctl->url = optarg;
		return 0;
	case 'k':
		ctl->token_file = optarg;
		return 0;
	case 'c':
		ctl->cacert = optarg;
		return 0;
	case 't':
		return set_seconds(ctl, letter, &ctl->timeout_ms);
	case 'j':
		ctl->json = true;
		return 0;
	case 'C':
		ctl->config = optarg;
		return 0;
	case 'e':
		ctl->expires = optarg;
		return 0;
	case 'f':
		ctl->follow = true;
		return 0;
	case 'F':
		ctl->force = true;
		return 0;
	case 'd':
		return set_seconds(ctl, letter, &ctl->interval_ms);
	case '1':
		ctl->once = true;
		return 0;
	case 'r':
		ctl->role = optarg;
		return 0;
	case 'R':
		ctl->root = optarg;
		return 0;
	default:
		ctl->since = optarg;
		return 0;
	}
}

/* Takes one option. Returns 0, or an exit status with *done. */
static int take(struct ctl *ctl, int letter, const struct command *command, bool *done)
{
	char title[32] = "";
	int status;

	if (command)
		command_title(command, title, sizeof(title));
	*done = true;
	if (letter == '?') { /* getopt_long() has said what is wrong */
		fprintf(stderr, "Try 'vgpuctl help%s%s'.\n", command ? " " : "", title);
		return EX_USAGE;
	}
	if (letter == 'h') {
		if (command)
			help_print_command(command);
		else
			help_print_overview();
		return EX_OK;
	}
	if (letter == 'V' && !command)
		return command_version.run(ctl, 0, NULL);
	if (!strchr(COMMON_LETTERS, letter) &&
	    !(command && command->options && strchr(command->options, letter)))
		return ctl_fail(ctl, EX_USAGE, "--%s is no option %s%s; see 'vgpuctl help%s%s'",
				option_name(letter), command ? "of " : "ahead of a command", title,
				command ? " " : "", title);
	status = set_option(ctl, letter);
	*done = status != 0;
	return status;
}

int options_parse(struct ctl *ctl, int argc, char **argv, const struct command *command, bool *done)
{
	int letter;

	if (!command) {
		ctl->timeout_ms = TIMEOUT_DEFAULT_MS;
		ctl->interval_ms = INTERVAL_DEFAULT_MS;
		ctl->root = "";
	}
	while ((letter = getopt_long(argc, argv, command ? SHORT_OPTIONS : "+" SHORT_OPTIONS,
				     options, NULL)) != -1) {
		int status = take(ctl, letter, command, done);

		if (*done)
			return status;
	}
	return 0;
}
