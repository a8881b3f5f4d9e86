/* SPDX-License-Identifier: Apache-2.0 */
/* vgpu-agent: what its commands share. Exit statuses are sysexits.h's. */
#ifndef VGPU_AGENT_AGENT_H
#define VGPU_AGENT_AGENT_H

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sysexits.h>

#include "common/error.h"
#include "guest-agent/vgpu.h"

struct agent {
	const char *transport; /* NULL: the first vGPU on the PCI bus, or else AGENT_FOLDER */
	unsigned int timeout_ms;
	bool json;
};

struct command {
	const char *name;
	const char *summary;
	const char *usage; /* all of `vgpu-agent help NAME`, but the options of every command */
	int (*run)(struct agent *agent, int argc, char **argv);
};

extern const struct command command_add;
extern const struct command command_bench;
extern const struct command command_daemon;
extern const struct command command_help;
extern const struct command command_info;
extern const struct command command_nop;
extern const struct command command_run;

/* All of them, ended by NULL. */
extern const struct command *const commands[];
const struct command *command_find(const char *name);
void help_print_command(const struct command *command);

/* Options that are taken before and after a command's name. */
#define AGENT_SHORT_OPTIONS "hT:t:j"
#define AGENT_LONG_OPTIONS                                                                         \
	{ "transport", required_argument, NULL, 'T' },                                             \
		{ "timeout", required_argument, NULL, 't' }, { "json", no_argument, NULL, 'j' },   \
	{                                                                                          \
		"help", no_argument, NULL, 'h'                                                     \
	}

/*
 * Takes one of these options. Returns 0, or the exit status where it is not one or has a wrong
 * argument; the error is then reported. command may be NULL. --help sets *done.
 */
int agent_option(struct agent *agent, int option, const struct command *command, bool *done);

/*
 * For a command whose own options are none. Returns 0 and leaves optind at the first operand, or
 * sets *done with an exit status.
 */
int agent_options(struct agent *agent, int argc, char **argv, const struct command *command,
		  bool *done);

/* A whole decimal number from low to high; -1 where text is anything else. */
long long agent_number(const char *text, long long low, long long high);

/*
 * Each reports an error, as text on standard error or, with --json, as an object on standard
 * output, and returns the exit status: of what the library said last, of err, or `status`.
 */
int agent_fail_result(const struct agent *agent, enum vgpu_result result);
int agent_fail_error(const struct agent *agent, const struct vgpu_error *err);
int agent_fail(const struct agent *agent, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The exit status that a result of the library has. */
int agent_exit_status(enum vgpu_result result, const struct vgpu_error_detail *detail);

/*
 * Commands that have device memory or temporary files to give back let a signal that asks for an
 * end only set agent_caught, to its number, look at that between steps, and end with agent_end(),
 * which then ends the program as the signal would have.
 */
extern volatile sig_atomic_t agent_caught;
void agent_catch_signals(void);
int agent_end(int status);

/* Where a guest without a device mounts the folder that the host shares with it. */
#define AGENT_FOLDER "/mnt/vgpu"

/* As vgpu_open(), with the agent's transport; where none was given, says which it took. */
enum vgpu_result agent_open(const struct agent *agent, unsigned int flags, struct vgpu **vgpu);

/* An owning local of a device handle. */
void agent_close(struct vgpu **vgpu);
#define AGENT_AUTO_CLOSE VGPU_CLEANUP(agent_close)

#endif
