/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/last_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES sizeof(((struct last_error *)0)->text)

static __thread struct last_error last;

/* The mediator's words end up on terminals and in logs: no control characters. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

enum vgpu_result last_error_set(enum vgpu_result result, const char *format, ...)
{
	va_list args;

	last.detail = (struct vgpu_error_detail){ .result = result };
	va_start(args, format);
	vsnprintf(last.text, sizeof(last.text), format, args);
	va_end(args);
	make_printable(last.text);
	return result;
}

enum vgpu_result last_error_errno(enum vgpu_result result, int errnum, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return last_error_set(result, "%s: %s", text, strerror(errnum));
}

enum vgpu_result last_error_prefix(enum vgpu_result result, const char *format, ...)
{
	struct vgpu_error_detail detail = last.detail;
	char before[TEXT_BYTES], after[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(before, sizeof(before), format, args);
	va_end(args);
	memcpy(after, last.text, sizeof(after));
	last_error_set(result, "%s: %s", before, after);
	last_error_numbers(detail.device_error, detail.cuda_error);
	return result;
}

void last_error_numbers(uint32_t device_error, uint32_t cuda_error)
{
	last.detail.device_error = device_error;
	last.detail.cuda_error = cuda_error;
}

void last_error_save(struct last_error *saved)
{
	*saved = last;
}

void last_error_restore(const struct last_error *saved)
{
	last = *saved;
}

const char *vgpu_last_error(void)
{
	return last.text;
}

void vgpu_last_error_detail(struct vgpu_error_detail *detail)
{
	*detail = last.detail;
}
