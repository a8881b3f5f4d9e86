/* SPDX-License-Identifier: Apache-2.0 */
/* What is in force for a VM, after every hand's values were put on top of each other. */
#ifndef VGPU_MEDIATORD_VM_CONFIG_H
#define VGPU_MEDIATORD_VM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/protocol.h"
#include "common/uuid.h"
#include "mediatord/usage.h"

#define VGPU_POOL_NAME_MAX    (VGPU_POOL_NAME_BYTES - 1)
#define VGPU_PROFILE_NAME_MAX 63
/* libvirt's limit is what fits a file's name; the device's register shows the beginning. */
#define VGPU_VM_NAME_MAX 255

/* 0 means no limit. */
struct vgpu_quotas {
	uint64_t gpu_memory_bytes;
	uint64_t window_bytes;
	uint32_t gpu_time_guaranteed_percent;
	uint32_t gpu_time_max_percent;
	uint32_t requests_per_second;
	uint32_t burst;
	uint32_t queue_depth;
	uint32_t channels;
	uint32_t longest_job_ms;
};

/* What an operator holds back of a VM's work. */
enum vm_hold {
	VM_HOLD_NONE,
	VM_HOLD_PAUSED,	  /* its work waits */
	VM_HOLD_DRAINING, /* it may finish what it has, and begin nothing */
	VM_HOLD_QUARANTINED,
	VM_HOLDS
};

struct vm_config {
	uint8_t uuid[16];
	uint32_t vm_id;
	char name[VGPU_VM_NAME_MAX + 1]; /* libvirt's name of the domain, or "" */
	char profile[VGPU_PROFILE_NAME_MAX + 1];
	char pool[VGPU_POOL_NAME_MAX + 1];
	uint32_t priority; /* VGPU_PRIORITY_* */
	uint32_t weight;
	bool has_link_uid;
	uid_t link_uid; /* the only uid that may connect to the link, where has_link_uid */
	enum vm_hold hold;
	char seat[VGPU_UUID_TEXT]; /* that its domain took, or "" */
	uint32_t seats;		   /* of a profile alone: how many each GPU offers */
	struct vgpu_quotas quotas;
};

/* One of a VM's channels. */
struct vm_channel_status {
	uint32_t number;       /* the device's */
	uint32_t state;	       /* VGPU_CHANNEL_STATE_* */
	pid_t worker_pid;      /* or 0 */
	uint64_t region_bytes; /* rings and window */
	/* What its worker says that it did. */
	uint64_t submissions;
	uint64_t errors;
	uint64_t gpu_time_ns;
	uint64_t memory_used_bytes;
	bool context; /* it has one on the GPU */
	char gpu_name[VGPU_GPU_NAME_BYTES];
	uint32_t gpu; /* its index, where there is a worker_pid */
};

/* What a VM is doing. */
struct vm_status {
	uint32_t link_state;		    /* VGPU_LINK_DOWN or VGPU_LINK_UP */
	pid_t link_pid;			    /* the connected peer's, or 0 */
	bool idle;			    /* it has no work, neither waiting nor on a GPU */
	bool quarantined;		    /* by an operator, or for its faults */
	struct usage_quarantine quarantine; /* where quarantined */
	uint32_t worker_state;		    /* VGPU_WORKER_* */
	pid_t worker_pid;		    /* or 0 */
	uint64_t worker_jobs;		    /* that this worker completed */
	char gpu_name[VGPU_GPU_NAME_BYTES];
	uint64_t memory_used_bytes;
	uint64_t window_used_bytes;
	struct usage usage;
	uint32_t channel_count;
	struct vm_channel_status channels[VGPU_CHANNELS_MAX]; /* those that the device has */
};

#endif
