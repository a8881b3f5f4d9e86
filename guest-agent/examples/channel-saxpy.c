/* SPDX-License-Identifier: Apache-2.0 */
/*
 * y = a * x + y on a channel of the vGPU, with buffers that the GPU reads and writes directly, and
 * everything started before anything is waited for.
 *
 *   cc -o channel-saxpy channel-saxpy.c $(pkg-config --cflags --libs libvgpu)
 *   sudo ./channel-saxpy
 */
#include <stdio.h>
#include <stdlib.h>

#include <vgpu.h>

#define COUNT 1000000u

/* The kernel's parameters: as in CUDA, each at its natural alignment. */
struct parameters {
	vgpu_pointer x, y;
	float a;
	uint64_t count;
};

static void check(enum vgpu_result result)
{
	if (result == VGPU_OK)
		return;
	fprintf(stderr, "channel-saxpy: %s\n", vgpu_last_error());
	exit(EXIT_FAILURE); /* the host frees what this leaves */
}

int main(int argc, char **argv)
{
	const uint32_t grid[3] = { (COUNT + 255) / 256, 1, 1 }, block[3] = { 256, 1, 1 };
	struct parameters parameters = { .a = 2.0f, .count = COUNT };
	const uint64_t bytes = COUNT * sizeof(float);
	struct vgpu_channel *channel;
	vgpu_function saxpy;
	vgpu_module module;
	vgpu_stream stream;
	struct vgpu *vgpu;
	void *host[2];
	float *x, *y;

	/* The transport is NULL for the first vGPU on the PCI bus. */
	check(vgpu_open(argc > 1 ? argv[1] : NULL, VGPU_OPEN_OBSERVE, 0, &vgpu));
	check(vgpu_channel_open(vgpu, 0, 16 << 20, 0, &channel));
	check(vgpu_channel_module_builtin(channel, &module));
	check(vgpu_channel_module_function(channel, module, "saxpy_f32", &saxpy));
	check(vgpu_channel_stream_create(channel, VGPU_STREAM_NON_BLOCKING, 0, &stream));
	check(vgpu_channel_mem_alloc(channel, bytes, &parameters.x));
	check(vgpu_channel_mem_alloc(channel, bytes, &parameters.y));
	check(vgpu_host_alloc(channel, bytes, &host[0]));
	check(vgpu_host_alloc(channel, bytes, &host[1]));
	x = host[0];
	y = host[1];
	for (uint32_t i = 0; i < COUNT; i++) {
		x[i] = (float)i;
		y[i] = 0.5f;
	}

	check(vgpu_channel_copy_to_device_async(channel, parameters.x, x, bytes, stream));
	check(vgpu_channel_copy_to_device_async(channel, parameters.y, y, bytes, stream));
	check(vgpu_channel_launch(channel, saxpy, grid, block, 0, stream, &parameters,
				  sizeof(parameters)));
	check(vgpu_channel_copy_from_device_async(channel, y, parameters.y, bytes, stream));
	/* What was wrong with any of them is told here. */
	check(vgpu_channel_stream_synchronize(channel, stream));

	printf("2 * %g + 0.5 = %g\n", x[1000], y[1000]);
	vgpu_channel_close(channel); /* with all that was made on it */
	vgpu_close(vgpu);
	return EXIT_SUCCESS;
}
