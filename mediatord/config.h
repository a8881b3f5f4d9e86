/* SPDX-License-Identifier: Apache-2.0 */
/* mediatord.conf: what the operator of the host configures. mediatord.conf(5) is its manual. */
#ifndef VGPU_MEDIATORD_CONFIG_H
#define VGPU_MEDIATORD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "common/error.h"
#include "mediatord/sched/quarantine.h"
#include "mediatord/sched/sched.h"
#include "mediatord/vm_config.h"

#define CONFIG_POOL_GPUS_MAX 64u
#define CONFIG_GPU_INDEX_MAX 1023u

/* context-idle's default. */
#define CONFIG_CONTEXT_IDLE_MS 10000u

/* vm_ids are from 1 to this: a worker's uid is worker-uid-base + vm_id. */
#define CONFIG_VM_ID_MAX 0xffffffu

/* Bounds of a profile's values, and of the same values where REST gives them. */
#define CONFIG_WEIGHT_MIN	       1u
#define CONFIG_WEIGHT_MAX	       10000u
#define CONFIG_PERCENT_MAX	       100u
#define CONFIG_REQUESTS_PER_SECOND_MAX 1000000000u
#define CONFIG_QUEUE_DEPTH_MAX	       65536u
#define CONFIG_CHANNELS_MAX	       32u
#define CONFIG_LONGEST_JOB_MS_MAX      86400000u /* a day */
/* Who may use the control socket beside its owner, where the file does not say. */
#define CONFIG_CONTROL_GROUP	     "vgpu"
#define CONFIG_SEATS_MAX	     256u
#define CONFIG_MEMORY_COMMITMENT_MAX 10000u /* percent */
#define CONFIG_WARM_WORKERS_MAX	     64u
#define CONFIG_SCHED_MS_MAX	     3600000u
#define CONFIG_FILES_POLL_MS_MAX     60000u
#define CONFIG_SOFTWARE_GPUS_MAX     CONFIG_POOL_GPUS_MAX

struct config_pool {
	char name[VGPU_POOL_NAME_MAX + 1];
	char letter;			     /* the POOL_ID register; no two pools have the same */
	uint32_t gpus[CONFIG_POOL_GPUS_MAX]; /* indices of the backend's GPUs, ascending */
	size_t gpu_count;		     /* at least 1, once they are known */
	bool all_gpus;			     /* those that no other pool names */
	/* Its VMs are promised at most so many percent of its GPUs' memory; 0: no limit. */
	uint32_t memory_commitment;
};

struct config_profile {
	char name[VGPU_PROFILE_NAME_MAX + 1];
	char pool[VGPU_POOL_NAME_MAX + 1]; /* always one of the configuration's pools */
	uint32_t priority;		   /* VGPU_PRIORITY_* */
	uint32_t weight;
	uint32_t seats; /* that each GPU of its pool offers */
	struct vgpu_quotas quotas;
};

struct config {
	char *control_socket;
	/* REST on TCP; NULL: none. */
	char *listen;
	struct sockaddr_storage listen_address;
	socklen_t listen_length;
	char *tls_certificate, *tls_key; /* both, or none */
	bool insecure_loopback;
	bool has_control_group;	       /* control_gid may use the control socket too */
	bool control_group_is_default; /* the file names none: CONFIG_CONTROL_GROUP, if it exists */
	gid_t control_gid;
	char *link_dir;
	bool has_link_group; /* link sockets belong to link_gid and are 0660; otherwise 0666 */
	gid_t link_gid;
	char *libvirt_run_dir;
	char *libvirt_uri;   /* whose domains are followed; "": none's */
	bool libvirt_attach; /* definitions that ask for a vGPU get it */
	char *reconciler;    /* the program vgpu-reconciler */
	char *state;
	char *worker;
	char *gpuinfo; /* the program vgpu-gpuinfo */
	char *keeper;  /* the program, where no service manager runs one */
	char *keeper_socket;
	char *files_dir;	      /* the file protocol's tree, or NULL: it is not spoken */
	uint32_t files_poll_ms;	      /* between two looks where changes are not told */
	bool files_notify;	      /* changes are asked for where the file system tells them */
	uint32_t keeper_wait_seconds; /* of one that the mediator starts; at least 1 */
	uid_t worker_uid_base;
	uint32_t backend;	    /* VGPU_BACKEND_* */
	uint32_t context_idle_ms;   /* a channel gives its context back after so long; 0: never */
	bool allow_pageable_access; /* workers run where kernels can reach a process's memory */
	uint32_t software_gpus;	    /* that the cpu backend has */
	uint64_t context_memory_bytes;	  /* what a context takes of a GPU */
	uint64_t window_commitment_bytes; /* of windows, on the whole host; 0: no limit */
	uint32_t warm_workers;		  /* of each GPU that has VMs */
	int log_level;			  /* VGPU_LOG_* */
	struct sched_params sched;
	uint32_t inflight_ms; /* work that a ring may have started ahead; 0: no bound */
	struct quarantine_config quarantine;

	/* At least one; a pool's index is its number for the scheduler. No GPU is in two. */
	struct config_pool *pools;
	size_t pool_count;
	size_t default_pool; /* index into pools */

	/* At least one: the built-in "default" is there unless the file defines it anew. */
	struct config_profile *profiles;
	size_t profile_count;
	size_t default_profile; /* index into profiles: what a VM that names none has */
};

/*
 * Reads the file at path. Where it does not exist and may_lack is true, *config has the built-in
 * values. Returns 0 and *config, which the caller frees with config_free(); or -1 and err, whose
 * message begins with "PATH:LINE: " where a line is at fault (status EINVAL), or says why the file
 * cannot be read. Looks up group names, so it may block: for start-up only.
 */
int config_load(const char *path, bool may_lack, struct config **config, struct vgpu_error **err);

/* As config_load(), from memory; name stands for the path in messages. */
int config_parse(const char *text, size_t length, const char *name, struct config **config,
		 struct vgpu_error **err);

/*
 * Gives the pools with `gpus = all` those of these GPUs that no pool names. Returns 0, or -1 and
 * err where one of them is left without any.
 */
int config_take_gpus(struct config *config, const uint32_t *indices, size_t count,
		     struct vgpu_error **err);

void config_free(struct config **config);

/* NULL where there is none of that name. The result is the configuration's. */
const struct config_pool *config_pool_find(const struct config *config, const char *name);
const struct config_profile *config_profile_find(const struct config *config, const char *name);

#endif
