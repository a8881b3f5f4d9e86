/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libvirt domain XML and the vGPU in it: parsing, attaching, detaching, checking. A domain asks for
 * a vGPU in its metadata,
 *
 *     <vgpu:vgpu xmlns:vgpu="urn:vgpu-toolkit:domain:1" profile="gold"/>
 *
 * and gets, when it is attached, the emulator wrapper, a -device vgpu argument at an explicit PCI
 * address, and in the metadata a note of what was there before (xml/metadata.h). vgpu-xml(5) is
 * the specification. From text to text:
 *
 *     VGPU_AUTO_DOMAIN struct vgpu_domain *domain = NULL;
 *
 *     if (vgpu_domain_parse(&domain, xml, length, err) < 0 ||
 *         vgpu_domain_attach(domain, &options, err) < 0 ||
 *         vgpu_domain_format(domain, &attached, &attached_length, err) < 0)
 *             return -1;
 *
 * Nothing here does I/O or blocks. Any number of threads can be at work, each with a domain of its
 * own. A document may come from anybody: reading one takes at most some ten times its length of
 * memory and a second, and a message holds at most a line of it.
 */
#ifndef VGPU_XML_DOMAIN_H
#define VGPU_XML_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/protocol.h"
#include "common/uuid.h"

#define VGPU_DOMAIN_NAMESPACE "urn:vgpu-toolkit:domain:1"
#define VGPU_DOMAIN_BYTES_MAX ((size_t)16 << 20)

/* Bytes of the names in the metadata, terminator included. */
#define VGPU_DOMAIN_PROFILE_BYTES  64
#define VGPU_DOMAIN_POOL_BYTES	   64
#define VGPU_DOMAIN_PRIORITY_BYTES 8
#define VGPU_DOMAIN_POLICY_BYTES   12

struct vgpu_domain;

/*
 * Reads a document of `length` bytes, which stay the caller's. Refused: more than
 * VGPU_DOMAIN_BYTES_MAX or more markup than a domain has (xml/limits.h), a DOCTYPE (so no
 * entities), another encoding than UTF-8, anything that is not well-formed, a root that is not
 * <domain>. Nothing is fetched from anywhere. Returns 0 and *domain, which the caller frees with
 * vgpu_domain_free(); or -1 and err (EINVAL, EFBIG, ENOMEM).
 */
int vgpu_domain_parse(struct vgpu_domain **domain, const char *xml, size_t length,
		      struct vgpu_error **err);

void vgpu_domain_free(struct vgpu_domain **domain);
#define VGPU_AUTO_DOMAIN VGPU_CLEANUP(vgpu_domain_free)

/*
 * Writes the document out, in UTF-8. Returns 0 and *xml of *length bytes, which the
 * caller frees with free(); or -1 and err (ENOMEM).
 */
int vgpu_domain_format(const struct vgpu_domain *domain, char **xml, size_t *length,
		       struct vgpu_error **err);

enum vgpu_domain_state {
	VGPU_DOMAIN_NONE,      /* neither metadata nor device */
	VGPU_DOMAIN_REQUESTED, /* metadata, no device */
	VGPU_DOMAIN_ATTACHED,  /* metadata and device */
	VGPU_DOMAIN_FOREIGN,   /* a device, but no metadata */
};

/* The attributes of the metadata's <quotas>. */
enum vgpu_domain_quota {
	VGPU_DOMAIN_GPU_MEMORY, /* bytes */
	VGPU_DOMAIN_WINDOW,	/* bytes */
	VGPU_DOMAIN_GPU_TIME_GUARANTEED,
	VGPU_DOMAIN_GPU_TIME_MAX,
	VGPU_DOMAIN_REQUESTS_PER_SECOND,
	VGPU_DOMAIN_BURST,
	VGPU_DOMAIN_QUEUE_DEPTH,
	VGPU_DOMAIN_CHANNELS,
	VGPU_DOMAIN_LONGEST_JOB, /* ms */
	VGPU_DOMAIN_QUOTAS
};

struct vgpu_domain_quotas {
	uint32_t given; /* bit n: enum vgpu_domain_quota n has a value; 0 there is no limit */
	uint64_t values[VGPU_DOMAIN_QUOTAS];
};

/* A quota's attribute, as "gpu-memory". */
const char *vgpu_domain_quota_name(enum vgpu_domain_quota quota);

/* Texts are "" or NULL where the document does not say. */
struct vgpu_domain_info {
	enum vgpu_domain_state state;
	char *name;
	char uuid[VGPU_UUID_TEXT]; /* as libvirt prints it */
	char profile[VGPU_DOMAIN_PROFILE_BYTES];
	char pool[VGPU_DOMAIN_POOL_BYTES];
	char priority[VGPU_DOMAIN_PRIORITY_BYTES]; /* low, medium, high */
	char policy[VGPU_DOMAIN_POLICY_BYTES];	   /* required, best-effort */
	char seat[VGPU_UUID_TEXT]; /* CloudStack's device that the vGPU is there for */
	struct vgpu_domain_quotas quotas;
	char *emulator;
	char *original_emulator; /* what detach puts back */
	char *link;
	char *bus;
	int slot;	      /* or -1 */
	int function;	      /* where there is a slot */
	uint64_t window_size; /* bytes, or 0 */
};

/*
 * Says what the document holds, without checking that it fits together. Returns 0 and *info, which
 * the caller clears with vgpu_domain_info_clear(); or -1 and err (EINVAL: the vGPU's metadata or
 * the uuid cannot be read, or there are several vGPUs; ENOMEM). The caller clears *info in either
 * case.
 */
int vgpu_domain_inspect(const struct vgpu_domain *domain, struct vgpu_domain_info *info,
			struct vgpu_error **err);
void vgpu_domain_info_clear(struct vgpu_domain_info *info);
#define VGPU_AUTO_DOMAIN_INFO VGPU_CLEANUP(vgpu_domain_info_clear)

/*
 * Whether the domain can start as it stands: either without any vGPU, or with metadata and one
 * device whose link is the domain's own, whose PCI address nothing else has, and whose emulator is
 * the wrapper. Returns 0, or -1 and err (EINVAL, ENOMEM).
 */
int vgpu_domain_check(const struct vgpu_domain *domain, struct vgpu_error **err);

/* NULL and 0 keep what an attached domain has, and are the default otherwise. */
struct vgpu_domain_options {
	const char *profile;  /* for a domain whose metadata does not ask for a vGPU */
	const char *link_dir; /* absolute; default VGPU_LINK_DIR */
	const char *emulator; /* absolute; default VGPU_EMULATOR */
	uint64_t window_size; /* bytes, a power of two in VGPU_WINDOW_SIZE_MIN to _MAX; refused
				 where the metadata asks for another */
	const uint8_t *uuid;  /* 16 bytes, for a domain without one; NULL: refused */
	bool uuid_must_match; /* a domain with another uuid is refused */
	const uint8_t *seat;  /* 16 bytes, for the metadata; NULL: as it is */
};

/*
 * Puts the vGPU in, or brings the one that is there up to date. Returns 0, or -1 and err (EINVAL,
 * ENOMEM), after which the domain may only be freed.
 */
int vgpu_domain_attach(struct vgpu_domain *domain, const struct vgpu_domain_options *options,
		       struct vgpu_error **err);

/*
 * Takes out what vgpu_domain_attach() put in; a domain without a vGPU stays as it is. Returns and
 * fails as vgpu_domain_attach() does.
 */
int vgpu_domain_detach(struct vgpu_domain *domain, struct vgpu_error **err);

/*
 * The mediated devices that the domain is given as <hostdev>, in all <devices>: *count uuids in
 * *uuids, which the caller frees with free(). A hostdev whose uuid cannot be read is none of them.
 * Returns 0, or -1 and err (ENOMEM).
 */
int vgpu_domain_mdevs(const struct vgpu_domain *domain, uint8_t (**uuids)[16], size_t *count,
		      struct vgpu_error **err);

/* A PCI address of the host. */
struct vgpu_domain_pci {
	unsigned int domain, bus, slot, function;
};

/* As vgpu_domain_mdevs(), of the PCI devices of the host that the domain is given. */
int vgpu_domain_pcis(const struct vgpu_domain *domain, struct vgpu_domain_pci **addresses,
		     size_t *count, struct vgpu_error **err);

/* Takes the mediated device of that uuid out, as often as it is there. Returns as the former. */
int vgpu_domain_remove_mdev(struct vgpu_domain *domain, const uint8_t uuid[16],
			    struct vgpu_error **err);

#endif
