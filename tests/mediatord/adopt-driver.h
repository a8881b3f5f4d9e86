/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of adoption share: a guest's ring on a device's channel, and a mediator that is killed
 * and started anew under both. Failures end the test.
 */
#ifndef VGPU_TESTS_ADOPT_DRIVER_H
#define VGPU_TESTS_ADOPT_DRIVER_H

#include "mediatord/keeper_protocol.h"
#include "tests/mediatord/guest-ring.h"
#include "tests/mediatord/loop-daemon.h"
#include "tests/mediatord/medchan-device.h"

struct guest_ring adopt_ring(struct device *device, uint32_t number);

/* Submits, and does not wait. */
void adopt_submit(struct guest_ring *ring, uint16_t opcode, const uint64_t argument[4]);
/* The next completion, which must come within CLIENT_TIMEOUT_MS. */
struct vgpu_completion adopt_completion(struct guest_ring *ring);
/* Both. */
struct vgpu_completion adopt_call(struct guest_ring *ring, uint16_t opcode,
				  const uint64_t argument[4]);
/* Allocates that much, which must succeed; returns where. */
uint64_t adopt_allocate(struct guest_ring *ring, uint64_t bytes);
/* Copies a pattern that only this seed makes to the GPU, or asserts that it is there. */
void adopt_fill(struct guest_ring *ring, uint64_t pointer, uint8_t seed);
void adopt_check(struct guest_ring *ring, uint64_t pointer, uint8_t seed);

/* A number in the VM's document, as REST has it now. */
unsigned long long adopt_usage(struct daemon *daemon, const char *name);
/* Waits up to 5 s until it is that. */
void adopt_wait_usage(struct daemon *daemon, const char *name, unsigned long long value);

/* Kills the mediator with SIGKILL; the device sees its link end. */
void adopt_kill(struct daemon *daemon, struct device *device);
/* Starts it, and connects the device, which resumes all its channels. */
void adopt_start(struct daemon *daemon, struct device *device);

/* The keeper that the daemon started; 0: there is none. */
pid_t adopt_keeper_pid(const struct daemon *daemon);

/*
 * What the keeper has of each worker while no mediator is there, as one would be told of it:
 * descriptors that become the caller's. At most `size` workers; returns their number.
 */
size_t adopt_kept(const struct daemon *daemon, int (*fds)[VGPU_KEEPER_FDS], size_t size);

/* Whether the daemon's log has a text; the log is the last start's. */
bool adopt_logged(const struct daemon *daemon, const char *text);

#endif
