/* SPDX-License-Identifier: Apache-2.0 */
/* What the cpu backend's GPUs have, and the mediator says of them. */
#ifndef VGPU_MEDIATORD_SOFTWARE_GPU_H
#define VGPU_MEDIATORD_SOFTWARE_GPU_H

#include <stdint.h>
#include <unistd.h>

/* Bytes of memory of each: half of the host's. 0 where the host does not tell. */
static inline uint64_t software_gpu_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);

	return pages > 0 && bytes > 0 ? (uint64_t)pages / 2 * (uint64_t)bytes : 0;
}

#endif
