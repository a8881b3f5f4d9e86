/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of registry.h share. */
#ifndef VGPU_MEDIATORD_REGISTRY_INTERNAL_H
#define VGPU_MEDIATORD_REGISTRY_INTERNAL_H

#include <pthread.h>

#include "mediatord/event_feed.h"
#include "mediatord/registry/registry.h"

/* The HTTP statuses of the registry's errors. */
#define BAD_REQUEST	    400
#define NOT_FOUND	    404
#define CONFLICT	    409
#define PRECONDITION_FAILED 412
#define UNPROCESSABLE	    422
#define INTERNAL	    500
#define UNAVAILABLE	    503
#define STORAGE_FULL	    507

#define REGISTRY_PROBLEM_BYTES 128

/* How long a seat that nobody can have is kept, so that what comes back has its uuid. */
#define SEATS_KEPT_S ((int64_t)30 * 24 * 3600)

struct registry {
	struct state *state;
	struct control *control;
	struct event_feed *feed; /* or NULL */
	/* Held throughout a change; the holder may read all that follows without the lock below. */
	pthread_mutex_t change;
	/* Guards what follows, for moments only: never while waiting for disk or loop. */
	pthread_rwlock_t lock;
	struct registry_vm **vms; /* ordered by uuid */
	size_t count;
	size_t size; /* room in vms */
	/*
	 * The file's, but for the profiles: after the file's own ones come the operators'. Its
	 * strings and pools stay the file's.
	 */
	struct config config;
	size_t file_profiles;	     /* how many of them are the file's */
	struct vm_layer *values;     /* what an operator's profile says itself; one a profile */
	struct registry_seat *seats; /* ordered by uuid */
	size_t seat_count;
	/* What follows is of who holds `change`. */
	struct gpu_report *gpus;		    /* the last look; or NULL */
	char seats_problem[REGISTRY_PROBLEM_BYTES]; /* why seats could not be stored, or "" */
	/* Guards what follows, while the disk is waited for too; taken without `change`. */
	pthread_mutex_t file;
	const char *state_path;
	char *seats_written;			   /* what the seats' file holds; or NULL */
	char file_problem[REGISTRY_PROBLEM_BYTES]; /* why it could not be written, or "" */
};

/* The index where uuid is or would be; *found says which. */
size_t registry_find(const struct registry *registry, const uint8_t uuid[16], bool *found);
/* NULL where there is none. */
struct registry_vm *registry_lookup(const struct registry *registry, const uint8_t uuid[16]);
/* Says so in err. Returns -1. */
int registry_not_found(const uint8_t uuid[16], struct vgpu_error **err);

/* Turns an errno value of state or control into the status that REST answers. */
int registry_status(int errnum);

/* Merges a VM's layers by a configuration; those of another VM play no part. */
int registry_merge(const struct config *config, struct registry_vm *vm, struct vm_field_name *field,
		   struct vgpu_error **err);

/* Tells those who follow the events; uuid and text may be NULL. */
void registry_tell(struct registry *registry, enum event_type type, const uint8_t uuid[16],
		   const char *text);

/* With `change` held: makes new, whose text is taken over, the registry's record of old. */
void registry_replace(struct registry *registry, struct registry_vm *old,
		      const struct registry_vm *new);

/* With `change` held: writes a record, or removes it where vm is NULL. Returns 0, or -1 and err. */
int registry_store(struct registry *registry, const uint8_t uuid[16], const struct state_vm *vm,
		   struct vgpu_error **err);

/* With `change` held: ends the VM and forgets it; old is gone then. Returns 0, or -1 and err. */
int registry_delete_vm(struct registry *registry, const struct registry_vm *old,
		       struct vgpu_error **err);

/* Reads the seats from the database, at start. Returns 0, or -1 and err. */
int registry_load_seats(struct registry *registry, struct vgpu_error **err);
void registry_free_seats(struct registry *registry);

/*
 * With `change` held: whether a VM that begins may have the seat that its domain names. Returns 0;
 * or -1, err (409: another one runs in it; 422: it is another profile's) and *field.
 */
int registry_claim_seat(const struct registry *registry, const struct registry_vm *vm,
			struct vm_field_name *field, struct vgpu_error **err);

/* Ends a change: brings the seats in line with it, on the disk too, and gives `change` back. */
void registry_end_change(struct registry *registry);

/* Reads the operators' profiles from the database, at start. Returns 0, or -1 and err. */
int registry_load_profiles(struct registry *registry, const struct config *file,
			   struct vgpu_error **err);

#endif
