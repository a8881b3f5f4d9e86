/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
/*
 * A channel's memory in BAR2, shared between a guest's process and the worker that serves it:
 *
 *   region + 0                   struct vgpu_ring_control
 *   region + VGPU_RING_PAGE      submission ring: `entries` x struct vgpu_submission
 *   then                         completion ring: `entries` x struct vgpu_completion
 *   then, at the next page       the data window
 *
 * Every value is little-endian. The guest is the only writer of submissions, the worker of
 * completions; each side copies an entry once and never looks at it again.
 *
 * Indices run freely over 32 bits; entry i stands at i % entries, and `entries` is a power of two.
 * An entry is valid when its `sequence` is its index + 1: the writer stores everything else first,
 * then `sequence` with release; the reader loads `sequence` with acquire. No tail index is read to
 * find work, so a round trip moves one cache line each way. Before a ring's first use all its
 * bytes are 0 and the first index is 0.
 *
 * Room: the guest has at most `entries` submissions that the worker has not taken yet
 * (submission_head says how many it took) and at most `entries` that will give a completion which
 * the guest has not taken (it counts them itself, and publishes completion_head). A worker that
 * finds no room for a completion waits for the guest; nothing else waits with it but the channel.
 *
 * Sleeping: who wants to sleep stores 1 to its `sleeps`, executes a full fence, looks once more
 * for an entry, and only then sleeps; it stores 0 when it is awake. Who has published an entry
 * executes a full fence and loads the other's `sleeps`: where it is 1, it rings (guest: the
 * channel's doorbell; worker: the completion eventfd). Nobody rings a side that polls.
 */
#ifndef VGPU_COMMON_RING_H
#define VGPU_COMMON_RING_H

#include "common/protocol.h"

#define VGPU_RING_PAGE	      4096u
#define VGPU_RING_LINE	      64u
#define VGPU_RING_ENTRIES_MIN 16u
#define VGPU_RING_ENTRIES_MAX 4096u
#define VGPU_RING_ENTRIES     256u /* what libvgpu asks for */

/* Each line has one writer, so that neither side's polling takes a line from the other's work. */
struct vgpu_ring_control {
	/* Written by the guest. */
	uint32_t completion_head; /* completions taken */
	uint32_t reserved0[15];
	uint32_t guest_sleeps;
	uint32_t reserved1[15];
	/* Written by the worker. */
	uint32_t submission_head; /* submissions taken; published at the latest with a completion */
	uint32_t reserved2[15];
	uint32_t worker_sleeps;
	uint32_t failed; /* VGPU_ERR_*: the channel is broken, and nothing will be answered */
	uint32_t reserved3[14];
};

/* Submission flags. */
#define VGPU_SUBMIT_NO_REPLY (1u << 0) /* no completion; an error surfaces as CUDA's would */

/* Result 0 of a completion whose status is CUDA's OUT_OF_MEMORY. */
#define VGPU_MEMORY_QUOTA 1u /* the VM's quota has no room; 0: the GPU or the worker has none */

struct vgpu_submission {
	uint32_t sequence;
	uint16_t opcode; /* VGPU_RING_* */
	uint16_t flags;	 /* VGPU_SUBMIT_* */
	uint64_t tag;	 /* the guest's; the completion repeats it */
	uint64_t argument[6];
};

struct vgpu_completion {
	uint32_t sequence;
	uint32_t status; /* CUresult; 0: done */
	uint64_t tag;
	uint64_t result[2];
};

/*
 * Operations, in the CUDA driver API's shape. Handles (module, function, stream, event) are the
 * worker's numbers, from 1; stream 0 is the default stream. `window` is an offset into the
 * channel's data window. Arguments that a row does not name must be 0. docs/channel-spec.md says
 * what each does and refuses.
 *
 * Completions may come in another order than the submissions: STREAM_SYNCHRONIZE, EVENT_SYNCHRONIZE
 * and CONTEXT_SYNCHRONIZE complete when what they wait for is done, while later submissions are
 * taken. Everything else completes in order.
 *
 *   opcode                 arguments                                    result
 *   NOP                    -                                            -
 *   DEVICE_INFO            window, bytes                                bytes of vgpu_device_record
 *   DEVICE_ATTRIBUTE       CUdevice_attribute                           value
 *   MEM_ALLOC              bytes                                        pointer
 *   MEM_FREE               pointer                                      -
 *   MEM_INFO               -                                            free, total bytes
 *   MEM_SET                pointer, value, count, width 1|2|4, stream   -
 *   COPY_HTOD              pointer, window, bytes, stream               -
 *   COPY_DTOH              window, pointer, bytes, stream               -
 *   COPY_DTOD              destination, source, bytes, stream           -
 *   MODULE_LOAD            window, bytes (PTX, cubin or fatbin)         module
 *   MODULE_BUILTIN         -                                            module
 *   MODULE_UNLOAD          module                                       -
 *   MODULE_FUNCTION        module, window, bytes (name)                 function
 *   MODULE_GLOBAL          module, window, bytes (name)                 pointer, bytes
 *   FUNCTION_ATTRIBUTE     function, CUfunction_attribute               value
 *   FUNCTION_SET_ATTRIBUTE function, CUfunction_attribute, value        -
 *   FUNCTION_PARAMETER     function, index                              offset, bytes
 *   LAUNCH                 struct vgpu_launch                           -
 *   STREAM_CREATE          flags, priority                              stream
 *   STREAM_DESTROY         stream                                       -
 *   STREAM_QUERY           stream                                       -
 *   STREAM_SYNCHRONIZE     stream                                       -
 *   STREAM_WAIT_EVENT      stream, event                                -
 *   EVENT_CREATE           flags                                        event
 *   EVENT_DESTROY          event                                        -
 *   EVENT_RECORD           event, stream                                -
 *   EVENT_QUERY            event                                        -
 *   EVENT_SYNCHRONIZE      event                                        -
 *   EVENT_ELAPSED          start, end                                   float32 bits, milliseconds
 *   CONTEXT_SYNCHRONIZE    -                                            -
 *
 * MEM_SET, the copies and LAUNCH only start their work on the stream: they complete when it was
 * started, as CUDA's Async functions return. The window's bytes of a copy must stay as they are
 * until the stream was synchronised. What else a submission refers to in the window (images, names,
 * a launch's parameters) the worker has read when it takes the next submission, which is when
 * submission_head has gone beyond that one: by then at the latest the guest may overwrite it.
 */
#define VGPU_RING_NOP			 0x0000u
#define VGPU_RING_DEVICE_INFO		 0x0001u
#define VGPU_RING_DEVICE_ATTRIBUTE	 0x0002u
#define VGPU_RING_MEM_ALLOC		 0x0010u
#define VGPU_RING_MEM_FREE		 0x0011u
#define VGPU_RING_MEM_INFO		 0x0012u
#define VGPU_RING_MEM_SET		 0x0013u
#define VGPU_RING_COPY_HTOD		 0x0014u
#define VGPU_RING_COPY_DTOH		 0x0015u
#define VGPU_RING_COPY_DTOD		 0x0016u
#define VGPU_RING_MODULE_LOAD		 0x0020u
#define VGPU_RING_MODULE_BUILTIN	 0x0021u
#define VGPU_RING_MODULE_UNLOAD		 0x0022u
#define VGPU_RING_MODULE_FUNCTION	 0x0023u
#define VGPU_RING_MODULE_GLOBAL		 0x0024u
#define VGPU_RING_FUNCTION_ATTRIBUTE	 0x0025u
#define VGPU_RING_FUNCTION_SET_ATTRIBUTE 0x0026u
#define VGPU_RING_FUNCTION_PARAMETER	 0x0027u
#define VGPU_RING_LAUNCH		 0x0030u
#define VGPU_RING_STREAM_CREATE		 0x0040u
#define VGPU_RING_STREAM_DESTROY	 0x0041u
#define VGPU_RING_STREAM_QUERY		 0x0042u
#define VGPU_RING_STREAM_SYNCHRONIZE	 0x0043u
#define VGPU_RING_STREAM_WAIT_EVENT	 0x0044u
#define VGPU_RING_EVENT_CREATE		 0x0050u
#define VGPU_RING_EVENT_DESTROY		 0x0051u
#define VGPU_RING_EVENT_RECORD		 0x0052u
#define VGPU_RING_EVENT_QUERY		 0x0053u
#define VGPU_RING_EVENT_SYNCHRONIZE	 0x0054u
#define VGPU_RING_EVENT_ELAPSED		 0x0055u
#define VGPU_RING_CONTEXT_SYNCHRONIZE	 0x0060u

/* The arguments of LAUNCH. */
struct vgpu_launch {
	uint32_t function;
	uint32_t stream;
	uint32_t grid[3];
	uint16_t block[3];
	uint16_t parameter_bytes; /* at most VGPU_PARAMETERS_MAX */
	uint32_t shared_bytes;
	uint32_t reserved[2]; /* 0 */
	uint64_t parameters;  /* window offset, a multiple of 8; the kernel's own layout */
};

/* CUDA's limit for kernel parameters before 12.1 (CUDA C++ Programming Guide). */
#define VGPU_PARAMETERS_MAX 4096u

/* What DEVICE_INFO writes into the window. */
struct vgpu_device_record {
	uint32_t backend; /* VGPU_BACKEND_* */
	uint32_t multiprocessors;
	uint32_t max_threads_per_block;
	uint32_t compute_capability; /* major << 16 | minor; 0 for the cpu backend */
	uint64_t memory_bytes;	     /* the VM's quota, or the GPU's where it has none */
	uint64_t memory_free;
	char name[VGPU_GPU_NAME_BYTES];
};

VGPU_STATIC_ASSERT(offsetof(struct vgpu_ring_control, guest_sleeps) == 64, "guest_sleeps");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_ring_control, submission_head) == 128, "submission_head");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_ring_control, worker_sleeps) == 192, "worker_sleeps");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_ring_control, failed) == 196, "failed");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_ring_control) == 256, "control");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_submission, opcode) == 4, "opcode");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_submission, flags) == 6, "flags");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_submission, tag) == 8, "tag");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_submission, argument) == 16, "argument");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_submission) == 64, "submission");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_completion, status) == 4, "status");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_completion, tag) == 8, "tag");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_completion, result) == 16, "result");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_completion) == 32, "completion");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_launch) == 48, "launch");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_launch, grid) == 8, "grid");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_launch, block) == 20, "block");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_launch, shared_bytes) == 28, "shared_bytes");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_launch, parameters) == 40, "parameters");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_device_record) == 96, "device record");

/* Bytes from a region's start to its data window: a multiple of the page. */
static inline uint64_t vgpu_ring_window_offset(uint32_t entries)
{
	uint64_t rings = (uint64_t)entries *
			 (sizeof(struct vgpu_submission) + sizeof(struct vgpu_completion));

	return VGPU_RING_PAGE + (rings + VGPU_RING_PAGE - 1) / VGPU_RING_PAGE * VGPU_RING_PAGE;
}

#endif
