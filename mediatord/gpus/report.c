/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/gpus/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

const char *gpu_state_name(enum gpu_state state)
{
	static const char *const names[] = {
		[GPU_UNKNOWN] = "unknown",
		[GPU_OK] = "ok",
		[GPU_LOST] = "lost",
		[GPU_HUNG] = "hung",
	};

	return (size_t)state < sizeof(names) / sizeof(*names) ? names[state] : "unknown";
}

static void parse_text(const json_t *gpu, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(gpu, key));
	size_t length = value ? strlen(value) : 0;

	if (length >= size)
		length = size - 1;
	if (length)
		memcpy(text, value, length);
	text[length] = '\0';
}

static json_int_t parse_number(const json_t *gpu, const char *key, json_int_t lacking)
{
	const json_t *value = json_object_get(gpu, key);

	return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value)
									: lacking;
}

static int32_t parse_small(const json_t *gpu, const char *key)
{
	json_int_t value = parse_number(gpu, key, -1);

	return value > INT32_MAX ? -1 : (int32_t)value;
}

static void parse_processes(const json_t *list, struct gpu *gpu)
{
	size_t count = json_array_size(list);

	for (size_t i = 0; i < count && gpu->process_count < GPU_PROCESSES_MAX; i++) {
		const json_t *entry = json_array_get(list, i);
		int32_t pid = parse_small(entry, "pid");

		if (pid <= 0)
			continue;
		gpu->processes[gpu->process_count++] = (struct gpu_process){
			.pid = pid,
			.memory_bytes = (uint64_t)parse_number(entry, "memory_bytes", 0),
		};
	}
}

static void parse_gpu(const json_t *json, struct gpu *gpu)
{
	const json_t *mig = json_object_get(json, "mig");
	const json_t *error = json_object_get(json, "nvml_error");

	gpu->state = error ? GPU_LOST : GPU_OK;
	if (error)
		snprintf(gpu->problem, sizeof(gpu->problem), "its driver gives NVML error %d",
			 (int)json_integer_value(error));
	parse_text(json, "name", gpu->name, sizeof(gpu->name));
	parse_text(json, "uuid", gpu->uuid, sizeof(gpu->uuid));
	parse_text(json, "pci_address", gpu->pci_address, sizeof(gpu->pci_address));
	gpu->memory_bytes = (uint64_t)parse_number(json, "memory_bytes", 0);
	gpu->memory_used_bytes = (uint64_t)parse_number(json, "memory_used_bytes", 0);
	gpu->utilization_percent = parse_small(json, "utilization_percent");
	gpu->temperature_celsius = parse_small(json, "temperature_celsius");
	gpu->power_milliwatts = parse_number(json, "power_milliwatts", -1);
	gpu->mig = json_is_boolean(mig) ? json_is_true(mig) : -1;
	parse_processes(json_object_get(json, "processes"), gpu);
}

struct gpu *gpu_report_find(struct gpu_report *report, uint32_t index)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->gpus[i].index == index)
			return &report->gpus[i];
	return NULL;
}

int gpu_report_parse(const char *text, size_t length, struct gpu_report *report,
		     struct vgpu_error **err)
{
	json_error_t error;
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	const json_t *list = json_object_get(root, "gpus");
	int result = 0;

	report->count = 0;
	if (!json_is_array(list))
		result = vgpu_error_set(err, EINVAL, "vgpu-gpuinfo printed no list of GPUs: %s",
					root ? "there is no \"gpus\"" : error.text);
	for (size_t i = 0; result == 0 && i < json_array_size(list); i++) {
		const json_t *json = json_array_get(list, i);
		int32_t index = parse_small(json, "index");

		if (index < 0 || report->count == GPUS_MAX ||
		    gpu_report_find(report, (uint32_t)index)) {
			result =
				vgpu_error_set(err, EINVAL,
					       "vgpu-gpuinfo printed a GPU without an index of its "
					       "own, or more than %u",
					       GPUS_MAX);
			break;
		}
		report->gpus[report->count] = (struct gpu){ .index = (uint32_t)index };
		parse_gpu(json, &report->gpus[report->count++]);
	}
	json_decref(root);
	return result;
}
