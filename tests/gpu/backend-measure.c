/* SPDX-License-Identifier: Apache-2.0 */
/* The backend's calls beside the driver's own: what they do, and how long it takes. */
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

/* Native: cuMemHostAlloc()'s memory and the bare driver. Ours: the window and the backend. */
void measure(const char *folder)
{
	cuda_error (*host_alloc)(void **memory, size_t bytes, unsigned int flags);
	void *symbol = dlsym(((struct backend_cuda *)gpu)->api.library, "cuMemHostAlloc");
	uint64_t device = alloc(WINDOW), module = 0, tenant = 0, vectors[4], bytes;
	void *image = read_file(folder, "tenant.ptx", &bytes), *pinned = NULL;
	double ours, native;

	memcpy(&host_alloc, &symbol, sizeof(host_alloc));
	MUST(host_alloc(&pinned, WINDOW, 0));
	fill_random(pinned, 64 * MIB);
	printf("\n%-34s %12s %12s %8s\n", "", "native", "ours", "ratio");
	for (int to_device = 1; to_device >= 0; to_device--)
		for (uint64_t size = 4096; size <= WINDOW; size *= 4) {
			native = copy_gb_per_s(false, to_device, device, pinned, size);
			ours = copy_gb_per_s(true, to_device, device, window, size);
			printf("%s %10" PRIu64 " KiB, GB/s %9.2f %12.2f %8.3f\n",
			       to_device ? "host to device" : "device to host", size >> 10, native,
			       ours, ours / native);
		}
	MUST(ops->module_load(gpu, image, bytes, &tenant));
	native = launch_us(false, function_of(tenant, "nothing"));
	ours = launch_us(true, function_of(tenant, "nothing"));
	printf("%-34s %12.2f %12.2f %8.3f\n", "launch + synchronise, us", native, ours,
	       ours / native);
	MUST(ops->module_builtin(gpu, &module));
	for (int i = 0; i < 3; i++)
		vectors[i] = device + (uint64_t)i * 4 * MIB;
	vectors[3] = 1 << 20;
	native = vector_us(false, function_of(module, "vadd_f32"), vectors, pinned);
	ours = vector_us(true, function_of(module, "vadd_f32"), vectors, window);
	printf("%-34s %12.2f %12.2f %8.3f\n\n", "1 Mi vadd_f32, in and out, us", native, ours,
	       ours / native);
	MUST(ops->module_unload(gpu, module));
	MUST(ops->module_unload(gpu, tenant));
	give(device);
	free(image);
}
