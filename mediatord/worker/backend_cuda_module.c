/* SPDX-License-Identifier: Apache-2.0 */
/* The cuda backend's modules, functions and launches. */
#include <inttypes.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ring.h"
#include "mediatord/worker/backend_cuda.h"

/* What the driver rounds each thread's local memory to, or more: an H100 took every 16 bytes. */
#define LOCAL_GRANULARITY UINT64_C(32)

/*
 * What the driver's own functions take, once for a context: a stack for every thread that the GPU
 * can hold, which an H100 keeps beside the kernels' local memory, and buffers. There it was 146 MiB
 * with all of them in use, which is some 540 bytes a thread and 6 MiB.
 */
#define DRIVER_STACK_BYTES  UINT64_C(576)
#define DRIVER_BUFFER_BYTES (4 * CUDA_BLOCK_BYTES)

static struct cuda_loaded_module *module_of(uint64_t module)
{
	return (struct cuda_loaded_module *)(uintptr_t)module;
}

static struct cuda_loaded_function *function_of(uint64_t function)
{
	return (struct cuda_loaded_function *)(uintptr_t)function;
}

static void free_module(struct cuda_loaded_module *module)
{
	while (module->functions) {
		struct cuda_loaded_function *function = module->functions;

		module->functions = function->next;
		free(function);
	}
	free(module);
}

void cuda_modules_forget(struct backend_cuda *cuda)
{
	while (cuda->modules) {
		struct cuda_loaded_module *module = cuda->modules;

		cuda->modules = module->next;
		cuda_refund(cuda, module->charged);
		free_module(module);
	}
	cuda->builtin = NULL;
}

/*
 * What a cubin takes of the GPU, from what it says of itself: other workers that take and give back
 * memory in the same moment are nothing to it. The driver puts code, constants and variables into
 * blocks of their own, so each may leave most of its last block empty.
 */
static uint64_t footprint_of(const struct cuda_image *cubin)
{
	return cuda_memory_round(cubin->loaded_bytes) + 2 * CUDA_BLOCK_BYTES;
}

/*
 * The first module whose kernels call the driver's functions makes it take memory for them, which
 * the context keeps; so it counts until the context ends, too.
 */
static cuda_error charge_driver_functions(struct backend_cuda *cuda)
{
	uint64_t bytes =
		cuda_memory_round(DRIVER_STACK_BYTES * cuda->threads) + DRIVER_BUFFER_BYTES;
	cuda_error error;

	if (cuda->driver_functions)
		return CUDA_ERROR_NONE;
	error = cuda_charge(cuda, bytes, "what printf(), malloc() and assert() need in kernels");
	if (error)
		return error;
	cuda->driver_functions = true;
	cuda->local_charged += bytes;
	return CUDA_ERROR_NONE;
}

/* Charged before it is loaded. One that is free is part of what a context costs. */
static cuda_error load_cubin(struct backend_cuda *cuda, const struct cuda_image *cubin,
			     struct cuda_loaded_module *module)
{
	uint64_t footprint = module->free ? 0 : footprint_of(cubin);
	cuda_error error = cubin->calls_driver ? charge_driver_functions(cuda) : CUDA_ERROR_NONE;

	if (!error)
		error = cuda_charge(cuda, footprint, "the module");
	if (error)
		return error;
	error = cuda_failed(cuda, "cuModuleLoadDataEx",
			    cuda->api.module_load(&module->module, cubin->data, 0, NULL, NULL));
	if (error)
		cuda_refund(cuda, footprint);
	else
		module->charged = footprint;
	return error;
}

static cuda_error load(struct backend_cuda *cuda, const struct cuda_image *image,
		       struct cuda_loaded_module *module)
{
	struct cuda_linked linked;
	cuda_error error;

	if (image->form == CUDA_IMAGE_CUBIN)
		return load_cubin(cuda, image, module);
	error = cuda_link(cuda, image, &linked);
	if (error)
		return error;
	error = load_cubin(cuda, &linked.image, module);
	cuda_unlink(cuda, &linked);
	return error;
}

static cuda_error add_module(struct backend_cuda *cuda, const struct cuda_image *image,
			     bool free_one, struct cuda_loaded_module **added)
{
	struct cuda_loaded_module *module;
	cuda_error error;

	if (!cuda->context)
		return CUDA_ERROR_INVALID_CONTEXT;
	module = calloc(1, sizeof(*module));
	if (!module)
		return CUDA_ERROR_OUT_OF_MEMORY;
	module->free = free_one;
	error = load(cuda, image, module);
	if (error) {
		free(module);
		return error;
	}
	module->next = cuda->modules;
	cuda->modules = module;
	*added = module;
	return CUDA_ERROR_NONE;
}

cuda_error cuda_module_load(struct backend *backend, const void *image, uint64_t bytes,
			    uint64_t *module)
{
	struct backend_cuda *cuda = cuda_of(backend);
	struct cuda_loaded_module *added;
	struct cuda_image chosen;
	const char *reason;
	cuda_error error =
		cuda_image_choose(image, bytes, backend->info.compute_capability, &chosen, &reason);

	if (error) {
		backend_explain(backend, "the image: %s", reason);
		return error;
	}
	error = add_module(cuda, &chosen, false, &added);
	if (!error)
		*module = (uintptr_t)added;
	return error;
}

/* The first is free, or a tenant could fill the GPU with the others. */
static cuda_error add_builtin(struct backend_cuda *cuda, struct cuda_loaded_module **added)
{
	const struct cuda_image image = { .form = CUDA_IMAGE_PTX,
					  .data = cuda_builtin_ptx,
					  .bytes = strlen(cuda_builtin_ptx) };
	bool first = true;

	for (const struct cuda_loaded_module *other = cuda->modules; other; other = other->next)
		first = first && !other->free;
	return add_module(cuda, &image, first, added);
}

cuda_error cuda_module_builtin(struct backend *backend, uint64_t *module)
{
	struct cuda_loaded_module *added;
	cuda_error error = add_builtin(cuda_of(backend), &added);

	if (!error)
		*module = (uintptr_t)added;
	return error;
}

cuda_error cuda_module_unload(struct backend *backend, uint64_t module)
{
	struct backend_cuda *cuda = cuda_of(backend);
	struct cuda_loaded_module *unloaded = module_of(module);
	struct cuda_loaded_module **link = &cuda->modules;
	cuda_error error =
		cuda_failed(cuda, "cuModuleUnload", cuda->api.module_unload(unloaded->module));

	if (error)
		return error;
	while (*link != unloaded)
		link = &(*link)->next;
	*link = unloaded->next;
	cuda_refund(cuda, unloaded->charged);
	free_module(unloaded);
	return CUDA_ERROR_NONE;
}

/* How many bytes a launch must give: the end of the last parameter. */
static cuda_error read_parameter_bytes(const struct backend_cuda *cuda,
				       struct cuda_loaded_function *described)
{
	cuda_error error = CUDA_ERROR_NONE;
	size_t offset, bytes;

	described->parameter_bytes = UINT64_MAX;
	if (!cuda->api.function_parameter)
		return CUDA_ERROR_NONE;
	described->parameter_bytes = 0;
	for (size_t i = 0; !error; i++) {
		error = cuda->api.function_parameter(described->function, i, &offset, &bytes);
		if (!error)
			described->parameter_bytes = offset + bytes;
	}
	/* There is none of this index. */
	return error == CUDA_ERROR_INVALID_VALUE ? CUDA_ERROR_NONE : error;
}

static cuda_error describe(struct backend_cuda *cuda, cuda_function function,
			   struct cuda_loaded_function **described)
{
	struct cuda_loaded_function *made = calloc(1, sizeof(*made));
	int local_bytes = 0;
	cuda_error error;

	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	made->function = function;
	error = cuda_failed(cuda, "cuFuncGetAttribute",
			    cuda->api.function_attribute(&local_bytes,
							 CUDA_FUNCTION_LOCAL_SIZE_BYTES, function));
	made->local_bytes = local_bytes > 0 ? (uint64_t)local_bytes : 0;
	if (!error)
		error = cuda_failed(cuda, "cuFuncGetParamInfo", read_parameter_bytes(cuda, made));
	if (error)
		free(made);
	else
		*described = made;
	return error;
}

cuda_error cuda_module_function(struct backend *backend, uint64_t module, const char *name,
				uint64_t *function)
{
	struct backend_cuda *cuda = cuda_of(backend);
	struct cuda_loaded_module *of = module_of(module);
	struct cuda_loaded_function *described;
	cuda_function found;
	cuda_error error = cuda->api.module_function(&found, of->module, name);

	if (error)
		return cuda_failed(cuda, "cuModuleGetFunction", error);
	/* The driver gives one function one handle; so there are no more than the module has. */
	for (described = of->functions; described; described = described->next)
		if (described->function == found)
			break;
	if (!described) {
		error = describe(cuda, found, &described);
		if (error)
			return error;
		described->next = of->functions;
		of->functions = described;
	}
	*function = (uintptr_t)described;
	return CUDA_ERROR_NONE;
}

cuda_error cuda_module_global(struct backend *backend, uint64_t module, const char *name,
			      uint64_t *pointer, uint64_t *bytes)
{
	struct backend_cuda *cuda = cuda_of(backend);
	cuda_pointer found;
	size_t size;
	cuda_error error = cuda->api.module_global(&found, &size, module_of(module)->module, name);

	if (!error) {
		*pointer = found;
		*bytes = size;
	}
	return cuda_failed(cuda, "cuModuleGetGlobal", error);
}

cuda_error cuda_function_attribute_get(struct backend *backend, uint64_t function,
				       uint32_t attribute, int32_t *value)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return cuda_failed(
		cuda, "cuFuncGetAttribute",
		cuda->api.function_attribute(value, attribute, function_of(function)->function));
}

cuda_error cuda_function_attribute_set(struct backend *backend, uint64_t function,
				       uint32_t attribute, int32_t value)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return cuda_failed(cuda, "cuFuncSetAttribute",
			   cuda->api.function_set_attribute(function_of(function)->function,
							    attribute, value));
}

cuda_error cuda_function_parameter(struct backend *backend, uint64_t function, uint32_t index,
				   uint64_t *offset, uint64_t *bytes)
{
	struct backend_cuda *cuda = cuda_of(backend);
	size_t at, size;
	cuda_error error;

	if (!cuda->api.function_parameter) {
		backend_explain(backend, "this driver has no cuFuncGetParamInfo (before 550)");
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	error = cuda->api.function_parameter(function_of(function)->function, index, &at, &size);
	if (!error) {
		*offset = at;
		*bytes = size;
	}
	return cuda_failed(cuda, "cuFuncGetParamInfo", error);
}

/*
 * A kernel's local memory is taken from the GPU when it is launched, for as many threads as the GPU
 * can hold: gigabytes, for some kernels. The context keeps it, and it counts until the context
 * ends.
 */
static cuda_error charge_local(struct backend_cuda *cuda,
			       const struct cuda_loaded_function *function)
{
	uint64_t local_bytes = vgpu_align_up(function->local_bytes, LOCAL_GRANULARITY);
	uint64_t more;
	cuda_error error;

	if (function->local_bytes <= cuda->local_bytes)
		return CUDA_ERROR_NONE;
	more = cuda_memory_round((local_bytes - cuda->local_bytes) * cuda->threads) +
	       CUDA_BLOCK_BYTES;
	error = cuda_charge(cuda, more, "the kernel's local memory");
	if (error)
		return error;
	cuda->local_bytes = local_bytes;
	cuda->local_charged += more;
	return CUDA_ERROR_NONE;
}

cuda_error cuda_start_kernel(struct backend *backend, uint64_t function, uint64_t stream,
			     const struct backend_launch *launch)
{
	struct backend_cuda *cuda = cuda_of(backend);
	const struct cuda_loaded_function *started = function_of(function);
	const uint32_t *grid = launch->grid, *block = launch->block;
	uint64_t arguments[VGPU_PARAMETERS_MAX / sizeof(uint64_t)];
	size_t bytes = launch->argument_bytes;
	void *extra[] = { CUDA_LAUNCH_PARAM_BUFFER_POINTER, arguments,
			  CUDA_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CUDA_LAUNCH_PARAM_END };
	cuda_error error;

	/* The driver takes fewer than the kernel reads, and starts it with what was there before.
	 */
	if (bytes > sizeof(arguments) ||
	    (started->parameter_bytes != UINT64_MAX && bytes != started->parameter_bytes)) {
		backend_explain(backend, "the kernel takes %" PRIu64 " bytes of arguments, not %zu",
				started->parameter_bytes, bytes);
		return CUDA_ERROR_INVALID_VALUE;
	}
	error = charge_local(cuda, started);
	if (error)
		return error;
	memcpy(arguments, launch->arguments, bytes);
	return cuda_failed(cuda, "cuLaunchKernel",
			   cuda->api.launch(started->function, grid[0], grid[1], grid[2], block[0],
					    block[1], block[2], launch->shared_bytes,
					    cuda_stream_of(stream), NULL, bytes ? extra : NULL));
}

cuda_error cuda_launch(struct backend *backend, const struct backend_launch *launch)
{
	struct backend_cuda *cuda = cuda_of(backend);
	uint64_t function;
	cuda_error error;

	if (!cuda->builtin) {
		error = add_builtin(cuda, &cuda->builtin);
		if (error)
			return error;
	}
	error = cuda_module_function(backend, (uintptr_t)cuda->builtin, launch->name, &function);
	if (error == CUDA_ERROR_NOT_FOUND)
		backend_explain(backend, "no kernel is called %s", launch->name);
	return error ? error : cuda_start_kernel(backend, function, 0, launch);
}
