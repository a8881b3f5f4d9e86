/* SPDX-License-Identifier: Apache-2.0 */
/* The cpu backend's device memory and kernels, where the worker's socket cannot look. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "mediatord/worker/kernels_cpu.h"
#include "mediatord/worker/memory_cpu.h"

#define MIB (UINT64_C(1) << 20)

static uint64_t must_alloc(struct memory_cpu *memory, uint64_t bytes)
{
	uint64_t pointer = 0;

	assert_int_equal(memory_cpu_alloc(memory, bytes, &pointer), 0);
	return pointer;
}

static void must_free(struct memory_cpu *memory, uint64_t pointer)
{
	uint64_t footprint = 0;

	assert_int_equal(memory_cpu_free(memory, pointer, &footprint), 0);
}

/* A pointer that was freed is not handed out again soon: its late use is found out. */
static void addresses_are_not_used_again_at_once(void **state)
{
	struct memory_cpu memory;
	uint64_t first, second;

	(void)state;
	memory_cpu_init(&memory, MIB);
	first = must_alloc(&memory, 1000);
	must_free(&memory, first);
	second = must_alloc(&memory, 1000);
	assert_true(first != second);
	assert_null(memory_cpu_at(&memory, first, 1));
	memory_cpu_free_all(&memory);
}

/* At the end of the address range, search begins at its start and steps over what is there. */
static void addresses_start_over_at_the_end(void **state)
{
	struct memory_cpu memory;
	uint64_t low, middle, last, again;

	(void)state;
	memory_cpu_init(&memory, 4 * MIB);
	low = must_alloc(&memory, 512);
	assert_true(low == MEMORY_CPU_FIRST);
	middle = must_alloc(&memory, 512);
	memory.next = MEMORY_CPU_END - 1024;
	last = must_alloc(&memory, 1024);
	assert_true(last == MEMORY_CPU_END - 1024);
	again = must_alloc(&memory, 4096);
	assert_true(again == middle + 512);
	/* A gap that is too small is not taken, one that fits is. */
	must_free(&memory, low);
	memory.next = MEMORY_CPU_END;
	assert_true(must_alloc(&memory, 513) == again + 4096);
	memory.next = MEMORY_CPU_END;
	assert_true(must_alloc(&memory, 512) == low);
	assert_non_null(memory_cpu_at(&memory, last, 1024));
	assert_null(memory_cpu_at(&memory, last, 1025));
	memory_cpu_free_all(&memory);
}

static void the_limit_holds_to_the_byte(void **state)
{
	struct memory_cpu memory;
	uint64_t pointer, footprint;

	(void)state;
	memory_cpu_init(&memory, 1024);
	assert_int_equal(memory_cpu_alloc(&memory, 1025, &pointer), -1);
	assert_int_equal(errno, ENOMEM);
	pointer = must_alloc(&memory, 1024);
	assert_int_equal(memory_cpu_alloc(&memory, 1, &footprint), -1);
	assert_int_equal(memory_cpu_free(&memory, pointer, &footprint), 0);
	assert_true(footprint == 1024);
	assert_true(memory.used_bytes == 0);
	must_alloc(&memory, 1);
	assert_true(memory_cpu_free_all(&memory) == 256);
	assert_true(memory_cpu_free_all(&memory) == 0);
}

static void sizes_that_overflow(void **state)
{
	struct memory_cpu memory;
	uint64_t pointer;

	(void)state;
	memory_cpu_init(&memory, UINT64_MAX);
	assert_true(memory_cpu_footprint(UINT64_MAX) == 0);
	assert_true(memory_cpu_footprint(UINT64_MAX - 254) == 0);
	assert_true(memory_cpu_footprint(UINT64_MAX - 255) == UINT64_MAX - 255);
	assert_int_equal(memory_cpu_alloc(&memory, UINT64_MAX, &pointer), -1);
	assert_int_equal(memory_cpu_alloc(&memory, UINT64_MAX - 255, &pointer), -1);
	/* More than there are addresses. */
	assert_int_equal(memory_cpu_alloc(&memory, MEMORY_CPU_END - MEMORY_CPU_FIRST + 1, &pointer),
			 -1);
	assert_true(memory.used_bytes == 0);
}

static void a_fault_writes_nothing(void **state)
{
	const struct kernel_cpu *kernel = kernel_cpu_find("vadd_i32");
	struct memory_cpu memory;
	uint8_t arguments[32];
	uint64_t a, c;
	struct kernel_cpu_threads threads = { 256, 1 };
	char detail[192];
	uint8_t *host;

	(void)state;
	memory_cpu_init(&memory, MIB);
	a = must_alloc(&memory, 40);
	c = must_alloc(&memory, 20);
	memset(memory_cpu_at(&memory, a, 40), 1, 40);
	vgpu_store64(arguments, a);
	vgpu_store64(arguments + 8, a);
	vgpu_store64(arguments + 16, c);
	vgpu_store64(arguments + 24, 6); /* c has 5 */
	assert_int_equal(kernel->run(kernel, &memory, arguments, &threads, detail, sizeof(detail)),
			 CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_non_null(strstr(detail, "6 elements"));
	host = memory_cpu_at(&memory, c, 20);
	for (int i = 0; i < 20; i++)
		assert_int_equal(host[i], 0);
	/* With 5 threads the sixth element is nobody's. */
	threads.x = 5;
	assert_int_equal(kernel->run(kernel, &memory, arguments, &threads, detail, sizeof(detail)),
			 CUDA_ERROR_NONE);
	for (int i = 0; i < 20; i++)
		assert_int_equal(host[i], 2);
	memory_cpu_free_all(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_not_used_again_at_once),
		cmocka_unit_test(addresses_start_over_at_the_end),
		cmocka_unit_test(the_limit_holds_to_the_byte),
		cmocka_unit_test(sizes_that_overflow),
		cmocka_unit_test(a_fault_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
