/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend of NVIDIA GPUs: one context on one GPU, through the driver's own API. Calls map to
 * the driver's, one to one, so that their errors and their order are CUDA's. What is added is the
 * account of memory, zeroed memory, and refusals of what the driver would believe of a tenant.
 */
#include "mediatord/worker/backend_cuda.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* What each thread's stack has at first, and the device's heap and printf() buffer for good. */
#define STACK_BYTES	  512u
#define MALLOC_HEAP_BYTES (1u << 20)
#define PRINTF_FIFO_BYTES (64u << 10)

/* The least that the driver's compiler takes. Compiling it loads the compiler's library. */
static const char empty_ptx[] = ".version 6.4\n.target sm_75\n.address_size 64\n"
				".visible .entry vgpu_nothing() { ret; }\n";

cuda_error cuda_failed(struct backend_cuda *cuda, const char *call, cuda_error error)
{
	const char *name = NULL;

	if (!error)
		return CUDA_ERROR_NONE;
	/* Numbers that cuda_error.h lacks get their name here. */
	if (strcmp(cuda_error_name(error), "CUDA_ERROR_?") == 0 &&
	    cuda->api.error_name(error, &name) == CUDA_ERROR_NONE && name)
		backend_explain(&cuda->backend, "%s gave %s", call, name);
	else
		backend_explain(&cuda->backend, "%s", call);
	return error;
}

cuda_error cuda_charge(struct backend_cuda *cuda, uint64_t bytes, const char *what)
{
	const struct memory_ledger *ledger = cuda->backend.ledger;
	int granted;

	if (!bytes)
		return CUDA_ERROR_NONE;
	granted = ledger ? ledger->reserve(ledger->opaque, bytes, NULL) : 0;
	/* The worker's next message finds that the mediator is gone too, and ends it. */
	if (granted < 0)
		return CUDA_ERROR_OPERATING_SYSTEM;
	if (granted)
		return CUDA_ERROR_NONE;
	backend_explain(&cuda->backend,
			"%s takes %" PRIu64
			" bytes, which the VM's GPU memory quota does not allow",
			what, bytes);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

void cuda_refund(struct backend_cuda *cuda, uint64_t bytes)
{
	const struct memory_ledger *ledger = cuda->backend.ledger;

	if (bytes && ledger)
		ledger->release(ledger->opaque, bytes, NULL);
}

/* Forgets what was in the context, and says what its allocations took. */
static uint64_t context_forget(struct backend_cuda *cuda)
{
	uint64_t footprint = cuda_memory_footprint(&cuda->memory);

	cuda_modules_forget(cuda);
	cuda_streams_forget(cuda);
	cuda_supplies_forget(cuda);
	cuda_memory_clear(&cuda->memory);
	cuda_refund(cuda, cuda->local_charged);
	cuda->local_charged = 0;
	cuda->local_bytes = 0;
	cuda->driver_functions = false;
	cuda->housekeeping = NULL;
	cuda->window = NULL;
	cuda->context = NULL;
	return footprint;
}

static cuda_error context_destroy(struct backend_cuda *cuda, uint64_t *footprint)
{
	cuda_error error;

	/* Its pages would stay pinned. */
	if (cuda->window)
		cuda->api.host_unregister(cuda->window);
	error = cuda_failed(cuda, "cuCtxDestroy", cuda->api.context_destroy(cuda->context));
	*footprint = context_forget(cuda);
	return error;
}

/* The new context's limits, our stream, and the compiler's library. Returns what failed in *call.
 */
static cuda_error context_furnish(struct backend_cuda *cuda, const char **call)
{
	const struct cuda_api *api = &cuda->api;
	int least = 0, greatest = 0;
	const struct cuda_image empty = { .form = CUDA_IMAGE_PTX,
					  .data = empty_ptx,
					  .bytes = sizeof(empty_ptx) - 1 };
	struct cuda_linked linked;
	cuda_error error;

	*call = "cuCtxSetLimit";
	error = api->context_set_limit(CUDA_LIMIT_STACK_SIZE, STACK_BYTES);
	if (!error)
		error = api->context_set_limit(CUDA_LIMIT_MALLOC_HEAP_SIZE, MALLOC_HEAP_BYTES);
	if (!error)
		error = api->context_set_limit(CUDA_LIMIT_PRINTF_FIFO_SIZE, PRINTF_FIFO_BYTES);
	if (error)
		return error;
	*call = "cuStreamCreateWithPriority";
	error = api->stream_priorities(&least, &greatest);
	if (!error)
		error = api->stream_create(&cuda->housekeeping, CUDA_STREAM_NON_BLOCKING, greatest);
	if (error)
		return error;
	*call = "cuLinkCreate";
	error = cuda_link(cuda, &empty, &linked);
	if (!error)
		cuda_unlink(cuda, &linked);
	return error;
}

static cuda_error cuda_context_take(struct backend *backend)
{
	struct backend_cuda *cuda = cuda_of(backend);
	const char *call = "cuCtxCreate";
	uint64_t footprint;
	cuda_error error;

	if (cuda->context)
		return CUDA_ERROR_NONE;
	/* Waits sleep; and local memory that a kernel grew stays, as what is charged for it. */
	error = cuda->api.context_create(&cuda->context,
					 CUDA_CTX_SCHED_BLOCKING_SYNC | CUDA_CTX_LMEM_RESIZE_TO_MAX,
					 cuda->device);
	if (error) {
		cuda->context = NULL;
		return cuda_failed(cuda, call, error);
	}
	error = context_furnish(cuda, &call);
	if (error) {
		context_destroy(cuda, &footprint);
		return cuda_failed(cuda, call, error);
	}
	cuda->local_bytes = STACK_BYTES;
	return CUDA_ERROR_NONE;
}

static cuda_error cuda_context_give_back(struct backend *backend)
{
	struct backend_cuda *cuda = cuda_of(backend);
	uint64_t footprint;
	cuda_error error;

	if (!cuda->context)
		return CUDA_ERROR_NONE;
	if (cuda_memory_footprint(&cuda->memory) || cuda->modules || cuda->streams ||
	    cuda->event_supply.made) {
		backend_explain(backend, "the context holds memory, modules, streams or events");
		return CUDA_ERROR_INVALID_VALUE;
	}
	error = cuda_wait(cuda);
	return error ? error : context_destroy(cuda, &footprint);
}

static cuda_error cuda_synchronize(struct backend *backend)
{
	return cuda_wait(cuda_of(backend));
}

/* A sticky error is the process's, as long as that lives: then nothing is freed. */
static cuda_error cuda_reset(struct backend *backend, uint64_t *footprint)
{
	struct backend_cuda *cuda = cuda_of(backend);
	cuda_error error = CUDA_ERROR_NONE;

	*footprint = 0;
	if (cuda->context) {
		error = cuda_wait(cuda);
		if (error)
			return error;
		error = context_destroy(cuda, footprint);
	}
	return error ? error : cuda_context_take(backend);
}

static cuda_error cuda_device_attribute_get(struct backend *backend, uint32_t attribute,
					    int32_t *value)
{
	struct backend_cuda *cuda = cuda_of(backend);

	return cuda_failed(cuda, "cuDeviceGetAttribute",
			   cuda->api.device_attribute(value, attribute, cuda->device));
}

/* The N of the GPU's /dev/nvidiaN, which is not always its place in PCI order. */
static uint32_t read_minor(struct backend_cuda *cuda, uint32_t gpu)
{
	char bus[32] = "", path[96], line[128];
	VGPU_AUTO_FCLOSE FILE *file = NULL;
	unsigned int number;

	if (cuda->api.device_bus_id(bus, sizeof(bus), cuda->device) != CUDA_ERROR_NONE)
		return gpu;
	for (char *c = bus; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	snprintf(path, sizeof(path), "/proc/driver/nvidia/gpus/%s/information", bus);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Device Minor: %u", &number) == 1)
			return number;
	return gpu;
}

/*
 * What the driver opens while it works, as strace showed it with driver 580: nodes for every new
 * mapping; /proc/self/maps when a checkpoint is taken or restored; the rest when a context is made.
 */
static void list_paths(struct backend_cuda *cuda, uint32_t gpu)
{
	const struct backend_path paths[] = {
		{ cuda->node, true },
		{ "/dev/nvidiactl", true },
		{ "/dev/nvidia-uvm", true },
		{ "/proc/self", false },
		{ "/proc/devices", false },
		{ "/proc/driver/nvidia/params", false },
		{ "/sys/devices/system/cpu/online", false },
		{ "/sys/devices/system/memory/block_size_bytes", false },
		{ "/sys/module/nvidia/initstate", false },
		{ "/sys/module/nvidia_uvm/initstate", false },
		{ NULL, false },
	};

	_Static_assert(sizeof(paths) <= sizeof(cuda->paths), "room for the paths");
	snprintf(cuda->node, sizeof(cuda->node), "/dev/nvidia%u", read_minor(cuda, gpu));
	memcpy(cuda->paths, paths, sizeof(paths));
	cuda->backend.paths = cuda->paths;
}

static int open_failed(struct vgpu_error **err, uint32_t gpu, const char *call, cuda_error error)
{
	int status =
		error == CUDA_ERROR_NO_DEVICE || error == CUDA_ERROR_INVALID_DEVICE ? ENODEV : EIO;

	return vgpu_error_set(err, status, "cannot open GPU %u: %s: %s (%" PRIu32 "): %s", gpu,
			      call, cuda_error_name(error), error, cuda_error_meaning(error));
}

/* Fills info and threads. Returns what failed in *call. */
static cuda_error describe_device(struct backend_cuda *cuda, int *pageable, const char **call)
{
	struct backend_info *info = &cuda->backend.info;
	int threads_each = 0, major = 0, minor = 0, processors = 0, block = 0;
	const struct {
		cuda_device_attribute attribute;
		int *value;
	} attributes[] = {
		{ CUDA_ATTRIBUTE_MULTIPROCESSOR_COUNT, &processors },
		{ CUDA_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, &threads_each },
		{ CUDA_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &block },
		{ CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &major },
		{ CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &minor },
		{ CUDA_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS, pageable },
	};
	size_t bytes = 0;
	cuda_error error;

	*call = "cuDeviceGetAttribute";
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		error = cuda->api.device_attribute(attributes[i].value, attributes[i].attribute,
						   cuda->device);
		if (error)
			return error;
	}
	*call = "cuDeviceTotalMem";
	error = cuda->api.device_memory(&bytes, cuda->device);
	if (error)
		return error;
	*call = "cuDeviceGetName";
	error = cuda->api.device_name(info->gpu_name, sizeof(info->gpu_name), cuda->device);
	if (error)
		return error;
	info->gpu_name[sizeof(info->gpu_name) - 1] = '\0';
	info->id = VGPU_BACKEND_CUDA;
	info->multiprocessors = (uint32_t)processors;
	info->max_threads_per_block = (uint32_t)block;
	info->compute_capability = (uint32_t)major << 16 | (uint32_t)minor;
	info->memory_bytes = bytes;
	cuda->threads = (uint64_t)processors * (uint64_t)threads_each;
	return CUDA_ERROR_NONE;
}

static int find_device(struct backend_cuda *cuda, uint32_t gpu, struct vgpu_error **err)
{
	int count = 0;
	cuda_error error = cuda->api.init(0);

	if (error)
		return open_failed(err, gpu, "cuInit", error);
	error = cuda->api.device_count(&count);
	if (error)
		return open_failed(err, gpu, "cuDeviceGetCount", error);
	if (count < 1)
		return open_failed(err, gpu, "cuDeviceGetCount", CUDA_ERROR_NO_DEVICE);
	/* The only one that this process sees. */
	error = cuda->api.device_get(&cuda->device, 0);
	if (error)
		return open_failed(err, gpu, "cuDeviceGet", error);
	return 0;
}

static int open_device(struct backend_cuda *cuda, uint32_t gpu, uint32_t flags,
		       struct vgpu_error **err)
{
	const char *call = NULL;
	int pageable = 0;
	cuda_error error;

	if (find_device(cuda, gpu, err) < 0)
		return -1;
	error = describe_device(cuda, &pageable, &call);
	if (error)
		return open_failed(err, gpu, call, error);
	if (pageable && !(flags & BACKEND_ALLOW_PAGEABLE))
		return vgpu_error_set(
			err, EPERM,
			"GPU %u can reach its process's ordinary memory: kernels could "
			"take over their worker; put \"options nvidia-uvm "
			"uvm_disable_hmm=1\" into /etc/modprobe.d/ and reload the module",
			gpu);
	list_paths(cuda, gpu);
	error = cuda_context_take(&cuda->backend);
	if (error)
		return open_failed(err, gpu, cuda->backend.detail, error);
	return 0;
}

static void cuda_close(struct backend **backend)
{
	struct backend_cuda *cuda = *backend ? cuda_of(*backend) : NULL;
	uint64_t footprint;

	if (!cuda)
		return;
	/* Its owner ends; there is nobody to give back to. */
	cuda->backend.ledger = NULL;
	if (cuda->context)
		context_destroy(cuda, &footprint);
	cuda_api_unload(&cuda->api);
	free(cuda);
	*backend = NULL;
}

static int cuda_open(uint32_t gpu, uint32_t flags, struct backend **backend,
		     struct vgpu_error **err)
{
	struct backend_cuda *cuda = calloc(1, sizeof(*cuda));
	struct backend *opened = cuda ? &cuda->backend : NULL;

	if (!cuda)
		return vgpu_error_errno(err, ENOMEM, "cannot open GPU %u", gpu);
	cuda->backend.ops = &backend_cuda;
	if (cuda_api_load(&cuda->api, gpu, err) < 0 || open_device(cuda, gpu, flags, err) < 0) {
		cuda_close(&opened);
		return -1;
	}
	*backend = opened;
	return 0;
}

const struct backend_ops backend_cuda = {
	.name = "cuda",
	.id = VGPU_BACKEND_CUDA,
	.open = cuda_open,
	.close = cuda_close,
	.footprint = cuda_footprint,
	.mem_alloc = cuda_mem_alloc,
	.mem_free = cuda_mem_free,
	.copy_htod = cuda_copy_htod,
	.copy_dtoh = cuda_copy_dtoh,
	.copy_dtod = cuda_copy_dtod,
	.launch = cuda_launch,
	.synchronize = cuda_synchronize,
	.reset = cuda_reset,
	.window_register = cuda_window_register,
	.context_take = cuda_context_take,
	.context_give_back = cuda_context_give_back,
	.device_attribute = cuda_device_attribute_get,
	.mem_set = cuda_mem_set,
	.start_htod = cuda_start_htod,
	.start_dtoh = cuda_start_dtoh,
	.start_dtod = cuda_start_dtod,
	.module_load = cuda_module_load,
	.module_builtin = cuda_module_builtin,
	.module_unload = cuda_module_unload,
	.module_function = cuda_module_function,
	.module_global = cuda_module_global,
	.function_attribute = cuda_function_attribute_get,
	.function_set_attribute = cuda_function_attribute_set,
	.function_parameter = cuda_function_parameter,
	.start_kernel = cuda_start_kernel,
	.stream_create = cuda_stream_create,
	.stream_destroy = cuda_stream_destroy,
	.stream_query = cuda_stream_query,
	.stream_wait_event = cuda_stream_wait_event,
	.context_query = cuda_context_query,
	.event_create = cuda_event_create,
	.event_destroy = cuda_event_destroy,
	.event_record = cuda_event_record,
	.event_query = cuda_event_query,
	.event_elapsed = cuda_event_elapsed,
};
