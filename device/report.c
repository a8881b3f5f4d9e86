/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* What the mediator reports about this VM, for the guest to read. */
#include "device/core_private.h"

#include <string.h>

void report_init(struct report *report)
{
	memset(report, 0, sizeof(*report));
	report->config.pool_id = 'A';
	report->config.priority = VGPU_PRIORITY_MEDIUM;
	report->config.worker_state = VGPU_WORKER_NONE;
}

void report_reset(struct report *report)
{
	report->generation++;
	report->in_use = false;
}

void report_config(struct report *report, const struct vgpu_link_config *config)
{
	if (report->context_known && report->in_use && report->config.context != config->context) {
		report->generation++;
		report->in_use = false;
	}
	report->config = *config;
	report->context_known = true;
	link_text_clean(report->config.gpu_name, sizeof(report->config.gpu_name));
	link_text_clean(report->config.pool_name, sizeof(report->config.pool_name));
	link_text_clean(report->config.vm_name, sizeof(report->config.vm_name));
	report->sequence++;
}

void report_usage(struct report *report, const struct vgpu_link_usage *usage)
{
	report->usage = *usage;
	report->sequence++;
}
