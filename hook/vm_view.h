/* SPDX-License-Identifier: Apache-2.0 */
/* A VM as the mediator shows it, as far as its domain matters; and what is said of it in return. */
#ifndef VGPU_HOOK_VM_VIEW_H
#define VGPU_HOOK_VM_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "xml/domain.h"

#define VM_DRIFT_MAX 16u

enum vm_domain_state {
	VM_DOMAIN_UNKNOWN,
	VM_DOMAIN_NONE,
	VM_DOMAIN_INACTIVE,
	VM_DOMAIN_RUNNING,
};

/* The mediator's limits, which domain_report.h has. */
struct vm_drift {
	size_t count;
	struct {
		char what[40];
		char detail[216];
	} items[VM_DRIFT_MAX];
};

/* Adds what fits. */
void vm_drift_add(struct vm_drift *drift, const char *what, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Who gave a value, as far as the domain's metadata is compared with it. */
enum vm_source {
	VM_SOURCE_LOWER,  /* what the metadata says goes before it */
	VM_SOURCE_DOMAIN, /* the metadata of its last start */
	VM_SOURCE_HIGHER, /* it goes before what the metadata says */
};

/* The values of a domain's metadata, as texts. */
enum vm_value {
	VM_VALUE_NAME,
	VM_VALUE_PROFILE,
	VM_VALUE_POOL,
	VM_VALUE_PRIORITY,
	VM_VALUE_QUOTAS, /* and on: one for each enum vgpu_domain_quota */
	VM_VALUES = VM_VALUE_QUOTAS + VGPU_DOMAIN_QUOTAS
};

struct vm_view {
	bool registered; /* the rest means nothing otherwise */
	bool in_force;	 /* it has values */
	bool attached;
	enum vm_domain_state state;
	uint32_t starts;
	struct vm_drift drift;
	struct {
		enum vm_source source;
		char text[256];
	} values[VM_VALUES];
};

/* A value's name as in JSON, with dots. */
const char *vm_value_name(unsigned int value);

/*
 * Reads the body of an answer with a VM. Returns 0, or -1 and err (EPROTO: it is none of the
 * mediator's).
 */
int vm_view_read(const char *text, size_t length, struct vm_view *view, struct vgpu_error **err);

/*
 * Adds the uuids of an answer with a page of VMs to *uuids, which the caller frees with free() in
 * any case; next is the path of the following page, or "". Returns 0, or -1 and err.
 */
int vm_page_read(const char *text, size_t length, uint8_t (**uuids)[16], size_t *count,
		 char next[128], struct vgpu_error **err);

/*
 * The body that says what libvirt has of the domain, PUT /v1/vms/UUID/domain/state; freed with
 * free(). NULL: no memory.
 */
char *vm_state_body(enum vm_domain_state state, uint32_t starts, const struct vm_drift *drift);

#endif
