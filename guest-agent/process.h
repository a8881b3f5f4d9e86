/* SPDX-License-Identifier: Apache-2.0 */
/* Telling a process from a later one that has its number. */
#ifndef VGPU_GUEST_PROCESS_H
#define VGPU_GUEST_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * When the process started, in clock ticks since the system did: with its pid, that names it for
 * good. A zombie has one, too. pid 0 is this process. 0 where there is no such process, or /proc
 * does not tell.
 */
uint64_t process_start_time(pid_t pid);

#endif
