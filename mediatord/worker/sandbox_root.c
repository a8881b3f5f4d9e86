/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages 4 and 7 of sandbox.c: the new root.
 *
 * A new root needs CAP_SYS_ADMIN, which the worker no longer has when it is known what has to be in
 * it. So it is left to a second process that shares the mount namespace: pivot_root(2) moves every
 * process of the namespace. That process was forked before the backend was opened and before
 * anything was read; it waits for one list, from a worker that has read nothing of a tenant's yet,
 * and ends.
 *
 * With the cpu backend the root is empty. A GPU's driver opens device nodes for each new mapping,
 * and a few files when a context is made, checkpointed or restored. These are there, bound one by
 * one; other GPUs' nodes and the rest of /dev, /proc and /sys are not. /proc/self is the worker's
 * own folder: /proc as a whole, with other processes in it, is not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "mediatord/worker/sandbox.h"

#define ENTRIES_MAX    24
#define PATH_MAX_BYTES 96

struct entry {
	char path[PATH_MAX_BYTES];
	uint32_t device;
};

/* One packet from the worker. */
struct list {
	uint32_t count;
	struct entry entries[ENTRIES_MAX];
};

/* Makes the folders above path. */
static int make_parents(const char *path)
{
	char folder[2 * PATH_MAX_BYTES];

	if (snprintf(folder, sizeof(folder), "%s", path) >= (int)sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0755) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return 0;
}

/* A file or folder for what will be bound on it. */
static int make_target(const char *path, mode_t source)
{
	VGPU_AUTO_CLOSE int fd = -1;

	if (make_parents(path) < 0)
		return -1;
	if (S_ISDIR(source))
		return mkdir(path, 0755) < 0 && errno != EEXIST ? -1 : 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return fd < 0 ? -1 : 0;
}

/* In a user namespace, flags that the source's mount has may not be taken away. */
static unsigned long flags_of_mount(const char *path)
{
	static const struct {
		long of_statfs;
		unsigned long of_mount;
	} flags[] = {
		{ 0x0001, MS_RDONLY },	 { 0x0002, MS_NOSUID },	 { 0x0004, MS_NODEV },
		{ 0x0008, MS_NOEXEC },	 { 0x0400, MS_NOATIME }, { 0x0800, MS_NODIRATIME },
		{ 0x1000, MS_RELATIME },
	};
	struct statfs status;
	unsigned long found = 0;

	if (statfs(path, &status) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (status.f_flags & flags[i].of_statfs)
			found |= flags[i].of_mount;
	return found;
}

bool sandbox_proc_is_ours(void)
{
	char number[16];
	ssize_t length = readlink("/proc/self", number, sizeof(number) - 1);

	number[length > 0 ? length : 0] = '\0';
	return strtol(number, NULL, 10) == getpid();
}

static int bind_entry(const char *root, const struct entry *entry)
{
	unsigned long flags = MS_NOSUID | MS_NOEXEC | (entry->device ? 0 : MS_NODEV | MS_RDONLY);
	char target[2 * PATH_MAX_BYTES], own[32];
	const char *source = entry->path;
	struct stat status;

	if (strcmp(source, "/proc/self") == 0) {
		/* Another process has our number there: its folder is none of the worker's. */
		if (!sandbox_proc_is_ours())
			return 0;
		snprintf(own, sizeof(own), "/proc/%d", getppid());
		source = own;
	}
	if (snprintf(target, sizeof(target), "%s%.*s", root, PATH_MAX_BYTES - 1, entry->path) >=
	    (int)sizeof(target)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* What this host's driver does not have, it does not open. */
	if (stat(source, &status) < 0)
		return 0;
	if (make_target(target, status.st_mode) < 0 ||
	    mount(source, target, NULL, MS_BIND, NULL) < 0)
		return -1;
	return mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | flags | flags_of_mount(target),
		     NULL);
}

static int build_root(const char *place, const struct list *list)
{
	if (mount("none", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=256k,nr_inodes=128,mode=0555") < 0)
		return -1;
	for (uint32_t i = 0; i < list->count; i++)
		if (bind_entry(place, &list->entries[i]) < 0)
			return -1;
	if (mount(NULL, place, NULL,
		  MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -1;
	/* As pivot_root(2) describes it for a root that no path outside leads to. */
	if (chdir(place) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0)
		return -1;
	return 0;
}

/* The second process: waits for the list, builds the root, answers with an errno, ends. */
static void make_root(int socket)
{
	static const char *const places[] = { "/tmp", "/run", "/mnt" };
	int result = EINVAL;
	struct list list;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* The keeper's would leave the VM's user no way through the folders that are made here. */
	umask(022);
	/* Where the worker has ended, so has the stream. */
	if (recv(socket, &list, sizeof(list), 0) != sizeof(list) || list.count > ENTRIES_MAX)
		_exit(EXIT_FAILURE);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && result; i++)
		result = build_root(places[i], &list) < 0 ? errno : 0;
	_exit(send(socket, &result, sizeof(result), MSG_NOSIGNAL) == sizeof(result) ? EXIT_SUCCESS
										    : EXIT_FAILURE);
}

void sandbox_start_root_maker(struct sandbox *sandbox)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	sandbox->root_maker_pid = fork();
	if (sandbox->root_maker_pid == 0) {
		close(pair[0]);
		close(sandbox->keep_fd);
		make_root(pair[1]);
	}
	close(pair[1]);
	if (sandbox->root_maker_pid < 0)
		close(pair[0]);
	else
		sandbox->root_maker = pair[0];
}

/* Has the second process make the root. Returns 0, or -1 with errno. */
static int ask_root_maker(struct sandbox *sandbox)
{
	struct list list = { .count = 0 };
	int result = ECHILD, status;
	ssize_t length;

	for (const struct backend_path *path = sandbox->paths;
	     path && path->path && list.count < ENTRIES_MAX; path++) {
		struct entry *entry = &list.entries[list.count];

		snprintf(entry->path, sizeof(entry->path), "%s", path->path);
		entry->device = path->device;
		list.count++;
	}
	length = send(sandbox->root_maker, &list, sizeof(list), MSG_NOSIGNAL);
	if (length > 0)
		length = recv(sandbox->root_maker, &result, sizeof(result), 0);
	close(sandbox->root_maker);
	sandbox->root_maker = -1;
	while (waitpid(sandbox->root_maker_pid, &status, 0) < 0 && errno == EINTR)
		;
	errno = length == sizeof(result) ? result : ECHILD;
	return errno ? -1 : 0;
}

void sandbox_enter_root(struct sandbox *sandbox)
{
	if (!sandbox->namespaces)
		return;
	errno = ECHILD;
	if (sandbox->root_maker >= 0 && ask_root_maker(sandbox) == 0 && chdir("/") == 0)
		return;
	/* As with a policy that lets user namespaces be made, but nothing be done in them. */
	vgpu_log_warning("no root directory of its own (%s): the worker goes on without it",
			 strerror(errno));
}
