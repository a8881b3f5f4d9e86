/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contention-client's jobs without us: CUDA's driver API alone, a process as any other on the GPU.
 * It waits by polling, as who wants the shortest latency does.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "mediatord/worker/backend_cuda.h"
#include "tests/bench/contention-client.h"

#define MPS "CUDA_MPS_PIPE_DIRECTORY"

static struct cuda_api api;
static cuda_context context;
static cuda_function matmul;
static cuda_event events[DEPTH_MAX];

static void must(cuda_error error, const char *what)
{
	char text[32];

	if (!error)
		return;
	snprintf(text, sizeof(text), "CUDA's error %u", error);
	die(what, text);
}

/* As the worker does it; but an MPS server that the environment names stays. */
static void load(void)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	VGPU_AUTO_FREE char *mps = getenv(MPS) ? strdup(getenv(MPS)) : NULL;

	if (cuda_api_load(&api, 0, &err) < 0)
		die("cannot load CUDA", err->message);
	if (mps && setenv(MPS, mps, 1) < 0)
		die("cannot set", MPS);
}

static void load_kernels(void)
{
	cuda_link_state link;
	cuda_module module;
	size_t bytes;
	void *cubin;

	must(api.link_create(0, NULL, NULL, &link), "cannot link");
	must(api.link_add(link, CUDA_JIT_INPUT_PTX, (void *)(uintptr_t)cuda_builtin_ptx,
			  strlen(cuda_builtin_ptx) + 1, "kernels", 0, NULL, NULL),
	     "cannot compile the kernels");
	must(api.link_complete(link, &cubin, &bytes), "cannot link the kernels");
	must(api.module_load(&module, cubin, 0, NULL, NULL), "cannot load the kernels");
	must(api.link_destroy(link), "cannot end linking");
	must(api.module_function(&matmul, module, "matmul_f32"), "cannot find the kernel");
}

static bool native_open(const char *argument)
{
	char name[VGPU_GPU_NAME_BYTES];
	cuda_device device;

	(void)argument;
	load();
	must(api.init(0), "cannot initialise");
	must(api.device_get(&device, 0), "cannot find the GPU");
	must(api.device_name(name, sizeof(name), device), "cannot ask for the GPU");
	must(api.context_create(&context, 0, device), "cannot make a context");
	load_kernels();
	for (int i = 0; i < DEPTH_MAX; i++)
		must(api.event_create(&events[i], 2 /* CU_EVENT_DISABLE_TIMING */),
		     "cannot create an event");
	printf("ready native %s\n", name);
	return true;
}

static uint64_t native_allocate(uint64_t bytes)
{
	cuda_pointer pointer = 0;

	must(api.mem_alloc(&pointer, bytes), "cannot allocate");
	return pointer;
}

static void native_free(uint64_t pointer)
{
	if (pointer)
		must(api.mem_free(pointer), "cannot free");
}

static void native_start(unsigned int number, uint32_t blocks, uint32_t threads,
			 const struct product *product)
{
	size_t bytes = PRODUCT_BYTES;
	void *extra[] = { CUDA_LAUNCH_PARAM_BUFFER_POINTER, (void *)(uintptr_t)product,
			  CUDA_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CUDA_LAUNCH_PARAM_END };

	must(api.launch(matmul, blocks, blocks, 1, threads, threads, 1, 0, NULL, NULL, extra),
	     "cannot launch");
	must(api.event_record(events[number], NULL), "cannot record an event");
}

static void native_finish(unsigned int number)
{
	cuda_error error;

	while ((error = api.event_query(events[number])) == CUDA_ERROR_NOT_READY)
		;
	must(error, "cannot wait for a job");
}

static void native_close(void)
{
	must(api.context_destroy(context), "cannot end the context");
	cuda_api_unload(&api);
}

const struct way way_native = {
	.open = native_open,
	.allocate = native_allocate,
	.free = native_free,
	.start = native_start,
	.finish = native_finish,
	.close = native_close,
};
