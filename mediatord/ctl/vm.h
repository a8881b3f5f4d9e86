/* SPDX-License-Identifier: Apache-2.0 */
/* VMs, as an operator names them. */
#ifndef VGPU_CTL_VM_H
#define VGPU_CTL_VM_H

#include "common/uuid.h"
#include "mediatord/ctl/ctl.h"

#define VM_PATH_BYTES 80

/*
 * Finds the VM that name says: a uuid, a vm_id, or a name of libvirt's. Returns 0 and
 * "/v1/vms/UUID" with the suffix, which may be ""; or an exit status, with the error reported,
 * where there is none or more than one.
 */
int vm_find_path(struct ctl *ctl, const char *name, const char *suffix, char path[VM_PATH_BYTES]);

/* Of a list: the VM's name, or its uuid where it has none. */
const char *vm_label(const json_t *vm);

/* In one word, what an operator would first like to know of it. */
const char *vm_state(const json_t *vm);

#endif
