/* SPDX-License-Identifier: Apache-2.0 */
/* The double's objects, device, context and memory. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/mediatord/libcuda-double-private.h"

struct double_control control;
uint32_t sticky_error;
static bool initialised;

cuda_error enter(const char *name, bool needs_init)
{
	control.calls++;
	if (sticky_error)
		return sticky_error;
	if (control.calls == control.fail_at) {
		control.failed = name;
		if (control.sticky)
			sticky_error = control.fail_with;
		return control.fail_with;
	}
	return needs_init && !initialised ? CUDA_ERROR_NOT_INITIALIZED : CUDA_ERROR_NONE;
}

struct cuda_context_tag *current;
struct object default_stream = { .kind = STREAM };

static uint32_t *count_of(enum kind kind)
{
	uint32_t *const counts[] = { &control.allocations, &control.modules, &control.streams,
				     &control.events, &control.registrations };

	return counts[kind];
}

struct object *object_new(enum kind kind)
{
	struct object *object = calloc(1, sizeof(*object));

	if (!object)
		abort();
	object->kind = kind;
	object->next = current->objects;
	current->objects = object;
	++*count_of(kind);
	return object;
}

uint64_t blocks_of(uint64_t bytes)
{
	return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

void object_free(struct object *object)
{
	--*count_of(object->kind);
	if (object->kind == ALLOCATION) {
		control.memory -= blocks_of(object->bytes);
		munmap(object->memory, object->bytes);
	}
	if (object->kind == MODULE)
		control.memory -= object->bytes;
	while (object->functions) {
		struct cuda_function_tag *function = object->functions;

		object->functions = function->next;
		free(function);
	}
	free(object);
}

struct object *object_take(enum kind kind, const void *handle)
{
	for (struct object **link = &current->objects; *link; link = &(*link)->next) {
		struct object *object = *link;

		if (object->kind != kind || (object != handle && object->memory != handle))
			continue;
		*link = object->next;
		return object;
	}
	return NULL;
}

struct object *find(enum kind kind, const void *handle)
{
	struct object *object = current->objects;

	while (object && (object->kind != kind || object != handle))
		object = object->next;
	return object;
}

struct object *stream_find(const void *stream)
{
	return stream ? find(STREAM, stream) : &default_stream;
}

uint8_t *device(cuda_pointer pointer, uint64_t bytes)
{
	uint8_t *at = (uint8_t *)(uintptr_t)pointer;

	for (struct object *object = current->objects; object; object = object->next)
		if (object->kind == ALLOCATION && at >= object->memory && bytes <= object->bytes &&
		    (uint64_t)(at - object->memory) <= object->bytes - bytes)
			return at;
	return NULL;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool not_done(int64_t done_ns)
{
	/* What never took time has ended also where nothing does. */
	if (!done_ns)
		return false;
	return __atomic_load_n(&control.hung, __ATOMIC_ACQUIRE) || now_ns() < done_ns;
}

void wait_until_done(int64_t done_ns)
{
	while (not_done(done_ns))
		usleep(10);
}

cuda_error start_work(const void *stream, uint64_t ns)
{
	struct object *on = stream_find(stream);
	int64_t now = now_ns();

	if (!on)
		return CUDA_ERROR_INVALID_HANDLE;
	on->busy = control.busy;
	control.started++;
	if (control.allowed && !__atomic_load_n(control.allowed, __ATOMIC_ACQUIRE))
		control.forbidden++;
	if (!ns)
		return CUDA_ERROR_NONE;
	on->done_ns = (on->done_ns > now ? on->done_ns : now) + (int64_t)ns;
	if (on->done_ns > control.done_ns)
		__atomic_store_n(&control.done_ns, on->done_ns, __ATOMIC_RELEASE);
	if ((uint64_t)(on->done_ns - now) > control.ahead_ns)
		control.ahead_ns = (uint64_t)(on->done_ns - now);
	return CUDA_ERROR_NONE;
}

static void context_free(void)
{
	while (current->objects) {
		struct object *object = current->objects;

		current->objects = object->next;
		object_free(object);
	}
	free(current);
	current = NULL;
	control.contexts--;
}

EXPORT struct double_control *vgpu_double_control(void);
EXPORT struct double_control *vgpu_double_control(void)
{
	if (current)
		context_free();
	memset(&control, 0, sizeof(control));
	initialised = false;
	sticky_error = 0;
	default_stream.busy = 0;
	default_stream.done_ns = 0;
	return &control;
}

cuda_error cuInit(unsigned int flags)
{
	cuda_error error = enter(__func__, false);

	if (!error && flags)
		error = CUDA_ERROR_INVALID_VALUE;
	initialised = !error;
	return error;
}

cuda_error cuGetErrorName(cuda_error error, const char **name)
{
	*name = error == 999 ? "CUDA_ERROR_UNKNOWN" : "CUDA_ERROR_OF_THE_DOUBLE";
	return CUDA_ERROR_NONE;
}

/* What no worker may load the driver without: MPS and the cache of kernels are shared by tenants.
 */
static bool environment_is_right(void)
{
	static const char *const variables[][2] = {
		{ "CUDA_MPS_PIPE_DIRECTORY", "/nonexistent/vgpu" },
		{ "CUDA_CACHE_DISABLE", "1" },
		{ "CUDA_DEVICE_ORDER", "PCI_BUS_ID" },
		{ "CUDA_MODULE_LOADING", "EAGER" },
	};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *value = getenv(variables[i][0]);

		if (!value || strcmp(value, variables[i][1]) != 0)
			return false;
	}
	return true;
}

cuda_error cuDeviceGetCount(int *count)
{
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");

	ENTER();
	/* One of the host's, which has ten. */
	*count = environment_is_right() && visible && strlen(visible) == 1 &&
		 strspn(visible, "0123456789") == 1;
	return CUDA_ERROR_NONE;
}

cuda_error cuDeviceGet(cuda_device *made, int ordinal)
{
	ENTER();
	*made = 0;
	return ordinal ? CUDA_ERROR_INVALID_DEVICE : CUDA_ERROR_NONE;
}

cuda_error cuDeviceGetName(char *name, int size, cuda_device of)
{
	ENTER();
	(void)of;
	snprintf(name, (size_t)size, "Double of an NVIDIA GPU");
	return CUDA_ERROR_NONE;
}

cuda_error cuDeviceTotalMem_v2(size_t *bytes, cuda_device of)
{
	ENTER();
	(void)of;
	*bytes = DOUBLE_MEMORY;
	return CUDA_ERROR_NONE;
}

cuda_error cuDeviceGetAttribute(int *value, cuda_device_attribute attribute, cuda_device of)
{
	ENTER();
	(void)of;
	switch (attribute) {
	case CUDA_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
		*value = 1024;
		break;
	case CUDA_ATTRIBUTE_MULTIPROCESSOR_COUNT:
		*value = 4;
		break;
	case CUDA_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
		*value = 2048;
		break;
	case CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
		*value = 9;
		break;
	case CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
		*value = 0;
		break;
	case CUDA_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS:
		*value = control.pageable;
		break;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_ERROR_NONE;
}

cuda_error cuDeviceGetPCIBusId(char *text, int size, cuda_device of)
{
	ENTER();
	(void)of;
	snprintf(text, (size_t)size, "FFFF:00:00.0");
	return CUDA_ERROR_NONE;
}

cuda_error cuCtxCreate_v2(cuda_context *context, unsigned int flags, cuda_device of)
{
	int file;

	ENTER();
	(void)flags;
	(void)of;
	if (current)
		return CUDA_ERROR_OUT_OF_MEMORY;
	/* As the driver does for each context, in a sandbox too. */
	file = open("/proc/devices", O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return CUDA_ERROR_OPERATING_SYSTEM;
	close(file);
	current = calloc(1, sizeof(*current));
	if (!current)
		abort();
	control.contexts++;
	*context = current;
	return CUDA_ERROR_NONE;
}

/* With a sticky error too, as an H100's driver. */
cuda_error cuCtxDestroy_v2(cuda_context context)
{
	cuda_error error = enter(__func__, true);

	if (error && !sticky_error)
		return error;
	if (!context || context != current)
		return CUDA_ERROR_INVALID_CONTEXT;
	context_free();
	return CUDA_ERROR_NONE;
}

cuda_error cuCtxSetLimit(cuda_limit limit, size_t value)
{
	ENTER_CONTEXT();
	return limit > CUDA_LIMIT_MALLOC_HEAP_SIZE || !value ? CUDA_ERROR_INVALID_VALUE
							     : CUDA_ERROR_NONE;
}

cuda_error cuCtxSynchronize(void)
{
	ENTER_CONTEXT();
	default_stream.busy = 0;
	for (struct object *object = current->objects; object; object = object->next)
		object->busy = 0;
	wait_until_done(control.done_ns);
	return CUDA_ERROR_NONE;
}

cuda_error cuCtxGetStreamPriorityRange(int *least, int *greatest)
{
	ENTER_CONTEXT();
	*least = 0;
	*greatest = -5;
	return CUDA_ERROR_NONE;
}

cuda_error cuMemAlloc_v2(cuda_pointer *pointer, size_t bytes)
{
	struct object *object;
	void *memory;

	ENTER_CONTEXT();
	if (!bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (bytes > DOUBLE_MEMORY || blocks_of(bytes) > DOUBLE_MEMORY - control.memory)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memset(memory, DOUBLE_FRESH, bytes);
	object = object_new(ALLOCATION);
	object->memory = memory;
	object->bytes = bytes;
	control.memory += blocks_of(bytes);
	*pointer = (uintptr_t)memory;
	return CUDA_ERROR_NONE;
}

cuda_error cuMemFree_v2(cuda_pointer pointer)
{
	struct object *object;

	ENTER_CONTEXT();
	object = object_take(ALLOCATION, (void *)(uintptr_t)pointer);
	if (!object)
		return CUDA_ERROR_INVALID_VALUE;
	object_free(object);
	return CUDA_ERROR_NONE;
}

static cuda_error set(cuda_pointer pointer, const void *value, size_t width, size_t count,
		      const void *stream)
{
	uint8_t *to = device(pointer, width * count);

	if (!to)
		return CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < count; i++)
		memcpy(to + i * width, value, width);
	return start_work(stream, 0);
}

cuda_error cuMemsetD8Async(cuda_pointer pointer, unsigned char value, size_t count,
			   cuda_stream stream)
{
	ENTER_CONTEXT();
	return set(pointer, &value, sizeof(value), count, stream);
}

cuda_error cuMemsetD16Async(cuda_pointer pointer, unsigned short value, size_t count,
			    cuda_stream stream)
{
	ENTER_CONTEXT();
	return set(pointer, &value, sizeof(value), count, stream);
}

cuda_error cuMemsetD32Async(cuda_pointer pointer, unsigned int value, size_t count,
			    cuda_stream stream)
{
	ENTER_CONTEXT();
	return set(pointer, &value, sizeof(value), count, stream);
}

static cuda_error copy(void *to, const void *from, size_t bytes, const void *stream)
{
	if (!to || !from)
		return CUDA_ERROR_INVALID_VALUE;
	memmove(to, from, bytes);
	return start_work(stream, bytes * control.copy_ns >> 20);
}

cuda_error cuMemcpyHtoD_v2(cuda_pointer destination, const void *source, size_t bytes)
{
	uint32_t busy = default_stream.busy;
	cuda_error error;

	ENTER_CONTEXT();
	error = copy(device(destination, bytes), source, bytes, NULL);
	default_stream.busy = busy; /* it is synchronous */
	return error;
}

cuda_error cuMemcpyDtoH_v2(void *destination, cuda_pointer source, size_t bytes)
{
	ENTER_CONTEXT();
	default_stream.busy = 0;
	if (!device(source, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(destination, device(source, bytes), bytes);
	return CUDA_ERROR_NONE;
}

cuda_error cuMemcpyHtoDAsync_v2(cuda_pointer destination, const void *source, size_t bytes,
				cuda_stream stream)
{
	ENTER_CONTEXT();
	return copy(device(destination, bytes), source, bytes, stream);
}

cuda_error cuMemcpyDtoHAsync_v2(void *destination, cuda_pointer source, size_t bytes,
				cuda_stream stream)
{
	ENTER_CONTEXT();
	return copy(destination, device(source, bytes), bytes, stream);
}

cuda_error cuMemcpyDtoDAsync_v2(cuda_pointer destination, cuda_pointer source, size_t bytes,
				cuda_stream stream)
{
	ENTER_CONTEXT();
	return copy(device(destination, bytes), device(source, bytes), bytes, stream);
}

cuda_error cuMemHostRegister_v2(void *memory, size_t bytes, unsigned int flags)
{
	struct object *object;

	ENTER_CONTEXT();
	if (!memory || !bytes || flags & ~3u)
		return CUDA_ERROR_INVALID_VALUE;
	object = object_new(REGISTRATION);
	object->memory = memory;
	object->bytes = bytes;
	return CUDA_ERROR_NONE;
}

cuda_error cuMemHostUnregister(void *memory)
{
	struct object *object;

	ENTER_CONTEXT();
	object = object_take(REGISTRATION, memory);
	if (!object)
		return CUDA_ERROR_INVALID_VALUE;
	object_free(object);
	return CUDA_ERROR_NONE;
}
