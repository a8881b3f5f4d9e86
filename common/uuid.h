/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
/* UUIDs in the form that libvirt prints: 36 characters, lower case, with dashes. */
#ifndef VGPU_COMMON_UUID_H
#define VGPU_COMMON_UUID_H

#include <stdint.h>

#define VGPU_UUID_TEXT 37 /* bytes of the text form, its terminator included */

/*
 * Reads exactly 36 characters in either case, dashes in their places, and nothing after them.
 * Returns 0, or -1 with errno EINVAL.
 */
int vgpu_uuid_parse(const char *text, uint8_t uuid[16]);

void vgpu_uuid_format(const uint8_t uuid[16], char text[VGPU_UUID_TEXT]);

#endif
