/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
/*
 * Errors that a human will read.
 *
 * There are two ways to fail in this project and they are never mixed. A leaf helper returns -1
 * and sets errno. A function whose failure somebody will read takes a `struct vgpu_error **` and
 * fills it once; each layer above may put its context in front with vgpu_error_prefix().
 */
#ifndef VGPU_COMMON_ERROR_H
#define VGPU_COMMON_ERROR_H

#include "common/cleanup.h"

struct vgpu_error {
	int status;	/* an errno value, or a status that the function's comment names */
	char message[]; /* what was wrong, which value, what to do; no final newline */
};

/*
 * Fills *err with a new error. err may be NULL (the caller does not want the text); *err must be
 * NULL otherwise. Out of memory leaves a static error that vgpu_error_free() recognises, so *err
 * is never NULL afterwards. Returns -1 always, so that callers can `return vgpu_error_set(...)`.
 */
int vgpu_error_set(struct vgpu_error **err, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* As vgpu_error_set(), with ": " and strerror(errnum) appended; status is errnum. */
int vgpu_error_errno(struct vgpu_error **err, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts text and ": " in front of *err's message. Does nothing where err or *err is NULL. */
void vgpu_error_prefix(struct vgpu_error **err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Frees *err and sets it to NULL. */
void vgpu_error_free(struct vgpu_error **err);

/* An owning local: `VGPU_AUTO_ERROR struct vgpu_error *err = NULL;` */
#define VGPU_AUTO_ERROR VGPU_CLEANUP(vgpu_error_free)

#endif
