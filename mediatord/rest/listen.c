/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/log.h"
#include "mediatord/rest/internal.h"

#define BACKLOG 1024

/* Who may connect, settled before the socket listens or has its name. */
static int set_owner(const struct config *config, const char *path)
{
	bool shared = config->has_control_group;

	if (shared && chown(path, (uid_t)-1, config->control_gid) < 0) {
		/* Of a mediator that is not root the default asks nothing that it cannot do. */
		if (!config->control_group_is_default || errno != EPERM)
			return -1;
		shared = false;
	}
	if (!shared && config->control_group_is_default)
		vgpu_log_warning(
			"only the mediator's own user may use %s: %s group " CONFIG_CONTROL_GROUP
			"; systemd-sysusers makes it, and control-group = in "
			"mediatord.conf names another, or none",
			config->control_socket,
			config->has_control_group ? "it is not in the" : "there is no");
	return chmod(path, shared ? 0660 : 0600);
}

/*
 * Binds under another name and renames: the socket's name always leads to one that listens and has
 * its rights, and what an earlier mediator left there goes in the same step. Returns the socket,
 * or -1 and err.
 */
int rest_listen_local(struct rest *rest, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = rest->config->control_socket;
	struct stat st;
	int length;

	length = snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", path);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		return vgpu_error_set(err, ENAMETOOLONG,
				      "control-socket %s is too long: at most %zu bytes", path,
				      sizeof(address.sun_path) - strlen(".new") - 1);
	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot make a socket");
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return vgpu_error_errno(err, errno, "cannot bind the control socket %s",
					address.sun_path);
	if (set_owner(rest->config, address.sun_path) < 0 || listen(fd, BACKLOG) < 0 ||
	    rename(address.sun_path, path) < 0 || stat(path, &st) < 0) {
		vgpu_error_errno(err, errno, "cannot set up the control socket %s", path);
		unlink(address.sun_path);
		return -1;
	}
	rest->socket_device = st.st_dev;
	rest->socket_inode = st.st_ino;
	rest->socket_path = strdup(path);
	if (!rest->socket_path) {
		unlink(path);
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	return vgpu_steal_fd(&fd);
}

void rest_unlisten_local(struct rest *rest)
{
	struct stat st;

	if (rest->socket_path && stat(rest->socket_path, &st) == 0 &&
	    st.st_dev == rest->socket_device && st.st_ino == rest->socket_inode)
		unlink(rest->socket_path);
	free(rest->socket_path);
	rest->socket_path = NULL;
}
