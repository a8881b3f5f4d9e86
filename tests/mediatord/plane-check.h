/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the control plane share: a configuration, and a folder that goes afterwards. */
#ifndef VGPU_TESTS_PLANE_CHECK_H
#define VGPU_TESTS_PLANE_CHECK_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/uuid.h"
#include "mediatord/config.h"
#include "mediatord/registry/layers.h"

static const char plane_config_text[] = "[mediatord]\n"
					"default-pool = A\n"
					"[pool A]\n"
					"gpus = 0\n"
					"[pool B]\n"
					"gpus = 1\n"
					"[profile gold]\n"
					"pool = B\n"
					"priority = high\n"
					"weight = 200\n"
					"gpu-memory = 8GiB\n"
					"gpu-time-guaranteed = 50\n"
					"burst = 7\n";

static inline struct config *plane_config(const char *text)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct config *config = NULL;

	if (config_parse(text, strlen(text), "test.conf", &config, &err) < 0)
		fail_msg("%s", err->message);
	return config;
}

/* The uuid whose last byte is n. */
static inline const uint8_t *plane_uuid(uint8_t n)
{
	static uint8_t uuids[256][16];

	memset(uuids[n], 0xab, 16);
	uuids[n][15] = n;
	return uuids[n];
}

static inline struct vm_layer plane_layer(const char *json)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm_field_name field;
	struct vm_layer layer;

	if (vm_layer_decode(json, strlen(json), &layer, &field, &err) < 0)
		fail_msg("%s: %s", json, err->message);
	return layer;
}

static inline char *plane_folder(void)
{
	char *folder = strdup("/tmp/vgpu-test-XXXXXX");

	assert_non_null(folder);
	assert_non_null(mkdtemp(folder));
	return folder;
}

static inline void plane_path(char path[128], const char *folder, const char *name)
{
	assert_in_range(snprintf(path, 128, "%s/%s", folder, name), 1, 127);
}

/* Removes the folder and the files that SQLite leaves in it. */
static inline void plane_folder_remove(char *folder)
{
	static const char *const names[] = { "state.db", "state.db-wal", "state.db-shm",
					     "state.db-journal" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		plane_path(path, folder, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(folder), 0);
	free(folder);
}

#endif
