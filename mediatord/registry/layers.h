/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM's values come from several hands. What one hand said is a layer: each field given or not.
 * Layers are put on top of each other (operator over CloudStack's offering over domain over
 * profile), and every value that is in force knows its source.
 *
 * Errors here carry an HTTP status, 400 or 422, as what REST answers; where one field is wrong,
 * its name as in JSON, with dots ("quotas.burst"), goes to *field, which is "" otherwise.
 */
#ifndef VGPU_MEDIATORD_LAYERS_H
#define VGPU_MEDIATORD_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/error.h"
#include "mediatord/body.h"
#include "mediatord/config.h"
#include "mediatord/vm_config.h"

#define VM_ID_MAX	0xffffffu /* a worker's uid is worker-uid-base + vm_id */
#define VM_BYTES_MAX	(UINT64_C(1) << 50)
#define VM_LINK_UID_MAX (UINT32_MAX - 1) /* -1 is no uid */

enum vm_field {
	VM_FIELD_NAME,
	VM_FIELD_VM_ID,
	VM_FIELD_PROFILE,
	VM_FIELD_POOL,
	VM_FIELD_PRIORITY,
	VM_FIELD_WEIGHT,
	VM_FIELD_LINK_UID,
	VM_FIELD_SEAT,	/* of a domain alone */
	VM_FIELD_SEATS, /* of a profile alone */
	VM_FIELD_GPU_MEMORY_BYTES,
	VM_FIELD_WINDOW_BYTES,
	VM_FIELD_GPU_TIME_GUARANTEED,
	VM_FIELD_GPU_TIME_MAX,
	VM_FIELD_REQUESTS_PER_SECOND,
	VM_FIELD_BURST,
	VM_FIELD_QUEUE_DEPTH,
	VM_FIELD_CHANNELS,
	VM_FIELD_LONGEST_JOB_MS,
	VM_FIELDS
};

/* Who gave a value, the weakest first. */
enum vm_source {
	VM_SOURCE_DEFAULT,    /* nobody: the default profile's value, or an assigned vm_id */
	VM_SOURCE_PROFILE,    /* the profile that the VM names */
	VM_SOURCE_DOMAIN,     /* libvirt's domain, through the hook */
	VM_SOURCE_CLOUDSTACK, /* its service offering */
	VM_SOURCE_OPERATOR,
};

/* The layers that are stored for a VM, the weakest first. */
enum vm_hand {
	VM_HAND_DOMAIN,
	VM_HAND_CLOUDSTACK,
	VM_HAND_OPERATOR,
	VM_HANDS
};

struct vm_layer {
	uint32_t given;		 /* bit n: enum vm_field n has a value */
	struct vm_config values; /* only the given fields mean anything */
};

/* What is in force, and whose each value is. */
struct vm_merged {
	struct vm_config config;
	enum vm_source sources[VM_FIELDS];
};

static inline bool vm_layer_has(const struct vm_layer *layer, enum vm_field field)
{
	return layer->given & (UINT32_C(1) << field);
}

/*
 * Decodes a JSON object, strictly: no unknown or duplicate field, no other type, nothing out of
 * range. No bytes at all are an empty layer. Returns 0, or -1 with err (400) and *field.
 */
int vm_layer_decode(const char *text, size_t length, struct vm_layer *layer,
		    struct vm_field_name *field, struct vgpu_error **err);

/* The layer as compact JSON, which vm_layer_decode() takes; the caller frees it. NULL: no memory.
 */
char *vm_layer_encode(const struct vm_layer *layer);

/*
 * Changes a layer by a JSON merge patch (RFC 7396), as strictly as vm_layer_decode(): null takes a
 * value back. Returns 0, or -1 with err (400) and *field, and the layer as it was.
 */
int vm_layer_patch(const char *text, size_t length, struct vm_layer *layer,
		   struct vm_field_name *field, struct vgpu_error **err);

/*
 * Adds the given fields' values to a JSON object, those of quotas to its "quotas". Returns 0, or -1
 * where there is no memory.
 */
int vm_values_to_json(const struct vm_config *config, uint32_t given, json_t *object);

/*
 * Whether a service offering may say what the layer says: not which VM it is, which libvirt knows.
 * Returns 0, or -1 with err (400) and *field.
 */
int vm_layer_check_offering(const struct vm_layer *layer, struct vm_field_name *field,
			    struct vgpu_error **err);

/* Takes a field out of a layer. */
void vm_layer_clear(struct vm_layer *layer, enum vm_field field);

/*
 * Puts the layers and the configuration's profile on top of each other. The uuid is not touched;
 * a vm_id that no layer gives is 0. Returns 0, or -1 with err and *field: 422 for a profile or pool
 * that is not configured, 400 for values that contradict each other.
 */
int vm_layers_merge(const struct vm_layer layers[VM_HANDS], const struct config *config,
		    struct vm_merged *merged, struct vm_field_name *field, struct vgpu_error **err);

/* Refuses a pool that there is not. Returns -1, err (422) and *field. */
int vm_refuse_pool(const char *pool, struct vm_field_name *field, struct vgpu_error **err);

/*
 * Whether a domain may begin with what its metadata asks for: not with a priority above its
 * profile's. Returns 0, or -1 with err (422) and *field.
 */
int vm_layers_admit(const struct vm_merged *merged, const struct config *config,
		    struct vm_field_name *field, struct vgpu_error **err);

/*
 * Adds the fields of a merged configuration to a JSON object, "quotas" and "sources" included.
 * Returns 0, or -1 where there is no memory.
 */
int vm_merged_to_json(const struct vm_merged *merged, json_t *object);

/* A field's name as in JSON, with dots. */
const char *vm_field_name(enum vm_field field);

#endif
