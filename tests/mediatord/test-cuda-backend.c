/* SPDX-License-Identifier: Apache-2.0 */
/* The cuda backend's own rules, on a double of the driver: account, zeroes, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/worker/cuda_api.h"
#include "mediatord/worker/cuda_image.h"
#include "tests/mediatord/cuda-fixture.h"

#define MIB (UINT64_C(1) << 20)

static struct double_control *control;

static int set_up(void **state)
{
	(void)state;
	control = fixture_double();
	return 0;
}

static uint64_t alloc(struct backend *backend, uint64_t bytes, uint64_t footprint)
{
	uint64_t pointer = 0;

	assert_int_equal(backend_cuda.footprint(backend, bytes), footprint);
	assert_int_equal(backend_cuda.mem_alloc(backend, bytes, &pointer), 0);
	return pointer;
}

static void release(struct backend *backend, uint64_t pointer, uint64_t footprint)
{
	uint64_t given = 1;

	assert_int_equal(backend_cuda.mem_free(backend, pointer, &given), 0);
	assert_int_equal(given, footprint);
}

static void assert_zero(struct backend *backend, uint64_t pointer, uint64_t bytes)
{
	uint8_t *copy = malloc(bytes);

	assert_non_null(copy);
	memset(copy, 1, bytes);
	assert_int_equal(backend_cuda.copy_dtoh(backend, copy, pointer, bytes), 0);
	for (uint64_t i = 0; i < bytes; i++)
		assert_int_equal(copy[i], 0);
	free(copy);
}

static void the_gpu_is_described(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 0);
	int nodes = 0;

	(void)state;
	assert_int_equal(backend->info.id, VGPU_BACKEND_CUDA);
	assert_int_equal(backend->info.multiprocessors, 4);
	assert_int_equal(backend->info.compute_capability, 9 << 16);
	assert_int_equal(backend->info.memory_bytes, DOUBLE_MEMORY);
	assert_string_equal(backend->info.gpu_name, "Double of an NVIDIA GPU");
	for (const struct backend_path *path = backend->paths; path->path; path++)
		nodes += path->device;
	assert_int_equal(nodes, 3);
	backend_cuda.close(&backend);
	assert_null(backend);
	assert_int_equal(control->contexts, 0);
}

static void a_gpu_that_is_not_there_is_refused(void **state)
{
	struct backend *backend = NULL;
	struct vgpu_error *err = NULL;

	(void)state;
	assert_int_equal(backend_cuda.open(10, 0, &backend, &err), -1);
	assert_int_equal(err->status, ENODEV);
	assert_non_null(strstr(err->message, "GPU 10"));
	vgpu_error_free(&err);
}

static void a_driver_that_is_not_there_is_named(void **state)
{
	struct backend *backend = NULL;
	struct vgpu_error *err = NULL;

	(void)state;
	cuda_api_library = "/nonexistent/libcuda.so.1";
	assert_int_equal(backend_cuda.open(0, 0, &backend, &err), -1);
	assert_int_equal(err->status, ENOENT);
	assert_non_null(strstr(err->message, "/nonexistent/libcuda.so.1"));
	vgpu_error_free(&err);
}

static void pageable_access_is_refused_unless_allowed(void **state)
{
	struct backend *backend = NULL;
	struct vgpu_error *err = NULL;

	(void)state;
	control->pageable = 1;
	assert_int_equal(backend_cuda.open(0, 0, &backend, &err), -1);
	assert_int_equal(err->status, EPERM);
	assert_non_null(strstr(err->message, "options nvidia-uvm uvm_disable_hmm=1"));
	assert_int_equal(control->contexts, 0);
	vgpu_error_free(&err);
	assert_int_equal(backend_cuda.open(0, BACKEND_ALLOW_PAGEABLE, &backend, &err), 0);
	backend_cuda.close(&backend);
}

static void memory_is_counted_as_the_driver_takes_it(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 0);
	uint64_t pointers[6];

	(void)state;
	pointers[0] = alloc(backend, 1, 2 * MIB);
	assert_int_equal(control->memory, 2 * MIB);
	pointers[1] = alloc(backend, 1000, 0);
	assert_int_equal(pointers[1], pointers[0] + 512);
	pointers[2] = alloc(backend, MIB, 0);
	pointers[3] = alloc(backend, MIB, 2 * MIB); /* less is left of the first block */
	pointers[4] = alloc(backend, MIB + 1, 2 * MIB);
	pointers[5] = alloc(backend, 2 * MIB + 1, 4 * MIB);
	assert_int_equal(control->memory, 10 * MIB);
	release(backend, pointers[1], 0);
	release(backend, pointers[0], 0);
	/* What was freed is there for others. */
	release(backend, pointers[3], 2 * MIB);
	assert_int_equal(alloc(backend, 512, 0), pointers[0]);
	release(backend, pointers[5], 4 * MIB);
	release(backend, pointers[4], 2 * MIB);
	assert_int_equal(control->memory, 2 * MIB);
	assert_int_equal(backend_cuda.footprint(backend, UINT64_MAX), UINT64_MAX);
	assert_int_equal(backend_cuda.footprint(backend, UINT64_MAX - 1), UINT64_MAX);
	backend_cuda.close(&backend);
	assert_int_equal(control->memory, 0);
}

static void a_random_life_of_allocations_adds_up(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 0);
	uint64_t pointers[200] = { 0 }, bytes[200], taken = 0;
	unsigned int seed = (unsigned int)getpid();

	(void)state;
	print_message("seed %u\n", seed);
	for (int i = 0; i < 4000; i++) {
		size_t k = (size_t)rand_r(&seed) % 200;
		uint64_t given;

		if (pointers[k]) {
			assert_int_equal(backend_cuda.mem_free(backend, pointers[k], &given), 0);
			taken -= given;
			pointers[k] = 0;
		} else {
			bytes[k] = 1 + (uint64_t)rand_r(&seed) % (i % 50 ? 70000 : 3 * MIB);
			taken += backend_cuda.footprint(backend, bytes[k]);
			assert_int_equal(backend_cuda.mem_alloc(backend, bytes[k], &pointers[k]),
					 0);
			for (size_t j = 0; j < 200; j++)
				if (j != k && pointers[j])
					assert_true(pointers[k] + bytes[k] <= pointers[j] ||
						    pointers[j] + bytes[j] <= pointers[k]);
		}
		assert_int_equal(taken, control->memory);
	}
	backend_cuda.close(&backend);
}

static void memory_reads_zero_also_the_second_time(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 0);
	uint64_t keeper = alloc(backend, 1, 2 * MIB), small = alloc(backend, 3000, 0);
	uint64_t large = alloc(backend, 3 * MIB, 4 * MIB);

	(void)state;
	assert_zero(backend, keeper, 1);
	assert_zero(backend, small, 3000);
	assert_zero(backend, large, 3 * MIB);
	assert_int_equal(backend_cuda.mem_set(backend, small, 0x77, 3000, 1, 0), 0);
	release(backend, small, 0);
	assert_int_equal(alloc(backend, 3000, 0), small);
	assert_zero(backend, small, 3000);
	backend_cuda.close(&backend);
}

static void copies_stay_within_allocations(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 0);
	uint64_t a = alloc(backend, 1000, 2 * MIB), b = alloc(backend, 1000, 0);
	uint8_t bytes[2000] = { 1, 2, 3 };

	(void)state;
	assert_int_equal(backend_cuda.copy_htod(backend, a, bytes, 1000), 0);
	assert_int_equal(backend_cuda.copy_htod(backend, a + 1, bytes, 1000), 1);
	assert_non_null(strstr(backend->detail, "not within one allocation"));
	assert_int_equal(backend_cuda.copy_htod(backend, a, bytes, 1001), 1);
	assert_int_equal(backend_cuda.copy_dtoh(backend, bytes, a, 2000), 1);
	assert_int_equal(backend_cuda.copy_dtod(backend, b, a + 1, 1000), 1);
	assert_int_equal(backend_cuda.copy_dtod(backend, b + 1, a, 1000), 1);
	assert_int_equal(backend_cuda.copy_dtod(backend, b, a, 1000), 0);
	/* An address of this process is none of the GPU. */
	assert_int_equal(backend_cuda.copy_dtoh(backend, bytes, (uintptr_t)&ledger, 8), 1);
	assert_int_equal(backend_cuda.copy_dtoh(backend, bytes, UINT64_MAX, 8), 1);
	assert_int_equal(backend_cuda.mem_free(backend, a + 512, &ledger.held), 1);
	backend_cuda.close(&backend);
}

static void kernels_take_exactly_their_arguments(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 0);
	uint64_t a = alloc(backend, 400, 2 * MIB), b = alloc(backend, 400, 0);
	uint32_t numbers[100], sums[100];
	const uint64_t arguments[5] = { a, a, b, 100 };
	struct backend_launch launch = { .name = "vadd_i32",
					 .grid = { 1, 1, 1 },
					 .block = { 128, 1, 1 },
					 .arguments = (const uint8_t *)arguments,
					 .argument_bytes = 32 };

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		numbers[i] = 0x70000000u + i;
	assert_int_equal(backend_cuda.copy_htod(backend, a, numbers, 400), 0);
	assert_int_equal(backend_cuda.launch(backend, &launch), 0);
	assert_int_equal(backend_cuda.synchronize(backend), 0);
	assert_int_equal(backend_cuda.copy_dtoh(backend, sums, b, 400), 0);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(sums[i], 0xe0000000u + 2 * i);
	launch.argument_bytes = 24;
	assert_int_equal(backend_cuda.launch(backend, &launch), 1);
	assert_non_null(strstr(backend->detail, "32 bytes of arguments, not 24"));
	launch.argument_bytes = 40;
	assert_int_equal(backend_cuda.launch(backend, &launch), 1);
	launch.argument_bytes = UINT32_MAX;
	assert_int_equal(backend_cuda.launch(backend, &launch), 1);
	launch.name = "no_such_kernel";
	assert_int_equal(backend_cuda.launch(backend, &launch), 500);
	backend_cuda.close(&backend);
}

static void built_in_kernels_have_the_documented_arguments(void **state)
{
	static const struct {
		const char *name;
		uint32_t count;
		uint64_t last_offset, end;
	} kernels[] = {
		{ "vadd_i32", 4, 24, 32 },   { "vadd_f32", 4, 24, 32 },
		{ "saxpy_f32", 4, 24, 32 },  { "reduce_sum_f32", 3, 16, 24 },
		{ "matmul_f32", 6, 32, 36 },
	};
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 0);
	uint64_t module = 0, function = 0, offset, bytes;

	(void)state;
	assert_int_equal(backend_cuda.module_builtin(backend, &module), 0);
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		assert_int_equal(
			backend_cuda.module_function(backend, module, kernels[i].name, &function),
			0);
		assert_int_equal(backend_cuda.function_parameter(
					 backend, function, kernels[i].count - 1, &offset, &bytes),
				 0);
		assert_int_equal(offset, kernels[i].last_offset);
		assert_int_equal(offset + bytes, kernels[i].end);
		assert_int_equal(backend_cuda.function_parameter(backend, function,
								 kernels[i].count, &offset, &bytes),
				 1);
	}
	backend_cuda.close(&backend);
}

static const char own_ptx[] = ".version 6.4\n.target sm_75\n.visible .entry own() { ret; }\n";

/* Variables of `bytes`, code and constants in blocks of their own. */
static uint64_t module_footprint(uint64_t bytes)
{
	return (bytes + 2 * MIB - 1) / (2 * MIB) * (2 * MIB) + 4 * MIB;
}

static void only_the_first_builtin_module_is_free(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 2 * module_footprint(2 * MIB));
	uint64_t modules[3] = { 0 }, refused;

	(void)state;
	control->module_bytes = 2 * MIB;
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(backend_cuda.module_builtin(backend, &modules[i]), 0);
		assert_int_equal(ledger.held, i * module_footprint(2 * MIB));
	}
	assert_int_equal(backend_cuda.module_builtin(backend, &refused), 2);
	assert_int_equal(control->modules, 3);
	assert_int_equal(backend_cuda.module_unload(backend, modules[0]), 0);
	assert_int_equal(backend_cuda.module_builtin(backend, &modules[0]), 0);
	assert_int_equal(ledger.held, 2 * module_footprint(2 * MIB));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(backend_cuda.module_unload(backend, modules[i]), 0);
	assert_int_equal(ledger.held, 0);
	backend_cuda.close(&backend);
}

/* It never was on the GPU: not even while it was loaded. */
static void a_module_over_the_quota_is_not_loaded(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 512 * MIB);
	uint64_t module = 0;

	(void)state;
	control->module_bytes = 508 * MIB + 1;
	/* Where it was loaded first and looked at then, this would be the driver's error. */
	control->fail_module_load = CUDA_ERROR_UNKNOWN;
	assert_int_equal(backend_cuda.module_load(backend, own_ptx, sizeof(own_ptx) - 1, &module),
			 2);
	assert_non_null(strstr(backend->detail, "the VM's GPU memory quota"));
	assert_int_equal(ledger.held, 0);
	assert_int_equal(control->links, 0);
	control->fail_module_load = 0;
	control->module_bytes = 508 * MIB;
	assert_int_equal(backend_cuda.module_load(backend, own_ptx, sizeof(own_ptx) - 1, &module),
			 0);
	assert_int_equal(ledger.held, 512 * MIB);
	assert_int_equal(backend_cuda.module_unload(backend, module), 0);
	assert_int_equal(ledger.held, 0);
	backend_cuda.close(&backend);
}

/* 8192 threads of 576 bytes in blocks of 2 MiB, and 8 MiB: once, and until the context ends. */
static void what_the_drivers_functions_take_counts(void **state)
{
	static const char ptx[] = ".version 6.4\n.target sm_75\n"
				  ".extern .func (.param .b32 r) vprintf (.param .b64 a);\n";
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 14 * MIB + 2 * module_footprint(MIB));
	uint64_t first = 0, second = 0, plain = 0;

	(void)state;
	control->module_bytes = MIB;
	assert_int_equal(backend_cuda.module_load(backend, own_ptx, sizeof(own_ptx) - 1, &plain),
			 0);
	assert_int_equal(ledger.held, module_footprint(MIB));
	assert_int_equal(backend_cuda.module_unload(backend, plain), 0);
	ledger.quota = 14 * MIB - 1;
	assert_int_equal(backend_cuda.module_load(backend, ptx, sizeof(ptx) - 1, &first), 2);
	assert_non_null(strstr(backend->detail, "printf()"));
	assert_int_equal(ledger.held, 0);
	ledger.quota = 14 * MIB + 2 * module_footprint(MIB);
	assert_int_equal(backend_cuda.module_load(backend, ptx, sizeof(ptx) - 1, &first), 0);
	assert_int_equal(ledger.held, 14 * MIB + module_footprint(MIB));
	assert_int_equal(backend_cuda.module_load(backend, ptx, sizeof(ptx) - 1, &second), 0);
	assert_int_equal(ledger.held, 14 * MIB + 2 * module_footprint(MIB));
	assert_int_equal(backend_cuda.module_unload(backend, first), 0);
	assert_int_equal(backend_cuda.module_unload(backend, second), 0);
	assert_int_equal(ledger.held, 14 * MIB);
	assert_int_equal(backend_cuda.context_give_back(backend), 0);
	assert_int_equal(ledger.held, 0);
	/* A new context has none. */
	assert_int_equal(backend_cuda.context_take(backend), 0);
	assert_int_equal(backend_cuda.module_load(backend, ptx, sizeof(ptx) - 1, &first), 0);
	assert_int_equal(ledger.held, 14 * MIB + module_footprint(MIB));
	backend_cuda.close(&backend);
}

static void a_compilers_words_are_kept(void **state)
{
	static const char wrong[] = ".version 6.4\nadd.wrong;\n";
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 512 * MIB);
	uint64_t module = 0;

	(void)state;
	assert_int_equal(backend_cuda.module_load(backend, wrong, sizeof(wrong) - 1, &module), 200);
	assert_string_equal(backend->detail, "the double compiles no such thing");
	assert_int_equal(control->links, 0);
	backend_cuda.close(&backend);
}

static void a_fatbins_ptx_is_compiled(void **state)
{
	struct {
		uint8_t header[CUDA_FATBIN_HEADER_BYTES], member[64];
		char text[128];
	} fatbin = { .text = "" };
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 512 * MIB);
	uint64_t module = 0, function = 0;

	(void)state;
	cuda_image_fatbin_header(fatbin.header, sizeof(fatbin) - sizeof(fatbin.header));
	fatbin.member[0] = 1;	/* PTX */
	fatbin.member[4] = 64;	/* header */
	fatbin.member[8] = 128; /* contents */
	fatbin.member[28] = 75; /* sm_75 */
	memcpy(fatbin.text, own_ptx, sizeof(own_ptx));
	control->module_bytes = MIB;
	assert_int_equal(backend_cuda.module_load(backend, &fatbin, sizeof(fatbin), &module), 0);
	assert_int_equal(backend_cuda.module_function(backend, module, "own", &function), 0);
	assert_int_equal(ledger.held, module_footprint(MIB));
	fatbin.member[28] = 100; /* sm_100 */
	assert_int_equal(backend_cuda.module_load(backend, &fatbin, sizeof(fatbin), &module), 209);
	assert_non_null(strstr(backend->detail, "nothing for this GPU"));
	backend_cuda.close(&backend);
}

/* 3 streams and 512 events come with a context; then each such number counts a block. */
static void streams_and_events_count(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 4 * MIB);
	uint64_t streams[6], events[1024], one;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(backend_cuda.stream_create(backend, 1, 0, &streams[i]), 0);
		assert_int_equal(ledger.held, i < 3 ? 0 : 2 * MIB);
	}
	for (size_t i = 0; i < 1024; i++) {
		assert_int_equal(backend_cuda.event_create(backend, 0, &events[i]), 0);
		assert_int_equal(ledger.held, i < 512 ? 2 * MIB : 4 * MIB);
	}
	assert_int_equal(backend_cuda.stream_create(backend, 1, 0, &one), 2);
	assert_non_null(strstr(backend->detail, "a stream takes"));
	assert_int_equal(backend_cuda.event_create(backend, 0, &one), 2);
	assert_non_null(strstr(backend->detail, "an event takes"));
	/* What is gone makes room for the next, and the driver keeps its memory until the end. */
	assert_int_equal(backend_cuda.stream_destroy(backend, streams[0]), 0);
	assert_int_equal(backend_cuda.stream_create(backend, 1, 0, &streams[0]), 0);
	assert_int_equal(backend_cuda.event_destroy(backend, events[0]), 0);
	assert_int_equal(backend_cuda.event_create(backend, 0, &events[0]), 0);
	assert_int_equal(backend_cuda.context_give_back(backend), 1);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(backend_cuda.stream_destroy(backend, streams[i]), 0);
	assert_int_equal(backend_cuda.context_give_back(backend), 1);
	for (size_t i = 0; i < 1024; i++)
		assert_int_equal(backend_cuda.event_destroy(backend, events[i]), 0);
	assert_int_equal(ledger.held, 4 * MIB);
	assert_int_equal(backend_cuda.context_give_back(backend), 0);
	assert_int_equal(ledger.held, 0);
	backend_cuda.close(&backend);
}

static void local_memory_counts(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 20 * MIB);
	uint64_t module = 0, function = 0;
	const uint64_t arguments[4] = { 0 };
	const struct backend_launch launch = { .grid = { 1, 1, 1 },
					       .block = { 1, 1, 1 },
					       .arguments = (const uint8_t *)arguments,
					       .argument_bytes = 32 };

	(void)state;
	/* 8192 threads, of which each has 512 bytes for nothing: (2016 - 512) * 8192, in blocks. */
	control->local_bytes = 2000;
	assert_int_equal(backend_cuda.module_builtin(backend, &module), 0);
	assert_int_equal(backend_cuda.module_function(backend, module, "vadd_i32", &function), 0);
	assert_int_equal(backend_cuda.start_kernel(backend, function, 0, &launch), 0);
	assert_int_equal(ledger.held, 14 * MIB);
	assert_int_equal(backend_cuda.start_kernel(backend, function, 0, &launch), 0);
	assert_int_equal(ledger.held, 14 * MIB);
	control->local_bytes = 4096;
	assert_int_equal(backend_cuda.module_function(backend, module, "vadd_f32", &function), 0);
	assert_int_equal(backend_cuda.start_kernel(backend, function, 0, &launch), 2);
	assert_non_null(strstr(backend->detail, "local memory"));
	/* It ends with the context, which stays for a module. */
	assert_int_equal(backend_cuda.context_give_back(backend), 1);
	assert_int_equal(backend_cuda.module_unload(backend, module), 0);
	assert_int_equal(ledger.held, 14 * MIB);
	assert_int_equal(backend_cuda.context_give_back(backend), 0);
	assert_int_equal(ledger.held, 0);
	backend_cuda.close(&backend);
}

static void a_context_is_given_back_when_it_holds_nothing(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 0);
	uint64_t pointer = alloc(backend, 1, 2 * MIB);
	uint8_t window[4096];

	(void)state;
	assert_int_equal(backend_cuda.window_register(backend, window, sizeof(window)), 0);
	assert_int_equal(backend_cuda.context_give_back(backend), 1);
	release(backend, pointer, 2 * MIB);
	assert_int_equal(backend_cuda.context_give_back(backend), 0);
	assert_int_equal(control->contexts, 0);
	assert_int_equal(control->registrations, 0);
	assert_int_equal(backend_cuda.mem_alloc(backend, 1, &pointer), 201);
	assert_int_equal(backend_cuda.context_take(backend), 0);
	assert_int_equal(backend_cuda.window_register(backend, window, sizeof(window)), 0);
	alloc(backend, 1, 2 * MIB);
	backend_cuda.close(&backend);
	assert_int_equal(control->registrations, 0);
}

static void a_reset_frees_everything(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 0);
	uint64_t footprint = 0, stream;

	(void)state;
	alloc(backend, 1, 2 * MIB);
	alloc(backend, 5 * MIB, 6 * MIB);
	assert_int_equal(backend_cuda.stream_create(backend, 1, 0, &stream), 0);
	assert_int_equal(backend_cuda.reset(backend, &footprint), 0);
	assert_int_equal(footprint, 8 * MIB);
	assert_int_equal(control->memory, 0);
	assert_int_equal(control->streams, 1); /* ours */
	alloc(backend, 1, 2 * MIB);
	backend_cuda.close(&backend);
}

/* A stream that is destroyed with work still keeps the context busy. */
static void destroyed_streams_finish_their_work(void **state)
{
	struct fixture_ledger ledger;
	struct backend *backend = fixture_open(&ledger, 0);
	uint64_t pointer = alloc(backend, 64, 2 * MIB), stream;

	(void)state;
	assert_int_equal(backend_cuda.stream_create(backend, 1, 0, &stream), 0);
	control->busy = 3;
	assert_int_equal(backend_cuda.mem_set(backend, pointer, 1, 64, 1, stream), 0);
	assert_int_equal(backend_cuda.context_query(backend), 600);
	assert_int_equal(backend_cuda.stream_destroy(backend, stream), 0);
	assert_int_equal(backend_cuda.context_query(backend), 600);
	assert_int_equal(backend_cuda.context_query(backend), 0);
	assert_int_equal(control->streams, 1);
	backend_cuda.close(&backend);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_gpu_is_described, set_up),
		cmocka_unit_test_setup(a_gpu_that_is_not_there_is_refused, set_up),
		cmocka_unit_test_setup(a_driver_that_is_not_there_is_named, set_up),
		cmocka_unit_test_setup(pageable_access_is_refused_unless_allowed, set_up),
		cmocka_unit_test_setup(memory_is_counted_as_the_driver_takes_it, set_up),
		cmocka_unit_test_setup(a_random_life_of_allocations_adds_up, set_up),
		cmocka_unit_test_setup(memory_reads_zero_also_the_second_time, set_up),
		cmocka_unit_test_setup(copies_stay_within_allocations, set_up),
		cmocka_unit_test_setup(kernels_take_exactly_their_arguments, set_up),
		cmocka_unit_test_setup(built_in_kernels_have_the_documented_arguments, set_up),
		cmocka_unit_test_setup(only_the_first_builtin_module_is_free, set_up),
		cmocka_unit_test_setup(a_module_over_the_quota_is_not_loaded, set_up),
		cmocka_unit_test_setup(what_the_drivers_functions_take_counts, set_up),
		cmocka_unit_test_setup(a_compilers_words_are_kept, set_up),
		cmocka_unit_test_setup(a_fatbins_ptx_is_compiled, set_up),
		cmocka_unit_test_setup(streams_and_events_count, set_up),
		cmocka_unit_test_setup(local_memory_counts, set_up),
		cmocka_unit_test_setup(a_context_is_given_back_when_it_holds_nothing, set_up),
		cmocka_unit_test_setup(a_reset_frees_everything, set_up),
		cmocka_unit_test_setup(destroyed_streams_finish_their_work, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
