/* SPDX-License-Identifier: Apache-2.0 */
/* contention-client's jobs through a channel of ours. */
#include <stddef.h>

#include "guest-agent/vgpu.h"
#include "tests/bench/contention-client.h"

#define TIMEOUT_MS   120000
#define WINDOW_BYTES (UINT64_C(1) << 20)

static struct vgpu *vgpu;
static struct vgpu_channel *channel;
static vgpu_function matmul;
static struct {
	vgpu_event event;
	struct vgpu_operation wait;
} jobs[DEPTH_MAX];

static void must(enum vgpu_result result, const char *what)
{
	if (result != VGPU_OK)
		die(what, vgpu_last_error());
}

static bool ring_open(const char *socket)
{
	struct vgpu_device_info info;
	vgpu_module module;
	char transport[4096];

	snprintf(transport, sizeof(transport), "local:%s", socket);
	must(vgpu_open(transport, VGPU_OPEN_OBSERVE, TIMEOUT_MS, &vgpu), "cannot open");
	must(vgpu_channel_open(vgpu, 0, WINDOW_BYTES, 0, &channel), "cannot open a channel");
	must(vgpu_channel_device_info(channel, &info), "cannot ask for the GPU");
	must(vgpu_channel_module_builtin(channel, &module), "cannot load the kernels");
	must(vgpu_channel_module_function(channel, module, "matmul_f32", &matmul),
	     "cannot find the kernel");
	for (int i = 0; i < DEPTH_MAX; i++)
		must(vgpu_channel_event_create(channel, VGPU_EVENT_DISABLE_TIMING, &jobs[i].event),
		     "cannot create an event");
	printf("ready %s %s\n", vgpu_backend_name(info.backend), info.name);
	return info.backend != VGPU_BACKEND_CPU;
}

static uint64_t ring_allocate(uint64_t bytes)
{
	vgpu_pointer pointer = 0;

	must(vgpu_channel_mem_alloc(channel, bytes, &pointer), "cannot allocate");
	return pointer;
}

static void ring_free(uint64_t pointer)
{
	must(vgpu_channel_mem_free(channel, pointer), "cannot free");
}

static void ring_start(unsigned int number, uint32_t blocks, uint32_t threads,
		       const struct product *product)
{
	const uint32_t grid[3] = { blocks, blocks, 1 };
	const uint32_t block[3] = { threads, threads, 1 };

	must(vgpu_channel_launch(channel, matmul, grid, block, 0, 0, product, PRODUCT_BYTES),
	     "cannot launch");
	must(vgpu_channel_event_record(channel, jobs[number].event, 0), "cannot record an event");
	jobs[number].wait = (struct vgpu_operation){ .opcode = VGPU_RING_EVENT_SYNCHRONIZE,
						     .argument = { jobs[number].event } };
	must(vgpu_channel_submit(channel, &jobs[number].wait, 1), "cannot submit a wait");
}

static void ring_finish(unsigned int number)
{
	must(vgpu_channel_wait(channel, &jobs[number].wait, 1), "cannot wait for a job");
}

static void ring_close(void)
{
	vgpu_channel_close(channel);
	vgpu_close(vgpu);
}

const struct way way_ring = {
	.open = ring_open,
	.allocate = ring_allocate,
	.free = ring_free,
	.start = ring_start,
	.finish = ring_finish,
	.close = ring_close,
};
