/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what QEMU and libvirt load. */
#include <stdio.h>
#include <string.h>

#include "mediatord/ctl/doctor.h"
#include "mediatord/ctl/program.h"

/* Where libvirt looks, as distributions build it. */
#define LIBVIRT_HOOKS_DIR "/etc/libvirt/hooks/qemu.d"

/* The longest that `qemu -device help` or the hook may take. */
#define PROGRAM_MS 20000u

/* The first line of a text, which is cut there. */
static const char *first_line(char *text)
{
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/*
 * The wrapper itself is asked: it says what it misses, and the module refuses any QEMU but the one
 * that it was compiled for.
 */
void doctor_check_qemu(struct doctor *doctor, struct doctor_finding *finding)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *path = doctor_path(doctor, "%s", VGPU_WRAPPER);
	VGPU_AUTO_FREE char *output = NULL;
	const char *const arguments[] = { path ? path : "", "-device", "help", NULL };
	int status;

	if (access(arguments[0], X_OK) < 0) {
		doctor_found(finding, DOCTOR_FAILED, "install it: see README.md", "%s: %s",
			     arguments[0], strerror(errno));
		return;
	}
	status = program_run(arguments, PROGRAM_MS, &output, &err);
	if (status < 0)
		doctor_found(finding, DOCTOR_FAILED, "see whether QEMU runs at all", "%s",
			     err->message);
	else if (status > 0)
		doctor_found(
			finding, DOCTOR_FAILED,
			"run vgpu-rebuild-module, which builds the module for the QEMU that is "
			"installed",
			"%s", first_line(output));
	else if (!strstr(output, "name \"vgpu\""))
		doctor_found(finding, DOCTOR_FAILED,
			     "install the toolkit again, wrapper and module together",
			     "QEMU does not know the device vgpu with %s", arguments[0]);
	else
		doctor_found(finding, DOCTOR_OK, NULL, "%s has the device vgpu", arguments[0]);
}

/* The value of "control-socket = PATH" in what the hook printed, cut out of it; or NULL. */
static const char *hook_socket(char *output)
{
	static const char key[] = "control-socket = ";
	char *line = strstr(output, key);

	if (!line)
		return NULL;
	line += sizeof(key) - 1;
	return first_line(line);
}

/* Whether libvirt, where it is installed, looks for hooks where ours is not. */
static bool is_elsewhere(const struct doctor *doctor)
{
	VGPU_AUTO_FREE char *libvirt = doctor_path(doctor, "/etc/libvirt");
	VGPU_AUTO_FREE char *there = doctor_path(doctor, "%s", LIBVIRT_HOOKS_DIR "/vgpu");

	return strcmp(VGPU_HOOKS_DIR, LIBVIRT_HOOKS_DIR) != 0 && libvirt && there &&
	       access(libvirt, F_OK) == 0 && access(there, X_OK) < 0;
}

void doctor_check_hook(struct doctor *doctor, struct doctor_finding *finding)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *path = doctor_path(doctor, "%s", VGPU_HOOKS_DIR "/vgpu");
	VGPU_AUTO_FREE char *output = NULL;
	const char *const arguments[] = { path ? path : "", "--check", NULL };
	const char *wanted = doctor->config->control_socket;
	const char *socket;
	int status;

	if (access(arguments[0], X_OK) < 0) {
		doctor_found(finding, DOCTOR_FAILED,
			     "install the hook (configure --with-libvirt-hooks=DIR), then restart "
			     "libvirtd or virtqemud",
			     "%s: %s", arguments[0], strerror(errno));
		return;
	}
	status = program_run(arguments, PROGRAM_MS, &output, &err);
	if (status < 0) {
		doctor_found(finding, DOCTOR_FAILED, "install the hook again", "%s", err->message);
		return;
	}
	if (status > 0) {
		doctor_found(finding, DOCTOR_FAILED,
			     "correct the hook's configuration: no domain with a vGPU starts", "%s",
			     first_line(output));
		return;
	}
	socket = hook_socket(output);
	if (!socket || strcmp(socket, wanted) != 0)
		doctor_found(finding, DOCTOR_FAILED,
			     "make control-socket the same in hook.conf and mediatord.conf",
			     "the hook asks %s, but the mediator serves %s",
			     socket ? socket : "nobody", wanted);
	else if (is_elsewhere(doctor))
		doctor_found(finding, DOCTOR_WARNING,
			     "configure with --sysconfdir=/etc, and install the hook again",
			     "%s is not where libvirt looks, in " LIBVIRT_HOOKS_DIR, arguments[0]);
	else
		doctor_found(finding, DOCTOR_OK, NULL,
			     "%s; libvirt knows it where it was restarted since", arguments[0]);
}

void doctor_check_reconciler(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct config *config = doctor->config;

	if (!config->libvirt_uri[0])
		doctor_found(finding, DOCTOR_SKIPPED, NULL,
			     "libvirt-uri is empty: no libvirt's domains are followed");
	else if (!doctor->mediator)
		doctor_found(finding, DOCTOR_SKIPPED, NULL, "the mediator's process is not known");
	else if (access(config->reconciler, X_OK) < 0)
		doctor_found(finding, DOCTOR_WARNING,
			     "install it, or correct reconciler in mediatord.conf, and restart "
			     "vgpu-mediatord",
			     "libvirt's domains are not followed: %s: %s", config->reconciler,
			     strerror(errno));
	else if (!doctor_find_process(doctor, "vgpu-reconciler"))
		doctor_found(finding, DOCTOR_FAILED,
			     "restart vgpu-mediatord, which starts it; its log says why it ended",
			     "libvirt's domains are not followed: vgpu-reconciler does not run");
	else
		doctor_found(finding, DOCTOR_OK, NULL, "follows the domains of %s",
			     config->libvirt_uri);
}
