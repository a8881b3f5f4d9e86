/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/files/watch.h"

#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

/* What linux/magic.h lacks. */
#define CIFS_MAGIC   0xff534d42u
#define LUSTRE_MAGIC 0x0bd00bd0u

/* Whether others than this host's processes can change files there, of which inotify tells nothing.
 */
static bool is_remote(int fd)
{
	struct statfs status;

	if (fstatfs(fd, &status) < 0)
		return true;
	switch ((uint32_t)status.f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CIFS_MAGIC:
	case V9FS_MAGIC:
	case FUSE_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
	case OCFS2_SUPER_MAGIC:
	case LUSTRE_MAGIC:
		return true;
	default:
		return false;
	}
}

int files_watch(int inotify, int folder, uint32_t events)
{
	char path[64];

	if (inotify < 0 || is_remote(folder))
		return -1;
	/* By descriptor: what a name leads to may have changed. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", folder);
	return inotify_add_watch(inotify, path, events | IN_ONLYDIR);
}
