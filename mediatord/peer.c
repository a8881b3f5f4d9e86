/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/peer.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/uuid.h"

uint64_t peer_start(pid_t pid)
{
	VGPU_AUTO_CLOSE int fd = -1;
	unsigned long long start;
	char path[32], text[1024];
	const char *rest;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	/* The second field is its name, which may have anything but ends with the last ')'. */
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest,
			    ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
			    "%*d %*d %*d %*d %llu",
			    &start) != 1)
		return 0;
	return start;
}

int peer_read(int socket, struct peer *peer)
{
	struct ucred credentials;
	socklen_t length = sizeof(credentials);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
		return -1;
	peer->pid = credentials.pid;
	peer->uid = credentials.uid;
	peer->start = peer_start(peer->pid);
	length = sizeof(peer->label) - 1;
	/* ENOPROTOOPT without a security module; ERANGE for a label too long to be libvirt's. */
	if (getsockopt(socket, SOL_SOCKET, SO_PEERSEC, peer->label, &length) < 0)
		length = 0;
	peer->label[length] = '\0';
	return 0;
}

/* Whether NAME.pid is a file of the directory and nothing else. */
static bool is_file_name(const char *name)
{
	return name[0] != '\0' && !strchr(name, '/');
}

/* The name with XML's five characters as entities; "" where there is no room. */
static void escape_name(const char *name, char escaped[PATH_MAX])
{
	size_t used = 0;

	for (; *name; name++) {
		const char *entity = *name == '<'    ? "&lt;"
				     : *name == '>'  ? "&gt;"
				     : *name == '&'  ? "&amp;"
				     : *name == '\'' ? "&apos;"
				     : *name == '"'  ? "&quot;"
						     : NULL;
		int n = entity ? snprintf(escaped + used, PATH_MAX - used, "%s", entity)
			       : snprintf(escaped + used, PATH_MAX - used, "%c", *name);

		used += (size_t)n;
		if (used >= PATH_MAX) {
			escaped[0] = '\0';
			return;
		}
	}
}

static void read_pid_file(const char *run_dir, const char *name, struct peer_pid_file *file)
{
	VGPU_AUTO_CLOSE int fd = -1;
	char path[PATH_MAX];
	char text[24], *end;
	struct stat status;
	ssize_t length;
	long pid;
	int n;

	*file = (struct peer_pid_file){ .state = PEER_PID_FILE_NO_NAME };
	if (!is_file_name(name))
		return;
	n = snprintf(path, sizeof(path), "%s/%s.pid", run_dir, name);
	file->state = PEER_PID_FILE_UNREADABLE;
	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	/* O_NONBLOCK: a FIFO under that name must not hold up the loop. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			file->state = PEER_PID_FILE_ABSENT;
		return;
	}
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return;
	length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return;
	text[length] = '\0';
	file->state = PEER_PID_FILE_MALFORMED;
	if (!isdigit((unsigned char)text[0]))
		return;
	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno || pid <= 0 || pid > INT_MAX || strspn(end, " \n") != strlen(end))
		return;
	file->pid = (pid_t)pid;
	file->state = PEER_PID_FILE_READ;
}

void peer_pid_file_read(const char *run_dir, const char *name, struct peer_pid_file *file)
{
	char escaped[PATH_MAX];

	read_pid_file(run_dir, name, file);
	if (file->state != PEER_PID_FILE_ABSENT || !strpbrk(name, "<>&'\""))
		return;
	/* libvirt 9 writes a"b.pid as a&quot;b.pid. */
	escape_name(name, escaped);
	read_pid_file(run_dir, escaped, file);
}

/* Reads "libvirt-UUID", alone or followed by AppArmor's mode as in " (enforce)". */
static bool label_uuid(const char *label, uint8_t uuid[16])
{
	static const char prefix[] = "libvirt-";
	char text[VGPU_UUID_TEXT];
	const char *after;

	if (strncmp(label, prefix, strlen(prefix)) != 0)
		return false;
	label += strlen(prefix);
	if (strnlen(label, VGPU_UUID_TEXT - 1) < VGPU_UUID_TEXT - 1)
		return false;
	memcpy(text, label, VGPU_UUID_TEXT - 1);
	text[VGPU_UUID_TEXT - 1] = '\0';
	after = label + VGPU_UUID_TEXT - 1;
	if (*after && *after != '\n' && strncmp(after, " (", 2) != 0)
		return false;
	return vgpu_uuid_parse(text, uuid) == 0;
}

enum peer_verdict peer_decide(const struct vm_config *vm, const struct peer *peer,
			      const struct peer_pid_file *file)
{
	uint8_t uuid[16];

	if (vm->has_link_uid)
		return peer->uid == vm->link_uid ? PEER_BY_UID : PEER_OTHER_UID;
	if (label_uuid(peer->label, uuid))
		return memcmp(uuid, vm->uuid, sizeof(uuid)) == 0 ? PEER_BY_LABEL : PEER_OTHER_LABEL;
	switch (file->state) {
	case PEER_PID_FILE_NO_NAME:
		return PEER_NO_NAME;
	case PEER_PID_FILE_ABSENT:
		return PEER_NO_PID_FILE;
	case PEER_PID_FILE_READ:
		/* A pid of 0 is a process of another pid namespace: it is nobody. */
		return peer->pid > 0 && peer->pid == file->pid ? PEER_BY_PID_FILE : PEER_OTHER_PID;
	case PEER_PID_FILE_UNREADABLE:
	case PEER_PID_FILE_MALFORMED:
		break;
	}
	return PEER_BAD_PID_FILE;
}

const char *peer_verdict_text(enum peer_verdict verdict)
{
	switch (verdict) {
	case PEER_BY_UID:
		return "it has the uid that the registration names";
	case PEER_BY_LABEL:
		return "its security label is this VM's";
	case PEER_BY_PID_FILE:
		return "libvirt's pid file of this VM names it";
	case PEER_OTHER_UID:
		return "the registration names another uid";
	case PEER_OTHER_LABEL:
		return "its security label is another VM's";
	case PEER_OTHER_PID:
		return "libvirt's pid file of this VM names another process";
	case PEER_NO_NAME:
		return "the VM is registered without link_uid, and without a name whose libvirt "
		       "pid file could be looked at";
	case PEER_NO_PID_FILE:
		return "libvirt has no pid file for this VM: it does not run it";
	case PEER_BAD_PID_FILE:
		break;
	}
	return "libvirt's pid file of this VM cannot be read";
}
