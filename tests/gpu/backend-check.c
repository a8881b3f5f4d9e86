/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cuda backend on a real GPU, without a worker around it: every call against a reference on the
 * CPU with fresh random data, the account of memory against what the driver says, and native calls
 * of the driver beside ours. To be run by tests/gpu/run, on a GPU that nobody else uses.
 *
 *   backend-check FOLDER [allow-pageable]      FOLDER: tenant.ptx, .cubin, .fatbin, -ptx.fatbin
 *   backend-check FOLDER host-pointer          a kernel that writes to its process's own memory
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/gpu/backend-check.h"
#include "tests/gpu/check.h"

int check_failures;
struct backend *gpu;
uint8_t *window;
static unsigned int seed;
static uint64_t charged; /* by the ledger */

static int reserve(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	(void)opaque;
	(void)err;
	charged += bytes;
	return 1;
}

static int release(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	(void)opaque;
	(void)err;
	charged -= bytes;
	return 0;
}

static const struct memory_ledger ledger = { .reserve = reserve, .release = release };

uint64_t alloc(uint64_t bytes)
{
	uint64_t pointer = 0;

	MUST(ops->mem_alloc(gpu, bytes, &pointer));
	return pointer;
}

void give(uint64_t pointer)
{
	uint64_t footprint;

	MUST(ops->mem_free(gpu, pointer, &footprint));
}

void wait_stream(uint64_t stream)
{
	cuda_error error;

	while ((error = ops->stream_query(gpu, stream)) == CUDA_ERROR_NOT_READY)
		;
	MUST(error);
}

static uint64_t available(void)
{
	static uint32_t (*mem_info)(size_t * free_bytes, size_t * total);
	size_t free_bytes = 0, total;

	if (!mem_info) {
		void *symbol = dlsym(((struct backend_cuda *)gpu)->api.library, "cuMemGetInfo_v2");

		memcpy(&mem_info, &symbol, sizeof(mem_info));
	}
	MUST(mem_info(&free_bytes, &total));
	return free_bytes;
}

uint64_t function_of(uint64_t module, const char *name)
{
	uint64_t function = 0;

	MUST(ops->module_function(gpu, module, name, &function));
	return function;
}

cuda_error start(uint64_t function, uint64_t stream, uint32_t grid, uint32_t block,
		 const void *arguments, uint32_t bytes)
{
	const struct backend_launch launch = { .grid = { grid, 1, 1 },
					       .block = { block, 1, 1 },
					       .arguments = arguments,
					       .argument_bytes = bytes };

	return ops->start_kernel(gpu, function, stream, &launch);
}

void fill_random(void *memory, uint64_t bytes)
{
	uint32_t *words = memory;

	for (uint64_t i = 0; i < bytes / 4; i++)
		words[i] = (uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed);
}

static void fill_floats(float *memory, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		memory[i] = random_float(&seed);
}

/* The built-in kernels, on the documented arguments and orders. */
static void check_built_in(void)
{
	enum {
		N = 100003,
		M = 67,
		C = 45,
		K = 129
	};
	uint64_t module = 0, a = alloc(N * 4), b = alloc(N * 4), c = alloc(N * 4);
	float *x = (void *)window, *y = x + N, *z = y + N, partial[1024] = { 0 };
	const uint64_t vadd[4] = { a, b, c, N };
	struct {
		uint64_t x, y;
		float a, unused;
		uint64_t n;
	} saxpy = { a, b, 1.7f, 0, N };
	const uint64_t reduce[3] = { a, c, N };
	struct {
		uint64_t a, b, c;
		uint32_t m, n, k;
	} matmul = { a, b, c, M, C, K };
	struct backend_launch launch = { .grid = { 3, 9, 1 },
					 .block = { 16, 8, 1 },
					 .arguments = (const uint8_t *)&matmul,
					 .argument_bytes = 36 };
	const uint32_t *words = (void *)x, *sums = (void *)z;
	int64_t started_ns = vgpu_now_ns();
	bool same = true;

	MUST(ops->module_builtin(gpu, &module));
	printf("the built-in module was compiled in %.1f ms\n",
	       (double)(vgpu_now_ns() - started_ns) / 1e6);
	fill_random(x, N * 4);
	fill_random(y, N * 4);
	MUST(ops->start_htod(gpu, a, x, N * 4, 0));
	MUST(ops->start_htod(gpu, b, y, N * 4, 0));
	MUST(start(function_of(module, "vadd_i32"), 0, (N + 255) / 256, 256, vadd, 32));
	MUST(ops->start_dtoh(gpu, z, c, N * 4, 0));
	MUST(ops->synchronize(gpu));
	for (int i = 0; i < N; i++)
		same &= sums[i] == words[i] + words[N + i];
	CHECK(same, "vadd_i32 of %d random elements", N);

	fill_floats(x, N);
	fill_floats(y, N);
	MUST(ops->start_htod(gpu, a, x, N * 4, 0));
	MUST(ops->start_htod(gpu, b, y, N * 4, 0));
	MUST(start(function_of(module, "vadd_f32"), 0, (N + 255) / 256, 256, vadd, 32));
	MUST(ops->start_dtoh(gpu, z, c, N * 4, 0));
	MUST(ops->synchronize(gpu));
	same = true;
	for (int i = 0; i < N; i++)
		same &= z[i] == x[i] + y[i];
	CHECK(same, "vadd_f32, bit for bit");

	MUST(start(function_of(module, "reduce_sum_f32"), 0, 2, 96, reduce, 24));
	MUST(ops->start_dtoh(gpu, z, c, 4, 0));
	MUST(ops->synchronize(gpu));
	for (int p = 0; p < 1024; p++)
		for (int i = p; i < N; i += 1024)
			partial[p] += x[i];
	for (int h = 512; h; h /= 2)
		for (int p = 0; p < h; p++)
			partial[p] += partial[p + h];
	CHECK(z[0] == partial[0], "reduce_sum_f32, bit for bit (%a)", (double)z[0]);

	MUST(start(function_of(module, "saxpy_f32"), 0, (N + 255) / 256, 256, &saxpy, 32));
	MUST(ops->start_dtoh(gpu, z, b, N * 4, 0));
	MUST(ops->synchronize(gpu));
	same = true;
	for (int i = 0; i < N; i++) {
		volatile float product = 1.7f * x[i];

		same &= z[i] == product + y[i];
	}
	CHECK(same, "saxpy_f32, bit for bit");

	MUST(ops->start_htod(gpu, b, y, N * 4, 0));
	MUST(ops->start_kernel(gpu, function_of(module, "matmul_f32"), 0, &launch));
	MUST(ops->start_dtoh(gpu, z, c, M * C * 4, 0));
	MUST(ops->synchronize(gpu));
	same = true;
	for (int row = 0; row < M; row++)
		for (int column = 0; column < C; column++) {
			float sum = 0;

			for (int k = 0; k < K; k++) {
				volatile float product = x[row * K + k] * y[k * C + column];

				sum += product;
			}
			same &= z[row * C + column] == sum;
		}
	CHECK(same, "matmul_f32 of %dx%d and %dx%d, bit for bit", M, K, K, C);
	CHECK(start(function_of(module, "vadd_f32"), 0, 1, 1, vadd, 24) == 1 &&
		      start(function_of(module, "vadd_f32"), 0, 1, 1, vadd, 40) == 1,
	      "launches with too few or too many bytes of arguments: 1");
	CHECK(start(function_of(module, "vadd_f32"), 0, 0, 1, vadd, 32) == 1 &&
		      start(function_of(module, "vadd_f32"), 0, 1, 1025, vadd, 32) == 1,
	      "launches with impossible sizes: 1");
	give(a);
	give(b);
	give(c);
	MUST(ops->module_unload(gpu, module));
}

static void check_copies_and_sets(void)
{
	uint64_t a = alloc(3 * MIB + 7), b = alloc(3 * MIB + 7), stream = 0;
	uint8_t *from = window, *to = window + 8 * MIB;
	bool zero = true;

	MUST(ops->stream_create(gpu, 1, 0, &stream));
	memset(to, 1, 3 * MIB + 7);
	MUST(ops->start_dtoh(gpu, to, a, 3 * MIB + 7, stream));
	wait_stream(stream);
	for (uint64_t i = 0; i < 3 * MIB + 7; i++)
		zero &= to[i] == 0;
	CHECK(zero, "fresh memory reads zero");
	fill_random(from, 4 * MIB);
	MUST(ops->start_htod(gpu, a + 3, from + 5, 3 * MIB, stream));
	MUST(ops->start_dtod(gpu, b + 1, a + 3, 3 * MIB, stream));
	MUST(ops->start_dtoh(gpu, to + 9, b + 1, 3 * MIB, stream));
	wait_stream(stream);
	CHECK(memcmp(to + 9, from + 5, 3 * MIB) == 0, "copies at odd addresses, all three ways");
	MUST(ops->mem_set(gpu, a, 0x1234567a, 1001, 1, stream));
	MUST(ops->mem_set(gpu, a + 2000, 0x1234567a, 1001, 2, stream));
	MUST(ops->mem_set(gpu, a + 6000, 0x1234567a, 1001, 4, stream));
	MUST(ops->start_dtoh(gpu, to, a, 12000, stream));
	wait_stream(stream);
	CHECK(to[0] == 0x7a && to[1000] == 0x7a && to[2000] == 0x7a && to[2001] == 0x56 &&
		      to[2000 + 2001] == 0x56 &&
		      memcmp(to + 6000 + 4000, "\x7a\x56\x34\x12", 4) == 0,
	      "sets of bytes, half words and words");
	CHECK(ops->copy_dtoh(gpu, to, (uintptr_t)from, 8) == 1,
	      "a copy from an address of the worker's own memory: 1");
	MUST(ops->stream_destroy(gpu, stream));
	give(a);
	give(b);
}

void *read_file(const char *folder, const char *name, uint64_t *bytes)
{
	char path[4096];
	FILE *file;
	char *text = calloc(1, 16 * MIB);

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file || !text) {
		printf("FAIL: cannot read %s\n", path);
		exit(1);
	}
	*bytes = fread(text, 1, 16 * MIB - 1, file);
	fclose(file);
	return text;
}

/* What the driver's functions take comes with the first that calls them, and stays. */
static void check_tenant_module(const char *folder, const char *name, bool first)
{
	enum {
		N = 5000
	};
	uint64_t bytes, module = 0, table = 0, table_bytes = 0, before = available(), stream = 0;
	void *image = read_file(folder, name, &bytes);
	uint64_t a = alloc(N * 4), b = alloc(N * 4), offset, size, unused, start_event, end_event;
	uint32_t *x = (uint32_t *)window, *t = x + N, *y = t + N;
	struct {
		uint64_t in, out;
		uint32_t n;
	} arguments = { a, b, N };
	uint64_t cycles = 20000000, taken, held = charged;
	bool same = true;
	float milliseconds = 0;
	int32_t value = 0;

	before = available();
	MUST(ops->module_load(gpu, image, bytes, &module));
	taken = before - available();
	CHECK(charged - held >= taken,
	      "%s takes %" PRIu64 " KiB of the GPU, and counts %" PRIu64 " KiB", name, taken >> 10,
	      (charged - held) >> 10);
	MUST(ops->module_global(gpu, module, "table", &table, &table_bytes));
	CHECK(table_bytes == 4000000, "its global has %" PRIu64 " bytes", table_bytes);
	fill_random(x, 2 * N * 4);
	MUST(ops->start_htod(gpu, a, x, N * 4, 0));
	MUST(ops->start_htod(gpu, table, t, N * 4, 0));
	MUST(start(function_of(module, "scale"), 0, (N + 127) / 128, 128, &arguments, 20));
	MUST(ops->start_dtoh(gpu, y, b, N * 4, 0));
	MUST(ops->synchronize(gpu));
	for (int i = 0; i < N; i++)
		same &= y[i] == x[i] * 3 + t[i];
	CHECK(same, "its kernel, with its global and its constant");
	CHECK(ops->function_parameter(gpu, function_of(module, "scale"), 2, &offset, &size) == 0 &&
		      offset == 16 && size == 4 &&
		      ops->function_parameter(gpu, function_of(module, "scale"), 3, &offset,
					      &size) == 1,
	      "its parameters");
	CHECK(ops->module_function(gpu, module, "none", &unused) == 500 &&
		      ops->module_global(gpu, module, "none", &unused, &unused) == 500,
	      "names that it lacks: 500");
	MUST(ops->function_attribute(gpu, function_of(module, "scale"), 0, &value));
	CHECK(value >= 128, "at most %d threads a block", value);
	MUST(start(function_of(module, "chatty"), 0, 1, 1, &(uint32_t){ 4711 }, 4));
	CHECK(ops->synchronize(gpu) == 0, "printf(), malloc() and assert() are linked");
	taken = before - available();
	CHECK(charged - held >= taken, "with them used it takes %" PRIu64 " KiB", taken >> 10);

	MUST(ops->stream_create(gpu, 1, 0, &stream));
	MUST(ops->event_create(gpu, 0, &start_event));
	MUST(ops->event_create(gpu, 0, &end_event));
	MUST(ops->event_record(gpu, start_event, stream));
	MUST(start(function_of(module, "spin"), stream, 1, 1, &cycles, 8));
	MUST(ops->event_record(gpu, end_event, stream));
	CHECK(ops->stream_query(gpu, stream) == 600 && ops->event_query(gpu, end_event) == 600 &&
		      ops->context_query(gpu) == 600,
	      "a stream, an event and the context are busy with a non-blocking stream's work");
	MUST(ops->stream_wait_event(gpu, 0, end_event));
	MUST(ops->mem_set(gpu, b, 1, N, 4, 0));
	MUST(ops->stream_destroy(gpu, stream));
	CHECK(ops->context_query(gpu) == 600, "and still when the stream was destroyed");
	MUST(ops->synchronize(gpu));
	MUST(ops->event_elapsed(gpu, start_event, end_event, &milliseconds));
	CHECK(milliseconds > 5 && milliseconds < 40, "20 M cycles took %.2f ms by the events",
	      (double)milliseconds);
	MUST(ops->event_destroy(gpu, start_event));
	MUST(ops->event_destroy(gpu, end_event));
	MUST(ops->module_unload(gpu, module));
	CHECK((charged > held) == first, "%" PRIu64 " KiB count after it was unloaded",
	      (charged - held) >> 10);
	give(a);
	give(b);
	free(image);
}

/* What the driver takes for streams and events is at most what counts, and what comes for free. */
static void check_streams_and_events(void)
{
	enum {
		STREAMS = 1024,
		EVENTS = 4096
	};
	static uint64_t streams[STREAMS], events[EVENTS];
	const uint64_t free_ones = 2 * 2 * MIB, before = available();
	uint64_t with_streams, footprint;

	charged = 0;
	for (int i = 0; i < STREAMS; i++)
		MUST(ops->stream_create(gpu, 1, 0, &streams[i]));
	with_streams = before - available();
	CHECK(charged + free_ones >= with_streams,
	      "%d streams take %" PRIu64 " KiB of the GPU, and count %" PRIu64 " KiB", STREAMS,
	      with_streams >> 10, charged >> 10);
	for (int i = 0; i < EVENTS; i++) {
		MUST(ops->event_create(gpu, 0, &events[i]));
		MUST(ops->event_record(gpu, events[i], streams[i % STREAMS]));
	}
	MUST(ops->synchronize(gpu));
	CHECK(charged + free_ones >= before - available(),
	      "with %d events in them %" PRIu64 " KiB, and count %" PRIu64 " KiB", EVENTS,
	      (before - available()) >> 10, charged >> 10);
	for (int i = 0; i < EVENTS; i++)
		MUST(ops->event_destroy(gpu, events[i]));
	for (int i = 0; i < STREAMS; i++)
		MUST(ops->stream_destroy(gpu, streams[i]));
	printf("when they are destroyed, the driver keeps %" PRIu64 " KiB\n",
	       (before - available()) >> 10);
	MUST(ops->reset(gpu, &footprint));
	MUST(ops->window_register(gpu, window, WINDOW));
	charged = 0;
}

/* What the driver takes for kernels' local memory is at most what counts. */
static void check_local_memory(const char *folder)
{
	static const char *const names[] = { "local_600", "local_1100", "local_5000",
					     "local_20000" };
	uint64_t bytes, module = 0, a = alloc(4), footprint, before;
	void *image = read_file(folder, "tenant.cubin", &bytes);

	MUST(ops->module_load(gpu, image, bytes, &module));
	before = available();
	charged = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint64_t taken;

		MUST(start(function_of(module, names[i]), 0, 132 * 8, 256, &a, 8));
		MUST(ops->synchronize(gpu));
		taken = before - available();
		CHECK(charged >= taken, "%s takes %.1f MiB of the GPU, and counts %.1f MiB",
		      names[i], (double)taken / (double)MIB, (double)charged / (double)MIB);
	}
	free(image);
	MUST(ops->reset(gpu, &footprint));
	MUST(ops->window_register(gpu, window, WINDOW));
	charged = 0;
}

static void check_images(void)
{
	static const struct {
		const char *what, *image;
		uint64_t bytes;
	} images[] = {
		{ "no module", "no module at all", 16 },
		{ "wrong PTX", ".version 6.4\n.target sm_75\n.address_size 64\nadd.wrong;\n", 52 },
		{ "a bare ELF magic", "\177ELF\2\1", 6 },
		{ "a fatbin's wrapper", "\xb1\x43\x62\x46\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20 },
	};

	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		uint64_t module;
		cuda_error error;

		gpu->detail[0] = '\0';
		error = ops->module_load(gpu, images[i].image, images[i].bytes, &module);
		CHECK(error != 0, "%s: %u: %s", images[i].what, error, gpu->detail);
	}
}

static void check_account(void)
{
	uint64_t pointers[300] = { 0 }, bytes[300], before = available(), taken = 0;
	bool exact = true;

	for (int i = 0; i < 6000 && exact; i++) {
		size_t k = (size_t)rand_r(&seed) % 300;
		uint64_t footprint;

		if (pointers[k]) {
			MUST(ops->mem_free(gpu, pointers[k], &footprint));
			taken -= footprint;
			pointers[k] = 0;
		} else {
			bytes[k] = 1 + (uint64_t)rand_r(&seed) % (i % 20 ? 90000 : 70 * MIB);
			taken += ops->footprint(gpu, bytes[k]);
			pointers[k] = alloc(bytes[k]);
		}
		exact = i % 100 ? exact : taken == before - available();
	}
	CHECK(exact, "6000 random allocations and frees count what the GPU gave, to the byte");
	for (size_t k = 0; k < 300; k++)
		if (pointers[k])
			give(pointers[k]);
	CHECK(available() == before, "and nothing is left");
}

static void check_context(void)
{
	int64_t started_ns = vgpu_now_ns();
	uint64_t pointer;
	uint8_t byte = 1;

	MUST(ops->context_give_back(gpu));
	printf("the context was given back in %.1f ms", (double)(vgpu_now_ns() - started_ns) / 1e6);
	started_ns = vgpu_now_ns();
	MUST(ops->context_take(gpu));
	printf(", taken again in %.1f ms", (double)(vgpu_now_ns() - started_ns) / 1e6);
	started_ns = vgpu_now_ns();
	MUST(ops->window_register(gpu, window, WINDOW));
	printf(", and 1 GiB of window registered in %.1f ms\n",
	       (double)(vgpu_now_ns() - started_ns) / 1e6);
	pointer = alloc(1);
	CHECK(ops->copy_dtoh(gpu, &byte, pointer, 1) == 0 && byte == 0,
	      "a context that was given back can be taken again and used");
	give(pointer);
}

/* A kernel's fault: sticky, here and after a reset. The last check of a process. */
static void check_fault(const char *folder, uint64_t address, const char *what)
{
	uint64_t bytes, module = 0, footprint, pointer = alloc(16);
	void *image = read_file(folder, "tenant.cubin", &bytes);
	struct {
		uint64_t at;
		uint32_t value, unused;
	} arguments = { address, 7, 0 };
	cuda_error error;

	MUST(ops->module_load(gpu, image, bytes, &module));
	MUST(start(function_of(module, "poke"), 0, 1, 1, &arguments, 12));
	error = ops->synchronize(gpu);
	CHECK(error == 700, "%s: %u", what, error);
	CHECK(ops->mem_alloc(gpu, 5 * MIB, &pointer) == 700 &&
		      ops->copy_dtoh(gpu, window, pointer, 4) == 700 &&
		      ops->context_query(gpu) == 700 && ops->reset(gpu, &footprint) == 700 &&
		      footprint == 0,
	      "and it stays, also over a reset");
	free(image);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[2] : "";
	static uint32_t own_memory = 1;
	struct vgpu_error *err = NULL;
	int32_t value = -1;
	int64_t started_ns = vgpu_now_ns();
	int fd;

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	seed = (unsigned int)started_ns;
	if (backend_cuda.open(0, strcmp(mode, "allow-pageable") == 0 ? BACKEND_ALLOW_PAGEABLE : 0,
			      &gpu, &err) < 0) {
		printf("FAIL: %s\n", err->message);
		return 1;
	}
	gpu->ledger = &ledger;
	printf("%s, opened in %.1f ms, seed %u\n", gpu->info.gpu_name,
	       (double)(vgpu_now_ns() - started_ns) / 1e6, seed);
	MUST(ops->device_attribute(gpu, CUDA_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS, &value));
	printf("CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS is %d\n", value);
	for (const struct backend_path *path = gpu->paths; path->path; path++)
		if (path->device)
			printf("device node: %s\n", path->path);
	fd = memfd_create("window", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, WINDOW) < 0)
		return 1;
	window = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (window == MAP_FAILED)
		return 1;
	if (strcmp(mode, "host-pointer") == 0) {
		check_fault(argv[1], (uintptr_t)&own_memory,
			    "a kernel that writes to a variable of its process");
		CHECK(own_memory == 1, "which is as it was");
		backend_cuda.close(&gpu);
		return check_failures != 0;
	}
	MUST(ops->window_register(gpu, window, WINDOW));
	check_copies_and_sets();
	check_built_in();
	charged = 0;
	check_tenant_module(argv[1], "tenant.ptx", true);
	check_tenant_module(argv[1], "tenant.cubin", false);
	check_tenant_module(argv[1], "tenant.fatbin", false);
	check_tenant_module(argv[1], "tenant-ptx.fatbin", false);
	check_streams_and_events();
	check_images();
	check_account();
	check_local_memory(argv[1]);
	check_context();
	measure(argv[1]);
	check_fault(argv[1], 16, "a kernel that writes where nothing is allocated");
	backend_cuda.close(&gpu);
	printf("%d checks failed\n", check_failures);
	return check_failures != 0;
}
