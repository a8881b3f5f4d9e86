/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of what lets QEMU reach the vGPU, and nobody else the mediator: groups and policies. */
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mediatord/ctl/doctor.h"

#define APPARMOR     "/etc/apparmor.d/"
#define APPARMOR_VMS "abstractions/libvirt-qemu"

/* More than any of the files that are read here has. */
#define TEXT_MAX ((size_t)1 << 18)

/* A whole file of the system's, freed with free(); NULL with errno. */
static char *read_text(const struct doctor *doctor, const char *path)
{
	VGPU_AUTO_FREE char *text = calloc(1, TEXT_MAX);

	return text && doctor_read(doctor, path, text, TEXT_MAX) == 0 ? vgpu_steal_pointer(&text)
								      : NULL;
}

static FILE *open_table(const struct doctor *doctor, const char *path)
{
	VGPU_AUTO_FREE char *whole = doctor_path(doctor, "%s", path);

	return whole ? fopen(whole, "re") : NULL;
}

/* Who runs QEMU, by libvirt's default in Debian and in Fedora, or by `user` of its qemu.conf. */
struct qemu_user {
	char name[64];
	uid_t uid;
	gid_t gid;
};

/* Takes `user = "NAME"` out of libvirt's configuration. Returns whether there is one. */
static bool read_configured(const struct doctor *doctor, char name[64])
{
	VGPU_AUTO_FREE char *text = read_text(doctor, "/etc/libvirt/qemu.conf");
	char *rest = text, *line;
	bool found = false;

	while (rest && (line = strsep(&rest, "\n")))
		/* "+0" is a user's number. */
		if (sscanf(line, " user = \"+%63[^\"]\"", name) == 1 ||
		    sscanf(line, " user = \"%63[^\"]\"", name) == 1)
			found = true;
	return found;
}

static bool find_qemu_user(const struct doctor *doctor, struct qemu_user *user)
{
	VGPU_AUTO_FCLOSE FILE *table = open_table(doctor, "/etc/passwd");
	bool configured = read_configured(doctor, user->name);
	const struct passwd *entry;
	char number[16];

	while (table && (entry = fgetpwent(table))) {
		snprintf(number, sizeof(number), "%u", entry->pw_uid);
		if (configured ? strcmp(entry->pw_name, user->name) != 0 &&
					 strcmp(number, user->name) != 0
			       : strcmp(entry->pw_name, "libvirt-qemu") != 0 &&
					 strcmp(entry->pw_name, "qemu") != 0)
			continue;
		snprintf(user->name, sizeof(user->name), "%s", entry->pw_name);
		user->uid = entry->pw_uid;
		user->gid = entry->pw_gid;
		return true;
	}
	return false;
}

static bool is_member(const struct doctor *doctor, const struct qemu_user *user, gid_t gid)
{
	VGPU_AUTO_FCLOSE FILE *table = open_table(doctor, "/etc/group");
	const struct group *entry;

	if (user->gid == gid)
		return true;
	while (table && (entry = fgetgrent(table)))
		for (char **member = entry->gr_mem; entry->gr_gid == gid && *member; member++)
			if (strcmp(*member, user->name) == 0)
				return true;
	return false;
}

/*
 * QEMU has to be in the group that the link sockets belong to; in that of the control socket,
 * whoever breaks out of a VM commands the mediator.
 */
void doctor_check_groups(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct config *config = doctor->config;
	struct qemu_user user = { .name = "" };

	if (!config->has_link_group && !config->has_control_group)
		doctor_found(finding, DOCTOR_OK, NULL,
			     "neither link-group nor control-group is set");
	else if (!find_qemu_user(doctor, &user))
		doctor_found(finding, DOCTOR_SKIPPED, NULL,
			     "libvirt's user for QEMU is not to be found");
	else if (config->has_link_group && user.uid != 0 &&
		 !is_member(doctor, &user, config->link_gid))
		doctor_found(finding, DOCTOR_FAILED,
			     "gpasswd -a it to that group, then restart its VMs",
			     "QEMU's user %s is not in link-group (%u): no vGPU reaches its "
			     "mediator",
			     user.name, config->link_gid);
	else if (config->has_control_group && user.uid != 0 &&
		 is_member(doctor, &user, config->control_gid))
		doctor_found(finding, DOCTOR_FAILED,
			     "gpasswd -d it from that group, or name another control-group",
			     "QEMU's user %s is in control-group (%u): who breaks out of a VM "
			     "commands the mediator",
			     user.name, config->control_gid);
	else
		doctor_found(finding, DOCTOR_OK, NULL, "QEMU's user is %s", user.name);
}

/* Whether an AppArmor file, or what is local to it, includes our part of libvirt's profiles. */
static bool includes_part(const struct doctor *doctor)
{
	static const char *const files[] = { APPARMOR APPARMOR_VMS,
					     APPARMOR "local/" APPARMOR_VMS };
	bool found = false;

	for (size_t i = 0; i < 2 && !found; i++) {
		VGPU_AUTO_FREE char *text = read_text(doctor, files[i]);

		found = text && strstr(text, "<" APPARMOR_VMS ".d");
	}
	return found;
}

void doctor_check_apparmor(struct doctor *doctor, struct doctor_finding *finding)
{
	static const char part[] = APPARMOR APPARMOR_VMS ".d/vgpu";
	VGPU_AUTO_FREE char *libvirt = doctor_path(doctor, "%s", APPARMOR APPARMOR_VMS);
	VGPU_AUTO_FREE char *rules = read_text(doctor, part);
	char enabled[8] = "";

	if (doctor_read(doctor, "/sys/module/apparmor/parameters/enabled", enabled,
			sizeof(enabled)) < 0 ||
	    enabled[0] != 'Y')
		doctor_found(finding, DOCTOR_SKIPPED, NULL, "AppArmor is off");
	else if (!libvirt || access(libvirt, F_OK) < 0)
		doctor_found(finding, DOCTOR_SKIPPED, NULL, "libvirt has no AppArmor profiles");
	else if (!rules)
		doctor_found(finding, DOCTOR_FAILED,
			     "install the toolkit with --sysconfdir=/etc: QEMU may not load the "
			     "module",
			     "%s: %s", part, strerror(errno));
	else if (!strstr(rules, VGPU_WRAPPER) || !strstr(rules, VGPU_MODULE))
		doctor_found(finding, DOCTOR_FAILED, "install the toolkit again",
			     "%s does not allow %s and %s", part, VGPU_WRAPPER, VGPU_MODULE);
	else if (!includes_part(doctor))
		doctor_found(finding, DOCTOR_FAILED,
			     "echo '  include if exists <" APPARMOR_VMS ".d>' "
			     ">>" APPARMOR "local/" APPARMOR_VMS,
			     "libvirt's profiles do not include %s", part);
	else
		doctor_found(finding, DOCTOR_OK, NULL, "libvirt's profiles include %s", part);
}

void doctor_check_selinux(struct doctor *doctor, struct doctor_finding *finding)
{
	VGPU_AUTO_FREE char *pattern =
		doctor_path(doctor, "/var/lib/selinux/*/active/modules/*/vgpu");
	char enforce[8];
	glob_t found;
	int missing;

	if (doctor_read(doctor, "/sys/fs/selinux/enforce", enforce, sizeof(enforce)) < 0) {
		doctor_found(finding, DOCTOR_SKIPPED, NULL, "SELinux is off");
		return;
	}
	missing = pattern ? glob(pattern, GLOB_NOSORT, NULL, &found) : GLOB_NOSPACE;
	if (!missing) {
		globfree(&found);
		doctor_found(finding, DOCTOR_OK, NULL, "the policy module vgpu is loaded");
	} else if (missing == GLOB_NOMATCH) {
		doctor_found(finding, enforce[0] == '1' ? DOCTOR_FAILED : DOCTOR_WARNING,
			     "semodule -i " VGPU_SELINUX_MODULE "; restorecon -R " VGPU_RUN_DIR
			     " " VGPU_WRAPPER " " VGPU_MODULE,
			     "the policy module vgpu is not loaded, and SELinux is %s",
			     enforce[0] == '1' ? "enforcing" : "permissive");
	} else {
		doctor_found(finding, DOCTOR_SKIPPED, NULL, "run it as root");
	}
}
