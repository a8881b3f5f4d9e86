/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for NVIDIA's management library: two GPUs, of which VGPU_DOUBLE=broken makes the
 * second give an error and =hang-one never answer, =refuse makes the library not start, and =hang
 * never answer.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediatord/gpuinfo/nvml_api.h"

#define UNKNOWN_ERROR 999

struct nvml_device_st {
	unsigned int index;
};

static struct nvml_device_st devices[2] = { { 0 }, { 1 } };

#define EXPORTED __attribute__((visibility("default")))

#define DECLARE(member, symbol, parameters) EXPORTED nvml_return symbol parameters;
NVML_FUNCTIONS(DECLARE, DECLARE)

static int is(const char *what)
{
	const char *value = getenv("VGPU_DOUBLE");

	return value && strcmp(value, what) == 0;
}

nvml_return nvmlInit_v2(void)
{
	while (is("hang"))
		pause();
	return is("refuse") ? 9 : NVML_SUCCESS;
}

nvml_return nvmlShutdown(void)
{
	return NVML_SUCCESS;
}

nvml_return nvmlDeviceGetCount_v2(unsigned int *count)
{
	*count = 2;
	return NVML_SUCCESS;
}

nvml_return nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvml_device *device)
{
	while (index == 1 && is("hang-one"))
		pause();
	if (index > 1 || (index == 1 && is("broken")))
		return UNKNOWN_ERROR;
	*device = &devices[index];
	return NVML_SUCCESS;
}

nvml_return nvmlDeviceGetName(nvml_device device, char *name, unsigned int size)
{
	(void)device;
	/* Neither ASCII nor ended. */
	memset(name, 'x', size);
	memcpy(name, "Double \x01\xff", 9);
	return NVML_SUCCESS;
}

nvml_return nvmlDeviceGetUUID(nvml_device device, char *uuid, unsigned int size)
{
	strncpy(uuid, device->index ? "GPU-1" : "GPU-0", size);
	return NVML_SUCCESS;
}

nvml_return nvmlDeviceGetMemoryInfo(nvml_device device, struct nvml_memory *memory)
{
	*memory = (struct nvml_memory){ .total = 1000u << (device->index + 20), .used = 4096 };
	return NVML_SUCCESS;
}

nvml_return nvmlDeviceGetPciInfo_v3(nvml_device device, struct nvml_pci *pci)
{
	memset(pci, 0, sizeof(*pci));
	strcpy(pci->bus_id, device->index ? "00000000:0A:00.0" : "00000000:09:00.0");
	return NVML_SUCCESS;
}

nvml_return nvmlDeviceGetUtilizationRates(nvml_device device, struct nvml_utilization *rates)
{
	rates->gpu = 40 + device->index;
	rates->memory = 0;
	return NVML_SUCCESS;
}

nvml_return nvmlDeviceGetTemperature(nvml_device device, unsigned int sensor, unsigned int *celsius)
{
	(void)device;
	*celsius = 50;
	return sensor == NVML_TEMPERATURE_GPU ? NVML_SUCCESS : UNKNOWN_ERROR;
}

nvml_return nvmlDeviceGetPowerUsage(nvml_device device, unsigned int *milliwatts)
{
	(void)device;
	(void)milliwatts;
	return UNKNOWN_ERROR;
}

nvml_return nvmlDeviceGetMigMode(nvml_device device, unsigned int *current, unsigned int *pending)
{
	*current = device->index;
	*pending = 0;
	return NVML_SUCCESS;
}

nvml_return nvmlDeviceGetComputeRunningProcesses_v3(nvml_device device, unsigned int *count,
						    struct nvml_process *processes)
{
	(void)device;
	if (*count < 2)
		return NVML_ERROR_INSUFFICIENT_SIZE;
	processes[0] = (struct nvml_process){ .pid = 77, .used_bytes = 1234 };
	processes[1] = (struct nvml_process){ .pid = 78, .used_bytes = NVML_VALUE_NOT_AVAILABLE };
	*count = 2;
	return NVML_SUCCESS;
}
