/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adds two vectors on the vGPU.
 *
 *   cc -o vector-add vector-add.c $(pkg-config --cflags --libs libvgpu)
 *   sudo ./vector-add
 */
#include <stdio.h>
#include <stdlib.h>

#include <vgpu.h>

#define COUNT 1000u

/* The kernel's arguments: as in CUDA, each at its natural alignment. */
struct arguments {
	vgpu_pointer a, b, sum;
	uint64_t count;
};

static void check(enum vgpu_result result)
{
	if (result == VGPU_OK)
		return;
	fprintf(stderr, "vector-add: %s\n", vgpu_last_error());
	exit(EXIT_FAILURE); /* the device's next user frees what this leaves */
}

int main(int argc, char **argv)
{
	static float a[COUNT], b[COUNT], sum[COUNT];
	const uint32_t grid[3] = { (COUNT + 255) / 256, 1, 1 }, block[3] = { 256, 1, 1 };
	struct arguments arguments = { .count = COUNT };
	struct vgpu *vgpu;

	for (uint32_t i = 0; i < COUNT; i++) {
		a[i] = (float)i;
		b[i] = 0.5f;
	}

	/* The transport is NULL for the first vGPU on the PCI bus. */
	check(vgpu_open(argc > 1 ? argv[1] : NULL, 0, 0, &vgpu));
	check(vgpu_mem_alloc(vgpu, sizeof(a), &arguments.a));
	check(vgpu_mem_alloc(vgpu, sizeof(b), &arguments.b));
	check(vgpu_mem_alloc(vgpu, sizeof(sum), &arguments.sum));
	check(vgpu_copy_to_device(vgpu, arguments.a, a, sizeof(a)));
	check(vgpu_copy_to_device(vgpu, arguments.b, b, sizeof(b)));
	check(vgpu_launch(vgpu, "vadd_f32", grid, block, 0, &arguments, sizeof(arguments), 0));
	check(vgpu_copy_from_device(vgpu, sum, arguments.sum, sizeof(sum)));
	vgpu_close(vgpu); /* frees the memory, too */

	printf("%g + %g = %g\n", a[COUNT - 1], b[COUNT - 1], sum[COUNT - 1]);
	return sum[COUNT - 1] == a[COUNT - 1] + b[COUNT - 1] ? EXIT_SUCCESS : EXIT_FAILURE;
}
