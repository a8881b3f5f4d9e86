/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/*
 * The vGPU device without QEMU: register file, mailbox, channels, and the state machine of the link
 * to the mediator. docs/device-spec.md specifies what a guest sees of it.
 *
 * The core never blocks, starts no thread, reads no clock but the embedder's, and logs through the
 * embedder. Everything a guest or a mediator sends is hostile: nothing of it reaches abort or
 * assert, and memory use is fixed at creation.
 *
 * Threads: the embedder calls one function at a time (QEMU: under the big lock). Callbacks are
 * called from within these functions and must not call back into the core.
 */
#ifndef VGPU_DEVICE_CORE_H
#define VGPU_DEVICE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/protocol.h"

struct vgpu_core;

struct vgpu_core_ops {
	/* The guest is to get this MSI-X vector. */
	void (*interrupt)(void *opaque, unsigned int vector);
	/* A monotonic clock, in nanoseconds. */
	int64_t (*now_ns)(void *opaque);
	/*
	 * The link's descriptor and what to wait for on it; call vgpu_core_link_ready() when it is
	 * so. fd is -1 when there is nothing to wait for. Called before the core closes a
	 * descriptor.
	 */
	void (*watch)(void *opaque, int fd, bool read, bool write);
	/* Call vgpu_core_timer() at this time of now_ns()'s clock; -1 cancels. One timer only. */
	void (*timer)(void *opaque, int64_t deadline_ns);
	/* One line for the host's log; level as in common/log.h. Rate-limited by the core. */
	void (*log)(void *opaque, int level, const char *line);
	/*
	 * The eventfd that a 4-byte write of any value to VGPU_REG_CHANNEL_DOORBELL(channel) is to
	 * write, or -1: the last one is closed after this. It stays the core's. NULL where the
	 * embedder hooks nothing: vgpu_core_write() writes the eventfd itself.
	 */
	void (*doorbell)(void *opaque, unsigned int channel, int fd);
	/*
	 * The eventfd to watch for the channel's completions, or -1; call vgpu_core_completion()
	 * when it is readable. As with doorbell(), it stays the core's. NULL where nobody waits.
	 */
	void (*completion)(void *opaque, unsigned int channel, int fd);
};

struct vgpu_core_config {
	const char *link_path; /* the mediator's link socket; copied */
	uint64_t window_bytes; /* a power of two, VGPU_WINDOW_SIZE_MIN to _MAX */
	unsigned int vectors;  /* MSI-X vectors that the embedder offers; 0 without interrupts */
};

/*
 * Makes a device and tries to connect its link; a mediator that is not there is no failure. Creates
 * the window's memfd (sealed against resizing; sparse). Returns 0 and a device that the caller
 * frees with vgpu_core_free(), or -1 and err: EINVAL for a size or path that cannot be (the message
 * names the bounds), or the reason that memfd_create() or ftruncate() gave.
 */
int vgpu_core_new(const struct vgpu_core_config *config, const struct vgpu_core_ops *ops,
		  void *opaque, struct vgpu_core **core, struct vgpu_error **err);

/* Closes link and window and frees the device; *core becomes NULL. NULL is fine. */
void vgpu_core_free(struct vgpu_core **core);

/* The window's memfd; the core's, valid until vgpu_core_free(). */
int vgpu_core_window_fd(const struct vgpu_core *core);

/*
 * The guest reads or writes BAR0: any offset below VGPU_BAR0_SIZE, any size from 1 to 8. Only
 * aligned 4-byte accesses do anything; every other one reads 0 and writes nothing.
 */
uint64_t vgpu_core_read(struct vgpu_core *core, uint64_t offset, unsigned int size);
void vgpu_core_write(struct vgpu_core *core, uint64_t offset, uint64_t value, unsigned int size);

/*
 * Reset of the device or of the VM: the registers go to their reset values (what the mediator
 * reported stays), a request under way is forgotten and its response will not be seen, every
 * channel is closed, and the mediator is told to free what the VM held.
 */
void vgpu_core_reset(struct vgpu_core *core);

/* The descriptor given to ops->watch is readable or writable. */
void vgpu_core_link_ready(struct vgpu_core *core, bool readable, bool writable);

/* Why the mediator refused the last attempt to connect: VGPU_REFUSED_*, or 0 where it did not. */
uint32_t vgpu_core_refused(const struct vgpu_core *core);

/*
 * The descriptor given to ops->completion for this channel is readable: empties it, and calls
 * ops->interrupt with the channel's vector, 1 + channel, where it was. Never blocks.
 */
void vgpu_core_completion(struct vgpu_core *core, unsigned int channel);

/* The time given to ops->timer has come. */
void vgpu_core_timer(struct vgpu_core *core);

#endif
