/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what an installation leaves on the host. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "mediatord/ctl/doctor.h"

/* stat() of a path of the system's. */
static int system_stat(const struct doctor *doctor, const char *path, struct stat *st)
{
	VGPU_AUTO_FREE char *whole = doctor_path(doctor, "%s", path);

	return whole ? stat(whole, st) : -1;
}

static bool is_later(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec > other->tv_sec ||
	       (one->tv_sec == other->tv_sec && one->tv_nsec > other->tv_nsec);
}

/*
 * libvirt remembers what an emulator can do until the emulator's file, which is the wrapper,
 * changes: not so when QEMU or the module does.
 */
void doctor_check_caches(struct doctor *doctor, struct doctor_finding *finding)
{
	static const char *const behind[] = { "/usr/bin/qemu-system-x86_64", VGPU_MODULE };
	struct stat wrapper, st;

	if (system_stat(doctor, VGPU_WRAPPER, &wrapper) < 0) {
		doctor_found(finding, DOCTOR_SKIPPED, NULL, "there is no %s", VGPU_WRAPPER);
		return;
	}
	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
		if (system_stat(doctor, behind[i], &st) < 0 ||
		    !is_later(&st.st_ctim, &wrapper.st_ctim))
			continue;
		doctor_found(finding, DOCTOR_WARNING,
			     "run vgpu-rebuild-module, which touches the wrapper",
			     "%s is newer than %s: libvirt may go by what it was before", behind[i],
			     VGPU_WRAPPER);
		return;
	}
	doctor_found(finding, DOCTOR_OK, NULL, "libvirt knows QEMU and module as they are");
}

/* Cuts a path's last part off. Returns the folder, freed with free(), or NULL. */
static char *folder_of(const char *path)
{
	char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (slash && slash > folder)
		*slash = '\0';
	return folder;
}

/*
 * Whoever can write to one of these folders can put a socket or a database of their own in the
 * place of the mediator's.
 */
void doctor_check_folders(struct doctor *doctor, struct doctor_finding *finding)
{
	VGPU_AUTO_FREE char *control = folder_of(doctor->config->control_socket);
	VGPU_AUTO_FREE char *state = folder_of(doctor->config->state);
	VGPU_AUTO_FREE char *settings = doctor_path(doctor, "%s", VGPU_CONFIG_DIR);
	const char *const folders[] = { control, doctor->config->link_dir, state, settings };
	struct stat st;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		const char *folder = folders[i] ? folders[i] : "";

		if (stat(folder, &st) < 0) {
			/* Without a configuration the defaults hold. */
			if (errno == ENOENT && folder == settings)
				continue;
			doctor_found(finding, DOCTOR_FAILED,
				     "systemd-tmpfiles --create vgpu.conf, or start the mediator, "
				     "which makes it",
				     "%s: %s", folder, strerror(errno));
		} else if (!S_ISDIR(st.st_mode)) {
			doctor_found(finding, DOCTOR_FAILED, "remove it and restart vgpu-mediatord",
				     "%s is no folder", folder);
		} else if (st.st_uid != 0 && st.st_uid != geteuid()) {
			doctor_found(finding, DOCTOR_FAILED, "chown root:root it",
				     "%s belongs to user %u, not to root", folder, st.st_uid);
		} else if (st.st_mode & (S_IWGRP | S_IWOTH)) {
			doctor_found(finding, DOCTOR_FAILED, "chmod go-w it",
				     "%s has mode %04o: others than its owner may write to it",
				     folder, st.st_mode & 07777u);
		} else {
			continue;
		}
		return;
	}
	doctor_found(finding, DOCTOR_OK, NULL, "only their owner writes to them");
}

/* Where systemd looks for a unit, the first first. */
static const char *const unit_folders[] = {
	"/etc/systemd/system",
	"/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system",
	"/lib/systemd/system",
};

/* Says what is wrong with a unit that is missing or masked. Returns whether it is neither. */
static bool check_unit(const struct doctor *doctor, struct doctor_finding *finding,
		       const char *name)
{
	for (size_t i = 0; i < sizeof(unit_folders) / sizeof(unit_folders[0]); i++) {
		VGPU_AUTO_FREE char *path = doctor_path(doctor, "%s/%s", unit_folders[i], name);
		char target[sizeof("/dev/null")] = "";
		struct stat st;

		if (!path || lstat(path, &st) < 0)
			continue;
		if (readlink(path, target, sizeof(target)) < 0 || strncmp(target, "/dev/null", 10))
			return true;
		doctor_found(finding, DOCTOR_FAILED, "systemctl unmask vgpu-mediatord vgpu-keeper",
			     "%s is masked", name);
		return false;
	}
	doctor_found(finding, DOCTOR_FAILED,
		     "install the toolkit with --prefix=/usr or /usr/local, then systemctl "
		     "daemon-reload",
		     "systemd has no %s", name);
	return false;
}

/* Whether this process is in the control group of this service, as far as that can be seen. */
static bool is_of_unit(const struct doctor *doctor, pid_t pid, const char *name)
{
	char path[64], groups[4096];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	return doctor_read(doctor, path, groups, sizeof(groups)) < 0 || strstr(groups, name);
}

/* Who was started otherwise is neither watched nor confined, and what ends one may end the other.
 */
static bool check_started(const struct doctor *doctor, struct doctor_finding *finding)
{
	pid_t keeper = doctor_find_process(doctor, "vgpu-keeper");

	if (doctor->mediator && !is_of_unit(doctor, doctor->mediator, "/vgpu-mediatord.service")) {
		doctor_found(finding, DOCTOR_WARNING, "end it, then systemctl start vgpu-mediatord",
			     "systemd did not start the mediator, pid %d", (int)doctor->mediator);
		return false;
	}
	if (keeper && !is_of_unit(doctor, keeper, "/vgpu-keeper.service")) {
		doctor_found(finding, DOCTOR_WARNING,
			     "when VMs may lose what they have on GPUs, systemctl stop "
			     "vgpu-mediatord, then start it",
			     "systemd did not start the keeper, pid %d: workers end with the "
			     "mediator",
			     (int)keeper);
		return false;
	}
	return true;
}

void doctor_check_units(struct doctor *doctor, struct doctor_finding *finding)
{
	static const char wanted[] =
		"/etc/systemd/system/multi-user.target.wants/vgpu-mediatord.service";
	VGPU_AUTO_FREE char *link = doctor_path(doctor, "%s", wanted);
	struct stat st;

	if (system_stat(doctor, "/run/systemd/system", &st) < 0)
		doctor_found(finding, DOCTOR_SKIPPED, NULL, "systemd does not run here");
	/* The mediator's unit starts the keeper's. */
	else if (!check_unit(doctor, finding, "vgpu-mediatord.service") ||
		 !check_unit(doctor, finding, "vgpu-keeper.service") ||
		 !check_started(doctor, finding))
		return;
	else if (!link || lstat(link, &st) < 0)
		doctor_found(finding, DOCTOR_WARNING, "systemctl enable --now vgpu-mediatord",
			     "vgpu-mediatord.service is not enabled: it does not start at boot");
	else
		doctor_found(finding, DOCTOR_OK, NULL, "vgpu-mediatord.service is enabled");
}
