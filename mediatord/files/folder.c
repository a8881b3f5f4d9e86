/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/files/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/clock.h"

/* An answer that is not whole yet. */
#define NEW_RESPONSE ".response.new"

static int open_beneath(int folder, const char *name, uint64_t flags)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
}

static struct files_stamp stamp_of(const struct stat *status)
{
	return (struct files_stamp){
		.device = status->st_dev,
		.inode = status->st_ino,
		.bytes = status->st_size,
		.modified = status->st_mtim,
		.changed = status->st_ctim,
	};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same(const struct files_stamp *a, const struct files_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
	       same_time(&a->modified, &b->modified) && same_time(&a->changed, &b->changed);
}

int files_folder_open(int root, const char *name, struct files_folder *folder)
{
	VGPU_AUTO_CLOSE int fd = open_beneath(root, name, O_RDONLY | O_DIRECTORY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -1;
	*folder = (struct files_folder){ .fd = vgpu_steal_fd(&fd),
					 .device = status.st_dev,
					 .inode = status.st_ino };
	return 0;
}

void files_folder_close(struct files_folder *folder)
{
	close(folder->fd);
	folder->fd = -1;
}

/*
 * NFS remembers for half a minute what is and is not in a folder, and asks its server only when the
 * folder is opened. Returns 0, or -1 with errno, which is ESTALE where the server has it no more.
 */
static int refresh(const struct files_folder *folder)
{
	VGPU_AUTO_CLOSE int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -1 : 0;
}

/*
 * Opens request.txt to read or to write (O_RDONLY, O_WRONLY). A path first: to open a device or a
 * FIFO may do something, and between a look by name and the opening by name the guest can put one
 * there. Returns 0 with *fd, which is -1 where *fault says why not; or -1 with errno.
 */
static int open_request(const struct files_folder *folder, int access, struct stat *status, int *fd,
			const char **fault)
{
	VGPU_AUTO_CLOSE int path = open_beneath(folder->fd, VGPU_FILE_REQUEST, O_PATH);
	char name[64];

	*fd = -1;
	*fault = NULL;
	if (path < 0 || fstat(path, status) < 0)
		return -1;
	if (status->st_nlink == 0) { /* another was renamed into its place just now */
		errno = ENOENT;
		return -1;
	}
	if (S_ISLNK(status->st_mode))
		*fault = VGPU_FILE_REQUEST " is a link, which is not followed";
	else if (!S_ISREG(status->st_mode))
		*fault = VGPU_FILE_REQUEST " is no regular file";
	else if (status->st_nlink != 1)
		*fault = VGPU_FILE_REQUEST " has other names, too: links are not followed";
	if (*fault)
		return 0;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path);
	*fd = open(name, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return *fd < 0 ? -1 : 0;
}

/* Up to one byte more than fits, so that a longer line shows. Returns how many, or -1 with errno.
 */
static ssize_t read_whole(int fd, char *bytes, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t got = pread(fd, bytes + length, size - length, (off_t)length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

/* A line has its end, has it not yet, or will not get it any more. */
static enum files_look judge(struct files_folder *folder, int64_t now_ns, struct files_found *found)
{
	if (found->line[found->length - 1] == '\n')
		return FILES_LINE;
	if (!same(&folder->unfinished, &found->stamp)) {
		folder->unfinished = found->stamp;
		folder->unfinished_ns = now_ns;
	}
	if (now_ns - folder->unfinished_ns < FILES_UNFINISHED_NS)
		return FILES_UNFINISHED;
	found->fault = "the line has no end: a newline is missing";
	return FILES_FAULT;
}

int files_folder_look(struct files_folder *folder, int64_t now_ns, struct files_found *found,
		      enum files_look *look)
{
	VGPU_AUTO_CLOSE int fd = -1;
	char bytes[VGPU_FILE_LINE_MAX + 1];
	struct files_stamp after;
	struct stat status;
	ssize_t length;

	*look = FILES_NOTHING;
	if (refresh(folder) < 0)
		return -1;
	/*
	 * Not for writing: the kernel would tell of its closing, and one look would lead to the
	 * next. ESTALE: over NFS, another took its place just now.
	 */
	if (open_request(folder, O_RDONLY, &status, &fd, &found->fault) < 0)
		return errno == ENOENT || errno == ESTALE ? 0 : -1;
	found->stamp = stamp_of(&status);
	if (same(&found->stamp, &folder->refused))
		return 0;
	if (found->fault) {
		*look = FILES_FAULT;
		return 0;
	}
	length = read_whole(fd, bytes, sizeof(bytes));
	if (length < 0 || fstat(fd, &status) < 0)
		return errno == ESTALE ? 0 : -1;
	/* Written to meanwhile: the stamp has to be of what was read, or it is answered twice. */
	after = stamp_of(&status);
	if (length == 0 || !same(&found->stamp, &after))
		return 0;
	if ((size_t)length > sizeof(found->line)) {
		found->fault = "the line is longer than 4096 bytes";
		*look = FILES_FAULT;
		return 0;
	}
	memcpy(found->line, bytes, (size_t)length);
	found->length = (size_t)length;
	*look = judge(folder, now_ns, found);
	return 0;
}

static int write_whole(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

/*
 * The answer is to belong to whom the folder belongs, who may want to write over it, as an old
 * client does; where that is not allowed, it can still be read, removed and replaced.
 */
static int give(int folder, int fd)
{
	struct stat status;

	if (fstat(folder, &status) < 0)
		return -1;
	if (fchown(fd, status.st_uid, status.st_gid) < 0 && errno != EPERM)
		return -1;
	return fchmod(fd, 0644);
}

/*
 * Empties the request that was found. Before its answer is there: after it, the next one may be
 * written at any moment, also in place, and would be lost with this one. Returns false where
 * another request is there by now, which is left as it is.
 */
static bool empty_request(struct files_folder *folder, const struct files_stamp *stamp)
{
	VGPU_AUTO_CLOSE int fd = -1;
	struct files_stamp now;
	struct stat status;
	const char *fault;

	if (open_request(folder, O_WRONLY, &status, &fd, &fault) < 0) {
		folder->refused = *stamp;
		return true;
	}
	now = stamp_of(&status);
	if (!same(&now, stamp))
		return now.bytes == 0;
	if (fault || ftruncate(fd, 0) < 0)
		folder->refused = *stamp;
	return true;
}

/* Removes what cannot be the answer, and returns -1 with errno as it was. */
static int discard(const struct files_folder *folder)
{
	int saved = errno;

	unlinkat(folder->fd, NEW_RESPONSE, 0);
	errno = saved;
	return -1;
}

int files_folder_answer(struct files_folder *folder, const struct files_stamp *request,
			const char *line, size_t length, bool *replaced)
{
	VGPU_AUTO_CLOSE int fd = -1;

	*replaced = false;
	/* An earlier mediator's, or the guest's: not to be written through. */
	if (unlinkat(folder->fd, NEW_RESPONSE, 0) < 0 && errno != ENOENT &&
	    unlinkat(folder->fd, NEW_RESPONSE, AT_REMOVEDIR) < 0)
		return -1;
	fd = openat(folder->fd, NEW_RESPONSE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -1;
	/* A file system over a network may tell only then that it is full. */
	if (write_whole(fd, line, length) < 0 || give(folder->fd, fd) < 0 || fsync(fd) < 0)
		return discard(folder);
	*replaced = !empty_request(folder, request);
	if (*replaced) {
		discard(folder);
		return 0;
	}
	if (renameat(folder->fd, NEW_RESPONSE, folder->fd, VGPU_FILE_RESPONSE) < 0)
		return discard(folder);
	return 0;
}
