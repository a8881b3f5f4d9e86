/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libvgpu: submit work to a vGPU, the PCI device through which a virtual machine shares its
 * host's GPUs. vgpu(3) is the overview; examples/vector-add.c is a whole program.
 *
 * Units: bytes, milliseconds and nanoseconds, as each name says. Text is UTF-8.
 *
 * Errors: every function that can fail returns VGPU_OK (0) or another enum vgpu_result, and leaves
 * a sentence about it, which vgpu_last_error() returns, and numbers, which vgpu_last_error_detail()
 * returns. Both are kept for each thread, as errno is, and stay until the thread's next failure.
 *
 * Threads: one handle may be used by several threads; requests through it take turns. Close it
 * after the last of them has returned. Several processes of one VM may each hold handles: the
 * library makes them take turns, request by request. A handle does not survive fork() in the
 * child.
 *
 * Blocking: a function that says "one request" or "requests" waits for its turn and for the
 * answer, each request for at most the handle's timeout. None is cut short by a signal.
 *
 * Device memory belongs to the VM: every process of the VM can use it, and its quota counts it.
 * What a handle allocated is freed when the handle is closed; what a killed process left behind is
 * freed when the device is next opened while nobody else has it open.
 */
#ifndef VGPU_H
#define VGPU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef VGPU_API
#define VGPU_API
#endif

/* A vGPU, opened. */
struct vgpu;

/* An address in the VM's device memory, as the GPU's kernels see it; 0 is none. */
typedef uint64_t vgpu_pointer;

enum vgpu_result {
	VGPU_OK = 0,
	/* Found by the library. */
	VGPU_E_ARGUMENT = 1,	 /* an argument of the call is not valid */
	VGPU_E_NO_MEMORY = 2,	 /* no memory in this process */
	VGPU_E_NO_DEVICE = 3,	 /* this machine has no such vGPU */
	VGPU_E_PERMISSION = 4,	 /* this process may not use it */
	VGPU_E_INCOMPATIBLE = 5, /* the device is something else, or speaks another protocol */
	VGPU_E_IO = 6,		 /* a system call failed */
	VGPU_E_GONE = 7,	 /* the device was unplugged */
	VGPU_E_TIMEOUT = 8,	 /* no turn, or no answer, within the handle's timeout */
	VGPU_E_PROTOCOL = 9,	 /* the device's answer makes no sense */
	/* Told by the device or by the mediator on the host: 32 + the code in ERROR_CODE. */
	VGPU_E_INVALID_REQUEST = 33,
	VGPU_E_TOO_LARGE = 34,
	VGPU_E_UNAVAILABLE = 35, /* the host's mediator does not answer: the link is down */
	VGPU_E_JOB_TIMEOUT = 36, /* the job ran longer than the VM's quota allows */
	VGPU_E_CUDA = 37,	 /* CUDA failed; vgpu_last_error_detail() has its error number */
	VGPU_E_INVALID_POOL = 38,
	VGPU_E_QUEUE_FULL = 39, /* more requests waiting than the VM's quota allows */
	VGPU_E_UNSUPPORTED = 40,
	VGPU_E_ZERO_LENGTH = 41,
	VGPU_E_RATE_LIMITED = 42,  /* more requests a second than the VM's quota allows */
	VGPU_E_QUARANTINED = 43,   /* the VM's work is refused: too many faults, or the operator */
	VGPU_E_CHANNEL_LIMIT = 44, /* no channel is free, or the VM's quota allows no more */
	VGPU_E_WINDOW_LIMIT = 45,  /* no room for the window, or the VM's quota allows no more */
	VGPU_E_CONTEXT_LOST = 272  /* the VM's device memory is gone; see vgpu_context_recover() */
};

struct vgpu_error_detail {
	enum vgpu_result result;
	uint32_t device_error; /* the device's ERROR_CODE; 0 where the library found the error */
	uint32_t cuda_error;   /* CUresult; 0 unless result is VGPU_E_CUDA */
};

/*
 * The last error of the calling thread: what was wrong and what to do, without a final newline; ""
 * before the first. Owned by the library; valid until this thread's next failing call.
 */
VGPU_API const char *vgpu_last_error(void);
VGPU_API void vgpu_last_error_detail(struct vgpu_error_detail *detail);

/* Static, short texts, for any value. */
VGPU_API const char *vgpu_result_name(enum vgpu_result result);	    /* "queue-full" */
VGPU_API const char *vgpu_strerror(enum vgpu_result result);	    /* "the queue is full" */
VGPU_API const char *vgpu_device_error_name(uint32_t device_error); /* "invalid request" */
VGPU_API const char *vgpu_priority_name(uint32_t priority);	    /* "medium" */
VGPU_API const char *vgpu_link_state_name(uint32_t link_state);	    /* "up" */
VGPU_API const char *vgpu_worker_state_name(uint32_t worker_state); /* "ready" */
VGPU_API const char *vgpu_backend_name(uint32_t backend);	    /* "cuda" */

/* The library's version, "0.1.0". */
VGPU_API const char *vgpu_version(void);

#define VGPU_TIMEOUT_DEFAULT_MS 30000u

/*
 * For looking only: vgpu_get_info(), vgpu_device_info() and vgpu_nop() work, and what needs device
 * memory is refused. Opening this way submits nothing.
 */
#define VGPU_OPEN_OBSERVE (1u << 0)

/*
 * Opens a vGPU.
 *
 *   transport   NULL or "pci": the first vGPU on the PCI bus; "pci:0000:00:05.0": that one;
 *               "file:FOLDER": no device, but a folder that the host shares with this VM, through
 *               which requests go as files: what needs a channel, and vgpu_get_info(), have nothing
 *               to tell; "local:SOCKET": a vGPU within this process, connected to the mediator's
 *               link socket of a VM on this host
 *   flags       0 or VGPU_OPEN_OBSERVE
 *   timeout_ms  the handle's timeout; 0: VGPU_TIMEOUT_DEFAULT_MS
 *   vgpu        set to the handle, which the caller closes with vgpu_close(); NULL on failure
 *
 * A link that is down is no failure: vgpu_get_info() shows it. Unless VGPU_OPEN_OBSERVE is given
 * and where nobody else has the device open, this submits one request that frees what killed
 * processes left. A link socket serves one device at a time: a local transport waits for its turn.
 *
 * The PCI transport needs root (or CAP_SYS_RAWIO and access to the device's files in sysfs), and a
 * kernel that is not locked down.
 *
 * VGPU_E_ARGUMENT, VGPU_E_NO_MEMORY, VGPU_E_NO_DEVICE, VGPU_E_PERMISSION, VGPU_E_INCOMPATIBLE,
 * VGPU_E_IO, VGPU_E_GONE, VGPU_E_TIMEOUT.
 */
VGPU_API enum vgpu_result vgpu_open(const char *transport, unsigned int flags,
				    unsigned int timeout_ms, struct vgpu **vgpu);

/*
 * Frees what the handle allocated and has not freed, with one request each as long as the device
 * answers, and the handle. NULL is fine.
 */
VGPU_API void vgpu_close(struct vgpu *vgpu);

/* How long each request may take, waiting for a turn included. 0: VGPU_TIMEOUT_DEFAULT_MS. */
VGPU_API void vgpu_set_timeout(struct vgpu *vgpu, unsigned int timeout_ms);

#define VGPU_PRIORITY_LOW    0u
#define VGPU_PRIORITY_MEDIUM 1u
#define VGPU_PRIORITY_HIGH   2u

#define VGPU_LINK_DOWN	     0u /* no mediator on the host */
#define VGPU_LINK_CONNECTING 1u
#define VGPU_LINK_UP	     2u /* requests are served */
#define VGPU_LINK_REFUSED    3u /* the mediator refuses this device; the host's log says why */

#define VGPU_WORKER_NONE     0u /* the first request starts one */
#define VGPU_WORKER_STARTING 1u
#define VGPU_WORKER_READY    2u
#define VGPU_WORKER_FAILED   3u /* the next request tries again */

#define VGPU_CAP_MAILBOX   (1u << 0)
#define VGPU_CAP_INTERRUPT (1u << 1)
#define VGPU_CAP_WINDOW	   (1u << 2)
#define VGPU_CAP_CHANNELS  (1u << 3)

#define VGPU_BACKEND_CPU  1u
#define VGPU_BACKEND_CUDA 2u

/* What the VM may use at most; 0 means no limit. */
struct vgpu_info_quotas {
	uint64_t gpu_memory_bytes;
	uint64_t window_bytes;
	uint32_t gpu_time_guaranteed_percent; /* of one GPU's time */
	uint32_t gpu_time_max_percent;
	uint32_t requests_per_second;
	uint32_t burst; /* requests */
	uint32_t queue_depth;
	uint32_t channels;
	uint32_t longest_job_ms;
	uint32_t reserved[3];
};

/* What the VM uses, as its host last told: up to 100 ms old. */
struct vgpu_info_usage {
	uint64_t gpu_memory_bytes;
	uint64_t window_bytes;
	uint64_t gpu_time_ns; /* since the VM was registered, as the jobs are */
	uint64_t jobs_completed;
	uint64_t jobs_failed;
	uint64_t reserved[3];
};

/* What the device says of itself and of its VM. While the link is down: what it last knew. */
struct vgpu_info {
	char transport[128]; /* what vgpu_open() would take to open it again */
	char vm_name[128];
	char vm_uuid[37]; /* lower case, with dashes */
	char pool_id;	  /* the pool's letter */
	char pool_name[64];
	char gpu_name[64];
	uint32_t vm_id;
	uint32_t priority;	   /* VGPU_PRIORITY_* */
	uint32_t link_state;	   /* VGPU_LINK_* */
	uint32_t worker_state;	   /* VGPU_WORKER_* */
	uint32_t generation;	   /* grows when the VM's device memory was lost */
	uint32_t protocol_version; /* major << 16 | minor */
	uint32_t capabilities;	   /* VGPU_CAP_* */
	uint32_t channels;	   /* that can be open at once */
	uint64_t window_bytes;	   /* of the device's shared memory */
	struct vgpu_info_quotas quotas;
	struct vgpu_info_usage usage;
	uint32_t quarantined; /* 1: all that the VM asks for is VGPU_E_QUARANTINED */
	uint32_t reserved0;
	uint64_t reserved[7];
};

/* Reads *info from the device's registers, all of one moment. Submits nothing. */
VGPU_API enum vgpu_result vgpu_get_info(struct vgpu *vgpu, struct vgpu_info *info);

/* What a worker says of its GPU. */
struct vgpu_device_info {
	char name[64];
	uint32_t backend; /* VGPU_BACKEND_* */
	uint32_t multiprocessors;
	uint64_t memory_total_bytes; /* the VM's quota, or the GPU's memory where it has none */
	uint64_t memory_free_bytes;
	uint32_t max_threads_per_block;
	uint32_t compute_major; /* of the compute capability; 0 for the cpu backend */
	uint32_t compute_minor;
	uint32_t reserved[5];
};

/* One request. Starts the VM's worker where there is none. */
VGPU_API enum vgpu_result vgpu_device_info(struct vgpu *vgpu, struct vgpu_device_info *info);

/* One request that does nothing: the round trip to the worker and back. */
VGPU_API enum vgpu_result vgpu_nop(struct vgpu *vgpu);

/* Allocates bytes of device memory, at least one, and sets *pointer. One request. */
VGPU_API enum vgpu_result vgpu_mem_alloc(struct vgpu *vgpu, uint64_t bytes, vgpu_pointer *pointer);

/* Frees what vgpu_mem_alloc() gave. 0 is fine. One request. */
VGPU_API enum vgpu_result vgpu_mem_free(struct vgpu *vgpu, vgpu_pointer pointer);

/*
 * Copies bytes to, from or within device memory. Any length: a copy to or from the device takes a
 * request for about each KiB. After a failure, part of the destination may be written. Ranges of a
 * copy within the device must not overlap.
 */
VGPU_API enum vgpu_result vgpu_copy_to_device(struct vgpu *vgpu, vgpu_pointer destination,
					      const void *source, size_t bytes);
VGPU_API enum vgpu_result vgpu_copy_from_device(struct vgpu *vgpu, void *destination,
						vgpu_pointer source, size_t bytes);
VGPU_API enum vgpu_result vgpu_copy_on_device(struct vgpu *vgpu, vgpu_pointer destination,
					      vgpu_pointer source, uint64_t bytes);

/* Return when the kernel is queued; its failure shows in the next vgpu_synchronize(). */
#define VGPU_LAUNCH_ASYNC (1u << 0)

/*
 * Runs a kernel by name. One request.
 *
 *   grid, block     blocks of the grid and threads of a block, in x, y and z; none may be 0
 *   shared_bytes    dynamic shared memory of each block
 *   arguments       the kernel's arguments, laid out as in a C struct: each at its natural
 *                   alignment. At most about 900 bytes (less a long name)
 *   flags           0 or VGPU_LAUNCH_ASYNC
 */
VGPU_API enum vgpu_result vgpu_launch(struct vgpu *vgpu, const char *kernel, const uint32_t grid[3],
				      const uint32_t block[3], uint32_t shared_bytes,
				      const void *arguments, size_t argument_bytes,
				      unsigned int flags);

/* Waits until everything that the VM launched is done, and reports its failure. One request. */
VGPU_API enum vgpu_result vgpu_synchronize(struct vgpu *vgpu);

/*
 * Frees all device memory of the VM, also that of its other processes, who will see
 * VGPU_E_CONTEXT_LOST or errors of their pointers. One request.
 */
VGPU_API enum vgpu_result vgpu_context_reset(struct vgpu *vgpu);

/*
 * The worker that holds a VM's device memory can die, or its host can restart it. Every function
 * that needs device memory then returns VGPU_E_CONTEXT_LOST on each handle that held some, until
 * the program calls this: it forgets the handle's pointers, which must not be used any more, so
 * that new memory can be allocated. Submits nothing.
 */
VGPU_API enum vgpu_result vgpu_context_recover(struct vgpu *vgpu);

#ifdef __cplusplus
}
#endif

#include "vgpu_channel.h"

#endif
