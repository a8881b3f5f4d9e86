/* SPDX-License-Identifier: Apache-2.0 */
/* The names of link sockets in the file system. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/uuid.h"
#include "mediatord/link.h"

#define BACKLOG 16

static const char suffix[] = ".sock";
static const char new_suffix[] = ".new";

/*
 * Binds under another name and renames: who sees DIR/UUID.sock sees it with its owner and mode set
 * and somebody listening.
 */
int link_listen(struct vm *vm, struct vgpu_error **err)
{
	const struct config *config = vm->mediator->config;
	VGPU_AUTO_CLOSE int fd = -1;
	VGPU_AUTO_FREE char *path = NULL;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char uuid[VGPU_UUID_TEXT];
	mode_t mode = config->has_link_group ? 0660 : 0666;
	int length;

	vgpu_uuid_format(vm->config.uuid, uuid);
	if (asprintf(&path, "%s/%s%s", config->link_dir, uuid, suffix) < 0) {
		path = NULL;
		return vgpu_error_set(err, ENOMEM, "out of memory");
	}
	/* As long as the path itself: ".new" for ".sock" and a dot in front. */
	length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/.%s%s", config->link_dir,
			  uuid, new_suffix);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		return vgpu_error_set(err, ENAMETOOLONG,
				      "cannot make the link socket %s: the path is too long", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return vgpu_error_errno(err, errno, "cannot make the link socket %s", path);
	unlink(address.sun_path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return vgpu_error_errno(err, errno, "cannot make the link socket %s", path);
	if ((config->has_link_group && chown(address.sun_path, (uid_t)-1, config->link_gid) < 0) ||
	    chmod(address.sun_path, mode) < 0 || listen(fd, BACKLOG) < 0 ||
	    rename(address.sun_path, path) < 0) {
		vgpu_error_errno(err, errno, "cannot make the link socket %s", path);
		unlink(address.sun_path);
		return -1;
	}
	vm->listener = loop_add(vm->mediator->loop, SOURCE_LISTENER, fd, vm);
	if (!vm->listener) {
		vgpu_error_errno(err, errno, "cannot watch the link socket %s", path);
		unlink(path);
		return -1;
	}
	vm->listen_fd = vgpu_steal_fd(&fd);
	vm->link_path = vgpu_steal_pointer(&path);
	return 0;
}

void link_unlisten(struct vm *vm)
{
	if (vm->listen_fd < 0)
		return;
	unlink(vm->link_path);
	loop_remove(vm->mediator->loop, &vm->listener);
	close(vm->listen_fd);
	vm->listen_fd = -1;
	free(vm->link_path);
	vm->link_path = NULL;
}

/* UUID.sock, or .UUID.new, which a mediator that was killed between bind and rename left. */
static bool is_ours(const char *name)
{
	const char *end = suffix;
	char text[VGPU_UUID_TEXT];
	uint8_t uuid[16];

	if (*name == '.') {
		name++;
		end = new_suffix;
	}
	if (strlen(name) != VGPU_UUID_TEXT - 1 + strlen(end) ||
	    strcmp(name + VGPU_UUID_TEXT - 1, end) != 0)
		return false;
	memcpy(text, name, VGPU_UUID_TEXT - 1);
	text[VGPU_UUID_TEXT - 1] = '\0';
	return vgpu_uuid_parse(text, uuid) == 0;
}

int link_remove_stale(const char *dir, struct vgpu_error **err)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;

	if (!stream)
		return vgpu_error_errno(err, errno, "cannot read link-dir %s", dir);
	while ((entry = readdir(stream)) != NULL) {
		struct stat status;

		if (is_ours(entry->d_name) &&
		    fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISSOCK(status.st_mode))
			unlinkat(dirfd(stream), entry->d_name, 0);
	}
	closedir(stream);
	return 0;
}
