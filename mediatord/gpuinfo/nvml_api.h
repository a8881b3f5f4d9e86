/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is used of NVIDIA's management library, declared here so that a host without the CUDA
 * Toolkit builds it, and loaded at run time. Names, values and layouts are those of NVIDIA's "NVML
 * API Reference Guide".
 */
#ifndef VGPU_GPUINFO_NVML_API_H
#define VGPU_GPUINFO_NVML_API_H

#include <stdint.h>

typedef struct nvml_device_st *nvml_device;
typedef int nvml_return;

#define NVML_SUCCESS		     0
#define NVML_ERROR_INSUFFICIENT_SIZE 7
#define NVML_TEMPERATURE_GPU	     0u
#define NVML_VALUE_NOT_AVAILABLE     UINT64_MAX

#define NVML_NAME_BYTES 96
#define NVML_UUID_BYTES 96

struct nvml_memory {
	unsigned long long total, free, used; /* bytes */
};

struct nvml_utilization {
	unsigned int gpu, memory; /* percent, over the driver's last sample */
};

struct nvml_pci {
	char bus_id_legacy[16];
	unsigned int domain, bus, device, pci_device_id, pci_subsystem_id;
	char bus_id[32];
};

struct nvml_process {
	unsigned int pid;
	unsigned long long used_bytes; /* or NVML_VALUE_NOT_AVAILABLE */
	unsigned int gpu_instance, compute_instance;
};

/* NEEDED(member, symbol, parameters), OPTIONAL(the same) */
#define NVML_FUNCTIONS(NEEDED, OPTIONAL)                                                           \
	NEEDED(init, nvmlInit_v2, (void))                                                          \
	NEEDED(shutdown, nvmlShutdown, (void))                                                     \
	NEEDED(count, nvmlDeviceGetCount_v2, (unsigned int *))                                     \
	NEEDED(device, nvmlDeviceGetHandleByIndex_v2, (unsigned int, nvml_device *))               \
	NEEDED(name, nvmlDeviceGetName, (nvml_device, char *, unsigned int))                       \
	NEEDED(uuid, nvmlDeviceGetUUID, (nvml_device, char *, unsigned int))                       \
	NEEDED(memory, nvmlDeviceGetMemoryInfo, (nvml_device, struct nvml_memory *))               \
	OPTIONAL(pci, nvmlDeviceGetPciInfo_v3, (nvml_device, struct nvml_pci *))                   \
	OPTIONAL(utilization, nvmlDeviceGetUtilizationRates,                                       \
		 (nvml_device, struct nvml_utilization *))                                         \
	OPTIONAL(temperature, nvmlDeviceGetTemperature,                                            \
		 (nvml_device, unsigned int, unsigned int *))                                      \
	OPTIONAL(power, nvmlDeviceGetPowerUsage, (nvml_device, unsigned int *))                    \
	OPTIONAL(mig, nvmlDeviceGetMigMode, (nvml_device, unsigned int *, unsigned int *))         \
	OPTIONAL(processes, nvmlDeviceGetComputeRunningProcesses_v3,                               \
		 (nvml_device, unsigned int *, struct nvml_process *))

#define NVML_MEMBER(member, symbol, parameters) nvml_return(*member) parameters;

struct nvml_api {
	void *library;
	NVML_FUNCTIONS(NVML_MEMBER, NVML_MEMBER)
};

#endif
