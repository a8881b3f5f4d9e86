/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cpu backend's calls for channels. Everything runs when it is started, so every stream is
 * always done, and work on different streams runs in the order in which it was started.
 */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "mediatord/worker/backend_cpu.h"

/* CUDA's numbers, from cuda.h: flags of events, attributes of functions and of the device. */
#define EVENT_DISABLE_TIMING 2u

#define FUNCTION_MAX_THREADS_PER_BLOCK	 0u
#define FUNCTION_MAX_DYNAMIC_SHARED_SIZE 8u
#define FUNCTION_SHARED_MEMORY_CARVEOUT	 9u
#define DEVICE_ATTRIBUTE_MAX		 150u

struct cpu_event {
	struct cpu_event *next;
	uint32_t flags;
	int64_t recorded_ns; /* 0: not yet */
};

cuda_error cpu_window_register(struct backend *backend, void *memory, uint64_t bytes)
{
	(void)backend;
	(void)memory;
	(void)bytes;
	return CUDA_ERROR_NONE;
}

cuda_error cpu_context_take(struct backend *backend)
{
	struct backend_cpu *cpu = cpu_of(backend);

	if (cpu->sticky)
		return cpu_sticky(cpu);
	cpu->context = true;
	return CUDA_ERROR_NONE;
}

cuda_error cpu_context_give_back(struct backend *backend)
{
	struct backend_cpu *cpu = cpu_of(backend);

	if (cpu->sticky)
		return cpu_sticky(cpu);
	if (cpu->memory.used_bytes || cpu->events) {
		backend_explain(backend, "the context holds memory or events");
		return CUDA_ERROR_INVALID_VALUE;
	}
	cpu->context = false;
	return CUDA_ERROR_NONE;
}

cuda_error cpu_device_attribute(struct backend *backend, uint32_t attribute, int32_t *value)
{
	static const struct {
		uint8_t attribute;
		int32_t value;
	} known[] = {
		{ 1, CPU_THREADS_PER_BLOCK_MAX },
		{ 2, CPU_BLOCK_XY_MAX },
		{ 3, CPU_BLOCK_XY_MAX },
		{ 4, CPU_BLOCK_Z_MAX },
		{ 5, CPU_GRID_X_MAX },
		{ 6, CPU_GRID_YZ_MAX },
		{ 7, CPU_GRID_YZ_MAX },
		{ 8, CPU_SHARED_BYTES_MAX },	   /* shared memory per block */
		{ 10, 1 },			   /* warp size: threads run one by one */
		{ 14, 256 },			   /* alignment of textures; of allocations here */
		{ 39, CPU_THREADS_PER_BLOCK_MAX }, /* threads per multiprocessor */
		{ 41, 1 },			   /* unified addressing */
	};

	*value = 0;
	if (attribute == 16)
		*value = (int32_t)backend->info.multiprocessors;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].attribute == attribute)
			*value = known[i].value;
	/* What a CPU does not have is 0, as on a GPU that lacks it. */
	if (attribute >= 1 && attribute < DEVICE_ATTRIBUTE_MAX)
		return CUDA_ERROR_NONE;
	backend_explain(backend, "no attribute of a device has the number %u", attribute);
	return CUDA_ERROR_INVALID_VALUE;
}

cuda_error cpu_mem_set(struct backend *backend, uint64_t pointer, uint32_t value, uint64_t count,
		       uint32_t width, uint64_t stream)
{
	cuda_error error = cpu_sticky(cpu_of(backend));
	void *host;

	(void)stream;
	if (!error)
		error = cpu_copy_range(backend, pointer, count * width, &host);
	if (error)
		return error;
	/* The caller checked the alignment; allocations begin at multiples of 256. */
	if (width == 1)
		memset(host, (int)value, count);
	else if (width == 2)
		for (uint64_t i = 0; i < count; i++)
			((uint16_t *)host)[i] = (uint16_t)value;
	else
		for (uint64_t i = 0; i < count; i++)
			((uint32_t *)host)[i] = value;
	return CUDA_ERROR_NONE;
}

cuda_error cpu_start_htod(struct backend *backend, uint64_t destination, const void *source,
			  uint64_t bytes, uint64_t stream)
{
	(void)stream;
	return cpu_copy_htod(backend, destination, source, bytes);
}

cuda_error cpu_start_dtoh(struct backend *backend, void *destination, uint64_t source,
			  uint64_t bytes, uint64_t stream)
{
	(void)stream;
	return cpu_copy_dtoh(backend, destination, source, bytes);
}

cuda_error cpu_start_dtod(struct backend *backend, uint64_t destination, uint64_t source,
			  uint64_t bytes, uint64_t stream)
{
	(void)stream;
	return cpu_copy_dtod(backend, destination, source, bytes);
}

cuda_error cpu_module_load(struct backend *backend, const void *image, uint64_t bytes,
			   uint64_t *module)
{
	cuda_error error = cpu_sticky(cpu_of(backend));

	(void)image;
	(void)bytes;
	(void)module;
	if (error)
		return error;
	backend_explain(backend, "the cpu backend runs the built-in kernels only");
	return CUDA_ERROR_NO_BINARY_FOR_GPU;
}

/* A number for what has no state. */
static cuda_error new_object(struct backend *backend, uint64_t *object)
{
	struct backend_cpu *cpu = cpu_of(backend);

	if (cpu->sticky)
		return cpu_sticky(cpu);
	if (!cpu->context)
		return CUDA_ERROR_INVALID_CONTEXT;
	*object = ++cpu->objects;
	return CUDA_ERROR_NONE;
}

cuda_error cpu_module_builtin(struct backend *backend, uint64_t *module)
{
	return new_object(backend, module);
}

cuda_error cpu_module_unload(struct backend *backend, uint64_t module)
{
	(void)module;
	return cpu_sticky(cpu_of(backend));
}

cuda_error cpu_module_function(struct backend *backend, uint64_t module, const char *name,
			       uint64_t *function)
{
	cuda_error error = cpu_sticky(cpu_of(backend));
	const struct kernel_cpu *kernel = kernel_cpu_find(name);

	(void)module;
	if (error)
		return error;
	if (!kernel) {
		backend_explain(backend, "no kernel is called %.64s", name);
		return CUDA_ERROR_NOT_FOUND;
	}
	*function = (uint64_t)(uintptr_t)kernel;
	return CUDA_ERROR_NONE;
}

cuda_error cpu_module_global(struct backend *backend, uint64_t module, const char *name,
			     uint64_t *pointer, uint64_t *bytes)
{
	cuda_error error = cpu_sticky(cpu_of(backend));

	(void)module;
	(void)pointer;
	(void)bytes;
	if (error)
		return error;
	backend_explain(backend, "the built-in module has no global, and so none called %.64s",
			name);
	return CUDA_ERROR_NOT_FOUND;
}

static const struct kernel_cpu *kernel_of(uint64_t function)
{
	return (const struct kernel_cpu *)(uintptr_t)function;
}

cuda_error cpu_function_attribute(struct backend *backend, uint64_t function, uint32_t attribute,
				  int32_t *value)
{
	(void)function;
	switch (attribute) {
	case FUNCTION_MAX_THREADS_PER_BLOCK:
		*value = CPU_THREADS_PER_BLOCK_MAX;
		break;
	case FUNCTION_MAX_DYNAMIC_SHARED_SIZE:
		*value = CPU_SHARED_BYTES_MAX;
		break;
	case FUNCTION_SHARED_MEMORY_CARVEOUT:
		*value = -1;
		break;
	default:
		/* Bytes, registers and versions: a CPU's functions have none. */
		*value = 0;
		break;
	}
	if (attribute <= FUNCTION_SHARED_MEMORY_CARVEOUT)
		return CUDA_ERROR_NONE;
	backend_explain(backend, "no attribute of a function has the number %u", attribute);
	return CUDA_ERROR_INVALID_VALUE;
}

cuda_error cpu_function_set_attribute(struct backend *backend, uint64_t function,
				      uint32_t attribute, int32_t value)
{
	(void)function;
	if (attribute == FUNCTION_MAX_DYNAMIC_SHARED_SIZE && value >= 0 &&
	    value <= (int32_t)CPU_SHARED_BYTES_MAX)
		return CUDA_ERROR_NONE;
	if (attribute == FUNCTION_SHARED_MEMORY_CARVEOUT && value >= -1 && value <= 100)
		return CUDA_ERROR_NONE;
	backend_explain(backend, "attribute %u cannot be set to %d", attribute, value);
	return CUDA_ERROR_INVALID_VALUE;
}

cuda_error cpu_function_parameter(struct backend *backend, uint64_t function, uint32_t index,
				  uint64_t *offset, uint64_t *bytes)
{
	const struct kernel_cpu *kernel = kernel_of(function);

	if (index >= kernel->parameter_count) {
		backend_explain(backend, "%s has %u parameters", kernel->name,
				kernel->parameter_count);
		return CUDA_ERROR_INVALID_VALUE;
	}
	*offset = kernel->parameters[index].offset;
	*bytes = kernel->parameters[index].bytes;
	return CUDA_ERROR_NONE;
}

cuda_error cpu_start_kernel(struct backend *backend, uint64_t function, uint64_t stream,
			    const struct backend_launch *launch)
{
	(void)stream;
	return cpu_run_kernel(cpu_of(backend), kernel_of(function), launch);
}

cuda_error cpu_stream_create(struct backend *backend, uint32_t flags, int32_t priority,
			     uint64_t *stream)
{
	(void)flags;
	/* CUDA takes the nearest priority that there is; here is one. */
	(void)priority;
	return new_object(backend, stream);
}

cuda_error cpu_stream_destroy(struct backend *backend, uint64_t stream)
{
	(void)stream;
	return cpu_sticky(cpu_of(backend));
}

cuda_error cpu_stream_query(struct backend *backend, uint64_t stream)
{
	(void)stream;
	return cpu_sticky(cpu_of(backend));
}

cuda_error cpu_stream_wait_event(struct backend *backend, uint64_t stream, uint64_t event)
{
	(void)stream;
	(void)event;
	return cpu_sticky(cpu_of(backend));
}

cuda_error cpu_context_query(struct backend *backend)
{
	return cpu_sticky(cpu_of(backend));
}

static struct cpu_event *event_of(uint64_t event)
{
	return (struct cpu_event *)(uintptr_t)event;
}

cuda_error cpu_event_create(struct backend *backend, uint32_t flags, uint64_t *event)
{
	struct backend_cpu *cpu = cpu_of(backend);
	struct cpu_event *made;

	if (cpu->sticky)
		return cpu_sticky(cpu);
	if (!cpu->context)
		return CUDA_ERROR_INVALID_CONTEXT;
	made = calloc(1, sizeof(*made));
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	made->flags = flags;
	made->next = cpu->events;
	cpu->events = made;
	*event = (uint64_t)(uintptr_t)made;
	return CUDA_ERROR_NONE;
}

cuda_error cpu_event_destroy(struct backend *backend, uint64_t event)
{
	struct backend_cpu *cpu = cpu_of(backend);

	if (cpu->sticky)
		return cpu_sticky(cpu);
	for (struct cpu_event **place = &cpu->events; *place; place = &(*place)->next)
		if (*place == event_of(event)) {
			*place = (*place)->next;
			free(event_of(event));
			break;
		}
	return CUDA_ERROR_NONE;
}

void cpu_free_events(struct backend_cpu *cpu)
{
	while (cpu->events) {
		struct cpu_event *first = cpu->events;

		cpu->events = first->next;
		free(first);
	}
}

cuda_error cpu_event_record(struct backend *backend, uint64_t event, uint64_t stream)
{
	cuda_error error = cpu_sticky(cpu_of(backend));

	(void)stream;
	if (!error)
		event_of(event)->recorded_ns = vgpu_now_ns();
	return error;
}

cuda_error cpu_event_query(struct backend *backend, uint64_t event)
{
	(void)event;
	return cpu_sticky(cpu_of(backend));
}

cuda_error cpu_event_elapsed(struct backend *backend, uint64_t start, uint64_t end,
			     float *milliseconds)
{
	const struct cpu_event *events[] = { event_of(start), event_of(end) };
	cuda_error error = cpu_sticky(cpu_of(backend));

	if (error)
		return error;
	for (int i = 0; i < 2; i++)
		if (!events[i]->recorded_ns || events[i]->flags & EVENT_DISABLE_TIMING) {
			backend_explain(backend, "an event was not recorded, or does not time");
			return CUDA_ERROR_INVALID_HANDLE;
		}
	*milliseconds = (float)((double)(events[1]->recorded_ns - events[0]->recorded_ns) / 1e6);
	return CUDA_ERROR_NONE;
}
