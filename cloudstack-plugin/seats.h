/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's seats as the mediator left them on the disk, which is also how it is while no mediator
 * runs: it writes them before a change is in force.
 */
#ifndef VGPU_CLOUDSTACK_SEATS_H
#define VGPU_CLOUDSTACK_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/error.h"

#define SEATS_BYTES_MAX ((size_t)64 << 20)

/* The texts are the file's. "" and 0 where it does not say. */
struct seat {
	uint8_t uuid[16];
	const char *profile;
	uint64_t memory_bytes; /* the profile's quota */
	bool present;	       /* its GPU is there */
	const char *gpu_id;
	const char *gpu_name;
	const char *pci_address;
	uint64_t gpu_memory_bytes;
	uint32_t gpu_index;
	const char *vm_name; /* of the VM that had it when the file was written; or NULL */
};

struct seats {
	json_t *file;
	const char *link_dir;
	struct seat *list;
	size_t count;
};

/* Reads the file's text. Returns 0 and *seats, or -1 and err (EINVAL, ENOMEM). */
int seats_parse(struct seats *seats, const char *text, size_t length, struct vgpu_error **err);

/* As seats_parse(), of a file; a file that is not there is -1 and ENOENT. */
int seats_load(struct seats *seats, const char *path, struct vgpu_error **err);

void seats_clear(struct seats *seats);
#define SEATS_AUTO VGPU_CLEANUP(seats_clear)

/* NULL where there is none. */
const struct seat *seats_find(const struct seats *seats, const uint8_t uuid[16]);

#endif
