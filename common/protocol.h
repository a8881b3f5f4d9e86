/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
/*
 * What a guest sees of a vGPU: PCI identity, BAR0 registers, and the mailbox's request and
 * response. docs/device-spec.md is the specification; this header is its only copy in code.
 *
 * Every multi-byte value is little-endian. This header compiles alone, as C11 and as C++.
 */
#ifndef VGPU_COMMON_PROTOCOL_H
#define VGPU_COMMON_PROTOCOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* PCI identity. 1af4:10f0 is from the range that QEMU reserves for experiments. */
#define VGPU_PCI_VENDOR_ID 0x1af4u
#define VGPU_PCI_DEVICE_ID 0x10f0u
#define VGPU_PCI_CLASS	   0x1200u /* processing accelerator */
#define VGPU_PCI_REVISION  1u

#define VGPU_BAR_REGISTERS 0
#define VGPU_BAR_WINDOW	   2 /* 64-bit, prefetchable, RAM */
#define VGPU_BAR_MSIX	   4

#define VGPU_BAR0_SIZE 0x4000u

/* MSI-X: vector 0 is the mailbox's; channel n has vector 1 + n. */
#define VGPU_MSIX_MAILBOX 0u
#define VGPU_MSIX_VECTORS 33u

/* BAR2's size: a power of two in this range. */
#define VGPU_WINDOW_SIZE_MIN	 (UINT64_C(1) << 20)
#define VGPU_WINDOW_SIZE_DEFAULT (UINT64_C(256) << 20)
#define VGPU_WINDOW_SIZE_MAX	 (UINT64_C(64) << 30)

/* Mailbox registers, as the prototype had them. 4-byte accesses only. */
#define VGPU_REG_DOORBELL	  0x000u /* RW, write 1 to submit; reads 0 */
#define VGPU_REG_STATUS		  0x004u /* RO, enum below */
#define VGPU_REG_POOL_ID	  0x008u /* RO, letter */
#define VGPU_REG_PRIORITY	  0x00Cu /* RO, 0 low, 1 medium, 2 high */
#define VGPU_REG_VM_ID		  0x010u /* RO */
#define VGPU_REG_ERROR_CODE	  0x014u /* RO, VGPU_ERR_* */
#define VGPU_REG_REQUEST_LEN	  0x018u /* RW, bytes */
#define VGPU_REG_RESPONSE_LEN	  0x01Cu /* RO, bytes */
#define VGPU_REG_PROTOCOL_VER	  0x020u /* RO, major << 16 | minor */
#define VGPU_REG_CAPABILITIES	  0x024u /* RO, VGPU_CAP_* */
#define VGPU_REG_INTERRUPT_CTRL	  0x028u /* RW, bit 0: interrupt on completion */
#define VGPU_REG_INTERRUPT_STATUS 0x02Cu /* RW1C, bit 0: completed */
#define VGPU_REG_REQUEST_ID	  0x030u /* RW, the guest's */
#define VGPU_REG_TIMESTAMP_LO	  0x034u /* RO, completion time in ns since the device was made */
#define VGPU_REG_TIMESTAMP_HI	  0x038u
#define VGPU_REG_SCRATCH	  0x03Cu /* RW, for testing */
#define VGPU_REG_REQUEST_BUF	  0x040u /* RW, 1024 bytes */
#define VGPU_REG_RESPONSE_BUF	  0x440u /* RO, 1024 bytes */
#define VGPU_MAILBOX_BYTES	  1024u

/*
 * Extension registers. All are read-only. What the mediator reports here may change between two
 * reads: CONFIG_SEQUENCE counts those changes, so a reader of more than one register reads it
 * before and after, and again where it differs (as virtio's config_generation).
 */
#define VGPU_REG_EXT_VERSION	 0x840u /* VGPU_EXT_VERSION */
#define VGPU_REG_LINK_STATE	 0x844u /* VGPU_LINK_* */
#define VGPU_REG_GENERATION	 0x848u /* grows whenever the VM's device memory was lost */
#define VGPU_REG_WORKER_STATE	 0x84Cu /* VGPU_WORKER_* */
#define VGPU_REG_CONFIG_SEQUENCE 0x850u /* grows with every change that the mediator reports */
#define VGPU_REG_CHANNELS	 0x854u /* channels that the device has */
#define VGPU_REG_WINDOW_SIZE_LO	 0x858u /* bytes of BAR2 */
#define VGPU_REG_WINDOW_SIZE_HI	 0x85Cu

/* Quotas; 0 means no limit. 64-bit values are LO at the offset, HI at the next word. */
#define VGPU_REG_QUOTA_MEMORY		0x880u /* 64-bit, bytes of GPU memory */
#define VGPU_REG_QUOTA_WINDOW		0x888u /* 64-bit, bytes of window memory */
#define VGPU_REG_QUOTA_TIME_GUARANTEED	0x890u /* percent of one GPU's time */
#define VGPU_REG_QUOTA_TIME_MAX		0x894u /* percent of one GPU's time */
#define VGPU_REG_QUOTA_REQUESTS_PER_SEC 0x898u /* requests per second */
#define VGPU_REG_QUOTA_BURST		0x89Cu /* requests */
#define VGPU_REG_QUOTA_QUEUE_DEPTH	0x8A0u /* requests queued at once */
#define VGPU_REG_QUOTA_CHANNELS		0x8A4u /* channels open at once */
#define VGPU_REG_QUOTA_LONGEST_JOB	0x8A8u /* milliseconds */
#define VGPU_REG_QUARANTINED		0x8ACu /* 1: VGPU_ERR_QUARANTINED until it is released */

/* Usage, as last reported by the mediator. All 64-bit. */
#define VGPU_REG_USED_MEMORY	0x8C0u /* bytes of GPU memory */
#define VGPU_REG_USED_WINDOW	0x8C8u /* bytes of window memory */
#define VGPU_REG_USED_TIME	0x8D0u /* GPU time in ns, since the VM was registered */
#define VGPU_REG_JOBS_COMPLETED 0x8D8u /* since the VM was registered */
#define VGPU_REG_JOBS_FAILED	0x8E0u /* since the VM was registered */

/* Names: UTF-8, padded with zero bytes, always ended by one. */
#define VGPU_REG_GPU_NAME    0x900u /* 64 bytes */
#define VGPU_REG_POOL_NAME   0x940u /* 64 bytes */
#define VGPU_REG_VM_NAME     0x980u /* 128 bytes */
#define VGPU_REG_VM_UUID     0xA00u /* 16 bytes, in the order in which the text form is written */
#define VGPU_REG_EXT_END     0xA10u
#define VGPU_GPU_NAME_BYTES  64u
#define VGPU_POOL_NAME_BYTES 64u
#define VGPU_VM_NAME_BYTES   128u

/*
 * Channels: a block of registers for each, and a page of doorbells. common/ring.h has the layout of
 * a channel's memory in BAR2. To open one: write RING_ENTRIES, WINDOW_BYTES and OWNER, write
 * VGPU_CHANNEL_OPEN to CONTROL, and wait until STATE is neither OPENING nor CLOSING.
 */
#define VGPU_CHANNELS_MAX	     32u
#define VGPU_REG_CHANNEL_BLOCK(n)    (0x1000u + 0x40u * (n))
#define VGPU_REG_CHANNEL_DOORBELL(n) (0x2000u + 4u * (n)) /* W, any value; reads 0 */
#define VGPU_REG_CHANNEL_END	     0x2080u

/* Offsets in a channel's block. */
#define VGPU_CHANNEL_CONTROL	  0x00u /* W: VGPU_CHANNEL_OPEN or _CLOSE; reads 0 */
#define VGPU_CHANNEL_STATE	  0x04u /* RO: VGPU_CHANNEL_STATE_* */
#define VGPU_CHANNEL_ERROR	  0x08u /* RO: VGPU_ERR_*, why the last open failed, or it broke */
#define VGPU_CHANNEL_OPENS	  0x0Cu /* RO: grows whenever STATE becomes OPEN */
#define VGPU_CHANNEL_RING_ENTRIES 0x10u /* RW while closed: a power of two, 16 to 4096 */
#define VGPU_CHANNEL_WINDOW_BYTES 0x18u /* RW while closed: 64-bit, a multiple of 4096 */
#define VGPU_CHANNEL_REGION	  0x20u /* RO: 64-bit, offset of the channel's memory in BAR2 */
#define VGPU_CHANNEL_REGION_BYTES 0x28u /* RO: 64-bit, rings and window */
#define VGPU_CHANNEL_OWNER	  0x30u /* RW: the guest's own (libvgpu: the process's id) */
#define VGPU_CHANNEL_OWNER_START  0x38u /* RW: 64-bit, the guest's own (its start time) */

#define VGPU_CHANNEL_OPEN  1u
#define VGPU_CHANNEL_CLOSE 2u

#define VGPU_CHANNEL_STATE_CLOSED  0u
#define VGPU_CHANNEL_STATE_OPENING 1u
#define VGPU_CHANNEL_STATE_OPEN	   2u
#define VGPU_CHANNEL_STATE_FAILED  3u /* it broke, or could not be opened; CLOSE clears it */
#define VGPU_CHANNEL_STATE_CLOSING 4u

#define VGPU_PROTOCOL_VERSION 0x00010000u
#define VGPU_EXT_VERSION      2u

#define VGPU_STATUS_IDLE  0u
#define VGPU_STATUS_BUSY  1u
#define VGPU_STATUS_DONE  2u
#define VGPU_STATUS_ERROR 3u

#define VGPU_CAP_MAILBOX   (1u << 0)
#define VGPU_CAP_INTERRUPT (1u << 1)
#define VGPU_CAP_WINDOW	   (1u << 2)
#define VGPU_CAP_CHANNELS  (1u << 3)

#define VGPU_PRIORITY_LOW    0u
#define VGPU_PRIORITY_MEDIUM 1u
#define VGPU_PRIORITY_HIGH   2u

#define VGPU_LINK_DOWN	     0u /* no mediator */
#define VGPU_LINK_CONNECTING 1u /* connected, not yet accepted and configured */
#define VGPU_LINK_UP	     2u /* requests are served */
#define VGPU_LINK_REFUSED    3u /* the mediator refused this device; it tries again */

#define VGPU_WORKER_NONE     0u /* none yet: the first request starts one */
#define VGPU_WORKER_STARTING 1u
#define VGPU_WORKER_READY    2u
#define VGPU_WORKER_FAILED   3u /* could not be started; the next request tries again */

/* ERROR_CODE and a response's status. */
#define VGPU_ERR_NONE		 0x00u
#define VGPU_ERR_INVALID_REQUEST 0x01u
#define VGPU_ERR_TOO_LARGE	 0x02u
#define VGPU_ERR_UNAVAILABLE	 0x03u /* no mediator */
#define VGPU_ERR_TIMEOUT	 0x04u
#define VGPU_ERR_CUDA		 0x05u /* the response's first result is CUDA's own error number */
#define VGPU_ERR_INVALID_POOL	 0x06u
#define VGPU_ERR_QUEUE_FULL	 0x07u
#define VGPU_ERR_UNSUPPORTED	 0x08u
#define VGPU_ERR_ZERO_LENGTH	 0x09u
#define VGPU_ERR_RATE_LIMITED	 0x0Au
#define VGPU_ERR_QUARANTINED	 0x0Bu
#define VGPU_ERR_CHANNEL_LIMIT	 0x0Cu /* the VM's quota of channels, or none is free */
#define VGPU_ERR_WINDOW_LIMIT	 0x0Du /* the VM's quota of window memory, or BAR2 is full */
#define VGPU_ERR_CONTEXT_LOST	 0xF0u /* the worker died: the VM's device memory is gone */

/* Opcodes. */
#define VGPU_OP_NOP		0x0000u
#define VGPU_OP_CUDA_KERNEL	0x0001u
#define VGPU_OP_MEMORY_ALLOC	0x0002u
#define VGPU_OP_MEMORY_FREE	0x0003u
#define VGPU_OP_MEMORY_COPY	0x0004u
#define VGPU_OP_GET_DEVICE_INFO 0x0005u
#define VGPU_OP_SYNCHRONIZE	0x0006u
#define VGPU_OP_CUSTOM_FIRST	0x1000u
#define VGPU_OP_CONTEXT_RESET	0x1000u /* frees everything that the VM allocated */
#define VGPU_OP_ADD_I32		0x1001u /* the prototype's one operation: two int32, added */
#define VGPU_OP_CUSTOM_LAST	0xFFFFu

/* Request flags. */
#define VGPU_FLAG_ASYNC		(1u << 0)
#define VGPU_FLAG_HIGH_PRIORITY (1u << 1) /* accepted; never lifts a VM above its priority */
#define VGPU_FLAG_KNOWN		(VGPU_FLAG_ASYNC | VGPU_FLAG_HIGH_PRIORITY)

/* MEMORY_COPY's first parameter. */
#define VGPU_COPY_HOST_TO_DEVICE   0u
#define VGPU_COPY_DEVICE_TO_HOST   1u
#define VGPU_COPY_DEVICE_TO_DEVICE 2u

/* A mailbox request: this header, then param_count u32 parameters, then data. */
struct vgpu_request_header {
	uint32_t version; /* VGPU_PROTOCOL_VERSION */
	uint32_t opcode;
	uint32_t flags;
	uint32_t param_count;
	uint32_t data_offset; /* from the start of the request */
	uint32_t data_length; /* bytes */
	uint32_t reserved[2]; /* 0 */
};

/* A mailbox response: this header, then result_count u32 results, then data. */
struct vgpu_response_header {
	uint32_t version; /* VGPU_PROTOCOL_VERSION */
	uint32_t status;  /* VGPU_ERR_* */
	uint32_t result_count;
	uint32_t data_offset; /* from the start of the response; 0 without data */
	uint32_t data_length; /* bytes */
	uint32_t exec_time_us;
	uint32_t reserved[2]; /* 0 */
};

/*
 * Parameters and results of each opcode, in u32 words (LO before HI for 64-bit values):
 *
 *   NOP                none                                        -> none
 *   GET_DEVICE_INFO    none                                        -> VGPU_INFO_WORDS words below,
 *                                                                     data: the GPU's name
 *   SYNCHRONIZE        none                                        -> none
 *   MEMORY_ALLOC       bytes (64-bit)                              -> device pointer (64-bit)
 *   MEMORY_FREE        device pointer (64-bit)                     -> none
 *   MEMORY_COPY        0, destination (64-bit); data               -> none
 *                      1, source (64-bit), bytes                   -> data
 *                      2, destination, source, bytes (64-bit each) -> none
 *   CUDA_KERNEL        grid x y z, block x y z, shared bytes,
 *                      name length, argument bytes;
 *                      data: name, zero padding to 8, arguments    -> none
 *   CONTEXT_RESET      none                                        -> none
 *   ADD_I32            a, b (int32 each)                           -> a + b, which wraps around
 *
 * Kernel arguments have the layout that CUDA gives a kernel's parameters: each at its natural
 * alignment.
 */
#define VGPU_PARAMS_MEMORY_ALLOC 2u
#define VGPU_PARAMS_MEMORY_FREE	 2u
#define VGPU_PARAMS_COPY_HTOD	 3u
#define VGPU_PARAMS_COPY_DTOH	 4u
#define VGPU_PARAMS_COPY_DTOD	 7u
#define VGPU_PARAMS_CUDA_KERNEL	 9u
#define VGPU_PARAMS_ADD_I32	 2u
#define VGPU_RESULTS_ADD_I32	 1u

#define VGPU_KERNEL_NAME_MAX	    64u /* bytes, without a terminator */
#define VGPU_KERNEL_ARGUMENTS_ALIGN 8u	/* of the arguments within the data */

/* Words of GET_DEVICE_INFO's result. */
#define VGPU_INFO_BACKEND		0u /* VGPU_BACKEND_* */
#define VGPU_INFO_MULTIPROCESSORS	1u
#define VGPU_INFO_MEMORY_TOTAL_LO	2u /* bytes: the VM's quota, or the GPU's where it has none */
#define VGPU_INFO_MEMORY_TOTAL_HI	3u
#define VGPU_INFO_MEMORY_FREE_LO	4u
#define VGPU_INFO_MEMORY_FREE_HI	5u
#define VGPU_INFO_MAX_THREADS_PER_BLOCK 6u
#define VGPU_INFO_COMPUTE_CAPABILITY	7u /* major << 16 | minor; 0 for the cpu backend */
#define VGPU_INFO_WORDS			8u

#define VGPU_BACKEND_CPU  1u
#define VGPU_BACKEND_CUDA 2u

/* The most data that one request can carry with n parameters, and one response with n results. */
#define VGPU_MAILBOX_DATA_MAX(n) (VGPU_MAILBOX_BYTES - 32u - 4u * (n))

#ifdef __cplusplus
#define VGPU_STATIC_ASSERT static_assert
#else
#define VGPU_STATIC_ASSERT _Static_assert
#endif

VGPU_STATIC_ASSERT(sizeof(struct vgpu_request_header) == 32, "request header");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_request_header, opcode) == 4, "opcode");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_request_header, flags) == 8, "flags");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_request_header, param_count) == 12, "param_count");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_request_header, data_offset) == 16, "data_offset");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_request_header, data_length) == 20, "data_length");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_request_header, reserved) == 24, "reserved");
VGPU_STATIC_ASSERT(sizeof(struct vgpu_response_header) == 32, "response header");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_response_header, status) == 4, "status");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_response_header, result_count) == 8, "result_count");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_response_header, data_offset) == 12, "data_offset");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_response_header, data_length) == 16, "data_length");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_response_header, exec_time_us) == 20, "exec_time_us");
VGPU_STATIC_ASSERT(offsetof(struct vgpu_response_header, reserved) == 24, "reserved");
VGPU_STATIC_ASSERT(VGPU_REG_REQUEST_BUF + VGPU_MAILBOX_BYTES == VGPU_REG_RESPONSE_BUF, "buffers");
VGPU_STATIC_ASSERT(VGPU_REG_RESPONSE_BUF + VGPU_MAILBOX_BYTES == VGPU_REG_EXT_VERSION, "buffers");
VGPU_STATIC_ASSERT(VGPU_REG_EXT_END <= 0x1000u, "registers fit the first page");
VGPU_STATIC_ASSERT(VGPU_REG_CHANNEL_BLOCK(VGPU_CHANNELS_MAX) <= 0x2000u, "channel blocks");
VGPU_STATIC_ASSERT(VGPU_MSIX_VECTORS == 1 + VGPU_CHANNELS_MAX, "a vector for each channel");

#endif
