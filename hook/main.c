/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libvirt's qemu hook: /etc/libvirt/hooks/qemu.d/vgpu DOMAIN OPERATION SUB-OPERATION EXTRA, with
 * the domain's XML on standard input.
 *
 * Libvirt waits for its hooks, so this one has a limit on its time, never calls libvirt, and needs
 * nothing of the environment. It prints nothing on standard output, which libvirt would read as
 * changed XML in some operations, and fails in none but prepare/begin: a failing reconnect, say,
 * kills a running domain.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "common/clock.h"
#include "common/rest_client.h"
#include "config.h"
#include "hook/hook.h"
#include "hook/hook_config.h"
#include "hook/registration.h"
#include "xml/file.h"

/* More than this of an answer is an error. */
#define REPLY_MAX ((size_t)64 << 10)

static const char help[] =
	"Usage: vgpu [--config FILE] DOMAIN OPERATION SUB-OPERATION EXTRA\n"
	"       vgpu [--config FILE] --check\n"
	"Libvirt's qemu hook for domains with a vGPU: libvirt calls it, with the domain's XML\n"
	"on standard input.\n"
	"\n"
	"  --config FILE  instead of " HOOK_CONFIG "\n"
	"  --check        only read the configuration, and print it\n"
	"  --help         print this and exit\n"
	"  --version      print the version and exit\n";

/* The status to exit with where no more can be done. */
static volatile sig_atomic_t alarm_status = 1;

/* The reason was said: there is no second one. */
static volatile sig_atomic_t said;

static void on_alarm(int signal)
{
	static const char line[] = "vgpu: gave up: the time limit is over\n";
	ssize_t written = said ? 0 : write(STDERR_FILENO, line, sizeof(line) - 1);

	(void)signal;
	(void)written;
	_exit(alarm_status);
}

/* Whatever mask the hook was started with. */
static void set_alarm(long ms)
{
	const struct itimerval limit = { .it_value = { ms / 1000, ms % 1000 * 1000 } };
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	signal(SIGALRM, on_alarm);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
}

static void complain(const char *message, const char *consequence)
{
	VGPU_AUTO_FREE char *line = hook_line(message, consequence);

	if (line)
		fprintf(stderr, "%s\n", line);
	said = 1;
}

struct call {
	const char *name; /* of the domain */
	enum hook_action action;
	const char *config_path;
	bool config_may_lack;
	int64_t start_ns;
};

/* What is left of the time for the mediator, in ms and at least 1. */
static long time_left(const struct call *call, const struct hook_config *config)
{
	int64_t passed_ms = (vgpu_now_ns() - call->start_ns) / VGPU_NS_PER_MS;

	return passed_ms < config->timeout_ms ? (long)(config->timeout_ms - passed_ms) : 1;
}

/* Sends the request of the call. Returns as rest_call(). */
static int ask(const struct call *call, const struct hook_config *config,
	       const struct vgpu_domain_info *info, const char *body, struct rest_reply *reply,
	       struct vgpu_error **err)
{
	char path[sizeof("/v1/vms//domain") + VGPU_UUID_TEXT];
	const struct rest_server server = {
		.socket = config->control_socket,
		.timeout_ms = time_left(call, config),
		.reply_max = REPLY_MAX,
	};
	const struct rest_request request = {
		.method = body ? "PUT" : "DELETE",
		.path = path,
		.body = body,
	};

	snprintf(path, sizeof(path), "/v1/vms/%s/domain", info->uuid);
	return rest_call(&server, &request, reply, err);
}

/* The mediator could not do it. Returns the exit status, which the policy decides. */
static int unserved(const struct hook_config *config, const char *message)
{
	if (config->best_effort)
		complain(message, "; the domain starts without its vGPU (policy best-effort)");
	else
		complain(message, "; is vgpu-mediatord running?");
	return config->best_effort ? 0 : 1;
}

/* prepare/begin of a domain with a vGPU. Returns the exit status. */
static int register_domain(const struct call *call, const struct hook_config *config,
			   const struct vgpu_domain *domain, const struct vgpu_domain_info *info)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	VGPU_AUTO_FREE char *body = NULL;

	if (vgpu_domain_check(domain, &err) == 0)
		/* Not the document's: libvirt writes a carriage return so that it reads as another.
		 */
		body = registration_body(info, call->name, &err);
	if (!body) {
		/* Libvirt has this start's XML already; the reconciler works on the next one's. */
		complain(err->message, info->state == VGPU_DOMAIN_REQUESTED
					       ? ", or start it again: the mediator may have put "
						 "it there"
					       : "");
		return 1;
	}
	/* From here on, being late is a matter of the policy too. */
	alarm_status = config->best_effort ? 0 : 1;
	if (ask(call, config, info, body, &reply, &err) < 0)
		return unserved(config, err->message);
	switch (hook_judge(&reply, info->uuid, &err)) {
	case HOOK_ADMITTED:
		return 0;
	case HOOK_REFUSED:
		/* In time: no matter of the policy. */
		alarm_status = 1;
		complain(err->message, "");
		return 1;
	case HOOK_UNSERVED:
		break;
	}
	return unserved(config, err->message);
}

/* release/end of a domain with a vGPU: the VM's record stays, so failing is not fatal. */
static void release_domain(const struct call *call, const struct hook_config *config,
			   const struct vgpu_domain_info *info)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	VGPU_AUTO_FREE char *problem = NULL;

	if (ask(call, config, info, NULL, &reply, &err) < 0) {
		complain(err->message, "; the VM was not marked as detached");
		return;
	}
	/* 404: the mediator does not know the VM, so there is nothing to mark. */
	if (rest_success(&reply) || reply.status == 404)
		return;
	problem = rest_reply_problem(&reply);
	complain(problem ? problem : "out of memory", "");
}

static int run(const struct call *call)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
	VGPU_AUTO_DOMAIN_INFO struct vgpu_domain_info info = { .slot = -1 };
	VGPU_AUTO_FREE char *xml = NULL;
	int failure = call->action == HOOK_REGISTER ? 1 : 0;
	struct hook_config config;
	size_t length;
	int found;

	if (file_read(STDIN_FILENO, VGPU_DOMAIN_BYTES_MAX, &xml, &length, &err) < 0) {
		complain("the domain's XML: ", err->message);
		return failure;
	}
	found = hook_read_domain(xml, length, &domain, &info, &err);
	if (found == 0)
		return 0;
	hook_config_defaults(&config);
	if (found < 0 ||
	    hook_config_load(&config, call->config_path, call->config_may_lack, &err) < 0) {
		complain(err->message, "");
		return failure;
	}
	if (info.policy[0])
		config.best_effort = strcmp(info.policy, "best-effort") == 0;
	if (call->action == HOOK_REGISTER)
		return register_domain(call, &config, domain, &info);
	release_domain(call, &config, &info);
	return 0;
}

/* Prints the configuration in its own form. Returns the exit status. */
static int check(const struct call *call)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct hook_config config;

	hook_config_defaults(&config);
	if (hook_config_load(&config, call->config_path, call->config_may_lack, &err) < 0) {
		complain(err->message, "");
		return 1;
	}
	printf("control-socket = %s\npolicy = %s\ntimeout = %ldms\n", config.control_socket,
	       config.best_effort ? "best-effort" : "required", config.timeout_ms);
	return fflush(stdout) == EOF;
}

int main(int argc, char **argv)
{
	struct call call = {
		.config_path = HOOK_CONFIG,
		.config_may_lack = true,
		.start_ns = vgpu_now_ns(),
	};

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(help, stdout) == EOF || fflush(stdout) == EOF;
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("vgpu-hook " PACKAGE_VERSION) == EOF || fflush(stdout) == EOF;
	/* Libvirt gives four arguments always, so a domain of this name is not mistaken. */
	if ((argc == 7 || argc == 4) && strcmp(argv[1], "--config") == 0) {
		call.config_path = argv[2];
		call.config_may_lack = false;
		argv += 2;
		argc -= 2;
	}
	if (argc == 2 && strcmp(argv[1], "--check") == 0)
		return check(&call);
	if (argc != 5) {
		fputs(help, stderr);
		return 1;
	}
	call.name = argv[1];
	call.action = hook_action(argv[2], argv[3]);
	if (call.action == HOOK_IGNORE)
		return 0;
	alarm_status = call.action == HOOK_REGISTER ? 1 : 0;
	signal(SIGPIPE, SIG_IGN);
	set_alarm(HOOK_LIMIT_MS);
	return run(&call);
}
