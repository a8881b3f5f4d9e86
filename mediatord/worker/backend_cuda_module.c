/* SPDX-License-Identifier: Apache-2.0 */
/* The cuda backend's modules, functions and launches. */
#include <inttypes.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ring.h"
#include "mediatord/worker/backend_cuda.h"
#include "mediatord/worker/cuda_image.h"

/* What the driver rounds each thread's local memory to, or more: an H100 took every 16 bytes. */
#define LOCAL_GRANULARITY UINT64_C(32)

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

static cuda_error read_available(struct backend_cuda *cuda, size_t *available)
{
	size_t total;

	return cuda_failed(cuda, "cuMemGetInfo", cuda->api.mem_info(available, &total));
}

/* The driver's call, with the first line of what its compiler has to say. */
static cuda_error load(struct backend_cuda *cuda, const void *image, cuda_module *module)
{
	char log[sizeof(cuda->backend.detail)] = "";
	cuda_jit_option options[] = { CUDA_JIT_ERROR_LOG_BUFFER,
				      CUDA_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { log, (void *)(uintptr_t)(sizeof(log) - 1) };
	cuda_error error = cuda->api.module_load(module, image, 2, options, values);

	if (!error)
		return CUDA_ERROR_NONE;
	cuda_failed(cuda, "cuModuleLoadDataEx", error);
	log[strcspn(log, "\n")] = '\0';
	if (*log)
		backend_explain(&cuda->backend, "%s", log);
	return error;
}

/*
 * A module's code and variables take GPU memory, and its cubin says how much; the driver puts code,
 * constants and variables into blocks of their own. Of what is compiled or chosen here only the
 * change of what is left on the whole GPU tells: where other workers take or give back memory in
 * the same moment, their difference goes into it.
 */
static cuda_error load_charged(struct backend_cuda *cuda, const void *image, uint64_t loaded_bytes,
			       struct cuda_loaded_module *module)
{
	size_t before, after;
	cuda_error error;

	if (loaded_bytes) {
		module->charged = cuda_memory_round(loaded_bytes) + 2 * CUDA_BLOCK_BYTES;
		error = cuda_charge(cuda, module->charged, "the module");
		if (error)
			module->charged = 0;
		return error ? error : load(cuda, image, &module->module);
	}
	error = read_available(cuda, &before);
	if (!error)
		error = load(cuda, image, &module->module);
	if (error)
		return error;
	error = read_available(cuda, &after);
	if (!error && after < before)
		error = cuda_charge(cuda, before - after, "the module");
	if (error)
		cuda->api.module_unload(module->module);
	else if (after < before)
		module->charged = before - after;
	return error;
}

/* For free: it is part of what a context costs. */
static cuda_error load_builtin(struct backend_cuda *cuda, const void *image, uint64_t loaded_bytes,
			       struct cuda_loaded_module *module)
{
	(void)loaded_bytes;
	return load(cuda, image, &module->module);
}

static cuda_error add_module(struct backend_cuda *cuda, const void *image, uint64_t loaded_bytes,
			     cuda_error (*how)(struct backend_cuda *, const void *, uint64_t,
					       struct cuda_loaded_module *),
			     struct cuda_loaded_module **added)
{
	struct cuda_loaded_module *module;
	cuda_error error;

	if (!cuda->context)
		return CUDA_ERROR_INVALID_CONTEXT;
	module = calloc(1, sizeof(*module));
	if (!module)
		return CUDA_ERROR_OUT_OF_MEMORY;
	error = how(cuda, image, loaded_bytes, module);
	if (error) {
		cuda_refund(cuda, module->charged);
		free_module(module);
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
	enum cuda_image_form form;
	uint64_t loaded_bytes;
	const char *reason;
	cuda_error error;

	if (cuda_image_check(image, bytes, &form, &loaded_bytes, &reason) < 0) {
		backend_explain(backend, "the image: %s", reason);
		return CUDA_ERROR_INVALID_IMAGE;
	}
	error = add_module(cuda, image, loaded_bytes, load_charged, &added);
	if (!error)
		*module = (uintptr_t)added;
	return error;
}

cuda_error cuda_module_builtin(struct backend *backend, uint64_t *module)
{
	struct backend_cuda *cuda = cuda_of(backend);
	struct cuda_loaded_module *added;
	bool free = true; /* the first; or a tenant could fill the GPU with the others */
	cuda_error error;

	for (struct cuda_loaded_module *other = cuda->modules; other; other = other->next)
		free = free && !other->free;
	error = add_module(cuda, cuda_builtin_ptx, 0, free ? load_builtin : load_charged, &added);
	if (error)
		return error;
	added->free = free;
	*module = (uintptr_t)added;
	return CUDA_ERROR_NONE;
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
		error = add_module(cuda, cuda_builtin_ptx, 0, load_builtin, &cuda->builtin);
		if (error)
			return error;
	}
	error = cuda_module_function(backend, (uintptr_t)cuda->builtin, launch->name, &function);
	if (error == CUDA_ERROR_NOT_FOUND)
		backend_explain(backend, "no kernel is called %s", launch->name);
	return error ? error : cuda_start_kernel(backend, function, 0, launch);
}
