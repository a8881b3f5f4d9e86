/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vGPU's element in a domain's <metadata>, which a person or a management program writes, and
 * the <attached> element in it, which attach writes and detach reads:
 *
 *     <vgpu:vgpu xmlns:vgpu="urn:vgpu-toolkit:domain:1" profile="gold" pool="A" priority="high"
 *                policy="best-effort" seat="6f1d2c7e-4b4a-4a57-9a55-0d8c8e0f2a11">
 *       <vgpu:quotas gpu-memory="8GiB"/>
 *       <vgpu:attached wrapper="/usr/bin/qemu-system-x86_64-vgpu"
 *                      emulator="/usr/bin/qemu-system-x86_64" created="commandline"/>
 *     </vgpu:vgpu>
 */
#ifndef VGPU_XML_METADATA_H
#define VGPU_XML_METADATA_H

#include "xml/document.h"
#include "xml/tree.h"

/* What attach made because it was not there; the words of `created`. */
#define METADATA_CREATED_METADATA    (1u << 0)
#define METADATA_CREATED_VGPU	     (1u << 1)
#define METADATA_CREATED_PROFILE     (1u << 2)
#define METADATA_CREATED_UUID	     (1u << 3)
#define METADATA_CREATED_DEVICES     (1u << 4)
#define METADATA_CREATED_COMMANDLINE (1u << 5)
#define METADATA_CREATED_SEAT	     (1u << 6)

struct metadata {
	xmlNode *element; /* <vgpu>, or NULL */
	char profile[VGPU_DOMAIN_PROFILE_BYTES];
	char pool[VGPU_DOMAIN_POOL_BYTES];
	char priority[VGPU_DOMAIN_PRIORITY_BYTES];
	char policy[VGPU_DOMAIN_POLICY_BYTES];
	uint64_t window_size; /* of the device, in bytes; or 0 */
	char seat[VGPU_UUID_TEXT];
	struct vgpu_domain_quotas quotas;
	xmlNode *quotas_element; /* <quotas>, or NULL */
	xmlNode *attached;	 /* <attached>, or NULL */
	xmlChar *wrapper;	 /* the emulator that attach put in; NULL where there is no note */
	xmlChar *emulator;	 /* the one before; NULL: there was none */
	unsigned int created;
};

void metadata_clear(struct metadata *metadata);
#define METADATA_AUTO VGPU_CLEANUP(metadata_clear)

/*
 * Reads a domain's metadata. The caller clears *metadata in either case. Returns 0, or -1 and err
 * (EINVAL: an unknown attribute or element, a bad value, several <vgpu> or <metadata>; ENOMEM).
 */
int metadata_read(const struct vgpu_domain *domain, struct metadata *metadata,
		  struct vgpu_error **err);

/* Why a name of a profile or pool is refused, or NULL. */
const char *metadata_name_problem(const char *name, size_t size);

/*
 * Asks for a profile in a domain whose metadata leaves it open: makes <metadata>, <vgpu> and the
 * attribute where they lack. A profile that a person chose is not changed. *metadata is read anew.
 * Returns 0, or -1 and err (EINVAL, ENOMEM).
 */
int metadata_request(struct vgpu_domain *domain, struct metadata *metadata, const char *profile,
		     struct vgpu_error **err);

/*
 * Notes the seat in the element, which must be there. One that a person wrote is not changed.
 * Returns 0, or -1 and err (EINVAL, ENOMEM).
 */
int metadata_seat(struct metadata *metadata, const uint8_t seat[16], struct vgpu_error **err);

/* Writes wrapper, emulator and created of *metadata as the note that attach leaves. */
int metadata_note(struct metadata *metadata, struct vgpu_error **err);

/*
 * Removes the note, and what metadata_request() and metadata_seat() made. *metadata is of no use
 * afterwards.
 */
int metadata_restore(struct vgpu_domain *domain, struct metadata *metadata,
		     struct vgpu_error **err);

#endif
