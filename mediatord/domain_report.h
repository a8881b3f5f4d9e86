/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libvirt has of a VM's domain, as vgpu-reconciler(8) saw it last, and where that is not what
 * is registered. Kept in memory alone: the reconciler says it anew.
 */
#ifndef VGPU_MEDIATORD_DOMAIN_REPORT_H
#define VGPU_MEDIATORD_DOMAIN_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/error.h"
#include "mediatord/registry/layers.h"

#define DOMAIN_DRIFT_MAX 16u

enum domain_state {
	DOMAIN_UNKNOWN, /* nobody has looked since its domain was registered */
	DOMAIN_NONE,	/* libvirt has no such domain */
	DOMAIN_INACTIVE,
	DOMAIN_RUNNING,
	DOMAIN_STATES
};

struct domain_drift {
	char what[40]; /* a field's name, "device", "metadata" or "definition" */
	char detail[216];
};

struct domain_report {
	enum domain_state state;
	/* How often its domain was registered since the mediator was started. */
	uint32_t starts;
	size_t drift_count;
	struct domain_drift drift[DOMAIN_DRIFT_MAX];
};

/*
 * Decodes what the reconciler sends, strictly. Returns 0, or -1 with err (400) and *field; "" where
 * no one field is wrong.
 */
int domain_report_decode(const char *text, size_t length, struct domain_report *report,
			 struct vm_field_name *field, struct vgpu_error **err);

/* As it is sent and shown. The caller owns the result. NULL: no memory. */
json_t *domain_report_to_json(const struct domain_report *report);

#endif
