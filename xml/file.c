/* SPDX-License-Identifier: Apache-2.0 */
#include "xml/file.h"

#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

int file_read(int fd, size_t max, char **bytes, size_t *length, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *buffer = NULL;
	size_t size = 0, used = 0;

	/* One byte more than the limit tells a file at the limit from one beyond it. */
	while (used <= max) {
		ssize_t got;

		if (used == size) {
			size_t larger = size ? 2 * size : 65536;
			char *grown = realloc(buffer, larger > max + 1 ? max + 1 : larger);

			if (!grown)
				return vgpu_error_set(err, ENOMEM, "out of memory");
			buffer = grown;
			size = larger > max + 1 ? max + 1 : larger;
		}
		got = read(fd, buffer + used, size - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return vgpu_error_errno(err, errno, "cannot read");
		if (got == 0) {
			*bytes = vgpu_steal_pointer(&buffer);
			*length = used;
			return 0;
		}
		used += (size_t)got;
	}
	return vgpu_error_set(err, EFBIG, "longer than %zu MiB: no domain is", max >> 20);
}

int file_read_path(const char *path, size_t max, char **bytes, size_t *length,
		   struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot open");
	return file_read(fd, max, bytes, length, err);
}

int file_write(int fd, const char *bytes, size_t length, struct vgpu_error **err)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return vgpu_error_errno(err, errno, "cannot write");
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

/* A name is durable only once its directory is. */
static int sync_directory(const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *copy = strdup(path);
	VGPU_AUTO_CLOSE int fd = -1;

	if (!copy)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return vgpu_error_errno(err, errno, "cannot sync the directory");
	return 0;
}

static int fill(int fd, const struct stat *old, const char *bytes, size_t length,
		struct vgpu_error **err)
{
	/* Owner before mode: chown(2) clears the set-id bits. */
	if ((old->st_uid != geteuid() || old->st_gid != getegid()) &&
	    fchown(fd, old->st_uid, old->st_gid) < 0)
		return vgpu_error_errno(err, errno, "cannot give the new file the old one's owner");
	if (fchmod(fd, old->st_mode & 07777) < 0)
		return vgpu_error_errno(err, errno, "cannot give the new file the old one's mode");
	if (file_write(fd, bytes, length, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return vgpu_error_errno(err, errno, "cannot sync");
	return 0;
}

int file_replace(const char *path, const char *bytes, size_t length, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *real = realpath(path, NULL);
	VGPU_AUTO_FREE char *temporary = NULL;
	VGPU_AUTO_CLOSE int fd = -1;
	struct stat old;

	if (!real || stat(real, &old) < 0)
		return vgpu_error_errno(err, errno, "cannot find");
	if (!S_ISREG(old.st_mode))
		return vgpu_error_set(err, EINVAL, "not a regular file: cannot replace it");
	if (asprintf(&temporary, "%s.XXXXXX", real) < 0) {
		temporary = NULL;
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot make a file beside it");
	if (fill(fd, &old, bytes, length, err) < 0) {
		unlink(temporary);
		return -1;
	}
	if (rename(temporary, real) < 0) {
		vgpu_error_errno(err, errno, "cannot replace");
		unlink(temporary);
		return -1;
	}
	return sync_directory(real, err);
}

int file_put(const char *path, const char *bytes, size_t length, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *temporary = NULL;
	VGPU_AUTO_CLOSE int fd = -1;
	int status;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot make a file beside it");
	status = file_write(fd, bytes, length, err);
	if (status == 0 && rename(temporary, path) < 0)
		status = vgpu_error_errno(err, errno, "cannot replace");
	if (status < 0)
		unlink(temporary);
	return status;
}
