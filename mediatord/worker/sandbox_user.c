/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages 5 and 6 of sandbox.c: capabilities, and the user.
 *
 * A driver that was opened has threads, and credentials are a thread's own. glibc's setresuid() has
 * each thread that it knows make the call, and the kernel takes the capabilities of a thread that
 * leaves uid 0; whether there is a thread that glibc does not know is seen in /proc alone.
 */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mediatord/worker/sandbox.h"
#include "mediatord/worker_protocol.h"

/* What execve() could give back. */
static int empty_bounding_set(struct vgpu_error **err)
{
	for (unsigned long capability = 0;; capability++) {
		int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);

		if (held < 0) /* past the last one that this kernel has */
			return 0;
		if (held && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
			/* Without CAP_SETPCAP; stage 10 and no_new_privs close that way too. */
			if (errno == EPERM && geteuid() != 0)
				return 0;
			return vgpu_error_errno(err, errno, "cannot drop capability %lu",
						capability);
		}
	}
}

int sandbox_drop_capabilities(struct vgpu_error **err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const uint32_t kept = geteuid() == 0 ? 1u << CAP_SETUID | 1u << CAP_SETGID : 0;

	if (empty_bounding_set(err) < 0)
		return -1;
	sets[0].effective = kept;
	sets[0].permitted = kept;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &header, sets) < 0)
		return vgpu_error_errno(err, errno, "cannot drop capabilities");
	return 0;
}

/* A line's value, without the white space before it, or NULL where it has another name. */
static const char *value_of(const char *line, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(line, name, length) != 0)
		return NULL;
	return line + length + strspn(line + length, " \t");
}

static bool is_id_four_times(const char *value, uint32_t id)
{
	uint32_t ids[4];

	return sscanf(value, "%" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32, &ids[0], &ids[1],
		      &ids[2], &ids[3]) == 4 &&
	       ids[0] == id && ids[1] == id && ids[2] == id && ids[3] == id;
}

static bool is_zero(const char *value)
{
	return value[strspn(value, "0\n")] == '\0';
}

/* One line of a thread's status; counts in *seen the lines that had to be there. */
static bool line_is_right(const char *line, uid_t uid, gid_t gid, bool any_groups,
			  unsigned int *seen)
{
	static const char *const sets[] = { "CapInh:", "CapPrm:", "CapEff:", "CapAmb:" };
	const char *value;
	bool right = true;

	if ((value = value_of(line, "Uid:"))) {
		right = is_id_four_times(value, uid);
	} else if ((value = value_of(line, "Gid:"))) {
		right = is_id_four_times(value, gid);
	} else if ((value = value_of(line, "Groups:"))) {
		right = any_groups || *value == '\n';
	} else {
		for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]) && !value; i++)
			value = value_of(line, sets[i]);
		if (value)
			right = is_zero(value);
	}
	if (value)
		(*seen)++;
	return right;
}

#define LINES_THAT_MATTER 7u

/* Whether a thread has these ids, and nothing more. One that has ended meanwhile has. */
static bool thread_is_right(int tasks, const char *name, uid_t uid, gid_t gid, bool any_groups)
{
	unsigned int seen = 0;
	bool right = true;
	char path[64], line[512];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "%.32s/status", name);
	fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return false;
	}
	errno = 0;
	while (right && fgets(line, sizeof(line), file))
		right = line_is_right(line, uid, gid, any_groups, &seen);
	if (right && seen != LINES_THAT_MATTER)
		right = errno == ESRCH;
	fclose(file);
	return right;
}

static int check_threads(uid_t uid, gid_t gid, bool any_groups, struct vgpu_error **err)
{
	DIR *folder = opendir("/proc/self/task");
	const struct dirent *entry;
	unsigned int count = 0;
	int result = 0;

	if (!folder)
		return vgpu_error_errno(err, errno, "cannot read /proc/self/task");
	while (result == 0 && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (!thread_is_right(dirfd(folder), entry->d_name, uid, gid, any_groups))
			result = vgpu_error_set(err, EPERM,
						"thread %.32s did not become uid %u, gid %u "
						"without any privilege",
						entry->d_name, uid, gid);
	}
	closedir(folder);
	if (result == 0 && !count)
		return vgpu_error_set(err, EPERM, "/proc/self/task shows no thread");
	return result;
}

static int become(uid_t uid, gid_t gid, struct vgpu_error **err)
{
	if (setgroups(0, NULL) < 0)
		return vgpu_error_errno(err, errno, "cannot drop supplementary groups");
	if (setresgid(gid, gid, gid) < 0)
		return vgpu_error_errno(err, errno, "cannot become gid %u", gid);
	if (setresuid(uid, uid, uid) < 0)
		return vgpu_error_errno(err, errno, "cannot become uid %u", uid);
	return check_threads(uid, gid, false, err);
}

int sandbox_become(uint32_t uid, uint32_t gid, struct vgpu_error **err)
{
	const bool has_ids = uid != VGPU_WORKER_NO_ID || gid != VGPU_WORKER_NO_ID;

	if (geteuid() == 0) {
		if (!uid || !gid || uid == VGPU_WORKER_NO_ID || gid == VGPU_WORKER_NO_ID)
			return vgpu_error_set(err, EPERM,
					      "a worker that was started as root cannot go on as "
					      "uid %u, gid %u",
					      uid, gid);
		return become(uid, gid, err);
	}
	if (has_ids)
		return vgpu_error_set(err, EPERM,
				      "only a worker that was started as root can become uid %u, "
				      "gid %u",
				      uid, gid);
	return check_threads(geteuid(), getegid(), true, err);
}
