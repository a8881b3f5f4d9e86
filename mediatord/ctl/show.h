/* SPDX-License-Identifier: Apache-2.0 */
/* The API's values for people. What lacks in an answer, or has a wrong type, is shown as "-". */
#ifndef VGPU_CTL_SHOW_H
#define VGPU_CTL_SHOW_H

#include <stdint.h>

#include <jansson.h>

#include "mediatord/ctl/table.h"

/* The value at a path of keys with dots, as "quotas.burst"; NULL where there is none. */
json_t *show_at(const json_t *json, const char *path);

/* A text of the answer; or otherwise. */
const char *show_text(const json_t *json, const char *path, const char *otherwise);

/* A whole number from 0 on, or -1. */
int64_t show_number(const json_t *json, const char *path);

#define SHOW_BYTES 32
/* "4GiB" where that is exact, as mediatord.conf and `vm set` have it, else "1.5GiB". */
const char *show_size(int64_t bytes, char text[SHOW_BYTES]);
/* "10s" or "1500ms". */
const char *show_duration_ms(int64_t ms, char text[SHOW_BYTES]);
/* "850us", "2.4ms", "1.2s". */
const char *show_time_ns(int64_t ns, char text[SHOW_BYTES]);

enum show_kind {
	SHOW_PLAIN, /* a text, a whole number or a boolean */
	SHOW_SIZE,
	SHOW_PERCENT,
	SHOW_DURATION, /* of ms */
	SHOW_TIME,     /* of ns */
	SHOW_CELSIUS,
	SHOW_POWER, /* of mW */
};

/* Adds the value at path as a cell. */
void show_cell(struct table *table, const json_t *json, const char *path, enum show_kind kind);

/* Adds a limit, for which 0 and null are "no limit", as a cell. */
void show_limit_cell(struct table *table, const json_t *json, const char *path,
		     enum show_kind kind);

#endif
