/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of values that mediatord.conf has. Private to config_file.c and config_value.c. */
#ifndef VGPU_MEDIATORD_CONFIG_VALUE_H
#define VGPU_MEDIATORD_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

/* Reads decimal digits up to max. Returns 0 and *end at what follows, or -1. */
int config_value_digits(const char *text, uint64_t max, uint64_t *number, const char **end);

/* Each of these reads the whole value into *field. Returns 0, or -1 and err (EINVAL, ENOMEM). */
int config_value_number(struct vgpu_error **err, const char *value, uint32_t min, uint32_t max,
			uint32_t *field);
int config_value_size(struct vgpu_error **err, const char *value, uint64_t *field);
int config_value_duration(struct vgpu_error **err, const char *value, uint32_t *field_ms);
/* An absolute path; replaces and frees what *field was. */
int config_value_path(struct vgpu_error **err, const char *value, char **field);
/* A group's name or number; the empty value is none. */
int config_value_group(struct vgpu_error **err, const char *value, bool *has, gid_t *gid);
/* A name of a pool or profile: what is unambiguous in XML, URLs and on a command line. */
int config_value_name(struct vgpu_error **err, const char *value, char *field, size_t size);

#endif
