/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that uses libvgpu alone, through its public header, for local-library.sh:
 *
 *   library-client TRANSPORT         every function does what the header says
 *   library-client TRANSPORT lost    allocates, says "ready", and after a line of standard input
 *                                    expects that its memory was lost
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vgpu.h>

#define COUNT 5000u
#define BYTES (COUNT * sizeof(int32_t))

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__,         \
				#condition, vgpu_last_error());                                    \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

struct arguments {
	vgpu_pointer a, b, sum;
	uint64_t count;
};

static const uint32_t grid[3] = { (COUNT + 255) / 256, 1, 1 };
static const uint32_t block[3] = { 256, 1, 1 };

static void check_memory_and_kernels(struct vgpu *vgpu)
{
	static int32_t in[COUNT], out[COUNT];
	struct arguments arguments = { .count = COUNT };
	struct vgpu_error_detail detail;

	for (uint32_t i = 0; i < COUNT; i++)
		in[i] = (int32_t)(i * 2654435761u);
	CHECK(vgpu_mem_alloc(vgpu, BYTES, &arguments.a) == VGPU_OK && arguments.a);
	CHECK(vgpu_mem_alloc(vgpu, BYTES, &arguments.b) == VGPU_OK);
	CHECK(vgpu_mem_alloc(vgpu, BYTES, &arguments.sum) == VGPU_OK);
	CHECK(vgpu_copy_to_device(vgpu, arguments.a, in, BYTES) == VGPU_OK);
	CHECK(vgpu_copy_on_device(vgpu, arguments.b, arguments.a, BYTES) == VGPU_OK);
	CHECK(vgpu_copy_from_device(vgpu, out, arguments.b, BYTES) == VGPU_OK);
	CHECK(memcmp(in, out, BYTES) == 0);
	CHECK(vgpu_launch(vgpu, "vadd_i32", grid, block, 0, &arguments, sizeof(arguments),
			  VGPU_LAUNCH_ASYNC) == VGPU_OK);
	CHECK(vgpu_synchronize(vgpu) == VGPU_OK);
	CHECK(vgpu_copy_from_device(vgpu, out, arguments.sum, BYTES) == VGPU_OK);
	for (uint32_t i = 0; i < COUNT; i++)
		CHECK((uint32_t)out[i] == 2 * (uint32_t)in[i]);

	/* Nothing to copy is no request; beyond an allocation is CUDA's invalid value. */
	CHECK(vgpu_copy_to_device(vgpu, 0, in, 0) == VGPU_OK);
	CHECK(vgpu_copy_on_device(vgpu, 0, 0, 0) == VGPU_OK);
	CHECK(vgpu_copy_from_device(vgpu, out, arguments.sum + BYTES, 4) == VGPU_E_CUDA);
	vgpu_last_error_detail(&detail);
	CHECK(detail.result == VGPU_E_CUDA && detail.device_error == 5 && detail.cuda_error == 1);

	/* What a launch does wrong is told at once, or by the next synchronization. */
	CHECK(vgpu_launch(vgpu, "no_such_kernel", grid, block, 0, NULL, 0, 0) == VGPU_E_CUDA);
	CHECK(vgpu_launch(vgpu, "no_such_kernel", grid, block, 0, NULL, 0, VGPU_LAUNCH_ASYNC) ==
	      VGPU_OK);
	CHECK(vgpu_synchronize(vgpu) == VGPU_E_CUDA);
	CHECK(vgpu_synchronize(vgpu) == VGPU_OK);
	CHECK(vgpu_launch(vgpu, "", grid, block, 0, NULL, 0, 0) == VGPU_E_ARGUMENT);
	CHECK(vgpu_launch(vgpu, "vadd_i32", grid, block, 0, in, 1000, 0) == VGPU_E_TOO_LARGE);
	CHECK(vgpu_launch(vgpu, "vadd_i32", grid, block, 0, NULL, 0, 2) == VGPU_E_ARGUMENT);

	CHECK(vgpu_mem_free(vgpu, 0) == VGPU_OK);
	CHECK(vgpu_mem_free(vgpu, arguments.a) == VGPU_OK);
	CHECK(vgpu_mem_free(vgpu, arguments.a) == VGPU_E_CUDA);
	CHECK(vgpu_mem_alloc(vgpu, 0, &arguments.a) == VGPU_E_INVALID_REQUEST && !arguments.a);
	CHECK(vgpu_context_reset(vgpu) == VGPU_OK);
	CHECK(vgpu_mem_free(vgpu, arguments.b) == VGPU_E_CUDA);
	CHECK(vgpu_mem_alloc(vgpu, BYTES, &arguments.a) == VGPU_OK); /* vgpu_close() frees it */
}

static void *use(void *opaque)
{
	static const char pattern[] = "0123456789";
	struct vgpu *vgpu = opaque;
	char in[4000], out[4000];
	vgpu_pointer pointer;

	for (int round = 0; round < 20; round++) {
		char fill = pattern[rand() % 10];

		memset(in, fill, sizeof(in));
		CHECK(vgpu_mem_alloc(vgpu, sizeof(in), &pointer) == VGPU_OK);
		CHECK(vgpu_copy_to_device(vgpu, pointer, in, sizeof(in)) == VGPU_OK);
		CHECK(vgpu_nop(vgpu) == VGPU_OK);
		CHECK(vgpu_copy_from_device(vgpu, out, pointer, sizeof(out)) == VGPU_OK);
		CHECK(memcmp(in, out, sizeof(in)) == 0);
		CHECK(vgpu_mem_free(vgpu, pointer) == VGPU_OK);
	}
	return NULL;
}

static void check_threads(struct vgpu *vgpu)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, use, vgpu) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

static void check_observer(const char *transport)
{
	struct vgpu_device_info gpu;
	struct vgpu *vgpu;
	vgpu_pointer pointer;

	CHECK(vgpu_open(transport, VGPU_OPEN_OBSERVE, 0, &vgpu) == VGPU_OK);
	CHECK(vgpu_nop(vgpu) == VGPU_OK);
	CHECK(vgpu_device_info(vgpu, &gpu) == VGPU_OK);
	CHECK(gpu.backend == VGPU_BACKEND_CPU && gpu.name[0] && gpu.multiprocessors);
	CHECK(gpu.memory_total_bytes >= gpu.memory_free_bytes && gpu.memory_free_bytes);
	CHECK(vgpu_mem_alloc(vgpu, 1, &pointer) == VGPU_E_ARGUMENT);
	CHECK(vgpu_context_reset(vgpu) == VGPU_E_ARGUMENT);
	vgpu_close(vgpu);
	CHECK(vgpu_open(transport, 2, 0, &vgpu) == VGPU_E_ARGUMENT && !vgpu);
	CHECK(vgpu_open(transport, 0, 0, NULL) == VGPU_E_ARGUMENT);
	vgpu_close(NULL);
}

static void check_loss(struct vgpu *vgpu)
{
	struct vgpu_info before, after;
	vgpu_pointer pointer, other;
	char word[16] = "lost", line[8];

	CHECK(vgpu_mem_alloc(vgpu, sizeof(word), &pointer) == VGPU_OK);
	CHECK(vgpu_copy_to_device(vgpu, pointer, word, sizeof(word)) == VGPU_OK);
	CHECK(vgpu_get_info(vgpu, &before) == VGPU_OK);
	puts("ready");
	fflush(stdout);
	CHECK(fgets(line, sizeof(line), stdin));
	CHECK(vgpu_copy_from_device(vgpu, word, pointer, sizeof(word)) == VGPU_E_CONTEXT_LOST);
	CHECK(vgpu_mem_alloc(vgpu, 1, &other) == VGPU_E_CONTEXT_LOST && !other);
	CHECK(vgpu_nop(vgpu) == VGPU_OK);
	CHECK(vgpu_context_recover(vgpu) == VGPU_OK);
	CHECK(vgpu_mem_alloc(vgpu, sizeof(word), &pointer) == VGPU_OK);
	CHECK(vgpu_copy_to_device(vgpu, pointer, word, sizeof(word)) == VGPU_OK);
	CHECK(vgpu_get_info(vgpu, &after) == VGPU_OK);
	CHECK(after.generation > before.generation);
}

int main(int argc, char **argv)
{
	struct vgpu *vgpu;

	if (argc < 2)
		return 64;
	CHECK(vgpu_open(argv[1], 0, 10000, &vgpu) == VGPU_OK);
	if (argc > 2) {
		check_loss(vgpu);
	} else {
		check_memory_and_kernels(vgpu);
		check_threads(vgpu);
	}
	vgpu_close(vgpu);
	if (argc == 2)
		check_observer(argv[1]);
	return 0;
}
