/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
#include "common/error.h"

#include <stdarg.h>
#include <string.h>

/* What *err points to when there is no memory for the real thing. */
static struct vgpu_error *out_of_memory(void)
{
	static struct vgpu_error oom = { .status = ENOMEM, .message = "out of memory" };

	return &oom;
}

static struct vgpu_error *error_new(int status, const char *prefix, const char *separator,
				    const char *suffix)
{
	size_t length = strlen(prefix) + strlen(separator) + strlen(suffix) + 1;
	struct vgpu_error *error = malloc(sizeof(*error) + length);

	if (!error)
		return out_of_memory();
	error->status = status;
	snprintf(error->message, length, "%s%s%s", prefix, separator, suffix);
	return error;
}

int vgpu_error_set(struct vgpu_error **err, int status, const char *format, ...)
{
	VGPU_AUTO_FREE char *text = NULL;
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	*err = text ? error_new(status, text, "", "") : out_of_memory();
	return -1;
}

int vgpu_error_errno(struct vgpu_error **err, int errnum, const char *format, ...)
{
	VGPU_AUTO_FREE char *text = NULL;
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	*err = text ? error_new(errnum, text, ": ", strerror(errnum)) : out_of_memory();
	return -1;
}

void vgpu_error_prefix(struct vgpu_error **err, const char *format, ...)
{
	VGPU_AUTO_FREE char *text = NULL;
	struct vgpu_error *longer;
	va_list args;

	if (!err || !*err)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (!text)
		return;
	longer = error_new((*err)->status, text, ": ", (*err)->message);
	vgpu_error_free(err);
	*err = longer;
}

void vgpu_error_free(struct vgpu_error **err)
{
	if (!err || !*err)
		return;
	if (*err != out_of_memory())
		free(*err);
	*err = NULL;
}
