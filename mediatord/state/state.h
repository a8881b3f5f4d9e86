/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What survives, in SQLite: the registered VMs, operators' profiles, seats, tokens and who changed
 * what.
 * Every change is one transaction, on the disk when the function returns. A database that is
 * damaged or newer than this program is never touched.
 *
 * Functions block on the disk and may be called from any thread. Errors carry an errno value;
 * ENOSPC where the disk, a quota or a file size limit is full: nothing has changed then.
 */
#ifndef VGPU_MEDIATORD_STATE_H
#define VGPU_MEDIATORD_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/gpus/report.h"
#include "mediatord/registry/layers.h"
#include "mediatord/usage.h"

struct state;

/* One VM as it is stored. */
struct state_vm {
	uint8_t uuid[16];
	uint32_t vm_id; /* no two VMs have the same */
	bool attached;	/* libvirt runs it */
	enum vm_hold hold;
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

/*
 * Reads what is kept of the VM that usage->uuid names: all 0 where nothing is. Returns 0, or -1 and
 * err (EILSEQ where it does not decode).
 */
int state_get_usage(struct state *state, struct vm_usage *usage, struct vgpu_error **err);

/* One of an operator's profiles; body is vm_layer_encode()'s. */
struct state_profile {
	const char *name;
	struct vm_layer values;
};

/* As state_each(), of the profiles, ordered by name. */
int state_each_profile(struct state *state,
		       int (*each)(const struct state_profile *profile, void *opaque,
				   struct vgpu_error **err),
		       void *opaque, struct vgpu_error **err);
int state_put_profile(struct state *state, const struct state_profile *profile,
		      struct vgpu_error **err);
int state_delete_profile(struct state *state, const char *name, struct vgpu_error **err);

/* A place for a VM on a GPU that CloudStack sees as a device: see mediatord/registry.h. */
struct state_seat {
	uint8_t uuid[16];
	char gpu[GPU_TEXT_BYTES]; /* what the GPU is known by: no other has it */
	char profile[VGPU_PROFILE_NAME_MAX + 1];
	uint32_t number; /* from 0; of one GPU and profile no two have the same */
	/* What the GPU was when it was seen last; "" and 0 where its driver does not say. */
	uint32_t gpu_index;
	char pci_address[32];
	char gpu_name[GPU_TEXT_BYTES];
	uint64_t gpu_memory_bytes;
	int64_t away_since_s; /* CLOCK_REALTIME: nobody could have it since then; 0: one can */
};

/* As state_each(), of the seats, ordered by uuid. */
int state_each_seat(struct state *state,
		    int (*each)(const struct state_seat *seat, void *opaque,
				struct vgpu_error **err),
		    void *opaque, struct vgpu_error **err);
/*
 * Adds or changes seats, and forgets those that are away since before `before_s`, in one
 * transaction. Returns 0, or -1 and err with nothing changed.
 */
int state_put_seats(struct state *state, const struct state_seat *seats, size_t count,
		    int64_t before_s, struct vgpu_error **err);

#define STATE_SALT_BYTES 16u
#define STATE_HASH_BYTES 32u

/* What is known of a bearer token: never the secret itself. */
struct state_token {
	char name[64];
	uint32_t role;
	uint8_t salt[STATE_SALT_BYTES];
	uint8_t hash[STATE_HASH_BYTES];
	int64_t created; /* seconds since 1970 */
	int64_t expires; /* the same; 0: never */
};

int state_each_token(struct state *state,
		     int (*each)(const struct state_token *token, void *opaque,
				 struct vgpu_error **err),
		     void *opaque, struct vgpu_error **err);
/* Returns 0, or -1 and err: EEXIST where there is one of that name. */
int state_add_token(struct state *state, const struct state_token *token, struct vgpu_error **err);
int state_delete_token(struct state *state, const char *name, struct vgpu_error **err);

/* Who changed what, and what came of it. */
struct state_audit {
	int64_t id;   /* grows; 0 in state_add_audit() */
	int64_t time; /* seconds since 1970 */
	const char *who, *what;
	uint32_t status; /* HTTP's */
};

/* How many of the newest are kept. */
#define STATE_AUDIT_MAX 10000

/*
 * Adds an entry, and forgets the oldest beyond those that are kept. It survives the end of the
 * process at once, and that of the host as soon as the next change is stored.
 */
int state_add_audit(struct state *state, const struct state_audit *audit, struct vgpu_error **err);
/* As state_each(), of at most `limit` entries with an id above `after`, in their order. */
int state_each_audit(struct state *state, int64_t after, uint32_t limit,
		     int (*each)(const struct state_audit *audit, void *opaque,
				 struct vgpu_error **err),
		     void *opaque, struct vgpu_error **err);

/*
 * Writes a copy of the database to a new file (mode 0600) that holds one moment's contents, while
 * it is used, and syncs it. Returns 0, or -1 and err: EEXIST where the file is there.
 */
int state_backup(struct state *state, const char *path, struct vgpu_error **err);

#endif
