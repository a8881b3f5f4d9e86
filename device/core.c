/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* Life of a device: creation, reset, end. */
#include "device/core_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"

int64_t core_now(const struct vgpu_core *core)
{
	return core->ops.now_ns(core->opaque);
}

void core_log(struct vgpu_core *core, int level, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!vgpu_log_allowed(&core->link.log_limit, core_now(core)))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	core->ops.log(core->opaque, level, line);
}

static int check_config(const struct vgpu_core_config *config, struct vgpu_error **err)
{
	const size_t path_max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	size_t path_length = config->link_path ? strlen(config->link_path) : 0;

	if (path_length == 0)
		return vgpu_error_set(err, EINVAL, "the link's path is empty");
	if (path_length > path_max)
		return vgpu_error_set(err, EINVAL,
				      "the link's path has %zu bytes; a Unix socket's path has at "
				      "most %zu: %s",
				      path_length, path_max, config->link_path);
	if (config->window_bytes < VGPU_WINDOW_SIZE_MIN ||
	    config->window_bytes > VGPU_WINDOW_SIZE_MAX ||
	    (config->window_bytes & (config->window_bytes - 1)) != 0)
		return vgpu_error_set(err, EINVAL,
				      "a window of %llu bytes; it must be a power of two from %llu "
				      "(1 MiB) to %llu (64 GiB)",
				      (unsigned long long)config->window_bytes,
				      (unsigned long long)VGPU_WINDOW_SIZE_MIN,
				      (unsigned long long)VGPU_WINDOW_SIZE_MAX);
	if (config->vectors > VGPU_MSIX_VECTORS)
		return vgpu_error_set(err, EINVAL, "%u MSI-X vectors; the device has at most %u",
				      config->vectors, VGPU_MSIX_VECTORS);
	return 0;
}

/* Returns the window's memfd, or -1 and err. Sparse: pages appear when they are first touched. */
static int make_window(uint64_t bytes, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = memfd_create("vgpu-window", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot create the window's memfd");
	if (ftruncate(fd, (off_t)bytes) < 0)
		return vgpu_error_errno(err, errno, "cannot give the window its %llu bytes",
					(unsigned long long)bytes);
	/* Whoever maps it must not get SIGBUS because another holder shrank it. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return vgpu_error_errno(err, errno, "cannot seal the window's size");
	return vgpu_steal_fd(&fd);
}

int vgpu_core_new(const struct vgpu_core_config *config, const struct vgpu_core_ops *ops,
		  void *opaque, struct vgpu_core **result, struct vgpu_error **err)
{
	struct vgpu_core *core;
	int window_fd;

	if (check_config(config, err) < 0)
		return -1;
	window_fd = make_window(config->window_bytes, err);
	if (window_fd < 0)
		return -1;
	core = calloc(1, sizeof(*core));
	if (!core) {
		close(window_fd);
		return vgpu_error_errno(err, ENOMEM, "cannot make the device");
	}
	core->ops = *ops;
	core->opaque = opaque;
	core->window_bytes = config->window_bytes;
	core->vectors = config->vectors;
	core->window_fd = window_fd;
	core->created_ns = core_now(core);
	mailbox_reset(core);
	channels_init(&core->channels);
	report_init(&core->report);
	link_init(&core->link, config->link_path);
	link_connect(core);
	*result = core;
	return 0;
}

void vgpu_core_free(struct vgpu_core **core)
{
	if (!*core)
		return;
	channels_reset(*core);
	link_close(*core);
	close((*core)->window_fd);
	free(*core);
	*core = NULL;
}

int vgpu_core_window_fd(const struct vgpu_core *core)
{
	return core->window_fd;
}

void vgpu_core_reset(struct vgpu_core *core)
{
	mailbox_reset(core);
	report_reset(&core->report);
	/* Before the RESET, which closes them at the mediator. */
	channels_reset(core);
	link_reset(core);
}
