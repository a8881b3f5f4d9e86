/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seats on the disk: what CloudStack's agent reads through vgpu-cloudstack, also while no
 * mediator runs. One JSON object, `{"format": 1, "link_dir": PATH, "seats": [...]}`, each seat as
 * REST shows it. Root alone reads it: it names tenants' VMs.
 */
#ifndef VGPU_MEDIATORD_SEATS_FILE_H
#define VGPU_MEDIATORD_SEATS_FILE_H

#include <stddef.h>

#include <jansson.h>

#include "common/error.h"
#include "mediatord/registry/registry.h"

#define SEATS_FILE_NAME	  "seats.json" /* beside the database */
#define SEATS_FILE_FORMAT 1

/* A seat as REST and the file show it; NULL where there is no memory. */
json_t *seat_to_json(const struct registry_seat *seat);

/* All that the file holds, freed with free(); NULL where there is no memory. */
char *seats_file_text(const char *link_dir, const struct registry_seat *seats, size_t count);

/*
 * Puts text in place of the file in the database's folder: at every moment there is a whole one.
 * Blocks on the disk. Returns 0, or -1 and err with an errno value.
 */
int seats_file_write(const char *state, const char *text, struct vgpu_error **err);

#endif
