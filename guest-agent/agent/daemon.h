/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's loop, apart from the command so that tests can run it. */
#ifndef VGPU_AGENT_DAEMON_H
#define VGPU_AGENT_DAEMON_H

#include "guest-agent/public.h"

/*
 * Watches the vGPU at the PCI address, or, where it is NULL, every one, also those that are plugged
 * in later, until SIGINT, SIGTERM or SIGHUP: then returns VGPU_OK, with the signals still blocked.
 * Fails where it cannot begin: VGPU_E_NO_DEVICE without any vGPU, VGPU_E_TIMEOUT where another
 * process watches it, and as vgpu_open().
 */
enum vgpu_result daemon_watch(const char *sysfs, const char *address, unsigned int timeout_ms);

#endif
