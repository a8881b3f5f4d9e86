/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One VM's folder of the file protocol. All of its contents are the guest's, which may change them
 * at any time: nothing is opened but regular files within it, no link is followed, and what is read
 * is read once. Blocks as long as the file system does.
 */
#ifndef VGPU_MEDIATORD_FILES_FOLDER_H
#define VGPU_MEDIATORD_FILES_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/file_line.h"

/* A file as it was when it was looked at. */
struct files_stamp {
	dev_t device;
	ino_t inode;
	off_t bytes;
	struct timespec modified;
	struct timespec changed;
};

struct files_folder {
	int fd;
	dev_t device;
	ino_t inode;
	struct files_stamp refused;    /* a file that cannot be emptied, and was answered */
	struct files_stamp unfinished; /* the line's beginning, seen at this time: */
	int64_t unfinished_ns;
};

enum files_look {
	FILES_NOTHING,
	FILES_UNFINISHED, /* a line without its end */
	FILES_LINE,
	FILES_FAULT, /* something that no guest should have put there */
};

/* What was found; the line is complete, and nothing else of it was checked. */
struct files_found {
	struct files_stamp stamp;
	const char *fault; /* a sentence (static), with FILES_FAULT */
	size_t length;
	char line[VGPU_FILE_LINE_MAX];
};

/* A line that stays so long without its end is refused. */
#define FILES_UNFINISHED_NS (5 * VGPU_NS_PER_SECOND)

/* Opens the folder `name` in root. Returns 0, or -1 with errno. */
int files_folder_open(int root, const char *name, struct files_folder *folder);
void files_folder_close(struct files_folder *folder);

/* Looks for a request. Returns 0 with *look, or -1 with errno where the folder is of no use now. */
int files_folder_look(struct files_folder *folder, int64_t now_ns, struct files_found *found,
		      enum files_look *look);

/*
 * Empties the request that was found, and puts its answer in place, whole: whoever reads it reads
 * all of it. Where another request has taken its place (*replaced), neither is done: who gave up
 * waiting would take the old answer for the new one's. Returns 0, or -1 with errno and an older
 * answer as it was.
 */
int files_folder_answer(struct files_folder *folder, const struct files_stamp *request,
			const char *line, size_t length, bool *replaced);

#endif
