/* SPDX-License-Identifier: Apache-2.0 */
/* vgpuctl: what its commands share. */
#ifndef VGPU_CTL_CTL_H
#define VGPU_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sysexits.h>

#include <jansson.h>

#include "common/error.h"
#include "common/json_auto.h"
#include "common/rest_client.h"

/* Exit statuses, beside sysexits.h's: vgpuctl(8) lists them. */
#define CTL_REFUSED 1 /* the mediator refused, there is no such thing, or a check failed */

struct ctl {
	/* Options of every command. */
	const char *socket;
	const char *default_socket; /* NULL: the one that mediators have by default */
	const char *url;
	const char *token_file;
	const char *cacert;
	unsigned int timeout_ms;
	bool json;
	/* Options of some. */
	bool follow;
	bool force;
	bool once;
	unsigned int interval_ms;
	const char *config; /* NULL: the default path, which need not be there */
	const char *expires;
	const char *role;
	const char *root; /* "" for the host's own */
	const char *since;

	bool quiet; /* errors are not printed */
	struct rest_server server;
	char *token;
};

struct command {
	const char *group; /* "vm" of `vgpuctl vm list`, or NULL */
	const char *name;
	const char *summary;
	const char *usage; /* all of `vgpuctl help GROUP NAME`, but the options of every command */
	const char *options; /* the letters of its own ones, or NULL */
	int operands_min;
	int operands_max;					 /* -1: any number */
	int (*run)(struct ctl *ctl, int count, char **operands); /* returns the exit status */
};

/* All of them, ended by NULL. */
extern const struct command *const commands[];

extern const struct command command_audit;
extern const struct command command_backup;
extern const struct command command_channel_list;
extern const struct command command_doctor;
extern const struct command command_events;
extern const struct command command_gpu_list;
extern const struct command command_gpu_show;
extern const struct command command_help;
extern const struct command command_pool_list;
extern const struct command command_profile_add;
extern const struct command command_profile_list;
extern const struct command command_profile_rm;
extern const struct command command_profile_set;
extern const struct command command_profile_show;
extern const struct command command_seat_list;
extern const struct command command_token_add;
extern const struct command command_token_list;
extern const struct command command_token_rm;
extern const struct command command_top;
extern const struct command command_version;
extern const struct command command_vm_add;
extern const struct command command_vm_drain;
extern const struct command command_vm_list;
extern const struct command command_vm_pause;
extern const struct command command_vm_quarantine;
extern const struct command command_vm_release;
extern const struct command command_vm_reset;
extern const struct command command_vm_resume;
extern const struct command command_vm_rm;
extern const struct command command_vm_set;
extern const struct command command_vm_show;

/*
 * Finds the command that the words name, and says in *used how many of them do. NULL where there is
 * none.
 */
const struct command *command_find(int count, char *const *words, int *used);

/* Prints the overview, that of one group, or a command's help. */
void help_print_overview(void);
void help_print_group(const char *group);
void help_print_command(const struct command *command);

/* "GROUP NAME" or "NAME". */
const char *command_title(const struct command *command, char *text, size_t size);

/*
 * Takes options from argv: all that are left with a command, those in front of it with NULL.
 * Returns 0 and leaves optind at the first operand, or sets *done and returns an exit status.
 */
int options_parse(struct ctl *ctl, int argc, char **argv, const struct command *command,
		  bool *done);

/* Before the first request: who is asked, and as whom. Returns 0, or an exit status. */
int server_prepare(struct ctl *ctl);

/* After it: the mediator's version, freed with free(); NULL where it does not say. */
char *server_version(const struct ctl *ctl);

/*
 * Each reports an error, as text on standard error or, with --json, as an object on standard
 * output, and returns the exit status: `status`; what err, whose status is an errno value, stands
 * for; the status of err itself; or what the answer's status stands for.
 */
int ctl_fail(const struct ctl *ctl, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int ctl_fail_error(const struct ctl *ctl, const struct vgpu_error *err);
int ctl_fail_exit(const struct ctl *ctl, const struct vgpu_error *err);
int ctl_fail_reply(const struct ctl *ctl, const struct rest_reply *reply);

/*
 * "/v1/COLLECTION/NAME", of a profile or a token: a name that passes the check needs no escapes in
 * a URL. Each returns 0, or an exit status with the error reported.
 */
#define CTL_NAME_PATH_BYTES 128
int ctl_check_name(const struct ctl *ctl, const char *name);
int ctl_name_path(const struct ctl *ctl, const char *collection, const char *name,
		  char path[CTL_NAME_PATH_BYTES]);

/*
 * GET of a path. Returns 0 and *answer, an object that the caller owns; or an exit status, with the
 * error reported.
 */
int ctl_get(struct ctl *ctl, const char *path, json_t **answer);

/*
 * As ctl_get() of a list: the objects of all its pages, in *answer under its only key, `key`.
 */
int ctl_get_list(struct ctl *ctl, const char *path, const char *key, json_t **answer);

/*
 * Sends body, which may be NULL, and takes the answer, if it has one, as ctl_get() does; *answer is
 * NULL otherwise. header may be NULL.
 */
int ctl_send(struct ctl *ctl, const char *method, const char *path, const char *header,
	     const json_t *body, json_t **answer);

/* As rest_call() with ctl's server. Returns 0, or an exit status with the error reported. */
int ctl_call(struct ctl *ctl, const struct rest_request *request, struct rest_reply *reply);

/* Reads an answer's body. Returns as ctl_get(). */
int ctl_parse(const struct ctl *ctl, const struct rest_reply *reply, json_t **answer);

/* Prints the API's JSON, as --json asks. Returns an exit status. */
int ctl_print_json(const json_t *json);

#endif
