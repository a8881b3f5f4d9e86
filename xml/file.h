/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files in and out. All of these block on the disk. */
#ifndef VGPU_XML_FILE_H
#define VGPU_XML_FILE_H

#include <stddef.h>

#include "common/error.h"

/*
 * Reads fd to its end, at most `max` bytes. Returns 0 and *bytes of *length, which the caller
 * frees with free(); or -1 and err (EFBIG, ENOMEM, or what read(2) gave).
 */
int file_read(int fd, size_t max, char **bytes, size_t *length, struct vgpu_error **err);

/* Opens and reads a file, as file_read(). */
int file_read_path(const char *path, size_t max, char **bytes, size_t *length,
		   struct vgpu_error **err);

/* Writes everything. Returns 0, or -1 and err. */
int file_write(int fd, const char *bytes, size_t length, struct vgpu_error **err);

/*
 * Replaces a regular file's content as a whole: whoever reads it sees the old or the new one, also
 * after a crash. Mode and owner stay; a symbolic link stays one. Returns 0, or -1 and err, and then
 * the file is as it was.
 */
int file_replace(const char *path, const char *bytes, size_t length, struct vgpu_error **err);

/*
 * Makes or replaces a file that its owner alone reads: whoever reads it sees the old content or the
 * new one; after a power failure perhaps neither. Returns 0, or -1 and err.
 */
int file_put(const char *path, const char *bytes, size_t length, struct vgpu_error **err);

#endif
