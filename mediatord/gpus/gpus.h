/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's GPUs as its driver describes them. A wedged driver can hold a process up for ever, so
 * a program of its own, vgpu-gpuinfo, asks it, with a deadline and for each GPU by itself, and a
 * thread here reads the answers: nothing else waits for either.
 */
#ifndef VGPU_MEDIATORD_GPUS_H
#define VGPU_MEDIATORD_GPUS_H

#include "mediatord/config.h"
#include "mediatord/gpus/report.h"

struct gpus;

/*
 * Looks once, which may take up to 30 s. A driver that does not answer is no error: the GPU, or
 * where it does not even list them those that the configuration's pools name, is then GPU_HUNG or
 * GPU_UNKNOWN. The cpu backend's GPUs are those
 * of the pools, always GPU_OK. config stays the caller's. Returns 0 and *gpus, which gpus_close()
 * ends, or -1 and err.
 */
int gpus_open(const struct config *config, struct gpus **gpus, struct vgpu_error **err);

/* After each look, from the thread here; report is valid during the call only. */
typedef void gpus_listener(void *opaque, const struct gpu_report *report);

/* From now on looks again every 5 s. Returns 0, or -1 and err. */
int gpus_watch(struct gpus *gpus, gpus_listener *listener, void *opaque, struct vgpu_error **err);

/* Waits for a listener that is being called. NULL is fine. */
void gpus_close(struct gpus **gpus);

/* Copies the last report, which the caller frees with free(); NULL: no memory. Any thread. */
struct gpu_report *gpus_snapshot(struct gpus *gpus);

#endif
