/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/ctl/doctor.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mediatord/ctl/text.h"

static const struct {
	const char *name;
	doctor_check *check;
	bool anywhere; /* also of a mediator on another host */
} checks[] = {
	{ "mediator", doctor_check_mediator, true },
	{ "control-socket", doctor_check_control_socket, false },
	{ "state", doctor_check_state, false },
	{ "programs", doctor_check_programs, false },
	{ "keeper", doctor_check_keeper, false },
	{ "links", doctor_check_links, false },
	{ "qemu", doctor_check_qemu, false },
	{ "hook", doctor_check_hook, false },
	{ "reconciler", doctor_check_reconciler, false },
	{ "libvirt-caches", doctor_check_caches, false },
	{ "folders", doctor_check_folders, false },
	{ "units", doctor_check_units, false },
	{ "groups", doctor_check_groups, false },
	{ "apparmor", doctor_check_apparmor, false },
	{ "selinux", doctor_check_selinux, false },
	{ "gpus", doctor_check_gpus, false },
	{ "pageable-access", doctor_check_pageable_access, false },
	{ "mps", doctor_check_mps, false },
	{ "persistence", doctor_check_persistence, false },
	{ "namespaces", doctor_check_namespaces, false },
	{ "cgroups", doctor_check_cgroups, false },
	{ "limits", doctor_check_limits, false },
};
#define CHECKS (sizeof(checks) / sizeof(checks[0]))

void doctor_found(struct doctor_finding *finding, enum doctor_result result, const char *cure,
		  const char *format, ...)
{
	va_list args;

	finding->result = result;
	free(finding->message);
	free(finding->cure);
	finding->cure = cure ? strdup(cure) : NULL;
	va_start(args, format);
	if (vasprintf(&finding->message, format, args) < 0)
		finding->message = NULL;
	va_end(args);
}

char *doctor_path(const struct doctor *doctor, const char *format, ...)
{
	VGPU_AUTO_FREE char *path = NULL;
	char *whole;
	va_list args;

	va_start(args, format);
	if (vasprintf(&path, format, args) < 0)
		path = NULL;
	va_end(args);
	return path && asprintf(&whole, "%s%s", doctor->root, path) >= 0 ? whole : NULL;
}

int doctor_read(const struct doctor *doctor, const char *path, char *text, size_t size)
{
	VGPU_AUTO_FREE char *whole = doctor_path(doctor, "%s", path);
	VGPU_AUTO_CLOSE int fd = whole ? open(whole, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
	ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);

	if (length < 0)
		return -1;
	text[length] = '\0';
	if (length > 0 && text[length - 1] == '\n')
		text[length - 1] = '\0';
	return 0;
}

pid_t doctor_find_process(const struct doctor *doctor, const char *name)
{
	VGPU_AUTO_FREE char *folder = doctor_path(doctor, "/proc");
	DIR *stream = folder ? opendir(folder) : NULL;
	const struct dirent *entry;
	char path[64], comm[32];
	pid_t found = 0;

	while (stream && !found && (entry = readdir(stream))) {
		size_t digits = strspn(entry->d_name, "0123456789");

		if (digits == 0 || digits > 10 || entry->d_name[digits])
			continue;
		snprintf(path, sizeof(path), "/proc/%.10s/comm", entry->d_name);
		if (doctor_read(doctor, path, comm, sizeof(comm)) == 0 && strcmp(comm, name) == 0)
			found = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	if (stream)
		closedir(stream);
	return found;
}

static const char *result_name(enum doctor_result result)
{
	static const char *const names[] = {
		[DOCTOR_OK] = "ok",
		[DOCTOR_SKIPPED] = "skipped",
		[DOCTOR_WARNING] = "warning",
		[DOCTOR_FAILED] = "failed",
	};

	return names[result];
}

static void print_finding(const char *name, const struct doctor_finding *finding)
{
	VGPU_AUTO_FREE char *message = text_visible(finding->message ? finding->message : "", NULL);
	VGPU_AUTO_FREE char *cure = finding->cure ? text_visible(finding->cure, NULL) : NULL;

	printf("%-7s  %-15s  %s\n", result_name(finding->result), name, message ? message : "");
	if (cure)
		printf("%-7s  %-15s  do: %s\n", "", "", cure);
}

static json_t *finding_to_json(const char *name, const struct doctor_finding *finding)
{
	json_t *json =
		json_pack("{s:s, s:s}", "name", name, "result", result_name(finding->result));

	/* What is no UTF-8, as a file's name may be, is left out. */
	json_object_set_new(json, "message", json_string(finding->message));
	if (finding->cure)
		json_object_set_new(json, "cure", json_string(finding->cure));
	return json;
}

static int examine(struct doctor *doctor)
{
	VGPU_AUTO_JSON json_t *json = json_pack("{s:b, s:[]}", "ok", 1, "checks");
	bool remote = doctor->ctl->server.url;
	bool failed = false;

	for (size_t i = 0; i < CHECKS; i++) {
		struct doctor_finding finding = { .result = DOCTOR_OK };

		if (remote && !checks[i].anywhere)
			continue;
		checks[i].check(doctor, &finding);
		failed = failed || finding.result == DOCTOR_FAILED;
		if (doctor->ctl->json)
			json_array_append_new(json_object_get(json, "checks"),
					      finding_to_json(checks[i].name, &finding));
		else
			print_finding(checks[i].name, &finding);
		free(finding.message);
		free(finding.cure);
	}
	if (doctor->ctl->json) {
		json_object_set_new(json, "ok", json_boolean(!failed));
		ctl_print_json(json);
	}
	return failed ? CTL_REFUSED : EX_OK;
}

static int run(struct ctl *ctl, int count, char **operands)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_CLEANUP(config_free) struct config *config = NULL;
	struct doctor doctor = { .ctl = ctl, .root = ctl->root };
	const char *path = ctl->config ? ctl->config : VGPU_CONFIG_FILE;
	int status;

	(void)count;
	(void)operands;
	if (config_load(path, !ctl->config, &config, &err) < 0) {
		vgpu_error_prefix(&err, "the configuration cannot be used");
		return ctl_fail(ctl, EX_CONFIG, "%s", err->message);
	}
	/* The mediator of that configuration, unless another is named. */
	ctl->default_socket = config->control_socket;
	status = server_prepare(ctl);
	if (status)
		return status;
	doctor.config = config;
	return examine(&doctor);
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "look for what is wrong on this host, and say what to do",
	.usage = "Usage: vgpuctl doctor [--config FILE] [--root FOLDER]\n"
		 "Checks mediator, keeper, sockets, programs, QEMU's module, libvirt's hook, what "
		 "is\n"
		 "installed, GPUs and the kernel. Changes nothing. Run it as root to see "
		 "everything;\n"
		 "with --url only the mediator itself is checked. Exits with status 1 where a "
		 "check\n"
		 "failed.\n"
		 "\n"
		 "      --config=FILE  the mediator's configuration\n"
		 "                     (default: " VGPU_CONFIG_FILE ")\n"
		 "      --root=FOLDER  look there for the system's files, as /proc and /etc, but "
		 "not for\n"
		 "                     what the configuration names\n",
	.options = "CR",
	.run = run,
};
