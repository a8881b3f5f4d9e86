/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what workers and mediator need of the kernel. */
#include <stdio.h>
#include <string.h>

#include "mediatord/ctl/doctor.h"

/* For 100 VMs with some channels each, and what is connected beside them. */
#define FILES_MIN 4096ul

void doctor_check_namespaces(struct doctor *doctor, struct doctor_finding *finding)
{
	static const char *const names[] = { "net", "ipc", "uts", "mnt", "user" };
	char text[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		VGPU_AUTO_FREE char *path = doctor_path(doctor, "/proc/self/ns/%s", names[i]);

		if (path && access(path, F_OK) == 0)
			continue;
		doctor_found(finding, DOCTOR_FAILED, "use a kernel with namespaces, as Debian's",
			     "the kernel has no %s namespaces: workers are confined less",
			     names[i]);
		return;
	}
	if (doctor_read(doctor, "/proc/sys/kernel/seccomp/actions_avail", text, sizeof(text)) < 0 ||
	    !strstr(text, "kill_process")) {
		doctor_found(finding, DOCTOR_FAILED, "use a kernel with seccomp, as Debian's",
			     "the kernel cannot end a process for a system call: no worker starts");
		return;
	}
	doctor_found(finding, DOCTOR_OK, NULL, "namespaces and seccomp are there");
}

void doctor_check_cgroups(struct doctor *doctor, struct doctor_finding *finding)
{
	char controllers[512];

	if (doctor_read(doctor, "/sys/fs/cgroup/cgroup.controllers", controllers,
			sizeof(controllers)) < 0)
		doctor_found(finding, DOCTOR_WARNING,
			     "boot with systemd.unified_cgroup_hierarchy=1",
			     "no unified control groups: the workers' CPU time and memory have no "
			     "bound of the host's");
	else if (!strstr(controllers, "cpu") || !strstr(controllers, "memory"))
		doctor_found(finding, DOCTOR_WARNING, "see the kernel's cgroup_disable parameter",
			     "control groups lack cpu or memory: there is only '%s'", controllers);
	else
		doctor_found(finding, DOCTOR_OK, NULL, "control groups bound cpu and memory");
}

void doctor_check_limits(struct doctor *doctor, struct doctor_finding *finding)
{
	static const char key[] = "Max open files";
	unsigned long soft = 0;
	char path[64], text[4096];
	const char *line;

	if (!doctor->mediator) {
		doctor_found(finding, DOCTOR_SKIPPED, NULL, "the mediator's process is not known");
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/limits", (int)doctor->mediator);
	if (doctor_read(doctor, path, text, sizeof(text)) < 0) {
		doctor_found(finding, DOCTOR_SKIPPED, NULL, "%s: %s", path, strerror(errno));
		return;
	}
	line = strstr(text, key);
	if (line && strncmp(line + sizeof(key) - 1 + strspn(line + sizeof(key) - 1, " "),
			    "unlimited", 9) == 0)
		soft = ~0ul;
	else if (line)
		sscanf(line + sizeof(key) - 1, "%lu", &soft);
	if (soft < FILES_MIN)
		doctor_found(finding, DOCTOR_WARNING,
			     "raise LimitNOFILE in vgpu-mediatord's unit, or ulimit -n",
			     "the mediator may have %lu open files: too few for 100 VMs", soft);
	else
		doctor_found(finding, DOCTOR_OK, NULL, "the mediator may have %lu open files",
			     soft);
}
