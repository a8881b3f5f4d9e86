/* SPDX-License-Identifier: Apache-2.0 */
/* A worker does what each operation says: memory, copies, kernels, device information. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/mediatord/worker-driver.h"

#define MIB	 (UINT64_C(1) << 20)
#define HTOD_MAX VGPU_MAILBOX_DATA_MAX(VGPU_PARAMS_COPY_HTOD)
#define DTOH_MAX VGPU_MAILBOX_DATA_MAX(0)
#define THREADS	 256u
#define SENTINEL 0xdeadbeefu

struct vadd_arguments {
	uint64_t a, b, c, n;
};

static void put(struct driver *driver, uint64_t pointer, const void *bytes, size_t length)
{
	for (size_t at = 0; at < length; at += HTOD_MAX) {
		uint32_t part = (uint32_t)(length - at < HTOD_MAX ? length - at : HTOD_MAX);
		struct made_request made =
			make_htod(pointer + at, (const uint8_t *)bytes + at, part);

		driver_expect(driver, &made, VGPU_ERR_NONE);
	}
}

static void get(struct driver *driver, uint64_t pointer, void *bytes, size_t length)
{
	for (size_t at = 0; at < length; at += DTOH_MAX) {
		uint32_t part = (uint32_t)(length - at < DTOH_MAX ? length - at : DTOH_MAX);
		struct made_request made = make_dtoh(pointer + at, part);
		struct vgpu_worker_done done = driver_expect(driver, &made, VGPU_ERR_NONE);
		uint32_t got;
		const uint8_t *data = response_data(&done, &got);

		assert_int_equal(got, part);
		memcpy((uint8_t *)bytes + at, data, part);
	}
}

static void run_vadd(struct driver *driver, const char *name, struct vadd_arguments arguments,
		     uint32_t grid, uint32_t block)
{
	struct made_request made = make_kernel(name, &arguments, sizeof(arguments), grid, block);

	driver_expect(driver, &made, VGPU_ERR_NONE);
}

static void nothing_and_synchronize(void **state)
{
	struct driver driver = driver_start(0, NULL);
	static const uint32_t opcodes[] = { VGPU_OP_NOP, VGPU_OP_SYNCHRONIZE,
					    VGPU_OP_CONTEXT_RESET };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct made_request made = make_request(opcodes[i], 0, NULL, 0);
		struct vgpu_worker_done done = driver_expect(&driver, &made, VGPU_ERR_NONE);

		assert_int_equal(done.length, 32);
		assert_int_equal(vgpu_load32(done.response), VGPU_PROTOCOL_VERSION);
	}
	driver_stop(&driver);
}

/* In memory of its own, which is the VM's again afterwards. */
static void addition(void **state)
{
	static const uint32_t sums[][3] = { { 100, 200, 300 },
					    { (uint32_t)-5, 3, (uint32_t)-2 },
					    { INT32_MAX, 1, (uint32_t)INT32_MIN } };
	struct driver driver = driver_start(64 * MIB, NULL);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct made_request made = make_request(VGPU_OP_ADD_I32, 2, NULL, 0);
		struct vgpu_worker_done done;

		set_parameter(&made, 0, sums[i][0]);
		set_parameter(&made, 1, sums[i][1]);
		done = driver_expect(&driver, &made, VGPU_ERR_NONE);
		assert_int_equal(done.length, 36);
		assert_int_equal(vgpu_load32(done.response + 32), sums[i][2]);
	}
	driver_stop(&driver);
}

static void device_information(void **state)
{
	struct vgpu_worker_prepared prepared;
	struct driver driver = driver_start(64 * MIB, &prepared);
	struct made_request made = make_request(VGPU_OP_GET_DEVICE_INFO, 0, NULL, 0);
	struct vgpu_worker_done done;
	const uint8_t *name;
	uint32_t length;

	(void)state;
	driver_alloc(&driver, 1000);
	done = driver_expect(&driver, &made, VGPU_ERR_NONE);
	assert_int_equal(vgpu_load32(done.response + 8), VGPU_INFO_WORDS);
	assert_int_equal(response_word(&done, VGPU_INFO_BACKEND), driver_backend());
	assert_true(response_word(&done, VGPU_INFO_MULTIPROCESSORS) >= 1);
	assert_int_equal(response_word(&done, VGPU_INFO_MEMORY_TOTAL_LO), 64 * MIB);
	assert_int_equal(response_word(&done, VGPU_INFO_MEMORY_TOTAL_HI), 0);
	assert_int_equal(response_word(&done, VGPU_INFO_MEMORY_FREE_LO),
			 64 * MIB - driver_footprint(1000));
	assert_int_equal(response_word(&done, VGPU_INFO_MEMORY_FREE_HI), 0);
	assert_int_equal(response_word(&done, VGPU_INFO_MAX_THREADS_PER_BLOCK), 1024);
	assert_true(!response_word(&done, VGPU_INFO_COMPUTE_CAPABILITY) ==
		    (driver_backend() == VGPU_BACKEND_CPU));
	name = response_data(&done, &length);
	assert_int_equal(length, strlen(prepared.gpu_name));
	assert_memory_equal(name, prepared.gpu_name, length);
	if (driver_backend() == VGPU_BACKEND_CPU)
		assert_memory_equal(name, "CPU (software GPU 0)", 20);
	assert_true(prepared.gpu_memory_bytes > 64 * MIB);
	driver_stop(&driver);

	/* Without a quota, the GPU's own memory is the total. */
	driver = driver_start(0, &prepared);
	done = driver_expect(&driver, &made, VGPU_ERR_NONE);
	assert_true(vgpu_load64(done.response + 32 + 4 * VGPU_INFO_MEMORY_TOTAL_LO) ==
		    prepared.gpu_memory_bytes);
	driver_stop(&driver);
}

static void copies_in_every_direction(void **state)
{
	struct driver driver = driver_start(0, NULL);
	uint64_t a = driver_alloc(&driver, 5000), b = driver_alloc(&driver, 3 * MIB);
	uint8_t in[5000], out[5000], zero[5000] = { 0 };
	struct made_request made;

	(void)state;
	assert_int_equal(a % 256, 0);
	assert_int_equal(b % 256, 0);
	/* Fresh memory shows nothing of whoever had it before. */
	get(&driver, a, out, sizeof(out));
	assert_memory_equal(out, zero, sizeof(out));
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + i / 256);
	put(&driver, a, in, sizeof(in));
	get(&driver, a, out, sizeof(out));
	assert_memory_equal(out, in, sizeof(in));

	/* Odd addresses and lengths, to the last byte of an allocation. */
	made = make_dtod(b + 3 * MIB - 4097, a + 3, 4097);
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	get(&driver, b + 3 * MIB - 4097, out, 4097);
	assert_memory_equal(out, in + 3, 4097);

	/* Ranges that overlap. */
	made = make_dtod(a + 100, a, 1000);
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	get(&driver, a + 100, out, 1000);
	assert_memory_equal(out, in, 1000);
	driver_stop(&driver);
}

static void freed_memory_is_zero_for_the_next(void **state)
{
	struct driver driver = driver_start(0, NULL);
	static const uint64_t sizes[] = { 256, 4096, 200000, 2 * MIB };
	uint8_t in[980], out[980], zero[980] = { 0 };

	(void)state;
	memset(in, 0xaa, sizeof(in));
	for (size_t i = 0; i < 16; i++) {
		uint64_t bytes = sizes[i % 4];
		size_t length = bytes < sizeof(in) ? (size_t)bytes : sizeof(in);
		uint64_t pointer = driver_alloc(&driver, bytes);
		struct made_request made;

		get(&driver, pointer, out, length);
		assert_memory_equal(out, zero, length);
		put(&driver, pointer, in, length);
		made = make_free(pointer);
		driver_expect(&driver, &made, VGPU_ERR_NONE);
	}
	assert_true(driver.reserved == 0);
	driver_stop(&driver);
}

static void int32_addition_wraps(void **state)
{
	struct driver driver = driver_start(0, NULL);
	static const uint32_t in_a[] = { 1, 0xffffffff, 0x7fffffff, 0x80000000, 100 };
	static const uint32_t in_b[] = { 2, 1, 1, 0xffffffff, 200 };
	static const uint32_t sum[] = { 3, 0, 0x80000000, 0x7fffffff, 300 };
	uint64_t a = driver_alloc(&driver, 20), b = driver_alloc(&driver, 20),
		 c = driver_alloc(&driver, 20);
	uint32_t out[5];

	(void)state;
	put(&driver, a, in_a, 20);
	put(&driver, b, in_b, 20);
	run_vadd(&driver, "vadd_i32", (struct vadd_arguments){ a, b, c, 5 }, 1, THREADS);
	get(&driver, c, out, 20);
	assert_memory_equal(out, sum, 20);
	/* In place. */
	run_vadd(&driver, "vadd_i32", (struct vadd_arguments){ a, b, a, 5 }, 1, THREADS);
	get(&driver, a, out, 20);
	assert_memory_equal(out, sum, 20);
	driver_stop(&driver);
}

/* Any bit pattern at all, as IEEE 754 adds it. A NaN may have any payload. */
static void float32_addition(void **state)
{
	enum {
		COUNT = 20000
	};
	struct driver driver = driver_start(0, NULL);
	uint64_t a = driver_alloc(&driver, 4 * COUNT), b = driver_alloc(&driver, 4 * COUNT),
		 c = driver_alloc(&driver, 4 * COUNT);
	static uint32_t in_a[COUNT], in_b[COUNT], out[COUNT];

	(void)state;
	srandom(12);
	for (size_t i = 0; i < COUNT; i++) {
		in_a[i] = (uint32_t)random() ^ (uint32_t)random() << 16;
		in_b[i] = (uint32_t)random() ^ (uint32_t)random() << 16;
		if (i % 3 == 0) /* of like size, so that the sum depends on both */
			in_b[i] = (in_a[i] & 0xff800000) | (in_b[i] & 0x007fffff);
	}
	put(&driver, a, in_a, sizeof(in_a));
	put(&driver, b, in_b, sizeof(in_b));
	run_vadd(&driver, "vadd_f32", (struct vadd_arguments){ a, b, c, COUNT },
		 (COUNT + THREADS - 1) / THREADS, THREADS);
	get(&driver, c, out, sizeof(out));
	for (size_t i = 0; i < COUNT; i++) {
		float x, y, got;
		double exact;
		float expected;

		memcpy(&x, &in_a[i], 4);
		memcpy(&y, &in_b[i], 4);
		memcpy(&got, &out[i], 4);
		/* A double holds the sum closely enough that rounding twice is rounding once. */
		exact = (double)x + (double)y;
		expected = (float)exact;
		if (isnan(expected))
			assert_true(isnan(got));
		else
			assert_memory_equal(&got, &expected, 4);
	}
	driver_stop(&driver);
}

static void only_the_launched_threads_write(void **state)
{
	struct driver driver = driver_start(0, NULL);
	enum {
		COUNT = 100
	};
	uint64_t a = driver_alloc(&driver, 4 * COUNT), b = driver_alloc(&driver, 4 * COUNT),
		 c = driver_alloc(&driver, 4 * COUNT);
	struct vadd_arguments arguments = { a, b, c, COUNT };
	struct made_request made;
	uint32_t in[COUNT], out[COUNT];

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++)
		in[i] = i;
	put(&driver, a, in, sizeof(in));
	put(&driver, b, in, sizeof(in));
	for (uint32_t i = 0; i < COUNT; i++)
		in[i] = SENTINEL;
	put(&driver, c, in, sizeof(in));
	/* 3 blocks of 16 in x, and a y and z that do the same again. */
	made = make_kernel("vadd_i32", &arguments, sizeof(arguments), 3, 16);
	set_parameter(&made, KERNEL_GRID + 1, 2);
	set_parameter(&made, KERNEL_BLOCK + 2, 3);
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	get(&driver, c, out, sizeof(out));
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(out[i], i < 48 ? 2 * i : SENTINEL);
	/* n is the other bound. */
	run_vadd(&driver, "vadd_i32", (struct vadd_arguments){ a, b, c, 50 }, 1, 1024);
	get(&driver, c, out, sizeof(out));
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(out[i], i < 50 ? 2 * i : SENTINEL);
	/* Nothing to do is no fault, whatever the pointers. */
	run_vadd(&driver, "vadd_i32", (struct vadd_arguments){ 1, 2, 3, 0 }, 1, 1);
	driver_stop(&driver);
}

static void time_is_reported(void **state)
{
	struct driver driver = driver_start(0, NULL);
	const uint64_t bytes = 64 * MIB;
	uint64_t a = driver_alloc(&driver, bytes);
	struct vadd_arguments arguments = { a, a, a, bytes / 4 };
	struct made_request made =
		make_kernel("vadd_i32", &arguments, sizeof(arguments), 1 << 20, 1024);
	struct vgpu_worker_done done = driver_expect(&driver, &made, VGPU_ERR_NONE);

	(void)state;
	/* 64 MiB cannot be touched in a microsecond. */
	assert_true(done.gpu_time_ns > 1000);
	assert_int_equal(vgpu_load32(done.response + 20), done.gpu_time_ns / 1000);
	driver_stop(&driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_and_synchronize),
		cmocka_unit_test(addition),
		cmocka_unit_test(device_information),
		cmocka_unit_test(copies_in_every_direction),
		cmocka_unit_test(freed_memory_is_zero_for_the_next),
		cmocka_unit_test(int32_addition_wraps),
		cmocka_unit_test(float32_addition),
		cmocka_unit_test(only_the_launched_threads_write),
		cmocka_unit_test(time_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
