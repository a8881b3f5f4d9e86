/* SPDX-License-Identifier: Apache-2.0 */
/* Errors come with CUDA's numbers, where CUDA would give them, and are sticky where CUDA's are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/worker/cuda_error.h"
#include "tests/mediatord/worker-driver.h"

struct vadd_arguments {
	uint64_t a, b, c, n;
};

static struct made_request vadd(uint64_t a, uint64_t b, uint64_t c, uint64_t n)
{
	const struct vadd_arguments arguments = { a, b, c, n };

	return make_kernel("vadd_i32", &arguments, sizeof(arguments), 4, 256);
}

static struct made_request bare(uint32_t opcode)
{
	return make_request(opcode, 0, NULL, 0);
}

static void expect_ok(struct driver *driver, struct made_request made)
{
	driver_expect(driver, &made, VGPU_ERR_NONE);
}

static void expect_cuda(struct driver *driver, struct made_request made, uint32_t error,
			const char *word)
{
	driver_expect_cuda(driver, &made, error, word);
}

static void wild_pointers_of_copy_and_free(void **state)
{
	struct driver driver = driver_start(0, NULL);
	uint64_t a = driver_alloc(&driver, 1000), b = driver_alloc(&driver, 1000);
	const uint64_t wild[] = { 0,	      1,
				  a - 1,      b + 1000,
				  UINT64_MAX, UINT64_MAX - 3,
				  0x400000,   (uint64_t)(uintptr_t)&driver };
	const uint32_t invalid = CUDA_ERROR_INVALID_VALUE;

	(void)state;
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		expect_cuda(&driver, make_free(wild[i]), invalid, "no allocation");
		expect_cuda(&driver, make_htod(wild[i], "1234", 4), invalid, "one allocation");
		expect_cuda(&driver, make_dtoh(wild[i], 4), invalid, "one allocation");
		expect_cuda(&driver, make_dtod(wild[i], a, 4), invalid, "one allocation");
		expect_cuda(&driver, make_dtod(a, wild[i], 4), invalid, "one allocation");
	}
	/* Past the end by a byte, by a wrap of 64 bits, and from one allocation into the next. */
	expect_ok(&driver, make_dtoh(a + 100, 900));
	expect_cuda(&driver, make_dtoh(a + 101, 900), invalid, "one allocation");
	expect_cuda(&driver, make_dtod(a, b, 1001), invalid, "one allocation");
	expect_cuda(&driver, make_dtod(a, b, UINT64_MAX), invalid, "one allocation");
	expect_cuda(&driver, make_dtod(a + 8, b, UINT64_MAX - 7), invalid, "one allocation");
	/* Freeing what is inside an allocation, or was freed. */
	expect_cuda(&driver, make_free(a + 256), invalid, "no allocation");
	expect_ok(&driver, make_free(a));
	expect_cuda(&driver, make_free(a), invalid, "CUDA_ERROR_INVALID_VALUE: ");
	expect_cuda(&driver, make_dtoh(a, 1), invalid, "one allocation");
	/* None of this is sticky. */
	expect_ok(&driver, bare(VGPU_OP_SYNCHRONIZE));
	expect_ok(&driver, make_dtoh(b, 900));
	driver_stop(&driver);
}

static void launches_that_cannot_be(void **state)
{
	static const struct {
		uint32_t index, value;
		const char *word;
	} wrong[] = {
		{ KERNEL_GRID, 0, "grid x" },	    { KERNEL_GRID, 0x80000000, "grid x" },
		{ KERNEL_GRID + 1, 0, "grid y" },   { KERNEL_GRID + 1, 65536, "grid y" },
		{ KERNEL_GRID + 2, 0, "grid z" },   { KERNEL_GRID + 2, 65536, "grid z" },
		{ KERNEL_BLOCK, 0, "block x" },	    { KERNEL_BLOCK, 1025, "block x" },
		{ KERNEL_BLOCK + 1, 0, "block y" }, { KERNEL_BLOCK + 1, UINT32_MAX, "block y" },
		{ KERNEL_BLOCK + 2, 0, "block z" }, { KERNEL_BLOCK + 2, 65, "block z" },
		{ KERNEL_BLOCK + 1, 5, "threads" }, /* 256 x 5 */
		{ KERNEL_SHARED, 49153, "shared" },
	};
	struct driver driver = driver_start(0, NULL);
	uint64_t a = driver_alloc(&driver, 64);
	struct made_request made;

	(void)state;
	expect_cuda(&driver, make_kernel("vadd_i64", NULL, 0, 1, 1), CUDA_ERROR_NOT_FOUND,
		    "vadd_i64");
	expect_cuda(&driver, make_kernel("vadd", NULL, 0, 1, 1), CUDA_ERROR_NOT_FOUND, "vadd");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		made = vadd(a, a, a, 16);
		set_parameter(&made, wrong[i].index, wrong[i].value);
		expect_cuda(&driver, made, CUDA_ERROR_INVALID_VALUE, wrong[i].word);
	}
	/* The largest that are right. */
	made = vadd(a, a, a, 16);
	set_parameter(&made, KERNEL_GRID, 0x7fffffff);
	set_parameter(&made, KERNEL_GRID + 1, 65535);
	set_parameter(&made, KERNEL_GRID + 2, 65535);
	set_parameter(&made, KERNEL_BLOCK, 16);
	set_parameter(&made, KERNEL_BLOCK + 2, 64);
	set_parameter(&made, KERNEL_SHARED, 49152);
	expect_ok(&driver, made);

	made = make_kernel("vadd_i32", "too few argument bytes.", 24, 1, 1);
	expect_cuda(&driver, made, CUDA_ERROR_INVALID_VALUE, "32 bytes of arguments, not 24");
	made = make_kernel("vadd_i32", NULL, 0, 1, 1);
	expect_cuda(&driver, made, CUDA_ERROR_INVALID_VALUE, "not 0");
	expect_ok(&driver, bare(VGPU_OP_SYNCHRONIZE));
	driver_stop(&driver);
}

/* After a kernel's fault, nothing works but what needs no context, until it is reset. */
static void assert_stuck(struct driver *driver, uint64_t pointer, uint32_t error)
{
	expect_cuda(driver, bare(VGPU_OP_SYNCHRONIZE), error, "vadd_i32");
	expect_cuda(driver, make_alloc(16), error, "vadd_i32");
	expect_cuda(driver, make_free(pointer), error, "vadd_i32");
	expect_cuda(driver, make_htod(pointer, "1234", 4), error, "vadd_i32");
	expect_cuda(driver, make_dtoh(pointer, 4), error, "vadd_i32");
	expect_cuda(driver, make_dtod(pointer, pointer, 4), error, "vadd_i32");
	expect_cuda(driver, vadd(pointer, pointer, pointer, 4), error, "vadd_i32");
	expect_ok(driver, bare(VGPU_OP_NOP));
	expect_ok(driver, bare(VGPU_OP_GET_DEVICE_INFO));
}

static void assert_reset_cures(struct driver *driver, uint64_t old_pointer)
{
	uint64_t fresh;

	expect_ok(driver, bare(VGPU_OP_CONTEXT_RESET));
	assert_true(driver->reserved == 0);
	expect_ok(driver, bare(VGPU_OP_SYNCHRONIZE));
	expect_cuda(driver, make_dtoh(old_pointer, 4), CUDA_ERROR_INVALID_VALUE, "allocation");
	fresh = driver_alloc(driver, 4096);
	expect_ok(driver, vadd(fresh, fresh, fresh, 1024));
}

static void a_kernel_that_leaves_its_memory(void **state)
{
	struct driver driver = driver_start(0, NULL);

	(void)state;
	for (int which = 0; which < 6; which++) {
		uint64_t a = driver_alloc(&driver, 4000), b = driver_alloc(&driver, 4000);
		const struct made_request faults[] = {
			vadd(a, b, 0x10, 1),	       /* wild, aligned */
			vadd(a, UINT64_MAX - 3, b, 1), /* the last address of all */
			vadd(a, b, a, 1001),	       /* one element too many */
			vadd(a + 4000, b, a, 1),       /* just past the end */
			vadd(0, b, a, 1),	       /* a null pointer */
			vadd((uint64_t)(uintptr_t)&driver, b, a, 1),
		};

		expect_ok(&driver, vadd(a, b, a, 1000));
		expect_cuda(&driver, faults[which], CUDA_ERROR_ILLEGAL_ADDRESS,
			    "CUDA_ERROR_ILLEGAL_ADDRESS: ");
		assert_stuck(&driver, a, CUDA_ERROR_ILLEGAL_ADDRESS);
		assert_reset_cures(&driver, a);
	}
	driver_stop(&driver);
}

static void a_kernel_that_uses_freed_memory(void **state)
{
	struct driver driver = driver_start(0, NULL);
	uint64_t a = driver_alloc(&driver, 4000), b = driver_alloc(&driver, 4000);

	(void)state;
	expect_ok(&driver, make_free(b));
	expect_cuda(&driver, vadd(a, b, a, 1), CUDA_ERROR_ILLEGAL_ADDRESS, "vadd_i32");
	assert_stuck(&driver, a, CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_reset_cures(&driver, a);
	driver_stop(&driver);
}

static void a_kernel_with_a_misaligned_pointer(void **state)
{
	struct driver driver = driver_start(0, NULL);
	uint64_t a = driver_alloc(&driver, 4000);

	(void)state;
	expect_cuda(&driver, vadd(a, a + 2, a, 1), CUDA_ERROR_MISALIGNED_ADDRESS, "multiple of 4");
	assert_stuck(&driver, a, CUDA_ERROR_MISALIGNED_ADDRESS);
	assert_reset_cures(&driver, a);
	driver_stop(&driver);
}

/* The first error of an asynchronous request is kept for one SYNCHRONIZE. */
static void asynchronous_errors_are_kept(void **state)
{
	struct driver driver = driver_start(0, NULL);
	uint64_t a = driver_alloc(&driver, 64);
	struct made_request first = make_kernel("no_such_kernel", NULL, 0, 1, 1),
			    second = make_htod(a + 64, "1234", 4);

	(void)state;
	set_field(&first, FIELD_FLAGS, VGPU_FLAG_ASYNC);
	set_field(&second, FIELD_FLAGS, VGPU_FLAG_ASYNC);
	expect_cuda(&driver, first, CUDA_ERROR_NOT_FOUND, "no_such_kernel");
	expect_cuda(&driver, second, CUDA_ERROR_INVALID_VALUE, "allocation");
	/* Others do not see it. */
	expect_ok(&driver, vadd(a, a, a, 16));
	expect_ok(&driver, make_dtoh(a, 64));
	expect_cuda(&driver, bare(VGPU_OP_SYNCHRONIZE), CUDA_ERROR_NOT_FOUND, "no_such_kernel");
	expect_ok(&driver, bare(VGPU_OP_SYNCHRONIZE));
	/* A reset forgets it. */
	expect_cuda(&driver, first, CUDA_ERROR_NOT_FOUND, "no_such_kernel");
	expect_ok(&driver, bare(VGPU_OP_CONTEXT_RESET));
	expect_ok(&driver, bare(VGPU_OP_SYNCHRONIZE));
	/* An error of a synchronous request was given already. */
	set_field(&first, FIELD_FLAGS, 0);
	expect_cuda(&driver, first, CUDA_ERROR_NOT_FOUND, "no_such_kernel");
	expect_ok(&driver, bare(VGPU_OP_SYNCHRONIZE));
	driver_stop(&driver);
}

/* The worker does not rely on the mediator's check. */
static void malformed_requests_are_refused(void **state)
{
	struct driver driver = driver_start(0, NULL);
	struct made_request made;

	(void)state;
	made = bare(VGPU_OP_NOP);
	made.length = 0;
	driver_expect(&driver, &made, VGPU_ERR_ZERO_LENGTH);
	made.length = 31;
	driver_expect(&driver, &made, VGPU_ERR_INVALID_REQUEST);
	made = bare(0x1002);
	driver_expect(&driver, &made, VGPU_ERR_UNSUPPORTED);
	made = make_dtoh(0, 993);
	driver_expect(&driver, &made, VGPU_ERR_TOO_LARGE);
	made = make_alloc(0);
	driver_expect(&driver, &made, VGPU_ERR_INVALID_REQUEST);
	made = bare(VGPU_OP_NOP);
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	driver_stop(&driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wild_pointers_of_copy_and_free),
		cmocka_unit_test(launches_that_cannot_be),
		cmocka_unit_test(a_kernel_that_leaves_its_memory),
		cmocka_unit_test(a_kernel_that_uses_freed_memory),
		cmocka_unit_test(a_kernel_with_a_misaligned_pointer),
		cmocka_unit_test(asynchronous_errors_are_kept),
		cmocka_unit_test(malformed_requests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
