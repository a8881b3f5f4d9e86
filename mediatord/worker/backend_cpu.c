/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend of hosts without a GPU: the built-in kernels on the CPU, with CUDA's semantics of
 * memory, errors and order. A launch runs at once, and its fault is kept until synchronize().
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "common/bytes.h"
#include "mediatord/gpus/software_gpu.h"
#include "mediatord/worker/backend_cpu.h"

/* A host has as many software GPUs as its operator names; this bounds a slip of the pen. */
#define GPUS_MAX 256u

/* The first processor's name into text, as /proc/cpuinfo has it; "" where it has none. */
static void read_cpu_model(char *text, size_t size)
{
	VGPU_AUTO_FCLOSE FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	text[0] = '\0';
	while (file && fgets(line, sizeof(line), file)) {
		const char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !colon)
			continue;
		colon += 1 + strspn(colon + 1, " \t");
		snprintf(text, size, "%.*s", (int)strcspn(colon, "\n"), colon);
		break;
	}
	/* It goes to the guest as UTF-8, and cut to a length. */
	for (char *c = text; *c; c++)
		if (!isascii((unsigned char)*c) || !isprint((unsigned char)*c))
			*c = '?';
}

/* Opens the host's memory: half of it, so that several workers and the host itself have room. */
static int cpu_open(uint32_t gpu, uint32_t flags, struct backend **backend, struct vgpu_error **err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct backend_cpu *cpu;
	struct backend_info *info;
	char model[48];

	(void)flags;
	if (gpu >= GPUS_MAX)
		return vgpu_error_set(err, ENODEV, "the cpu backend has no GPU %u: 0 to %u", gpu,
				      GPUS_MAX - 1);
	if (!software_gpu_memory())
		return vgpu_error_set(err, EIO, "the host does not say how much memory it has");
	cpu = calloc(1, sizeof(*cpu));
	if (!cpu)
		return vgpu_error_errno(err, ENOMEM, "cannot open GPU %u", gpu);
	cpu->backend.ops = &backend_cpu;
	cpu->context = true;
	info = &cpu->backend.info;
	info->id = VGPU_BACKEND_CPU;
	info->multiprocessors = processors > 0 ? (uint32_t)processors : 1;
	info->max_threads_per_block = CPU_THREADS_PER_BLOCK_MAX;
	info->immediate = true;
	info->memory_bytes = software_gpu_memory();
	/* Small allocations cost about as much again in bookkeeping. */
	info->address_space_bytes = 2 * info->memory_bytes + (UINT64_C(1) << 30);
	read_cpu_model(model, sizeof(model));
	/* Cut at the register's size, where the processor's name is long. */
	if (snprintf(info->gpu_name, sizeof(info->gpu_name), "CPU (software GPU %u)%s%s", gpu,
		     *model ? " " : "", model) >= (int)sizeof(info->gpu_name))
		memcpy(info->gpu_name + sizeof(info->gpu_name) - 4, "...", 4);
	memory_cpu_init(&cpu->memory, info->memory_bytes);
	*backend = &cpu->backend;
	return 0;
}

static void cpu_close(struct backend **backend)
{
	if (!*backend)
		return;
	memory_cpu_free_all(&cpu_of(*backend)->memory);
	cpu_free_events(cpu_of(*backend));
	free(*backend);
	*backend = NULL;
}

static uint64_t cpu_footprint(const struct backend *backend, uint64_t bytes)
{
	uint64_t footprint = memory_cpu_footprint(bytes);

	(void)backend;
	return footprint ? footprint : UINT64_MAX;
}

cuda_error cpu_sticky(struct backend_cpu *cpu)
{
	if (cpu->sticky)
		backend_explain(&cpu->backend, "%s", cpu->fault);
	return cpu->sticky;
}

static cuda_error cpu_mem_alloc(struct backend *backend, uint64_t bytes, uint64_t *pointer)
{
	struct backend_cpu *cpu = cpu_of(backend);

	if (cpu->sticky)
		return cpu_sticky(cpu);
	if (!cpu->context)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (memory_cpu_alloc(&cpu->memory, bytes, pointer) == 0)
		return CUDA_ERROR_NONE;
	if (!vgpu_range_ok(cpu->memory.used_bytes, bytes, cpu->memory.limit_bytes))
		backend_explain(backend,
				"the GPU has %" PRIu64 " bytes, of which %" PRIu64
				" are in use here",
				cpu->memory.limit_bytes, cpu->memory.used_bytes);
	else
		backend_explain(backend, "the host has no memory for it");
	return CUDA_ERROR_OUT_OF_MEMORY;
}

static cuda_error cpu_mem_free(struct backend *backend, uint64_t pointer, uint64_t *footprint)
{
	struct backend_cpu *cpu = cpu_of(backend);

	if (cpu->sticky)
		return cpu_sticky(cpu);
	if (memory_cpu_free(&cpu->memory, pointer, footprint) == 0)
		return CUDA_ERROR_NONE;
	backend_explain(backend, "no allocation begins at 0x%" PRIx64, pointer);
	return CUDA_ERROR_INVALID_VALUE;
}

/* A copy's range, which must lie within one allocation: unlike a kernel's, no sticky fault. */
cuda_error cpu_copy_range(struct backend *backend, uint64_t pointer, uint64_t bytes, void **host)
{
	*host = memory_cpu_at(&cpu_of(backend)->memory, pointer, bytes);
	if (*host)
		return CUDA_ERROR_NONE;
	backend_explain(backend,
			"0x%" PRIx64 " and the %" PRIu64
			" bytes from there are not within one allocation",
			pointer, bytes);
	return CUDA_ERROR_INVALID_VALUE;
}

cuda_error cpu_copy_htod(struct backend *backend, uint64_t destination, const void *source,
			 uint64_t bytes)
{
	cuda_error error = cpu_sticky(cpu_of(backend));
	void *host;

	if (!error)
		error = cpu_copy_range(backend, destination, bytes, &host);
	if (!error)
		memcpy(host, source, bytes);
	return error;
}

cuda_error cpu_copy_dtoh(struct backend *backend, void *destination, uint64_t source,
			 uint64_t bytes)
{
	cuda_error error = cpu_sticky(cpu_of(backend));
	void *host;

	if (!error)
		error = cpu_copy_range(backend, source, bytes, &host);
	if (!error)
		memcpy(destination, host, bytes);
	return error;
}

cuda_error cpu_copy_dtod(struct backend *backend, uint64_t destination, uint64_t source,
			 uint64_t bytes)
{
	cuda_error error = cpu_sticky(cpu_of(backend));
	void *to, *from;

	if (!error)
		error = cpu_copy_range(backend, destination, bytes, &to);
	if (!error)
		error = cpu_copy_range(backend, source, bytes, &from);
	if (!error)
		memmove(to, from, bytes);
	return error;
}

static cuda_error cpu_check_dimensions(struct backend *backend, const struct backend_launch *launch)
{
	static const struct {
		const char *name;
		uint32_t max;
	} limits[] = {
		{ "grid x", CPU_GRID_X_MAX },	 { "grid y", CPU_GRID_YZ_MAX },
		{ "grid z", CPU_GRID_YZ_MAX },	 { "block x", CPU_BLOCK_XY_MAX },
		{ "block y", CPU_BLOCK_XY_MAX }, { "block z", CPU_BLOCK_Z_MAX },
	};
	const uint32_t *block = launch->block;

	for (size_t i = 0; i < 6; i++) {
		uint32_t value = i < 3 ? launch->grid[i] : block[i - 3];

		if (value < 1 || value > limits[i].max) {
			backend_explain(backend, "%s is %u, and must be 1 to %u", limits[i].name,
					value, limits[i].max);
			return CUDA_ERROR_INVALID_VALUE;
		}
	}
	if (block[0] * block[1] * block[2] > CPU_THREADS_PER_BLOCK_MAX) {
		backend_explain(backend, "a block of %u x %u x %u threads is more than %u",
				block[0], block[1], block[2], CPU_THREADS_PER_BLOCK_MAX);
		return CUDA_ERROR_INVALID_VALUE;
	}
	if (launch->shared_bytes > CPU_SHARED_BYTES_MAX) {
		backend_explain(backend, "%u bytes of shared memory are more than %u",
				launch->shared_bytes, CPU_SHARED_BYTES_MAX);
		return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_ERROR_NONE;
}

cuda_error cpu_run_kernel(struct backend_cpu *cpu, const struct kernel_cpu *kernel,
			  const struct backend_launch *launch)
{
	struct kernel_cpu_threads threads = {
		.x = (uint64_t)launch->grid[0] * launch->block[0],
		.y = (uint64_t)launch->grid[1] * launch->block[1],
	};
	cuda_error error;

	if (cpu->sticky)
		return cpu_sticky(cpu);
	error = cpu_check_dimensions(&cpu->backend, launch);
	if (error)
		return error;
	if (launch->argument_bytes != kernel->argument_bytes) {
		backend_explain(&cpu->backend, "%s takes %u bytes of arguments, not %u",
				kernel->name, kernel->argument_bytes, launch->argument_bytes);
		return CUDA_ERROR_INVALID_VALUE;
	}
	cpu->sticky = kernel->run(kernel, &cpu->memory, launch->arguments, &threads, cpu->fault,
				  sizeof(cpu->fault));
	return CUDA_ERROR_NONE;
}

static cuda_error cpu_launch(struct backend *backend, const struct backend_launch *launch)
{
	struct backend_cpu *cpu = cpu_of(backend);
	const struct kernel_cpu *kernel = kernel_cpu_find(launch->name);

	if (cpu->sticky)
		return cpu_sticky(cpu);
	if (!kernel) {
		backend_explain(backend, "no kernel is called %s", launch->name);
		return CUDA_ERROR_NOT_FOUND;
	}
	return cpu_run_kernel(cpu, kernel, launch);
}

static cuda_error cpu_synchronize(struct backend *backend)
{
	return cpu_sticky(cpu_of(backend));
}

static cuda_error cpu_reset(struct backend *backend, uint64_t *footprint)
{
	struct backend_cpu *cpu = cpu_of(backend);

	*footprint = memory_cpu_free_all(&cpu->memory);
	cpu->sticky = CUDA_ERROR_NONE;
	return CUDA_ERROR_NONE;
}

const struct backend_ops backend_cpu = {
	.name = "cpu",
	.id = VGPU_BACKEND_CPU,
	.open = cpu_open,
	.close = cpu_close,
	.footprint = cpu_footprint,
	.mem_alloc = cpu_mem_alloc,
	.mem_free = cpu_mem_free,
	.copy_htod = cpu_copy_htod,
	.copy_dtoh = cpu_copy_dtoh,
	.copy_dtod = cpu_copy_dtod,
	.launch = cpu_launch,
	.synchronize = cpu_synchronize,
	.reset = cpu_reset,
	.window_register = cpu_window_register,
	.context_take = cpu_context_take,
	.context_give_back = cpu_context_give_back,
	.device_attribute = cpu_device_attribute,
	.mem_set = cpu_mem_set,
	.start_htod = cpu_start_htod,
	.start_dtoh = cpu_start_dtoh,
	.start_dtod = cpu_start_dtod,
	.module_load = cpu_module_load,
	.module_builtin = cpu_module_builtin,
	.module_unload = cpu_module_unload,
	.module_function = cpu_module_function,
	.module_global = cpu_module_global,
	.function_attribute = cpu_function_attribute,
	.function_set_attribute = cpu_function_set_attribute,
	.function_parameter = cpu_function_parameter,
	.start_kernel = cpu_start_kernel,
	.stream_create = cpu_stream_create,
	.stream_destroy = cpu_stream_destroy,
	.stream_query = cpu_stream_query,
	.stream_wait_event = cpu_stream_wait_event,
	.context_query = cpu_context_query,
	.event_create = cpu_event_create,
	.event_destroy = cpu_event_destroy,
	.event_record = cpu_event_record,
	.event_query = cpu_event_query,
	.event_elapsed = cpu_event_elapsed,
};
