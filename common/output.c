/* SPDX-License-Identifier: Apache-2.0 */
#include "common/output.h"

#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

static int fail(struct vgpu_error **err, int status, const char *path)
{
	vgpu_error_errno(err, errno, "%s", path);
	if (err && *err)
		(*err)->status = status;
	return -1;
}

/* The mode that open() would have given; mkostemp() makes files that only their owner can read. */
static int give_default_mode(int fd)
{
	mode_t mask = umask(0);

	umask(mask);
	return fchmod(fd, 0666 & ~mask);
}

int output_open(struct output *output, const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = -1;
	struct stat status;

	*output = (struct output){ .path = path };
	if (strcmp(path, "-") == 0) {
		output->stream = stdout;
		return 0;
	}
	/* Renaming would replace a device or a pipe rather than write to it. */
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		return vgpu_error_set(err, EX_CANTCREAT, "%s: not a regular file", path);
	if (asprintf(&output->temporary, "%s.XXXXXX", path) < 0) {
		output->temporary = NULL;
		return fail(err, EX_OSERR, path);
	}
	fd = mkostemp(output->temporary, O_CLOEXEC);
	if (fd < 0) {
		int saved = errno;

		free(vgpu_steal_pointer(&output->temporary));
		errno = saved;
		return fail(err, EX_CANTCREAT, path);
	}
	if (give_default_mode(fd) != 0 || !(output->stream = fdopen(fd, "w"))) {
		fail(err, EX_CANTCREAT, path);
		output_discard(output);
		return -1;
	}
	vgpu_steal_fd(&fd);
	return 0;
}

/* So that the new name survives a power cut; the data does already. */
static void sync_directory(const char *path)
{
	VGPU_AUTO_FREE char *copy = strdup(path);
	VGPU_AUTO_CLOSE int fd = -1;

	if (!copy)
		return;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		fsync(fd);
}

int output_commit(struct output *output, struct vgpu_error **err)
{
	FILE *stream = vgpu_steal_pointer(&output->stream);

	if (!output->temporary) {
		if (fflush(stream) != 0 || ferror(stream))
			return fail(err, EX_IOERR, "standard output");
		return 0;
	}
	if (fflush(stream) != 0 || ferror(stream) || fsync(fileno(stream)) != 0) {
		fail(err, EX_IOERR, output->path);
		fclose(stream);
		output_discard(output);
		return -1;
	}
	if (fclose(stream) != 0 || rename(output->temporary, output->path) != 0) {
		fail(err, EX_CANTCREAT, output->path);
		output_discard(output);
		return -1;
	}
	free(vgpu_steal_pointer(&output->temporary));
	sync_directory(output->path);
	return 0;
}

void output_discard(struct output *output)
{
	FILE *stream = vgpu_steal_pointer(&output->stream);

	if (!output->temporary)
		return;
	if (stream)
		fclose(stream);
	unlink(output->temporary);
	free(vgpu_steal_pointer(&output->temporary));
}
