/* SPDX-License-Identifier: Apache-2.0 */
/* Watches one vGPU's channels, and closes those whose processes ended. */
#ifndef VGPU_AGENT_GUARD_H
#define VGPU_AGENT_GUARD_H

#include <limits.h>
#include <sys/types.h>

#include "guest-agent/agent/watch.h"
#include "guest-agent/transport_pci.h"

struct guard_channel {
	struct watch watch;
	int pidfd;	  /* in the epoll set while the owner lives, or -1 */
	int64_t since_ns; /* when it was claimed */
	bool said;	  /* what lasts is said once */
};

struct guard {
	struct guard *next;
	char address[PCI_ADDRESS_BYTES];
	int epoll; /* borrowed */
	char registers[PATH_MAX];
	dev_t device; /* tells this file from one that a vGPU plugged in later has */
	ino_t inode;
	struct vgpu *vgpu;
	unsigned int channel_count;
	struct guard_channel channels[VGPU_CHANNELS_MAX];
};

/*
 * Opens the vGPU at the address, and takes the watch over it. Pidfds go into the epoll set, with
 * data.ptr their struct guard_channel. VGPU_E_TIMEOUT where another process watches it.
 */
enum vgpu_result guard_open(const char *sysfs, const char *address, unsigned int timeout_ms,
			    int epoll, struct guard **guard);

/* Closes what it holds. Channels that it was closing go on closing. */
void guard_close(struct guard *guard);

/* The owner's pidfd was readable: it ended. */
void guard_owner_ended(struct guard_channel *channel);

/*
 * Looks at all channels, or only at those where something is under way, and does what there is to
 * do without waiting. *next is brought forward to when it wants to be called again. Returns false
 * where the vGPU is gone.
 */
bool guard_look(struct guard *guard, bool all, int64_t now, int64_t *next);

#endif
