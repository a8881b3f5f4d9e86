/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How libvgpu reaches a device's registers. A transport is used by one thread at a time: the
 * handle's mutex sees to that. Times are vgpu_now_ns()'s.
 */
#ifndef VGPU_GUEST_TRANSPORT_H
#define VGPU_GUEST_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-agent/public.h"

struct transport {
	const struct transport_ops *ops;
	char name[128]; /* what vgpu_open() would take */
};

struct transport_ops {
	/* Aligned 32-bit registers of BAR0, in the CPU's byte order. */
	uint32_t (*read)(struct transport *transport, uint32_t offset);
	void (*write)(struct transport *transport, uint32_t offset, uint32_t value);
	/* Takes the turn among all users of the device, for one request; waits until deadline. */
	enum vgpu_result (*lock)(struct transport *transport, int64_t deadline);
	void (*unlock)(struct transport *transport);
	/*
	 * Something is awaited since `since`: returns when it is worth looking again, at the latest
	 * at deadline.
	 */
	void (*wait)(struct transport *transport, int64_t since, int64_t deadline);
	/*
	 * Waits a short time for a link that may be on its way up, until deadline at most. NULL
	 * where the device sees to its link by itself.
	 */
	void (*await_link)(struct transport *transport, int64_t deadline);
	/* Handles what came meanwhile, without waiting. NULL where there is nothing to do. */
	void (*refresh)(struct transport *transport);
	/* A request was answered after this time: lets wait() adapt. NULL where it does not. */
	void (*answered)(struct transport *transport, int64_t elapsed_ns);
	/* Why there may be no link; "" for no idea. NULL where it is never known. */
	const char *(*problem)(struct transport *transport);
	/*
	 * Announces this user of the device to others. *alone tells whether there is no other; if
	 * so, nobody else's enter() returns until settle().
	 */
	enum vgpu_result (*enter)(struct transport *transport, int64_t deadline, bool *alone);
	enum vgpu_result (*settle)(struct transport *transport, int64_t deadline);
	/*
	 * Takes a channel for this handle, as long as the process lives: false where another
	 * process has it. A handle asks once for each. TRANSPORT_CLAIM_WATCH is no channel, but
	 * the watch over all of them.
	 */
	bool (*claim)(struct transport *transport, unsigned int channel);
	void (*unclaim)(struct transport *transport, unsigned int channel);
	/*
	 * Maps a part of BAR2; the caller unmaps it. *combining tells whether stores to it may be
	 * reordered by the processor.
	 */
	enum vgpu_result (*map)(struct transport *transport, uint64_t offset, uint64_t bytes,
				void **memory, bool *combining);
	/*
	 * For an open channel, eventfds that are the caller's to close. *doorbell: to be written
	 * instead of the channel's register, by any thread; -1: the register it is, and write() may
	 * then be called for it without the handle's mutex. *completion: becomes readable, and is
	 * emptied by reading, when the worker rings; non-blocking; -1 where there is none. (A guest
	 * whose channel's MSI-X vector comes through UIO would return such an eventfd here.)
	 */
	enum vgpu_result (*eventfds)(struct transport *transport, unsigned int channel,
				     int *doorbell, int *completion);
	void (*close)(struct transport *transport);
};

/* claim()'s number for the one process that closes what dead ones left open. */
#define TRANSPORT_CLAIM_WATCH VGPU_CHANNELS_MAX

/* Where sysfs is mounted; tests have their own. */
#define TRANSPORT_SYSFS "/sys"

/*
 * The vGPU at a PCI address ("0000:00:05.0"), or the first one where it is NULL. Checks that it is
 * one before it touches it.
 */
enum vgpu_result transport_pci_open(const char *sysfs, const char *address,
				    struct transport **transport);

/*
 * A device core in this process, connected to a mediator's link socket. Waits a short time for the
 * link to come up, or until deadline for the user who has it; a link that stays down is no failure.
 */
enum vgpu_result transport_local_open(const char *socket, int64_t deadline,
				      struct transport **transport);

/* A folder that the host shares with its VM, for requests as files: no channels, and no registers
 * but the mailbox's. */
enum vgpu_result transport_file_open(const char *folder, struct transport **transport);

#endif
