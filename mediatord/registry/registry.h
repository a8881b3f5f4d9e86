/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registered VMs: what is stored for each, and what is in force. A change is checked, written
 * to the database and put in force before its function returns; where one of the three fails, the
 * other two are as before.
 *
 * Changes run one at a time. Reads do not wait for a change that is on its way to the disk. All
 * functions but registry_open() and registry_close() may be called from any thread but the loop's.
 *
 * Errors carry the HTTP status that REST answers: 400, 404, 409, 412, 422, 500,
 * 503 (shutting down) or 507 (disk full); *field names the field that is wrong, or is "".
 */
#ifndef VGPU_MEDIATORD_REGISTRY_H
#define VGPU_MEDIATORD_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "mediatord/config.h"
#include "mediatord/control.h"
#include "mediatord/domain_report.h"
#include "mediatord/registry/layers.h"
#include "mediatord/state/state.h"
#include "mediatord/vm_text.h"

struct registry;
struct event_feed;

struct registry_vm {
	struct state_vm stored;
	struct vm_merged merged; /* meaningless where problem is not "" */
	char problem[256];	 /* why a stored VM could not be put in force at start, or "" */
	struct domain_report domain;
	struct vm_text *text; /* the registry's own; NULL in copies */
};

/* What must hold of a record for a change to be made (RFC 9110, 13.1); 412 otherwise. */
struct registry_condition {
	const char *if_match; /* the header's value; NULL: nothing */
	bool must_be_new;     /* If-None-Match: * */
};

/*
 * Reads the VMs in state. config and state stay the caller's and must live longer than the
 * registry. Returns 0 and *registry, or -1 and err, which carries state_each()'s errno value.
 */
int registry_open(const struct config *config, struct state *state, struct registry **registry,
		  struct vgpu_error **err);

/* Frees the registry; what is in force stays so. NULL is fine. */
void registry_close(struct registry **registry);

/*
 * Puts every stored VM in force through control, which all later changes use too; call it once,
 * before those. A VM that cannot be (its profile left the configuration) is logged and shows the
 * reason as its problem; the others do not suffer. Returns how many those were.
 */
size_t registry_start(struct registry *registry, struct control *control);

/* Where changes are told from now on; the caller's, to live as long. */
void registry_follow(struct registry *registry, struct event_feed *feed);

/*
 * Replaces what one hand says about a VM, and registers the VM where it is not yet: *created says
 * so. VM_HAND_DOMAIN also marks it attached, and takes a name away from a detached VM that has it
 * from its domain: libvirt gave it to this one. Returns 0 and *vm, or -1, err and *field.
 */
int registry_put(struct registry *registry, const uint8_t uuid[16], enum vm_hand hand,
		 const struct vm_layer *layer, const struct registry_condition *condition,
		 bool *created, struct registry_vm *vm, struct vm_field_name *field,
		 struct vgpu_error **err);

/*
 * Replaces what the service offering says about a VM that is registered (404 otherwise). The same
 * again writes nothing: who syncs does not look before. Returns 0, or -1, err and *field.
 */
int registry_put_offering(struct registry *registry, const uint8_t uuid[16],
			  const struct vm_layer *layer, struct vm_field_name *field,
			  struct vgpu_error **err);

/* Changes what the operator says by a JSON merge patch. Returns 0, or -1, err and *field. */
int registry_patch(struct registry *registry, const uint8_t uuid[16], const char *text,
		   size_t length, const struct registry_condition *condition,
		   struct vm_field_name *field, struct vgpu_error **err);

/* Holds a VM's work back, or lets it go on. Returns 0, or -1 and err. */
int registry_hold(struct registry *registry, const uint8_t uuid[16], enum vm_hold hold,
		  struct vgpu_error **err);

/* Marks a VM detached; its record stays. Returns 0, also where it was; or -1 and err. */
int registry_detach(struct registry *registry, const uint8_t uuid[16], struct vgpu_error **err);

/*
 * What libvirt has of the VM's domain. One that does not run is marked detached; one that is gone
 * takes the record with it, unless only an operator ever registered the VM. Returns 0; or -1 and
 * err (404; 409 where the domain was registered again since, and this is out of date).
 */
int registry_report(struct registry *registry, const uint8_t uuid[16],
		    const struct domain_report *report, struct vgpu_error **err);

/* Ends a VM and forgets it. Returns 0, or -1 and err. */
int registry_delete(struct registry *registry, const uint8_t uuid[16],
		    const struct registry_condition *condition, struct vgpu_error **err);

/* Returns 0 and a copy of the VM, or -1 and err (404). */
int registry_get(struct registry *registry, const uint8_t uuid[16], struct registry_vm *vm,
		 struct vgpu_error **err);

/* Returns what REST shows of a VM, to be released; or NULL and err (404, 500). Cheap. */
struct vm_text *registry_text(struct registry *registry, const uint8_t uuid[16],
			      struct vgpu_error **err);

/*
 * The same of the VMs whose uuid is above `after` (NULL: of all), in their order, `limit` at most:
 * *texts, which the caller frees with free() when each was released. *more: some are left. Returns
 * 0, or -1 and err.
 */
int registry_texts(struct registry *registry, const uint8_t after[16], size_t limit,
		   struct vm_text ***texts, size_t *count, bool *more, struct vgpu_error **err);

/*
 * A seat: a place for one VM with a certain profile on a certain GPU, which CloudStack sees as a
 * device. A profile says how many of them each GPU of its pool offers. Where the GPU goes, or the
 * profile offers fewer, the seat's uuid waits for 30 days, and is then forgotten.
 */
struct registry_seat {
	struct state_seat stored;
	uint64_t memory_bytes; /* the profile's quota; 0: none */
	bool offered;	       /* the profile has so many */
	bool present;	       /* the GPU is there, as far as is known */
	bool used;	       /* by a VM that libvirt runs */
	uint8_t vm[16];
	char vm_name[VGPU_VM_NAME_MAX + 1];
};

/* The GPUs were looked at: the seats are made and kept by what they are. */
void registry_gpus(struct registry *registry, const struct gpu_report *report);

/*
 * The seats that are offered or used, with a uuid above `after` (NULL: all), in their order,
 * `limit` at most: *seats, which the caller frees with free(). *more: some are left. Returns 0, or
 * -1 and err.
 */
int registry_seats(struct registry *registry, const uint8_t after[16], size_t limit,
		   struct registry_seat **seats, size_t *count, bool *more,
		   struct vgpu_error **err);

/* A profile as it is in force. */
struct registry_profile {
	struct config_profile profile;
	struct vm_layer values; /* an operator's: what it says itself */
	bool from_file;		/* of mediatord.conf, which no call here changes */
	uint32_t vms;		/* that have it */
	char etag[VM_ETAG_BYTES];
};

/*
 * Makes or replaces an operator's profile and puts it in force for the VMs that have it; where one
 * of them cannot have the new values, nothing is changed. Only the fields of a profile may be
 * given. Returns 0 and *created, or -1, err (409: it is the file's) and *field.
 */
int registry_profile_put(struct registry *registry, const char *name, const struct vm_layer *values,
			 const struct registry_condition *condition, bool *created,
			 struct vm_field_name *field, struct vgpu_error **err);

/*
 * Changes what an operator's profile says by a JSON merge patch, as registry_profile_put() replaces
 * it. Returns 0, or -1, err (404 where there is none) and *field.
 */
int registry_profile_patch(struct registry *registry, const char *name, const char *text,
			   size_t length, const struct registry_condition *condition,
			   struct vm_field_name *field, struct vgpu_error **err);

/* Returns 0, or -1 and err: 409 where VMs have it, or it is the file's. */
int registry_profile_delete(struct registry *registry, const char *name,
			    const struct registry_condition *condition, struct vgpu_error **err);

/* Returns 0 and *profile, or -1 and err (404). */
int registry_profile_get(struct registry *registry, const char *name,
			 struct registry_profile *profile, struct vgpu_error **err);

/* Returns 0 and all profiles, which the caller frees with free(); or -1 and err. */
int registry_profiles(struct registry *registry, struct registry_profile **profiles, size_t *count,
		      struct vgpu_error **err);

/*
 * Takes the profiles of a file that was read anew, and its choice of the default one; where a VM
 * cannot have what that makes of it, nothing is changed. Returns 0, or -1 and err.
 */
int registry_reload(struct registry *registry, const struct config *file, struct vgpu_error **err);

#endif
