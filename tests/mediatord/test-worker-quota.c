/* SPDX-License-Identifier: Apache-2.0 */
/* A worker takes no memory that was not granted, and gives back every byte that it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediatord/worker/cuda_error.h"
#include "tests/mediatord/worker-driver.h"

#define MIB (UINT64_C(1) << 20)

static void expect_ok(struct driver *driver, struct made_request made)
{
	driver_expect(driver, &made, VGPU_ERR_NONE);
}

static void expect_no_memory(struct driver *driver, uint64_t bytes, const char *word)
{
	struct made_request made = make_alloc(bytes);

	driver_expect_cuda(driver, &made, CUDA_ERROR_OUT_OF_MEMORY, word);
}

static void allocations_are_charged_rounded_up(void **state)
{
	static const uint64_t sizes[] = { 1, 255, 256, 257, 1000, 65536, MIB + 1 };
	static const uint64_t charged[] = { 256, 256, 256, 512, 1024, 65536, MIB + 256 };
	struct driver driver = driver_start(16 * MIB, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t pointer = driver_alloc(&driver, sizes[i]);

		assert_true(driver.reserved == charged[i]);
		expect_ok(&driver, make_free(pointer));
		assert_true(driver.reserved == 0);
	}
	driver_stop(&driver);
}

static void the_quota_holds_to_the_byte(void **state)
{
	struct driver driver = driver_start(MIB, NULL);
	uint64_t first, second;

	(void)state;
	expect_no_memory(&driver, MIB + 1, "quota is 1048576 bytes");
	assert_true(driver.reserved == 0);
	first = driver_alloc(&driver, MIB - 256);
	expect_no_memory(&driver, 257, "CUDA_ERROR_OUT_OF_MEMORY: ");
	second = driver_alloc(&driver, 256);
	assert_true(driver.reserved == MIB);
	expect_no_memory(&driver, 1, "1048576 are in use");
	/* What was denied was not taken, and what is there still works. */
	expect_ok(&driver, make_dtod(first, second, 256));
	expect_ok(&driver, make_free(second));
	driver_alloc(&driver, 1);
	assert_true(driver.reserved == MIB);
	driver_stop(&driver);
}

/* The mediator may deny although START named no quota: an operator has set one meanwhile. */
static void a_quota_that_came_later(void **state)
{
	struct driver driver = driver_start(0, NULL);

	(void)state;
	driver.quota = 512;
	driver_alloc(&driver, 300);
	expect_no_memory(&driver, 1, "quota does not allow 256 bytes more");
	driver_stop(&driver);
}

static void a_reset_gives_everything_back(void **state)
{
	struct driver driver = driver_start(16 * MIB, NULL);

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 1; i <= 100; i++)
			driver_alloc(&driver, i * 1000);
		assert_true(driver.reserved > 5000 * 1000);
		expect_ok(&driver, make_request(VGPU_OP_CONTEXT_RESET, 0, NULL, 0));
		assert_true(driver.reserved == 0);
	}
	driver_stop(&driver);
}

/* What the quota allows and the GPU does not have: asked for, not got, and given back. */
static void more_than_the_gpu_has(void **state)
{
	struct vgpu_worker_prepared prepared;
	struct driver driver = driver_start(0, &prepared);

	(void)state;
	expect_no_memory(&driver, prepared.gpu_memory_bytes + 256, "the GPU has");
	assert_int_equal(driver.reserves, 1);
	assert_true(driver.reserved == 0);
	expect_no_memory(&driver, UINT64_MAX - 255, "the GPU has");
	assert_true(driver.reserved == 0);
	/* No number of bytes: there is nothing to ask for. */
	expect_no_memory(&driver, UINT64_MAX, "do not fit");
	assert_int_equal(driver.reserves, 2);
	driver_alloc(&driver, 4096);
	driver_stop(&driver);
}

/* Many small ones, freed out of order: nothing is lost, nothing overlaps. */
static void thousands_of_allocations(void **state)
{
	enum {
		COUNT = 5000
	};
	static uint64_t pointers[COUNT];
	struct driver driver = driver_start(64 * MIB, NULL);

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		pointers[i] = driver_alloc(&driver, 1 + i % 700);
		expect_ok(&driver, make_htod(pointers[i], &i, 1));
	}
	for (size_t i = 0; i < COUNT; i++) {
		struct made_request made = make_dtoh(pointers[i], 1);
		struct vgpu_worker_done done = driver_expect(&driver, &made, VGPU_ERR_NONE);
		uint32_t length;

		assert_int_equal(*response_data(&done, &length), i & 0xff);
	}
	for (size_t i = 0; i < COUNT; i++)
		expect_ok(&driver, make_free(pointers[i * 3 % COUNT]));
	assert_true(driver.reserved == 0);
	driver_stop(&driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_charged_rounded_up),
		cmocka_unit_test(the_quota_holds_to_the_byte),
		cmocka_unit_test(a_quota_that_came_later),
		cmocka_unit_test(a_reset_gives_everything_back),
		cmocka_unit_test(more_than_the_gpu_has),
		cmocka_unit_test(thousands_of_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
