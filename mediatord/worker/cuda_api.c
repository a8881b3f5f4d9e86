/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/cuda_api.h"

#include <dlfcn.h>
#include <string.h>

const char *cuda_api_library = "libcuda.so.1";

/* What steers the driver; it reads it when it is loaded and when it is initialised. */
static int set_environment(uint32_t gpu, struct vgpu_error **err)
{
	char index[16];
	const char *const variables[][2] = {
		/* A place that cannot be: a fault of one MPS client can end all of them. */
		{ "CUDA_MPS_PIPE_DIRECTORY", "/nonexistent/vgpu" },
		/* Compiled kernels of one tenant are not for the next. */
		{ "CUDA_CACHE_DISABLE", "1" },
		{ "CUDA_DEVICE_ORDER", "PCI_BUS_ID" },
		{ "CUDA_VISIBLE_DEVICES", index },
		/* What a module takes is known, and refused, when it is loaded. */
		{ "CUDA_MODULE_LOADING", "EAGER" },
	};

	snprintf(index, sizeof(index), "%u", gpu);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (setenv(variables[i][0], variables[i][1], 1) < 0)
			return vgpu_error_errno(err, errno, "cannot set %s", variables[i][0]);
	return 0;
}

int cuda_api_load(struct cuda_api *api, uint32_t gpu, struct vgpu_error **err)
{
#define ENTRY(member, symbol, arguments)	  { #symbol, offsetof(struct cuda_api, member), 1 },
#define OPTIONAL_ENTRY(member, symbol, arguments) { #symbol, offsetof(struct cuda_api, member), 0 },
	static const struct {
		const char *symbol;
		size_t member;
		int needed;
	} functions[] = { CUDA_API_FUNCTIONS(ENTRY, OPTIONAL_ENTRY) };

	memset(api, 0, sizeof(*api));
	if (set_environment(gpu, err) < 0)
		return -1;
	api->library = dlopen(cuda_api_library, RTLD_NOW | RTLD_LOCAL);
	if (!api->library)
		return vgpu_error_set(err, ENOENT,
				      "cannot load NVIDIA's driver library: %s; the cuda backend "
				      "needs the driver on this host",
				      dlerror());
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *symbol = dlsym(api->library, functions[i].symbol);

		if (!symbol && functions[i].needed) {
			cuda_api_unload(api);
			return vgpu_error_set(err, ENOTSUP,
					      "%s has no %s: NVIDIA's driver is too old",
					      cuda_api_library, functions[i].symbol);
		}
		/* As POSIX says of dlsym(): a function's address has an object pointer's form. */
		memcpy((char *)api + functions[i].member, &symbol, sizeof(symbol));
	}
	return 0;
}

void cuda_api_unload(struct cuda_api *api)
{
	if (api->library)
		dlclose(api->library);
	memset(api, 0, sizeof(*api));
}
