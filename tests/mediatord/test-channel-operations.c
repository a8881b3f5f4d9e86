/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation of a channel does what it says, over a real worker on the cpu backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/mediatord/channel-driver.h"

static struct channel_driver channel;

static int begin(void **state)
{
	(void)state;
	channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 8u << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	channel_end(&channel);
	return 0;
}

static uint64_t alloc(uint64_t bytes)
{
	return channel_must(&channel, VGPU_RING_MEM_ALLOC, bytes, 0, 0, 0, 0);
}

static void must_free(uint64_t pointer)
{
	channel_must(&channel, VGPU_RING_MEM_FREE, pointer, 0, 0, 0, 0);
}

static void random_bytes(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)rand();
}

static void nop_repeats_its_tag(void **state)
{
	struct vgpu_completion completion = channel_call(&channel, VGPU_RING_NOP, 0, 0, 0, 0, 0);

	(void)state;
	assert_int_equal(completion.status, 0);
	assert_true(completion.result[0] == 0 && completion.result[1] == 0);
}

static void device_info_writes_a_record(void **state)
{
	struct vgpu_device_record record;
	const uint64_t offset = CHANNEL_WINDOW - sizeof(record);
	uint64_t bytes =
		channel_must(&channel, VGPU_RING_DEVICE_INFO, offset, sizeof(record), 0, 0, 0);

	(void)state;
	assert_int_equal(bytes, sizeof(record));
	memcpy(&record, channel.ring.window + offset, sizeof(record));
	assert_int_equal(record.backend, driver_backend());
	assert_int_equal(record.max_threads_per_block, 1024);
	assert_true(record.memory_bytes == 8u << 20);
	assert_true(record.memory_free == 8u << 20);
	assert_true(record.name[0]);
	assert_int_equal(record.name[sizeof(record.name) - 1], 0);
	/* As much of it as there is room for. */
	memset(channel.ring.window, 0xee, 16);
	assert_int_equal(channel_must(&channel, VGPU_RING_DEVICE_INFO, 0, 8, 0, 0, 0), 8);
	assert_int_equal(channel.ring.window[0], driver_backend());
	assert_int_equal(channel.ring.window[8], 0xee);
}

static void device_attributes(void **state)
{
	(void)state;
	driver_cpu_only("its values are others");
	assert_int_equal(channel_must(&channel, VGPU_RING_DEVICE_ATTRIBUTE, 1, 0, 0, 0, 0), 1024);
	assert_int_equal(channel_must(&channel, VGPU_RING_DEVICE_ATTRIBUTE, 4, 0, 0, 0, 0), 64);
	assert_int_equal(channel_must(&channel, VGPU_RING_DEVICE_ATTRIBUTE, 75, 0, 0, 0, 0), 0);
	channel_expect(&channel, VGPU_RING_DEVICE_ATTRIBUTE, 0, 0, 0, 0, 0, 1);
	channel_expect(&channel, VGPU_RING_DEVICE_ATTRIBUTE, 100000, 0, 0, 0, 0, 1);
}

static void memory_is_the_quota_and_what_is_free_of_it(void **state)
{
	struct vgpu_completion info;
	uint64_t pointer = alloc(1000);

	(void)state;
	driver_cpu_only("it counts blocks");
	info = channel_call(&channel, VGPU_RING_MEM_INFO, 0, 0, 0, 0, 0);
	assert_true(info.result[0] == (8u << 20) - 1024 && info.result[1] == 8u << 20);
	assert_true(channel.grant->memory_used_bytes == 1024);
	must_free(pointer);
	info = channel_call(&channel, VGPU_RING_MEM_INFO, 0, 0, 0, 0, 0);
	assert_true(info.result[0] == 8u << 20);
	/* The mediator lowers the quota, and another worker of the VM's takes some. */
	channel.grant->quota_bytes = 4096;
	channel.grant->used_bytes = 5000;
	info = channel_call(&channel, VGPU_RING_MEM_INFO, 0, 0, 0, 0, 0);
	assert_true(info.result[0] == 0 && info.result[1] == 4096);
	channel.grant->quota_bytes = 8u << 20;
	channel.grant->used_bytes = 0;
}

static void a_release_shows_before_the_mediator_saw_it(void **state)
{
	const struct vgpu_submission submissions[] = {
		{ .opcode = VGPU_RING_MEM_FREE, .argument = { alloc(4096) } },
		{ .opcode = VGPU_RING_MEM_INFO },
	};
	struct vgpu_completion completion;

	(void)state;
	driver_cpu_only("it counts blocks");
	for (int i = 0; i < 2; i++)
		guest_ring_submit(&channel.ring, &submissions[i]);
	/* Not channel_wait(): the mediator sleeps. */
	for (int i = 0; i < 2; i++)
		while (!guest_ring_poll(&channel.ring, &completion))
			usleep(10);
	assert_true(channel.grant->used_bytes == 4096);
	assert_true(completion.result[0] == 8u << 20);
	channel_ledger(&channel);
}

static void copies_from_any_offset(void **state)
{
	static const uint32_t sizes[] = { 1, 3, 255, 4096, 65537 };
	uint64_t first = alloc(100000), second = alloc(100000);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t size = sizes[i], shift = (uint32_t)rand() % 1000;
		uint64_t in = CHANNEL_WINDOW / 2 + shift, out = CHANNEL_WINDOW - size;

		random_bytes(channel.ring.window + in, size);
		channel_must(&channel, VGPU_RING_COPY_HTOD, first + shift, in, size, 0, 0);
		channel_must(&channel, VGPU_RING_COPY_DTOD, second + 7, first + shift, size, 0, 0);
		channel_must(&channel, VGPU_RING_COPY_DTOH, out, second + 7, size, 0, 0);
		channel_must(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
		assert_memory_equal(channel.ring.window + in, channel.ring.window + out, size);
	}
	/* 0 bytes: nothing is done, and no pointer looked at. */
	channel_must(&channel, VGPU_RING_COPY_HTOD, 0, CHANNEL_WINDOW, 0, 0, 0);
	channel_must(&channel, VGPU_RING_COPY_DTOD, 0, 0, 0, 0, 0);
	must_free(first);
	must_free(second);
}

static void sets_of_each_width(void **state)
{
	static const struct {
		uint32_t width, value;
	} cases[] = { { 1, 0xa5 }, { 2, 0xbeef }, { 4, 0xdeadbeef } };
	uint64_t pointer = alloc(256);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint32_t width = cases[i].width, value = cases[i].value;
		uint8_t *window = channel.ring.window;

		channel_must(&channel, VGPU_RING_MEM_SET, pointer, 0, 256, 1, 0);
		channel_must(&channel, VGPU_RING_MEM_SET, pointer + 4, value, 20, width, 0);
		channel_must(&channel, VGPU_RING_COPY_DTOH, 0, pointer, 256, 0, 0);
		for (uint32_t b = 0; b < 256; b++) {
			uint32_t within = b >= 4 && b < 4 + 20 * width;
			uint8_t expected = (uint8_t)(value >> (8 * ((b - 4) % width)));

			assert_int_equal(window[b], within ? expected : 0);
		}
	}
	channel_must(&channel, VGPU_RING_MEM_SET, 0, 0, 0, 1, 0);
	must_free(pointer);
}

static void new_memory_is_zero(void **state)
{
	uint64_t pointer = alloc(300000);

	(void)state;
	channel_must(&channel, VGPU_RING_MEM_SET, pointer, 0xff, 300000, 1, 0);
	must_free(pointer);
	pointer = alloc(300000);
	channel_must(&channel, VGPU_RING_COPY_DTOH, 0, pointer, 300000, 0, 0);
	for (int i = 0; i < 300000; i++)
		assert_int_equal(channel.ring.window[i], 0);
	must_free(pointer);
}

static void functions_by_name(void **state)
{
	/* Of the second module, which counts on a GPU, nothing is left. */
	uint64_t saxpy = channel_function(&channel, "saxpy_f32");
	uint64_t module = channel_must(&channel, VGPU_RING_MODULE_BUILTIN, 0, 0, 0, 0, 0);
	static const uint64_t offsets[] = { 0, 8, 16, 24 }, sizes[] = { 8, 8, 4, 8 };

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		struct vgpu_completion parameter =
			channel_call(&channel, VGPU_RING_FUNCTION_PARAMETER, saxpy, i, 0, 0, 0);

		assert_int_equal(parameter.status, 0);
		assert_true(parameter.result[0] == offsets[i] && parameter.result[1] == sizes[i]);
	}
	channel_expect(&channel, VGPU_RING_FUNCTION_PARAMETER, saxpy, 4, 0, 0, 0, 1);
	assert_int_equal(channel_must(&channel, VGPU_RING_FUNCTION_ATTRIBUTE, saxpy, 0, 0, 0, 0),
			 1024);
	channel_expect(&channel, VGPU_RING_FUNCTION_ATTRIBUTE, saxpy, 99, 0, 0, 0, 1);
	channel_must(&channel, VGPU_RING_FUNCTION_SET_ATTRIBUTE, saxpy, 8, 1024, 0, 0);
	channel_must(&channel, VGPU_RING_FUNCTION_SET_ATTRIBUTE, saxpy, 9, UINT64_MAX, 0, 0);
	channel_expect(&channel, VGPU_RING_FUNCTION_SET_ATTRIBUTE, saxpy, 0, 1, 0, 0, 1);
	memcpy(channel.ring.window, "saxpy_f33", 9);
	channel_expect(&channel, VGPU_RING_MODULE_FUNCTION, module, 0, 9, 0, 0, 500);
	channel_expect(&channel, VGPU_RING_MODULE_GLOBAL, module, 0, 9, 0, 0, 500);
	/* Asked for twice, a function has one number. */
	memcpy(channel.ring.window, "vadd_i32", 8);
	assert_int_equal(channel_must(&channel, VGPU_RING_MODULE_FUNCTION, module, 0, 8, 0, 0),
			 channel_must(&channel, VGPU_RING_MODULE_FUNCTION, module, 0, 8, 0, 0));
	channel_must(&channel, VGPU_RING_MODULE_UNLOAD, module, 0, 0, 0, 0);
}

static void unloading_a_module_ends_its_functions(void **state)
{
	uint64_t other = channel_function(&channel, "vadd_i32"), function;
	uint64_t module = channel_must(&channel, VGPU_RING_MODULE_BUILTIN, 0, 0, 0, 0, 0);

	(void)state;
	function = channel_must(&channel, VGPU_RING_MODULE_FUNCTION, module, 0, 8, 0, 0);
	assert_int_not_equal(function, other);
	channel_must(&channel, VGPU_RING_MODULE_UNLOAD, module, 0, 0, 0, 0);
	channel_expect(&channel, VGPU_RING_MODULE_UNLOAD, module, 0, 0, 0, 0, 400);
	channel_expect(&channel, VGPU_RING_FUNCTION_ATTRIBUTE, function, 0, 0, 0, 0, 400);
	channel_must(&channel, VGPU_RING_FUNCTION_ATTRIBUTE, other, 0, 0, 0, 0);
}

static void a_tenants_own_image_needs_a_gpu(void **state)
{
	(void)state;
	driver_cpu_only("it has one");
	memcpy(channel.ring.window, ".version 8.0", 12);
	channel_expect(&channel, VGPU_RING_MODULE_LOAD, 0, 12, 0, 0, 0, 209);
}

/* Copies count float32 to the device, and returns where they are. */
static uint64_t upload(const float *values, size_t count)
{
	uint64_t pointer = alloc(count * sizeof(*values));

	memcpy(channel.ring.window, values, count * sizeof(*values));
	channel_must(&channel, VGPU_RING_COPY_HTOD, pointer, 0, count * sizeof(*values), 0, 0);
	return pointer;
}

static const float *download(uint64_t pointer, size_t count)
{
	channel_must(&channel, VGPU_RING_COPY_DTOH, 0, pointer, count * sizeof(float), 0, 0);
	return (const float *)(const void *)channel.ring.window;
}

static void random_floats(float *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		values[i] = (float)(rand() % 20001 - 10000) / 64.0f;
}

static void launch(uint64_t function, uint32_t grid_x, uint32_t grid_y, uint16_t block,
		   const void *parameters, uint16_t bytes)
{
	struct vgpu_submission submission =
		channel_launch(&channel, function, grid_x, block, parameters, bytes);
	struct vgpu_launch *shape = (struct vgpu_launch *)(void *)submission.argument;

	shape->grid[1] = grid_y;
	assert_int_equal(channel_run(&channel, submission).status, 0);
	channel_must(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
}

static void saxpy(void **state)
{
	struct {
		uint64_t x, y;
		float a;
		uint32_t padding;
		uint64_t n;
	} parameters = { .a = 1.5f, .padding = 0xffffffff, .n = 1000 };
	float x[1000], y[1000];
	const float *result;

	(void)state;
	random_floats(x, 1000);
	random_floats(y, 1000);
	parameters.x = upload(x, 1000);
	parameters.y = upload(y, 1000);
	/* 900 threads: the last hundred elements are nobody's. */
	launch(channel_function(&channel, "saxpy_f32"), 9, 1, 100, &parameters, 32);
	result = download(parameters.y, 1000);
	for (int i = 0; i < 1000; i++) {
		volatile float product = 1.5f * x[i];
		volatile float sum = product + y[i];
		float expected = i < 900 ? sum : y[i];

		assert_memory_equal(&result[i], &expected, sizeof(expected));
	}
	must_free(parameters.x);
	must_free(parameters.y);
}

static void reduce_sum(void **state)
{
	struct {
		uint64_t in, out, n;
	} parameters = { .n = 50000 };
	static float in[50000];
	double exact = 0, magnitude = 0, difference;

	(void)state;
	random_floats(in, 50000);
	for (int i = 0; i < 50000; i++) {
		exact += in[i];
		magnitude += in[i] < 0 ? -in[i] : in[i];
	}
	parameters.in = upload(in, 50000);
	parameters.out = alloc(4);
	launch(channel_function(&channel, "reduce_sum_f32"), 3, 1, 64, &parameters, 24);
	difference = exact - download(parameters.out, 1)[0];
	/* 49 additions to a partial sum and 10 over them, each off by at most 2^-24. */
	assert_true(difference < magnitude * 59 / 16777216 &&
		    difference > -magnitude * 59 / 16777216);
	/* Nothing sums up to 0, and needs no input. */
	parameters.in = 0;
	parameters.n = 0;
	launch(channel_function(&channel, "reduce_sum_f32"), 1, 1, 1, &parameters, 24);
	assert_true(download(parameters.out, 1)[0] == 0.0f);
}

static void matmul(void **state)
{
	enum {
		M = 17,
		N = 23,
		K = 31
	};
	struct {
		uint64_t a, b, c;
		uint32_t m, n, k;
	} parameters = { .m = M, .n = N, .k = K };
	float a[M * K], b[K * N], c[M * N];
	const float *result;

	(void)state;
	random_floats(a, M * K);
	random_floats(b, K * N);
	random_floats(c, M * N);
	parameters.a = upload(a, M * K);
	parameters.b = upload(b, K * N);
	parameters.c = upload(c, M * N);
	/* 20 x 16 threads: the last row and the last three columns stay. */
	launch(channel_function(&channel, "matmul_f32"), 2, 16, 10, &parameters, 36);
	result = download(parameters.c, M * N);
	for (int row = 0; row < M; row++)
		for (int column = 0; column < N; column++) {
			volatile float sum = 0;

			for (int p = 0; p < K; p++) {
				volatile float product = a[row * K + p] * b[p * N + column];

				sum = sum + product;
			}
			if (row >= 16 || column >= 20)
				sum = c[row * N + column];
			assert_true(result[row * N + column] == sum);
		}
}

static void streams_and_events(void **state)
{
	uint64_t stream =
		channel_must(&channel, VGPU_RING_STREAM_CREATE, 1, (uint64_t)(int64_t)-1, 0, 0, 0);
	uint64_t start = channel_must(&channel, VGPU_RING_EVENT_CREATE, 0, 0, 0, 0, 0);
	uint64_t stop = channel_must(&channel, VGPU_RING_EVENT_CREATE, 1, 0, 0, 0, 0);
	uint64_t silent = channel_must(&channel, VGPU_RING_EVENT_CREATE, 2, 0, 0, 0, 0);
	uint64_t bits;
	float milliseconds;

	(void)state;
	/* One that was never recorded is done, but has no time. */
	channel_must(&channel, VGPU_RING_EVENT_QUERY, start, 0, 0, 0, 0);
	channel_expect(&channel, VGPU_RING_EVENT_ELAPSED, start, stop, 0, 0, 0, 400);
	channel_must(&channel, VGPU_RING_EVENT_RECORD, start, stream, 0, 0, 0);
	usleep(5000);
	channel_must(&channel, VGPU_RING_EVENT_RECORD, stop, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_EVENT_RECORD, silent, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_STREAM_WAIT_EVENT, stream, stop, 0, 0, 0);
	channel_must(&channel, VGPU_RING_STREAM_WAIT_EVENT, 0, start, 0, 0, 0);
	channel_must(&channel, VGPU_RING_STREAM_QUERY, stream, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_STREAM_QUERY, 0, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_STREAM_SYNCHRONIZE, stream, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_STREAM_SYNCHRONIZE, 0, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_EVENT_SYNCHRONIZE, stop, 0, 0, 0, 0);
	bits = channel_must(&channel, VGPU_RING_EVENT_ELAPSED, start, stop, 0, 0, 0);
	memcpy(&milliseconds, &bits, sizeof(milliseconds));
	assert_true(milliseconds >= 5.0f && milliseconds < 5000.0f);
	channel_expect(&channel, VGPU_RING_EVENT_ELAPSED, start, silent, 0, 0, 0, 400);
	channel_must(&channel, VGPU_RING_EVENT_DESTROY, start, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_STREAM_DESTROY, stream, 0, 0, 0, 0);
	channel_expect(&channel, VGPU_RING_EVENT_QUERY, start, 0, 0, 0, 0, 400);
	channel_expect(&channel, VGPU_RING_STREAM_QUERY, stream, 0, 0, 0, 0, 400);
}

static void the_grant_page_counts(void **state)
{
	struct vgpu_grant_page before = *channel.grant;
	uint64_t pointer = alloc(1000);

	(void)state;
	driver_cpu_only("it counts the time later");
	channel_must(&channel, VGPU_RING_COPY_HTOD, pointer, 0, 1000, 0, 0);
	channel_must(&channel, VGPU_RING_COPY_DTOH, 0, pointer, 300, 0, 0);
	channel_expect(&channel, VGPU_RING_MEM_FREE, pointer + 1, 0, 0, 0, 0, 1);
	must_free(pointer);
	assert_true(channel.grant->submissions == before.submissions + 5);
	assert_true(channel.grant->errors == before.errors + 1);
	assert_true(channel.grant->bytes_in == before.bytes_in + 1000);
	assert_true(channel.grant->bytes_out == before.bytes_out + 300);
	assert_true(channel.grant->gpu_time_ns > before.gpu_time_ns);
	assert_true(channel.grant->memory_used_bytes == before.memory_used_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nop_repeats_its_tag),
		cmocka_unit_test(device_info_writes_a_record),
		cmocka_unit_test(device_attributes),
		cmocka_unit_test(memory_is_the_quota_and_what_is_free_of_it),
		cmocka_unit_test(a_release_shows_before_the_mediator_saw_it),
		cmocka_unit_test(copies_from_any_offset),
		cmocka_unit_test(sets_of_each_width),
		cmocka_unit_test(new_memory_is_zero),
		cmocka_unit_test(functions_by_name),
		cmocka_unit_test(unloading_a_module_ends_its_functions),
		cmocka_unit_test(a_tenants_own_image_needs_a_gpu),
		cmocka_unit_test(saxpy),
		cmocka_unit_test(reduce_sum),
		cmocka_unit_test(matmul),
		cmocka_unit_test(streams_and_events),
		cmocka_unit_test(the_grant_page_counts),
	};

	srand((unsigned int)getpid());
	return cmocka_run_group_tests(tests, begin, end);
}
