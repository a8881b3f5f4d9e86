/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vGPU on a PCI bus that is a folder: the registers are a file, BAR2 is a memfd, and a process
 * plays device and mediator as far as channels go: it answers their CONTROL registers, and starts a
 * vgpu-worker for each. So libvgpu's PCI transport and everything above it meet a real worker
 * without a virtual machine.
 */
#ifndef TESTS_PCI_STAND_IN_H
#define TESTS_PCI_STAND_IN_H

#include <stdint.h>
#include <sys/types.h>

struct stand_in {
	char sysfs[64];
	pid_t pid;
	volatile uint32_t *registers; /* the tests may look, and lie */
	uint8_t *window;
	uint64_t window_bytes;
};

/* Ends the test program where it cannot. */
void stand_in_start(struct stand_in *stand_in, uint64_t window_bytes);
void stand_in_stop(struct stand_in *stand_in);

/* How often a channel was opened. */
uint32_t stand_in_opens(const struct stand_in *stand_in, unsigned int channel);

/* The pid of the channel's worker, or 0. */
pid_t stand_in_worker(const struct stand_in *stand_in, unsigned int channel);

#endif
