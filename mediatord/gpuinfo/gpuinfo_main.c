/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vgpu-gpuinfo: asks NVIDIA's driver about the host's GPUs, or one of them, once, and prints one
 * JSON object. A program of its own because a wedged driver keeps whoever asks it for ever.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <jansson.h>

#include "common/cleanup.h"
#include "mediatord/gpuinfo/nvml_api.h"

#define PROCESSES_MAX 256u

static void usage(FILE *stream)
{
	fputs("Usage: vgpu-gpuinfo [INDEX | --list]\n"
	      "Prints what NVIDIA's driver says of this host's GPUs, or of one, as one JSON "
	      "object.\n"
	      "\n"
	      "  --list     say which GPUs there are, and ask none of them\n"
	      "  --help     print this text and exit\n"
	      "  --version  print the version and exit\n"
	      "\n"
	      "Exits with status 69 where there is no driver, or it refuses.\n",
	      stream);
}

static int load(struct nvml_api *api)
{
#define NEEDED_ENTRY(member, symbol, parameters) { #symbol, offsetof(struct nvml_api, member), 1 },
#define OPTIONAL_ENTRY(member, symbol, parameters)                                                 \
	{ #symbol, offsetof(struct nvml_api, member), 0 },
	static const struct {
		const char *symbol;
		size_t member;
		int needed;
	} functions[] = { NVML_FUNCTIONS(NEEDED_ENTRY, OPTIONAL_ENTRY) };

	memset(api, 0, sizeof(*api));
	api->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!api->library) {
		fprintf(stderr, "vgpu-gpuinfo: cannot load NVIDIA's management library: %s\n",
			dlerror());
		return -1;
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *symbol = dlsym(api->library, functions[i].symbol);

		if (!symbol && functions[i].needed) {
			fprintf(stderr,
				"vgpu-gpuinfo: libnvidia-ml.so.1 has no %s: the driver is too "
				"old\n",
				functions[i].symbol);
			return -1;
		}
		memcpy((char *)api + functions[i].member, &symbol, sizeof(symbol));
	}
	return 0;
}

/* What a driver writes need not be UTF-8, nor ended. */
static json_t *text_to_json(const char *text, size_t size)
{
	char clean[NVML_NAME_BYTES];
	size_t length = strnlen(text, size < sizeof(clean) ? size : sizeof(clean) - 1);

	for (size_t i = 0; i < length; i++)
		clean[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	return json_stringn(clean, length);
}

static json_t *processes_to_json(const struct nvml_api *api, nvml_device device)
{
	static struct nvml_process processes[PROCESSES_MAX];
	unsigned int count = PROCESSES_MAX;
	json_t *list;

	if (!api->processes || api->processes(device, &count, processes) != NVML_SUCCESS)
		return json_null();
	list = json_array();
	for (unsigned int i = 0; i < count && i < PROCESSES_MAX; i++)
		if (processes[i].used_bytes <= INT64_MAX)
			json_array_append_new(list, json_pack("{s:I, s:I}", "pid",
							      (json_int_t)processes[i].pid,
							      "memory_bytes",
							      (json_int_t)processes[i].used_bytes));
	return list;
}

static void add_condition(const struct nvml_api *api, nvml_device device, json_t *gpu)
{
	struct nvml_utilization utilization;
	unsigned int value, pending;
	struct nvml_pci pci;

	if (api->pci && api->pci(device, &pci) == NVML_SUCCESS)
		json_object_set_new(gpu, "pci_address",
				    text_to_json(pci.bus_id, sizeof(pci.bus_id)));
	if (api->utilization && api->utilization(device, &utilization) == NVML_SUCCESS)
		json_object_set_new(gpu, "utilization_percent", json_integer(utilization.gpu));
	if (api->temperature &&
	    api->temperature(device, NVML_TEMPERATURE_GPU, &value) == NVML_SUCCESS)
		json_object_set_new(gpu, "temperature_celsius", json_integer(value));
	if (api->power && api->power(device, &value) == NVML_SUCCESS)
		json_object_set_new(gpu, "power_milliwatts", json_integer(value));
	if (api->mig && api->mig(device, &value, &pending) == NVML_SUCCESS)
		json_object_set_new(gpu, "mig", json_boolean(value));
}

static json_t *gpu_to_json(const struct nvml_api *api, unsigned int index)
{
	char name[NVML_NAME_BYTES] = "", uuid[NVML_UUID_BYTES] = "";
	json_t *gpu = json_pack("{s:i}", "index", (int)index);
	struct nvml_memory memory;
	nvml_device device;
	nvml_return result = api->device(index, &device);

	if (result == NVML_SUCCESS)
		result = api->memory(device, &memory);
	if (result == NVML_SUCCESS)
		result = api->name(device, name, sizeof(name));
	if (result == NVML_SUCCESS)
		result = api->uuid(device, uuid, sizeof(uuid));
	if (result != NVML_SUCCESS) {
		json_object_set_new(gpu, "nvml_error", json_integer(result));
		return gpu;
	}
	json_object_set_new(gpu, "name", text_to_json(name, sizeof(name)));
	json_object_set_new(gpu, "uuid", text_to_json(uuid, sizeof(uuid)));
	json_object_set_new(gpu, "memory_bytes", json_integer((json_int_t)memory.total));
	json_object_set_new(gpu, "memory_used_bytes", json_integer((json_int_t)memory.used));
	add_condition(api, device, gpu);
	json_object_set_new(gpu, "processes", processes_to_json(api, device));
	return gpu;
}

/* Which GPUs are to be told of. */
struct choice {
	bool list; /* their indices alone */
	bool one;
	unsigned int index;
};

static json_t *gpus_to_json(const struct nvml_api *api, const struct choice *choice,
			    unsigned int count)
{
	json_t *gpus = json_array();

	for (unsigned int index = 0; index < count; index++)
		if (choice->list)
			json_array_append_new(gpus, json_pack("{s:i}", "index", (int)index));
		else if (!choice->one || index == choice->index)
			json_array_append_new(gpus, gpu_to_json(api, index));
	return gpus;
}

static int report(const struct nvml_api *api, const struct choice *choice)
{
	unsigned int count = 0;
	nvml_return result = api->init();
	json_t *root;
	int failed;

	if (result == NVML_SUCCESS)
		result = api->count(&count);
	if (result != NVML_SUCCESS) {
		fprintf(stderr, "vgpu-gpuinfo: NVIDIA's driver refuses: NVML error %d\n", result);
		return EX_UNAVAILABLE;
	}
	root = json_pack("{s:o}", "gpus", gpus_to_json(api, choice, count));
	failed = json_dumpf(root, stdout, JSON_INDENT(2)) < 0 || putchar('\n') < 0 ||
		 fflush(stdout) != 0;
	json_decref(root);
	api->shutdown();
	return failed ? EX_IOERR : EXIT_SUCCESS;
}

/* Returns 0, or -1 where the text is no index. */
static int parse_index(const char *text, struct choice *choice)
{
	char *end;

	errno = 0;
	choice->index = (unsigned int)strtoul(text, &end, 10);
	choice->one = true;
	return text[0] < '0' || text[0] > '9' || *end || errno || strlen(text) > 9 ? -1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct choice choice = { .list = false };
	struct nvml_api api;

	switch (getopt_long(argc, argv, "", options, NULL)) {
	case 'h':
		usage(stdout);
		return EXIT_SUCCESS;
	case 'V':
		puts("vgpu-gpuinfo " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	case 'l':
		choice.list = true;
		break;
	case -1:
		break;
	default:
		usage(stderr);
		return EX_USAGE;
	}
	if (argc - optind > (choice.list ? 0 : 1) ||
	    (optind < argc && parse_index(argv[optind], &choice) < 0)) {
		fprintf(stderr, "vgpu-gpuinfo: %s: it takes one GPU's index, or --list\n",
			argv[optind]);
		return EX_USAGE;
	}
	return load(&api) < 0 ? EX_UNAVAILABLE : report(&api, &choice);
}
