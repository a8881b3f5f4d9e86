/* SPDX-License-Identifier: Apache-2.0 */
/* From a job's request to its response: checks it, runs it on the backend, keeps the ledger. */
#ifndef VGPU_WORKER_EXECUTE_H
#define VGPU_WORKER_EXECUTE_H

#include <stdint.h>

#include "common/error.h"
#include "common/protocol.h"
#include "mediatord/worker/backend.h"
#include "mediatord/worker/memory_ledger.h"

struct executor {
	struct backend *backend;
	const struct memory_ledger *ledger;
	uint64_t quota_bytes; /* the VM's, of GPU memory; 0: no limit */
	/*
	 * The first error of an asynchronous request, which was answered before it ran: the next
	 * SYNCHRONIZE gives it, once.
	 */
	cuda_error kept;
	char kept_detail[sizeof(((struct backend *)NULL)->detail)];
};

struct execution {
	uint32_t error_code; /* VGPU_ERR_* */
	uint64_t gpu_time_ns;
	uint32_t length;
	uint8_t response[VGPU_MAILBOX_BYTES];
};

/*
 * Runs one request; memory_used is what the VM holds now, in bytes. Blocks until it is done. Always
 * leaves a whole response in *execution, unless it returns -1 with err: the ledger is gone.
 */
int execute_request(struct executor *executor, const uint8_t *request, uint32_t length,
		    uint64_t memory_used, struct execution *execution, struct vgpu_error **err);

#endif
