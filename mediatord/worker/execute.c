/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/execute.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "mediatord/request.h"

/* What an operation leaves for the response, besides its error. */
struct outcome {
	cuda_error error;
	uint32_t results[VGPU_INFO_WORDS];
	uint32_t result_count;
	const void *data;
	uint32_t data_length;
	int64_t waited_ns; /* for the ledger: no GPU time */
	uint8_t copied[VGPU_MAILBOX_BYTES];
};

static void result64(uint32_t *words, uint64_t value)
{
	words[0] = (uint32_t)value;
	words[1] = (uint32_t)(value >> 32);
}

/* The ledger, which need not be asked about nothing. */
static int ledger_take(struct executor *executor, uint64_t bytes, struct vgpu_error **err)
{
	return bytes ? executor->ledger->reserve(executor->ledger->opaque, bytes, err) : 1;
}

static int ledger_give(struct executor *executor, uint64_t bytes, struct vgpu_error **err)
{
	return bytes ? executor->ledger->release(executor->ledger->opaque, bytes, err) : 0;
}

/* Returns 0 with outcome->error set where the quota or the GPU has no room. */
static int execute_alloc(struct executor *executor, uint64_t bytes, uint64_t memory_used,
			 struct outcome *outcome, struct vgpu_error **err)
{
	struct backend *backend = executor->backend;
	uint64_t footprint = backend->ops->footprint(backend, bytes);
	int64_t asked_ns = vgpu_now_ns();
	uint64_t pointer;
	int granted;

	outcome->error = CUDA_ERROR_OUT_OF_MEMORY;
	if (footprint == UINT64_MAX) {
		backend_explain(backend, "%" PRIu64 " bytes do not fit in any memory", bytes);
		return 0;
	}
	granted = ledger_take(executor, footprint, err);
	outcome->waited_ns = vgpu_now_ns() - asked_ns;
	if (granted < 0)
		return -1;
	if (!granted) {
		if (executor->quota_bytes)
			backend_explain(backend,
					"the VM's GPU memory quota is %" PRIu64 " bytes, %" PRIu64
					" are in use, and this takes %" PRIu64,
					executor->quota_bytes, memory_used, footprint);
		else
			backend_explain(backend,
					"the VM's GPU memory quota does not allow %" PRIu64
					" bytes more",
					footprint);
		return 0;
	}
	outcome->error = backend->ops->mem_alloc(backend, bytes, &pointer);
	if (outcome->error)
		return ledger_give(executor, footprint, err);
	result64(outcome->results, pointer);
	outcome->result_count = 2;
	return 0;
}

static int execute_free(struct executor *executor, uint64_t pointer, struct outcome *outcome,
			struct vgpu_error **err)
{
	struct backend *backend = executor->backend;
	uint64_t footprint;

	outcome->error = backend->ops->mem_free(backend, pointer, &footprint);
	if (outcome->error)
		return 0;
	return ledger_give(executor, footprint, err);
}

/* Waits, and gives an asynchronous request's error before one that is there to stay. */
static void execute_synchronize(struct executor *executor, struct outcome *outcome)
{
	struct backend *backend = executor->backend;

	outcome->error = backend->ops->synchronize(backend);
	if (executor->kept) {
		outcome->error = executor->kept;
		backend_explain(backend, "%s", executor->kept_detail);
		executor->kept = CUDA_ERROR_NONE;
	}
}

static void keep_error(struct executor *executor, cuda_error error)
{
	if (executor->kept)
		return;
	executor->kept = error;
	memcpy(executor->kept_detail, executor->backend->detail, sizeof(executor->kept_detail));
}

static int execute_reset(struct executor *executor, struct outcome *outcome,
			 struct vgpu_error **err)
{
	struct backend *backend = executor->backend;
	uint64_t footprint;

	executor->kept = CUDA_ERROR_NONE;
	outcome->error = backend->ops->reset(backend, &footprint);
	if (outcome->error)
		return 0;
	return ledger_give(executor, footprint, err);
}

static void execute_copy(struct backend *backend, const struct vgpu_request *request,
			 struct outcome *outcome)
{
	const struct backend_ops *ops = backend->ops;

	switch (request->copy.direction) {
	case VGPU_COPY_HOST_TO_DEVICE:
		outcome->error = ops->copy_htod(backend, request->copy.destination,
						request->copy.data, request->copy.bytes);
		break;
	case VGPU_COPY_DEVICE_TO_HOST:
		outcome->error = ops->copy_dtoh(backend, outcome->copied, request->copy.source,
						request->copy.bytes);
		if (!outcome->error) {
			outcome->data = outcome->copied;
			outcome->data_length = (uint32_t)request->copy.bytes;
		}
		break;
	default:
		outcome->error = ops->copy_dtod(backend, request->copy.destination,
						request->copy.source, request->copy.bytes);
		if (!outcome->error)
			outcome->error = ops->synchronize(backend);
		break;
	}
}

static void execute_kernel(struct backend *backend, const struct vgpu_request *request,
			   struct outcome *outcome)
{
	struct backend_launch launch = {
		.name = request->kernel.name,
		.shared_bytes = request->kernel.shared_bytes,
		.arguments = request->kernel.arguments,
		.argument_bytes = request->kernel.argument_bytes,
	};

	memcpy(launch.grid, request->kernel.grid, sizeof(launch.grid));
	memcpy(launch.block, request->kernel.block, sizeof(launch.block));
	outcome->error = backend->ops->launch(backend, &launch);
	/*
	 * For asynchronous ones too: their answer has been given, and the mediator hands out the
	 * next job only after this one's DONE, which has to carry the GPU time.
	 */
	if (!outcome->error)
		outcome->error = backend->ops->synchronize(backend);
}

/* On the GPU, in memory that is the VM's for as long as that takes. */
static cuda_error add_at(struct backend *backend, uint64_t pointer, const uint32_t operands[2],
			 uint32_t *sum)
{
	const uint32_t count = 1;
	struct backend_launch launch = { .name = "vadd_i32",
					 .grid = { count, 1, 1 },
					 .block = { count, 1, 1 } };
	uint8_t arguments[32];
	cuda_error error;

	for (uint64_t i = 0; i < 3; i++)
		vgpu_store64(arguments + 8 * i, pointer + i * sizeof(*sum));
	vgpu_store64(arguments + 24, count);
	launch.arguments = arguments;
	launch.argument_bytes = sizeof(arguments);
	error = backend->ops->copy_htod(backend, pointer, operands, 2 * sizeof(*operands));
	if (!error)
		error = backend->ops->launch(backend, &launch);
	if (!error)
		error = backend->ops->synchronize(backend);
	return error ? error
		     : backend->ops->copy_dtoh(backend, sum, pointer + 2 * sizeof(*sum),
					       sizeof(*sum));
}

static int execute_add(struct executor *executor, const uint32_t operands[2], uint64_t memory_used,
		       struct outcome *outcome, struct vgpu_error **err)
{
	struct outcome freed = { .error = CUDA_ERROR_NONE };
	uint64_t pointer;
	uint32_t sum = 0;

	if (execute_alloc(executor, (2 + 1) * sizeof(sum), memory_used, outcome, err) < 0)
		return -1;
	if (outcome->error)
		return 0;
	pointer = outcome->results[0] | (uint64_t)outcome->results[1] << 32;
	outcome->error = add_at(executor->backend, pointer, operands, &sum);
	outcome->results[0] = sum;
	outcome->result_count = VGPU_RESULTS_ADD_I32;
	/* After a sticky error nothing can be freed, and the error of the addition is told. */
	return execute_free(executor, pointer, &freed, err);
}

static void execute_info(const struct executor *executor, uint64_t memory_used,
			 struct outcome *outcome)
{
	const struct backend_info *info = &executor->backend->info;
	uint64_t total = executor->quota_bytes ? executor->quota_bytes : info->memory_bytes;

	outcome->results[VGPU_INFO_BACKEND] = info->id;
	outcome->results[VGPU_INFO_MULTIPROCESSORS] = info->multiprocessors;
	result64(&outcome->results[VGPU_INFO_MEMORY_TOTAL_LO], total);
	result64(&outcome->results[VGPU_INFO_MEMORY_FREE_LO],
		 memory_used < total ? total - memory_used : 0);
	outcome->results[VGPU_INFO_MAX_THREADS_PER_BLOCK] = info->max_threads_per_block;
	outcome->results[VGPU_INFO_COMPUTE_CAPABILITY] = info->compute_capability;
	outcome->result_count = VGPU_INFO_WORDS;
	outcome->data = info->gpu_name;
	outcome->data_length = (uint32_t)strnlen(info->gpu_name, sizeof(info->gpu_name));
}

static int execute_operation(struct executor *executor, const struct vgpu_request *request,
			     uint64_t memory_used, struct outcome *outcome, struct vgpu_error **err)
{
	switch (request->opcode) {
	case VGPU_OP_CUDA_KERNEL:
		execute_kernel(executor->backend, request, outcome);
		return 0;
	case VGPU_OP_MEMORY_ALLOC:
		return execute_alloc(executor, request->alloc.bytes, memory_used, outcome, err);
	case VGPU_OP_MEMORY_FREE:
		return execute_free(executor, request->free.pointer, outcome, err);
	case VGPU_OP_MEMORY_COPY:
		execute_copy(executor->backend, request, outcome);
		return 0;
	case VGPU_OP_GET_DEVICE_INFO:
		execute_info(executor, memory_used, outcome);
		return 0;
	case VGPU_OP_SYNCHRONIZE:
		execute_synchronize(executor, outcome);
		return 0;
	case VGPU_OP_CONTEXT_RESET:
		return execute_reset(executor, outcome, err);
	case VGPU_OP_ADD_I32:
		return execute_add(executor, request->add.operands, memory_used, outcome, err);
	default: /* NOP: vgpu_request_validate() lets no others through */
		return 0;
	}
}

static uint32_t microseconds(uint64_t ns)
{
	uint64_t us = ns / VGPU_NS_PER_US;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void respond_cuda_error(struct execution *execution, cuda_error error, const char *detail)
{
	char text[320];
	int length = snprintf(text, sizeof(text), "%s: %s%s%s", cuda_error_name(error),
			      cuda_error_meaning(error), *detail ? ": " : "", detail);

	if (length >= (int)sizeof(text))
		length = sizeof(text) - 1;
	execution->error_code = VGPU_ERR_CUDA;
	execution->length =
		vgpu_response_build(execution->response, VGPU_ERR_CUDA, &error, 1, text,
				    (size_t)length, microseconds(execution->gpu_time_ns));
}

int execute_request(struct executor *executor, const uint8_t *bytes, uint32_t length,
		    uint64_t memory_used, struct execution *execution, struct vgpu_error **err)
{
	struct outcome outcome = { .error = CUDA_ERROR_NONE };
	struct vgpu_request request;
	const char *reason;
	int64_t started_ns;

	memset(execution, 0, sizeof(*execution));
	execution->error_code = vgpu_request_validate(bytes, length, &request, &reason);
	if (execution->error_code) {
		execution->length = vgpu_response_build(execution->response, execution->error_code,
							NULL, 0, reason, strlen(reason), 0);
		return 0;
	}
	executor->backend->detail[0] = '\0';
	started_ns = vgpu_now_ns();
	if (execute_operation(executor, &request, memory_used, &outcome, err) < 0)
		return -1;
	execution->gpu_time_ns = (uint64_t)(vgpu_now_ns() - started_ns - outcome.waited_ns);
	if (outcome.error && request.async)
		keep_error(executor, outcome.error);
	if (outcome.error)
		respond_cuda_error(execution, outcome.error, executor->backend->detail);
	else
		execution->length = vgpu_response_build(
			execution->response, VGPU_ERR_NONE, outcome.results, outcome.result_count,
			outcome.data, outcome.data_length, microseconds(execution->gpu_time_ns));
	return 0;
}
