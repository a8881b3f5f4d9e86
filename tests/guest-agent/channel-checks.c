/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest-agent/channel-checks.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUDA_INVALID_VALUE  1u
#define CUDA_OUT_OF_MEMORY  2u
#define CUDA_INVALID_HANDLE 400u
#define CUDA_NOT_FOUND	    500u

static uint64_t random_state = 88172645463325252u;

void channel_check_seed(unsigned int seed)
{
	random_state ^= (uint64_t)seed << 17 | 1;
}

/* Marsaglia's xorshift: the data must differ, not be secret. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void channel_check_random(void *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		((uint8_t *)bytes)[i] = (uint8_t)(next_random(&random_state) >> 24);
}

void channel_check_ok(enum vgpu_result result, const char *what, const char *file, int line)
{
	if (result == VGPU_OK)
		return;
	fprintf(stderr, "%s:%d: %s: %s: %s\n", file, line, what, vgpu_result_name(result),
		vgpu_last_error());
	exit(EXIT_FAILURE);
}

void channel_check_true(int condition, const char *what, const char *file, int line)
{
	if (condition)
		return;
	fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
	exit(EXIT_FAILURE);
}

void channel_check_fails(enum vgpu_result result, enum vgpu_result wanted, uint32_t cuda,
			 const char *what, const char *file, int line)
{
	struct vgpu_error_detail detail = { 0 };

	if (result != VGPU_OK)
		vgpu_last_error_detail(&detail);
	if (result == wanted && (wanted != VGPU_E_CUDA || detail.cuda_error == cuda))
		return;
	fprintf(stderr, "%s:%d: %s: %s (CUDA %u), not %s (CUDA %u): %s\n", file, line, what,
		vgpu_result_name(result), detail.cuda_error, vgpu_result_name(wanted), cuda,
		result == VGPU_OK ? "" : vgpu_last_error());
	exit(EXIT_FAILURE);
}

static void *allocate(size_t bytes)
{
	void *memory = malloc(bytes);

	EXPECT(memory != NULL);
	return memory;
}

void channel_check_device(struct vgpu_channel *channel)
{
	struct vgpu_device_info info;
	uint64_t free_before, total, free_after;
	vgpu_pointer pointer, other;
	int32_t value;

	MUST(vgpu_channel_nop(channel));
	MUST(vgpu_channel_device_info(channel, &info));
	EXPECT(info.name[0] && info.multiprocessors > 0 && info.max_threads_per_block >= 1);
	EXPECT(info.backend == VGPU_BACKEND_CPU || info.backend == VGPU_BACKEND_CUDA);
	MUST(vgpu_channel_device_attribute(channel, 1, &value)); /* MAX_THREADS_PER_BLOCK */
	EXPECT(value == (int32_t)info.max_threads_per_block);
	MUST(vgpu_channel_mem_info(channel, &free_before, &total));
	EXPECT(total == info.memory_total_bytes && free_before <= total);
	MUST(vgpu_channel_mem_alloc(channel, 1 << 20, &pointer));
	MUST(vgpu_channel_mem_alloc(channel, 1, &other));
	EXPECT(pointer && other && pointer != other);
	MUST(vgpu_channel_mem_info(channel, &free_after, &total));
	EXPECT(free_after + (1 << 20) <= free_before);
	MUST(vgpu_channel_mem_free(channel, other));
	MUST(vgpu_channel_mem_free(channel, pointer));
	MUST(vgpu_channel_mem_free(channel, 0));
	MUST(vgpu_channel_mem_info(channel, &free_after, &total));
	EXPECT(free_after == free_before);
}

/* There and back through the device, with an odd start, from and to memory of either kind. */
static void check_copy(struct vgpu_channel *channel, vgpu_pointer device, uint8_t *from,
		       uint8_t *to, size_t bytes, unsigned int device_offset)
{
	channel_check_random(from, bytes);
	memset(to, 0xee, bytes);
	MUST(vgpu_channel_copy_to_device(channel, device + device_offset, from, bytes));
	MUST(vgpu_channel_copy_from_device(channel, to, device + device_offset, bytes));
	EXPECT(memcmp(from, to, bytes) == 0);
	memset(to, 0xdd, bytes);
	MUST(vgpu_channel_copy_to_device_async(channel, device + device_offset, from, bytes, 0));
	MUST(vgpu_channel_copy_from_device_async(channel, to, device + device_offset, bytes, 0));
	MUST(vgpu_channel_synchronize(channel));
	EXPECT(memcmp(from, to, bytes) == 0);
}

static void check_sizes(struct vgpu_channel *channel, vgpu_pointer device, size_t device_bytes,
			uint8_t *from, uint8_t *to, size_t largest)
{
	const size_t sizes[] = { 1,	 2,    3,     255,     256,	4095,
				 4096,	 4097, 65537, 1048576, 1048577, largest / 2 + 1,
				 largest };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned int offset = 0; offset < 8; offset += 3) {
			if (sizes[i] > largest || sizes[i] + offset > device_bytes)
				continue;
			check_copy(channel, device, from, to, sizes[i], offset);
		}
	}
}

void channel_check_copies(struct vgpu_channel *channel)
{
	uint64_t window_bytes, large;
	vgpu_pointer device, second;
	uint8_t *from, *to;
	void *pinned[2];

	vgpu_channel_window(channel, &window_bytes);
	/* Larger than all of the window, and no multiple of anything. */
	large = 2 * window_bytes + 12345;
	MUST(vgpu_channel_mem_alloc(channel, large + 8, &device));
	from = allocate(large + 1);
	to = allocate(large + 1);
	check_sizes(channel, device, large + 8, from + 1, to + 1, large);
	MUST(vgpu_host_alloc(channel, window_bytes / 4, &pinned[0]));
	MUST(vgpu_host_alloc(channel, window_bytes / 4, &pinned[1]));
	check_sizes(channel, device, large + 8, pinned[0], pinned[1], window_bytes / 4);
	check_sizes(channel, device, large + 8, (uint8_t *)pinned[0] + 1, to, window_bytes / 4 - 1);
	check_sizes(channel, device, large + 8, from, (uint8_t *)pinned[1] + 3,
		    window_bytes / 4 - 3);
	vgpu_host_free(channel, pinned[0]);
	vgpu_host_free(channel, pinned[1]);

	MUST(vgpu_channel_mem_alloc(channel, large, &second));
	channel_check_random(from, large);
	MUST(vgpu_channel_copy_to_device(channel, device, from, large));
	MUST(vgpu_channel_copy_on_device(channel, second, device, large));
	MUST(vgpu_channel_copy_on_device_async(channel, device + 1, second, large - 1, 0));
	MUST(vgpu_channel_copy_from_device(channel, to, device + 1, large - 1));
	EXPECT(memcmp(from, to, large - 1) == 0);
	MUST(vgpu_channel_copy_to_device(channel, device, from, 0));
	MUST(vgpu_channel_copy_from_device(channel, to, device, 0));
	MUST(vgpu_channel_mem_free(channel, second));
	MUST(vgpu_channel_mem_free(channel, device));
	free(from);
	free(to);
}

void channel_check_set(struct vgpu_channel *channel)
{
	enum {
		COUNT = 1000
	};
	vgpu_pointer device;
	uint8_t bytes[4 * COUNT];

	MUST(vgpu_channel_mem_alloc(channel, sizeof(bytes), &device));
	/* New memory reads as zero. */
	MUST(vgpu_channel_copy_from_device(channel, bytes, device, sizeof(bytes)));
	for (size_t i = 0; i < sizeof(bytes); i++)
		EXPECT(bytes[i] == 0);
	MUST(vgpu_channel_mem_set(channel, device, 0x89abcdef, 4, COUNT, 0));
	MUST(vgpu_channel_mem_set(channel, device + 2, 0x31234, 2, 7, 0));
	MUST(vgpu_channel_mem_set(channel, device + 33, 0x1ff, 1, 5, 0));
	MUST(vgpu_channel_copy_from_device(channel, bytes, device, sizeof(bytes)));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		static const uint8_t word[] = { 0xef, 0xcd, 0xab, 0x89 };
		uint8_t wanted = word[i % 4];

		if (i >= 2 && i < 16)
			wanted = i % 2 ? 0x12 : 0x34;
		if (i >= 33 && i < 38)
			wanted = 0xff;
		EXPECT(bytes[i] == wanted);
	}
	MUST_FAIL(vgpu_channel_mem_set(channel, device, 0, 3, 1, 0), VGPU_E_ARGUMENT, 0);
	MUST(vgpu_channel_mem_free(channel, device));
}

struct vadd {
	vgpu_pointer a, b, c;
	uint64_t count;
};

static void check_vadd(struct vgpu_channel *channel, vgpu_module module, uint32_t count)
{
	const uint32_t grid[3] = { (count + 255) / 256, 1, 1 }, block[3] = { 256, 1, 1 };
	struct vadd parameters = { .count = count };
	size_t bytes = 4 * (size_t)count;
	uint32_t *a = allocate(bytes), *b = allocate(bytes), *c = allocate(bytes);
	vgpu_function function;

	channel_check_random(a, bytes);
	channel_check_random(b, bytes);
	MUST(vgpu_channel_module_function(channel, module, "vadd_i32", &function));
	MUST(vgpu_channel_mem_alloc(channel, bytes, &parameters.a));
	MUST(vgpu_channel_mem_alloc(channel, bytes, &parameters.b));
	MUST(vgpu_channel_mem_alloc(channel, bytes, &parameters.c));
	MUST(vgpu_channel_copy_to_device(channel, parameters.a, a, bytes));
	MUST(vgpu_channel_copy_to_device(channel, parameters.b, b, bytes));
	MUST(vgpu_channel_launch(channel, function, grid, block, 0, 0, &parameters,
				 sizeof(parameters)));
	MUST(vgpu_channel_synchronize(channel));
	MUST(vgpu_channel_copy_from_device(channel, c, parameters.c, bytes));
	for (uint32_t i = 0; i < count; i++)
		EXPECT(c[i] == a[i] + b[i]);
	MUST(vgpu_channel_mem_free(channel, parameters.a));
	MUST(vgpu_channel_mem_free(channel, parameters.b));
	MUST(vgpu_channel_mem_free(channel, parameters.c));
	free(a);
	free(b);
	free(c);
}

static void check_parameters(struct vgpu_channel *channel, vgpu_function function)
{
	static const struct {
		uint64_t offset, bytes;
	} wanted[] = { { 0, 8 }, { 8, 8 }, { 16, 8 }, { 24, 8 } };
	uint64_t offset, bytes;

	for (uint32_t i = 0; i < 4; i++) {
		MUST(vgpu_channel_function_parameter(channel, function, i, &offset, &bytes));
		EXPECT(offset == wanted[i].offset && bytes == wanted[i].bytes);
	}
	MUST_FAIL(vgpu_channel_function_parameter(channel, function, 4, &offset, &bytes),
		  VGPU_E_CUDA, CUDA_INVALID_VALUE);
}

void channel_check_kernels(struct vgpu_channel *channel)
{
	vgpu_function function;
	vgpu_module module;
	vgpu_pointer global;
	uint64_t bytes;
	int32_t value;

	MUST(vgpu_channel_module_builtin(channel, &module));
	check_vadd(channel, module, 1);
	check_vadd(channel, module, 1000);
	check_vadd(channel, module, 100003);
	MUST(vgpu_channel_module_function(channel, module, "vadd_f32", &function));
	check_parameters(channel, function);
	MUST(vgpu_channel_function_attribute(channel, function, 0, &value));
	EXPECT(value >= 1); /* MAX_THREADS_PER_BLOCK */
	MUST_FAIL(vgpu_channel_module_function(channel, module, "no_such_kernel", &function),
		  VGPU_E_CUDA, CUDA_NOT_FOUND);
	EXPECT(function == 0);
	MUST_FAIL(vgpu_channel_module_global(channel, module, "no_such_variable", &global, &bytes),
		  VGPU_E_CUDA, CUDA_NOT_FOUND);
	MUST(vgpu_channel_module_unload(channel, module));
	MUST_FAIL(vgpu_channel_module_unload(channel, module), VGPU_E_CUDA, CUDA_INVALID_HANDLE);
}

void channel_check_streams(struct vgpu_channel *channel)
{
	enum {
		BYTES = 100000
	};
	vgpu_event start, end;
	vgpu_stream streams[2];
	vgpu_pointer device;
	float milliseconds;
	uint8_t *from = allocate(BYTES), *to = allocate(BYTES);
	int done;

	MUST(vgpu_channel_stream_create(channel, VGPU_STREAM_NON_BLOCKING, 0, &streams[0]));
	MUST(vgpu_channel_stream_create(channel, 0, 0, &streams[1]));
	MUST(vgpu_channel_event_create(channel, 0, &start));
	MUST(vgpu_channel_event_create(channel, 0, &end));
	MUST(vgpu_channel_mem_alloc(channel, BYTES, &device));
	channel_check_random(from, BYTES);
	MUST(vgpu_channel_event_record(channel, start, streams[0]));
	MUST(vgpu_channel_copy_to_device_async(channel, device, from, BYTES, streams[0]));
	MUST(vgpu_channel_event_record(channel, end, streams[0]));
	MUST(vgpu_channel_stream_wait_event(channel, streams[1], end));
	MUST(vgpu_channel_copy_from_device_async(channel, to, device, BYTES, streams[1]));
	EXPECT(memcmp(from, to, BYTES) == 0);
	MUST(vgpu_channel_event_synchronize(channel, end));
	MUST(vgpu_channel_stream_synchronize(channel, streams[0]));
	MUST(vgpu_channel_stream_synchronize(channel, streams[1]));
	MUST(vgpu_channel_stream_query(channel, streams[1], &done));
	EXPECT(done == 1);
	MUST(vgpu_channel_event_query(channel, end, &done));
	EXPECT(done == 1);
	MUST(vgpu_channel_event_elapsed(channel, start, end, &milliseconds));
	EXPECT(milliseconds >= 0.0f && milliseconds < 10000.0f);
	MUST(vgpu_channel_event_destroy(channel, start));
	MUST(vgpu_channel_event_destroy(channel, end));
	MUST(vgpu_channel_stream_destroy(channel, streams[0]));
	MUST(vgpu_channel_stream_destroy(channel, streams[1]));
	MUST_FAIL(vgpu_channel_stream_synchronize(channel, streams[0]), VGPU_E_CUDA,
		  CUDA_INVALID_HANDLE);
	MUST(vgpu_channel_mem_free(channel, device));
	free(from);
	free(to);
}

void channel_check_errors(struct vgpu_channel *channel)
{
	const uint32_t none[3] = { 0, 1, 1 }, one[3] = { 1, 1, 1 }, wide[3] = { 70000, 1, 1 };
	uint8_t bytes[5000] = { 0 };
	vgpu_function function;
	vgpu_module module;
	vgpu_pointer pointer;
	void *host;

	MUST_FAIL(vgpu_channel_mem_alloc(channel, UINT64_C(1) << 60, &pointer), VGPU_E_CUDA,
		  CUDA_OUT_OF_MEMORY);
	EXPECT(pointer == 0);
	MUST_FAIL(vgpu_channel_mem_free(channel, 12345), VGPU_E_CUDA, CUDA_INVALID_VALUE);
	MUST(vgpu_channel_mem_alloc(channel, 1000, &pointer));
	MUST_FAIL(vgpu_channel_copy_to_device(channel, pointer, bytes, 5000), VGPU_E_CUDA,
		  CUDA_INVALID_VALUE);
	MUST_FAIL(vgpu_channel_copy_from_device(channel, bytes, pointer - 1, 1000), VGPU_E_CUDA,
		  CUDA_INVALID_VALUE);
	MUST(vgpu_channel_synchronize(channel));
	/* Work that was only started tells at the next wait, and once. */
	MUST(vgpu_channel_copy_to_device_async(channel, 8, bytes, 100, 0));
	MUST_FAIL(vgpu_channel_synchronize(channel), VGPU_E_CUDA, CUDA_INVALID_VALUE);
	MUST(vgpu_channel_synchronize(channel));
	MUST(vgpu_channel_mem_set(channel, pointer, 1, 4, 1000, 0));
	MUST_FAIL(vgpu_channel_stream_synchronize(channel, 0), VGPU_E_CUDA, CUDA_INVALID_VALUE);
	MUST(vgpu_channel_stream_synchronize(channel, 0));
	MUST(vgpu_channel_module_builtin(channel, &module));
	MUST(vgpu_channel_module_function(channel, module, "vadd_f32", &function));
	MUST(vgpu_channel_launch(channel, function, none, one, 0, 0, bytes, 32));
	MUST_FAIL(vgpu_channel_synchronize(channel), VGPU_E_CUDA, CUDA_INVALID_VALUE);
	MUST_FAIL(vgpu_channel_launch(channel, function, one, wide, 0, 0, bytes, 32), VGPU_E_CUDA,
		  CUDA_INVALID_VALUE);
	MUST_FAIL(vgpu_channel_launch(channel, function, one, one, 0, 0, bytes, 4097),
		  VGPU_E_ARGUMENT, 0);
	MUST_FAIL(vgpu_channel_module_load(channel, "", 0, &module), VGPU_E_CUDA,
		  CUDA_INVALID_VALUE);
	MUST_FAIL(vgpu_host_alloc(channel, UINT64_C(1) << 50, &host), VGPU_E_NO_MEMORY, 0);
	MUST_FAIL(vgpu_host_alloc(channel, 0, &host), VGPU_E_ARGUMENT, 0);
	MUST(vgpu_channel_mem_free(channel, pointer));
	EXPECT(strcmp(vgpu_cuda_error_name(2), "CUDA_ERROR_OUT_OF_MEMORY") == 0);
	EXPECT(strcmp(vgpu_cuda_error_name(0), "CUDA_SUCCESS") == 0);
}

void channel_check_batches(struct vgpu_channel *channel)
{
	enum {
		COUNT = 1000
	};
	struct vgpu_operation *operations = calloc(COUNT, sizeof(*operations));
	unsigned int answered = 0;

	EXPECT(operations != NULL);
	/* More than any ring of the tests has entries; every third needs no answer. */
	for (int i = 0; i < COUNT; i++)
		operations[i].flags = i % 3 == 0 ? VGPU_SUBMIT_NO_REPLY : 0;
	MUST(vgpu_channel_submit(channel, operations, COUNT));
	while (answered < COUNT) {
		MUST(vgpu_channel_poll(channel));
		while (answered < COUNT && operations[answered].state == 0)
			answered++;
	}
	MUST(vgpu_channel_wait(channel, operations, COUNT));
	/* Several batches outstanding, waited for in the wrong order, with an error in one. */
	memset(operations, 0, COUNT * sizeof(*operations));
	operations[5].opcode = VGPU_RING_MEM_FREE;
	operations[5].argument[0] = 1;
	MUST(vgpu_channel_submit(channel, operations, 8));
	MUST(vgpu_channel_submit(channel, operations + 8, 8));
	MUST(vgpu_channel_wait(channel, operations + 8, 8));
	MUST_FAIL(vgpu_channel_wait(channel, operations, 8), VGPU_E_CUDA, CUDA_INVALID_VALUE);
	EXPECT(operations[4].status == 0 && operations[5].status == CUDA_INVALID_VALUE);
	operations[0].opcode = 0xffff;
	MUST(vgpu_channel_submit(channel, operations, 1));
	EXPECT(vgpu_channel_wait(channel, operations, 1) == VGPU_E_CUDA);
	operations[0].flags = 0x8000;
	MUST_FAIL(vgpu_channel_submit(channel, operations, 1), VGPU_E_ARGUMENT, 0);
	free(operations);
}

/* More launches than there is room for parameters; each must see its own. */
void channel_check_launch_flood(struct vgpu_channel *channel)
{
	enum {
		LAUNCHES = 3000
	};
	const uint32_t one[3] = { 1, 1, 1 };
	uint32_t *values = allocate(4 * LAUNCHES), *sums = allocate(4 * LAUNCHES);
	struct vadd parameters = { .count = 1 };
	vgpu_pointer a, c;
	vgpu_function function;
	vgpu_module module;

	channel_check_random(values, 4 * LAUNCHES);
	MUST(vgpu_channel_module_builtin(channel, &module));
	MUST(vgpu_channel_module_function(channel, module, "vadd_i32", &function));
	MUST(vgpu_channel_mem_alloc(channel, 4 * LAUNCHES, &a));
	MUST(vgpu_channel_mem_alloc(channel, 4 * LAUNCHES, &c));
	MUST(vgpu_channel_copy_to_device(channel, a, values, 4 * LAUNCHES));
	for (unsigned int i = 0; i < LAUNCHES; i++) {
		parameters.a = a + 4 * i;
		parameters.b = a + 4 * (LAUNCHES - 1 - i);
		parameters.c = c + 4 * i;
		MUST(vgpu_channel_launch(channel, function, one, one, 0, 0, &parameters,
					 sizeof(parameters)));
	}
	MUST(vgpu_channel_copy_from_device(channel, sums, c, 4 * LAUNCHES));
	for (unsigned int i = 0; i < LAUNCHES; i++)
		EXPECT(sums[i] == values[i] + values[LAUNCHES - 1 - i]);
	MUST(vgpu_channel_mem_free(channel, a));
	MUST(vgpu_channel_mem_free(channel, c));
	MUST(vgpu_channel_module_unload(channel, module));
	free(values);
	free(sums);
}

struct worker {
	pthread_t thread;
	struct vgpu_channel *channel;
	uint64_t seed;
};

static void *run_worker(void *opaque)
{
	const struct worker *worker = opaque;
	uint64_t state = worker->seed;
	uint8_t *from = allocate(300000), *to = allocate(300000);
	vgpu_pointer device;

	MUST(vgpu_channel_mem_alloc(worker->channel, 300000, &device));
	for (int round = 0; round < 40; round++) {
		size_t bytes = 1 + (size_t)(next_random(&state) % 300000);

		for (size_t i = 0; i < bytes; i++)
			from[i] = (uint8_t)(next_random(&state) >> 16);
		MUST(vgpu_channel_copy_to_device_async(worker->channel, device, from, bytes, 0));
		MUST(vgpu_channel_nop(worker->channel));
		MUST(vgpu_channel_copy_from_device(worker->channel, to, device, bytes));
		EXPECT(memcmp(from, to, bytes) == 0);
		for (int i = 0; i < 50; i++)
			MUST(vgpu_channel_nop(worker->channel));
	}
	MUST(vgpu_channel_mem_free(worker->channel, device));
	free(from);
	free(to);
	return NULL;
}

void channel_check_threads(struct vgpu_channel *channel)
{
	struct worker workers[5];

	for (unsigned int i = 0; i < 5; i++) {
		workers[i].channel = channel;
		workers[i].seed = next_random(&random_state) | 1;
		EXPECT(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) == 0);
	}
	for (unsigned int i = 0; i < 5; i++)
		EXPECT(pthread_join(workers[i].thread, NULL) == 0);
}

void channel_check_all(struct vgpu_channel *channel)
{
	channel_check_device(channel);
	channel_check_set(channel);
	channel_check_kernels(channel);
	channel_check_streams(channel);
	channel_check_errors(channel);
	channel_check_batches(channel);
	channel_check_launch_flood(channel);
	channel_check_copies(channel);
	channel_check_threads(channel);
}
