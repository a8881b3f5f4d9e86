/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "mediatord/keeper/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "mediatord/rundir.h"

#define BACKLOG 16

/* Returns 1 and *fd, 0 where there is none, or -1 and err. */
static int take_passed(int *fd, struct vgpu_error **err)
{
#ifdef HAVE_SYSTEMD
	int count = sd_listen_fds(1);

	if (count == 0)
		return 0;
	if (count != 1 || sd_is_socket(SD_LISTEN_FDS_START, AF_UNIX, SOCK_SEQPACKET, 1) <= 0)
		return vgpu_error_set(err, EINVAL,
				      "the service manager passed something else than one "
				      "ListenSequentialPacket= socket");
	*fd = SD_LISTEN_FDS_START;
	if (fcntl(*fd, F_SETFL, O_NONBLOCK) < 0)
		return vgpu_error_errno(err, errno, "cannot use the socket that was passed");
	return 1;
#else
	(void)fd;
	(void)err;
	return 0;
#endif
}

/* Binds under another name and renames: who sees the path sees somebody listening, too. */
static int bind_at(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", path);

	if (length < 0 || (size_t)length >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	unlink(address.sun_path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	if (chmod(address.sun_path, 0600) < 0 || listen(fd, BACKLOG) < 0 ||
	    rename(address.sun_path, path) < 0) {
		int saved = errno;

		unlink(address.sun_path);
		errno = saved;
		return -1;
	}
	return 0;
}

static int make(struct listener *listener, const char *path, struct vgpu_error **err)
{
	VGPU_AUTO_FREE char *lock_path = NULL;
	VGPU_AUTO_FREE char *copy = strdup(path);
	VGPU_AUTO_CLOSE int lock = -1;
	VGPU_AUTO_CLOSE int fd = -1;

	if (asprintf(&lock_path, "%s.lock", path) < 0)
		lock_path = NULL;
	if (!copy || !lock_path)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (rundir_make_for(path, err) < 0)
		return -1;
	lock = rundir_lock(lock_path, err);
	if (lock < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind_at(fd, path) < 0)
		return vgpu_error_errno(err, errno, "cannot make the socket %s", path);
	listener->fd = vgpu_steal_fd(&fd);
	listener->lock = vgpu_steal_fd(&lock);
	listener->path = vgpu_steal_pointer(&copy);
	return 0;
}

int listener_open(struct listener *listener, const char *path, struct vgpu_error **err)
{
	int passed = take_passed(&listener->fd, err);

	if (passed != 0)
		return passed < 0 ? -1 : 0;
	return make(listener, path, err);
}

void listener_close(struct listener *listener)
{
	if (listener->path)
		unlink(listener->path);
	free(listener->path);
	if (listener->fd >= 0)
		close(listener->fd);
	if (listener->lock >= 0)
		close(listener->lock);
	*listener = (struct listener)LISTENER_NONE;
}
