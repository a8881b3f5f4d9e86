/* SPDX-License-Identifier: Apache-2.0 */
/* The cuda backend's memory and copies. */
#include <inttypes.h>

#include "common/log.h"
#include "mediatord/worker/backend_cuda.h"

uint64_t cuda_footprint(const struct backend *backend, uint64_t bytes)
{
	const struct backend_cuda *cuda = (const struct backend_cuda *)backend;
	uint32_t unit;

	if (bytes <= CUDA_SMALL_MAX && cuda_memory_room(&cuda->memory, bytes, &unit))
		return 0;
	return cuda_memory_round(bytes);
}

/*
 * Whoever had the memory before, nobody after sees what was in it. A stream of our own and of the
 * highest priority, so that only blocks that run now delay it; then what the tenant starts on any
 * stream comes after.
 */
static cuda_error zero(struct backend_cuda *cuda, uint64_t start, uint64_t bytes)
{
	cuda_error error = cuda->api.set_8(start, 0, bytes, cuda->housekeeping);

	if (error)
		return cuda_failed(cuda, "cuMemsetD8Async", error);
	return cuda_wait_stream(cuda, cuda->housekeeping);
}

/* `bytes` from the driver, zeroed to the end of its last block. */
static cuda_error take(struct backend_cuda *cuda, uint64_t bytes, uint64_t *start)
{
	uint64_t rounded = cuda_memory_round(bytes);
	cuda_pointer pointer;
	cuda_error error;

	if (rounded == UINT64_MAX)
		return CUDA_ERROR_OUT_OF_MEMORY;
	error = cuda_failed(cuda, "cuMemAlloc", cuda->api.mem_alloc(&pointer, rounded));
	if (error)
		return error;
	error = zero(cuda, pointer, rounded);
	if (error) {
		cuda->api.mem_free(pointer);
		return error;
	}
	*start = pointer;
	return CUDA_ERROR_NONE;
}

static cuda_error no_host_memory(struct backend_cuda *cuda)
{
	backend_explain(&cuda->backend, "the worker's host has no memory to keep account of it");
	return CUDA_ERROR_OUT_OF_MEMORY;
}

static cuda_error alloc_large(struct backend_cuda *cuda, uint64_t bytes, uint64_t *pointer)
{
	cuda_error error = take(cuda, bytes, pointer);

	if (!error && !cuda_memory_add(&cuda->memory, *pointer, bytes, NULL)) {
		cuda->api.mem_free(*pointer);
		error = no_host_memory(cuda);
	}
	return error;
}

static cuda_error alloc_small(struct backend_cuda *cuda, uint64_t bytes, uint64_t *pointer)
{
	uint32_t unit = 0;
	struct cuda_block *block = cuda_memory_room(&cuda->memory, bytes, &unit);
	cuda_error error = CUDA_ERROR_NONE;
	uint64_t start;

	if (block) {
		start = block->start + unit * CUDA_UNIT_BYTES;
		error = zero(cuda, start, bytes);
		if (error)
			return error;
	} else {
		error = take(cuda, CUDA_BLOCK_BYTES, &start);
		if (error)
			return error;
		block = cuda_memory_add_block(&cuda->memory, start);
		if (!block) {
			cuda->api.mem_free(start);
			return no_host_memory(cuda);
		}
	}
	if (!cuda_memory_add(&cuda->memory, start, bytes, block)) {
		if (block->used_units == 0) {
			cuda->api.mem_free(start);
			cuda_memory_remove_block(&cuda->memory, block);
		}
		return no_host_memory(cuda);
	}
	*pointer = start;
	return CUDA_ERROR_NONE;
}

cuda_error cuda_mem_alloc(struct backend *backend, uint64_t bytes, uint64_t *pointer)
{
	struct backend_cuda *cuda = cuda_of(backend);

	if (!cuda->context)
		return CUDA_ERROR_INVALID_CONTEXT;
	return bytes <= CUDA_SMALL_MAX ? alloc_small(cuda, bytes, pointer)
				       : alloc_large(cuda, bytes, pointer);
}

/* As cuMemFree() does, all of it waits for what was started, which may still use the memory. */
cuda_error cuda_mem_free(struct backend *backend, uint64_t pointer, uint64_t *footprint)
{
	struct backend_cuda *cuda = cuda_of(backend);
	struct cuda_allocation *allocation = cuda_memory_find(&cuda->memory, pointer);
	struct cuda_block *block;
	uint64_t bytes;
	cuda_error error;

	if (!allocation) {
		backend_explain(backend, "no allocation begins at 0x%" PRIx64, pointer);
		return CUDA_ERROR_INVALID_VALUE;
	}
	error = cuda_wait(cuda);
	if (error)
		return error;
	block = allocation->block;
	bytes = allocation->bytes;
	cuda_memory_remove(&cuda->memory, allocation);
	*footprint = 0;
	if (block && block->used_units)
		return CUDA_ERROR_NONE;
	/*
	 * Freeing what is allocated fails only where the context is lost, and then all of its
	 * memory with it: it is given back in either case.
	 */
	*footprint = block ? CUDA_BLOCK_BYTES : cuda_memory_round(bytes);
	error = cuda->api.mem_free(block ? block->start : pointer);
	if (block)
		cuda_memory_remove_block(&cuda->memory, block);
	if (error)
		vgpu_log_warning("cuMemFree: %s", cuda_error_name(error));
	return CUDA_ERROR_NONE;
}

/* A copy's range, which must lie within one allocation: else the driver might read our memory. */
static cuda_error check_range(struct backend_cuda *cuda, uint64_t pointer, uint64_t bytes)
{
	if (cuda_memory_within(&cuda->memory, pointer, bytes))
		return CUDA_ERROR_NONE;
	backend_explain(&cuda->backend,
			"0x%" PRIx64 " and the %" PRIu64
			" bytes from there are not within one allocation",
			pointer, bytes);
	return CUDA_ERROR_INVALID_VALUE;
}

cuda_error cuda_copy_htod(struct backend *backend, uint64_t destination, const void *source,
			  uint64_t bytes)
{
	struct backend_cuda *cuda = cuda_of(backend);
	cuda_error error = check_range(cuda, destination, bytes);

	if (error)
		return error;
	return cuda_failed(cuda, "cuMemcpyHtoD", cuda->api.copy_htod(destination, source, bytes));
}

cuda_error cuda_copy_dtoh(struct backend *backend, void *destination, uint64_t source,
			  uint64_t bytes)
{
	struct backend_cuda *cuda = cuda_of(backend);
	cuda_error error = check_range(cuda, source, bytes);

	if (error)
		return error;
	return cuda_failed(cuda, "cuMemcpyDtoH", cuda->api.copy_dtoh(destination, source, bytes));
}

cuda_error cuda_copy_dtod(struct backend *backend, uint64_t destination, uint64_t source,
			  uint64_t bytes)
{
	struct backend_cuda *cuda = cuda_of(backend);
	cuda_error error = check_range(cuda, destination, bytes);

	if (!error)
		error = check_range(cuda, source, bytes);
	if (error)
		return error;
	return cuda_start_dtod(backend, destination, source, bytes, 0);
}

cuda_error cuda_window_register(struct backend *backend, void *memory, uint64_t bytes)
{
	struct backend_cuda *cuda = cuda_of(backend);
	cuda_error error;

	if (cuda->window) {
		backend_explain(backend, "the context has a window");
		return CUDA_ERROR_INVALID_VALUE;
	}
	error = cuda->api.host_register(memory, bytes,
					CUDA_HOST_REGISTER_PORTABLE | CUDA_HOST_REGISTER_DEVICEMAP);
	if (!error)
		cuda->window = memory;
	return cuda_failed(cuda, "cuMemHostRegister", error);
}

cuda_error cuda_mem_set(struct backend *backend, uint64_t pointer, uint32_t value, uint64_t count,
			uint32_t width, uint64_t stream)
{
	struct backend_cuda *cuda = cuda_of(backend);
	cuda_stream on = cuda_stream_of(stream);

	switch (width) {
	case 1:
		return cuda_failed(cuda, "cuMemsetD8Async",
				   cuda->api.set_8(pointer, (unsigned char)value, count, on));
	case 2:
		return cuda_failed(cuda, "cuMemsetD16Async",
				   cuda->api.set_16(pointer, (unsigned short)value, count, on));
	case 4:
		return cuda_failed(cuda, "cuMemsetD32Async",
				   cuda->api.set_32(pointer, value, count, on));
	default:
		backend_explain(backend, "elements of %u bytes; there are 1, 2 and 4", width);
		return CUDA_ERROR_INVALID_VALUE;
	}
}

cuda_error cuda_start_htod(struct backend *backend, uint64_t destination, const void *source,
			   uint64_t bytes, uint64_t stream)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return cuda_failed(
		cuda, "cuMemcpyHtoDAsync",
		cuda->api.start_htod(destination, source, bytes, cuda_stream_of(stream)));
}

cuda_error cuda_start_dtoh(struct backend *backend, void *destination, uint64_t source,
			   uint64_t bytes, uint64_t stream)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return cuda_failed(
		cuda, "cuMemcpyDtoHAsync",
		cuda->api.start_dtoh(destination, source, bytes, cuda_stream_of(stream)));
}

cuda_error cuda_start_dtod(struct backend *backend, uint64_t destination, uint64_t source,
			   uint64_t bytes, uint64_t stream)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return cuda_failed(
		cuda, "cuMemcpyDtoDAsync",
		cuda->api.start_dtod(destination, source, bytes, cuda_stream_of(stream)));
}
