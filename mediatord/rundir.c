/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* Whatever the umask is: a device that runs under another uid must be able to reach its socket. */
static int make_one(const char *path)
{
	struct stat status;

	if (mkdir(path, 0755) == 0)
		return chmod(path, 0755);
	if (errno != EEXIST)
		return -1;
	if (stat(path, &status) < 0)
		return -1;
	if (!S_ISDIR(status.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	return 0;
}

int rundir_make(const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *copy = strdup(path);

	if (!copy)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	for (char *slash = copy; slash; slash = strchr(slash + 1, '/')) {
		char *end = strchr(slash + 1, '/');

		if (end)
			*end = '\0';
		if (make_one(copy) < 0)
			return vgpu_error_errno(err, errno, "cannot make the folder %s", copy);
		if (end)
			*end = '/';
	}
	return 0;
}

int rundir_make_for(const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *copy = strdup(path);
	char *slash;

	if (!copy)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	slash = strrchr(copy, '/');
	if (!slash || slash == copy)
		return 0;
	*slash = '\0';
	return rundir_make(copy, err);
}

int rundir_lock(const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot open the lock file %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return vgpu_steal_fd(&fd);
	if (errno == EWOULDBLOCK)
		return vgpu_error_set(err, EBUSY, "another %s holds %s; is it running?",
				      program_invocation_short_name, path);
	return vgpu_error_errno(err, errno, "cannot lock %s", path);
}
