/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What survives: the registered VMs, in SQLite. Every change is one transaction, on the disk when
 * the function returns. A database that is damaged or newer than this program is never touched.
 *
 * Functions block on the disk and may be called from any thread. Errors carry an errno value;
 * ENOSPC where the disk, a quota or a file size limit is full: nothing has changed then.
 */
#ifndef VGPU_MEDIATORD_STATE_H
#define VGPU_MEDIATORD_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/layers.h"
#include "mediatord/usage.h"

struct state;

/* One VM as it is stored. */
struct state_vm {
	uint8_t uuid[16];
	uint32_t vm_id; /* no two VMs have the same */
	bool attached;	/* libvirt runs it */
	struct vm_layer layers[VM_HANDS];
};

/*
 * Opens the database at path, makes it where it is not there, checks it and brings an older schema
 * up to date. Returns 0 and *state, which the caller closes with state_close(); or -1 and err:
 * EILSEQ for a damaged database or a file that is none, EPROTONOSUPPORT for a newer schema, or the
 * reason that SQLite or the system gave.
 */
int state_open(const char *path, struct state **state, struct vgpu_error **err);
void state_close(struct state **state);

/*
 * Calls each for every VM, ordered by uuid; it must not call a function of this header. Its return
 * value other than 0 ends the walk and is returned. Returns 0 after the last one, or -1 and err:
 * EILSEQ where a record does not decode.
 */
int state_each(struct state *state,
	       int (*each)(const struct state_vm *vm, void *opaque, struct vgpu_error **err),
	       void *opaque, struct vgpu_error **err);

/* Adds the VM or replaces its record. Returns 0, or -1 and err: EEXIST where vm_id is another's. */
int state_put(struct state *state, const struct state_vm *vm, struct vgpu_error **err);

/* Removes the VM's record; one that is not there is no failure. Returns 0, or -1 and err. */
int state_delete(struct state *state, const uint8_t uuid[16], struct vgpu_error **err);

/*
 * Keeps what VMs did, of those that are stored, in one transaction. It is forgotten with the VM.
 * Returns 0, or -1 and err with nothing changed.
 */
int state_put_usages(struct state *state, const struct vm_usage *usages, size_t count,
		     struct vgpu_error **err);

/* Returns 0 and *usage, all 0 where none is kept; or -1 and err (EILSEQ where it does not decode).
 */
int state_get_usage(struct state *state, const uint8_t uuid[16], struct usage *usage,
		    struct vgpu_error **err);

#endif
