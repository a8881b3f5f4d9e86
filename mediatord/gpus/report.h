/* SPDX-License-Identifier: Apache-2.0 */
/* One look at the host's GPUs, and how vgpu-gpuinfo's output becomes one. Pure. */
#ifndef VGPU_MEDIATORD_GPU_REPORT_H
#define VGPU_MEDIATORD_GPU_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define GPU_TEXT_BYTES	  96
#define GPU_PROCESSES_MAX 256u
#define GPUS_MAX	  64u

enum gpu_state {
	GPU_UNKNOWN, /* the driver was not asked yet, or does not know it */
	GPU_OK,
	GPU_LOST, /* the driver gives an error for it, or does not list it any more */
	GPU_HUNG, /* the driver does not answer */
};

struct gpu_process {
	int32_t pid;
	uint64_t memory_bytes;
};

/* Numbers that the driver does not give are -1, or 0 where they are unsigned; texts are "". */
struct gpu {
	uint32_t index; /* as configuration, backends and the scheduler have it: by PCI bus id */
	enum gpu_state state;
	char problem[GPU_TEXT_BYTES]; /* what is wrong with it, where state is no GPU_OK */
	char name[GPU_TEXT_BYTES];
	char uuid[GPU_TEXT_BYTES];
	char pci_address[32];
	uint64_t memory_bytes;
	uint64_t memory_used_bytes;
	int32_t utilization_percent;
	int32_t temperature_celsius;
	int64_t power_milliwatts;
	int32_t mig; /* 1: it is partitioned, 0: it is not */
	uint32_t process_count;
	struct gpu_process processes[GPU_PROCESSES_MAX];
};

/* One look at all of them. */
struct gpu_report {
	size_t count;
	struct gpu gpus[GPUS_MAX];
};

/* NULL where the report has none of that index. */
struct gpu *gpu_report_find(struct gpu_report *report, uint32_t index);

/*
 * Reads vgpu-gpuinfo's output of `length` bytes, which need not be sound. Returns 0 and *report,
 * or -1 and err.
 */
int gpu_report_parse(const char *text, size_t length, struct gpu_report *report,
		     struct vgpu_error **err);

const char *gpu_state_name(enum gpu_state state);

#endif
