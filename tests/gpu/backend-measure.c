/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backend's calls beside the driver's own: what they do, and how long it takes. Prints a table,
 * and writes the same as FOLDER/native.json, which docs/benchmarks.md describes.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <string.h>

#include "tests/gpu/backend-check.h"
#include "tests/gpu/check.h"

/* Ours, and the driver's own: a copy, waited for by polling, as often as 100 ms hold, or 5 times.
 */
static double copy_gb_per_s(bool ours, bool to_device, uint64_t device, uint8_t *host,
			    uint64_t bytes)
{
	const struct cuda_api *api = &((struct backend_cuda *)gpu)->api;
	static int64_t samples[20000];
	int64_t until_ns = vgpu_now_ns() + 100 * VGPU_NS_PER_MS;
	size_t count = 0;

	while (count < 5 || (vgpu_now_ns() < until_ns && count < 20000)) {
		int64_t started_ns = vgpu_now_ns();

		if (ours && to_device)
			MUST(ops->start_htod(gpu, device, host, bytes, 0));
		else if (ours)
			MUST(ops->start_dtoh(gpu, host, device, bytes, 0));
		else if (to_device)
			MUST(api->start_htod(device, host, bytes, NULL));
		else
			MUST(api->start_dtoh(host, device, bytes, NULL));
		if (ours)
			wait_stream(0);
		else
			while (api->stream_query(NULL) == CUDA_ERROR_NOT_READY)
				;
		samples[count++] = vgpu_now_ns() - started_ns;
	}
	return (double)bytes / percentile_us(samples, count, 0.5) / 1e3;
}

static double launch_us(bool ours, uint64_t function)
{
	enum {
		COUNT = 5000
	};
	static int64_t samples[COUNT];
	const struct cuda_api *api = &((struct backend_cuda *)gpu)->api;
	cuda_function native = ((struct cuda_loaded_function *)(uintptr_t)function)->function;

	for (int i = 0; i < COUNT; i++) {
		int64_t started_ns = vgpu_now_ns();

		if (ours) {
			MUST(start(function, 0, 1, 1, "", 0));
			MUST(ops->synchronize(gpu));
		} else {
			MUST(api->launch(native, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
			while (api->stream_query(NULL) == CUDA_ERROR_NOT_READY)
				;
		}
		samples[i] = vgpu_now_ns() - started_ns;
	}
	return percentile_us(samples, COUNT, 0.5);
}

static double vector_us(bool ours, uint64_t function, const uint64_t *arguments, uint8_t *host)
{
	enum {
		COUNT = 300,
		N = 1 << 20
	};
	static int64_t samples[COUNT];
	const struct cuda_api *api = &((struct backend_cuda *)gpu)->api;
	cuda_function native = ((struct cuda_loaded_function *)(uintptr_t)function)->function;
	size_t size = 32;
	uint64_t buffer[4];
	void *extra[] = { CUDA_LAUNCH_PARAM_BUFFER_POINTER, buffer, CUDA_LAUNCH_PARAM_BUFFER_SIZE,
			  &size, CUDA_LAUNCH_PARAM_END };

	memcpy(buffer, arguments, sizeof(buffer));
	for (int i = 0; i < COUNT; i++) {
		int64_t started_ns = vgpu_now_ns();

		if (ours) {
			MUST(ops->start_htod(gpu, arguments[0], host, N * 4, 0));
			MUST(ops->start_htod(gpu, arguments[1], host + N * 4, N * 4, 0));
			MUST(start(function, 0, N / 256, 256, arguments, 32));
			MUST(ops->start_dtoh(gpu, host + N * 8, arguments[2], N * 4, 0));
			wait_stream(0);
		} else {
			MUST(api->start_htod(arguments[0], host, N * 4, NULL));
			MUST(api->start_htod(arguments[1], host + N * 4, N * 4, NULL));
			MUST(api->launch(native, N / 256, 1, 1, 256, 1, 1, 0, NULL, NULL, extra));
			MUST(api->start_dtoh(host + N * 8, arguments[2], N * 4, NULL));
			while (api->stream_query(NULL) == CUDA_ERROR_NOT_READY)
				;
		}
		samples[i] = vgpu_now_ns() - started_ns;
	}
	return percentile_us(samples, COUNT, 0.5);
}

#define SIZES_MAX 16

struct figure {
	double native, ours;
};

struct figures {
	unsigned int sizes;
	struct figure copies[2][SIZES_MAX]; /* from and to the device, GB/s */
	struct figure launch, vector;	    /* us */
};

static uint64_t copy_bytes(unsigned int size)
{
	return UINT64_C(4096) << (2 * size);
}

static void print_figure(const char *what, const struct figure *figure)
{
	printf("%-34s %12.2f %12.2f %8.3f\n", what, figure->native, figure->ours,
	       figure->ours / figure->native);
}

static void print_figures(const struct figures *figures)
{
	printf("\n%-34s %12s %12s %8s\n", "", "native", "ours", "ratio");
	for (int to_device = 1; to_device >= 0; to_device--)
		for (unsigned int i = 0; i < figures->sizes; i++) {
			char what[64];

			snprintf(what, sizeof(what), "%s %10" PRIu64 " KiB, GB/s",
				 to_device ? "host to device" : "device to host",
				 copy_bytes(i) >> 10);
			print_figure(what, &figures->copies[to_device][i]);
		}
	print_figure("launch + synchronise, us", &figures->launch);
	print_figure("1 Mi vadd_f32, in and out, us", &figures->vector);
	printf("\n");
}

static void write_copies(FILE *file, const char *key, const struct figures *figures, bool to_device)
{
	const struct figure *copies = figures->copies[to_device];

	fprintf(file, "\"%s\": [", key);
	for (unsigned int i = 0; i < figures->sizes; i++)
		fprintf(file,
			"%s{\"bytes\": %" PRIu64
			", \"gb_per_s\": %.3f, \"backend_gb_per_s\": %.3f}",
			i ? ", " : "", copy_bytes(i), copies[i].native, copies[i].ours);
	fprintf(file, "], ");
}

static void write_figures(const struct figures *figures, const char *folder)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/native.json", folder);
	file = fopen(path, "w");
	CHECK(file != NULL, "native.json can be written");
	if (!file)
		return;
	fprintf(file, "{");
	write_copies(file, "h2d", figures, true);
	write_copies(file, "d2h", figures, false);
	fprintf(file, "\"launch_sync\": {\"p50_us\": %.3f, \"backend_p50_us\": %.3f}, ",
		figures->launch.native, figures->launch.ours);
	fprintf(file, "\"vector_add\": {\"elements\": %u, \"us\": %.3f, \"backend_us\": %.3f}}\n",
		1u << 20, figures->vector.native, figures->vector.ours);
	CHECK(fclose(file) == 0, "native.json is written");
}

static void measure_copies(struct figures *figures, uint64_t device, uint8_t *pinned)
{
	for (int to_device = 1; to_device >= 0; to_device--)
		for (unsigned int i = 0; i < SIZES_MAX && copy_bytes(i) <= WINDOW; i++) {
			struct figure *figure = &figures->copies[to_device][i];
			uint64_t bytes = copy_bytes(i);

			figure->native = copy_gb_per_s(false, to_device, device, pinned, bytes);
			figure->ours = copy_gb_per_s(true, to_device, device, window, bytes);
			figures->sizes = i + 1;
		}
}

/* Native: cuMemHostAlloc()'s memory and the bare driver. Ours: the window and the backend. */
void measure(const char *folder)
{
	cuda_error (*host_alloc)(void **memory, size_t bytes, unsigned int flags);
	void *symbol = dlsym(((struct backend_cuda *)gpu)->api.library, "cuMemHostAlloc");
	uint64_t device = alloc(WINDOW), module = 0, tenant = 0, vectors[4], bytes, function;
	void *image = read_file(folder, "tenant.ptx", &bytes), *pinned = NULL;
	struct figures figures = { 0 };

	memcpy(&host_alloc, &symbol, sizeof(host_alloc));
	MUST(host_alloc(&pinned, WINDOW, 0));
	fill_random(pinned, 64 * MIB);
	measure_copies(&figures, device, pinned);
	MUST(ops->module_load(gpu, image, bytes, &tenant));
	function = function_of(tenant, "nothing");
	figures.launch.native = launch_us(false, function);
	figures.launch.ours = launch_us(true, function);
	MUST(ops->module_builtin(gpu, &module));
	for (int i = 0; i < 3; i++)
		vectors[i] = device + (uint64_t)i * 4 * MIB;
	vectors[3] = 1 << 20;
	function = function_of(module, "vadd_f32");
	figures.vector.native = vector_us(false, function, vectors, pinned);
	figures.vector.ours = vector_us(true, function, vectors, window);
	print_figures(&figures);
	write_figures(&figures, folder);
	MUST(ops->module_unload(gpu, module));
	MUST(ops->module_unload(gpu, tenant));
	give(device);
	free(image);
}
