/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tenant that misbehaves, or waits: for tests/gpu/guest, in a guest or on the host.
 *
 *   tenant TRANSPORT hold BYTES        takes memory, and waits to be killed
 *   tenant TRANSPORT forever IMAGE     the same with a kernel that never ends
 *   tenant TRANSPORT poke IMAGE FILE   writes to the address in FILE, once that is there
 *   tenant TRANSPORT idle FILE         holds nothing until FILE is there, then uses the GPU again,
 *                                      and ends when FILE is gone
 *   tenant TRANSPORT open COUNT MS     opens channels, with pauses, and says how long each took
 *
 * Prints "ready" when it waits. IMAGE is what tests/gpu/guest.cu was compiled to.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <vgpu.h>
#include <vgpu_channel.h>

#define IMAGE_MAX ((size_t)8 << 20)
#define MIB	  (UINT64_C(1) << 20)

static struct vgpu *device;
static struct vgpu_channel *channel;

static void must(enum vgpu_result result, const char *what)
{
	if (result == VGPU_OK)
		return;
	printf("%s: %s\n", what, vgpu_last_error());
	exit(1);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void ready(void)
{
	printf("ready\n");
	fflush(stdout);
}

/* Waits for the other side's file, and reads the number in it. */
static uint64_t await(const char *path)
{
	char text[32] = "";
	FILE *file;

	while (!(file = fopen(path, "re")))
		usleep(10000);
	/* It is renamed into place: whole, once it is there. */
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return strtoull(text, NULL, 0);
}

static vgpu_function function_of(const char *path, const char *name)
{
	char *image = calloc(1, IMAGE_MAX);
	FILE *file = fopen(path, "re");
	vgpu_function function = 0;
	vgpu_module module = 0;
	size_t bytes;

	if (!image || !file) {
		printf("%s cannot be read\n", path);
		exit(1);
	}
	bytes = fread(image, 1, IMAGE_MAX, file);
	fclose(file);
	must(vgpu_channel_module_load(channel, image, bytes, &module), "load");
	must(vgpu_channel_module_function(channel, module, name, &function), "function");
	free(image);
	return function;
}

static void launch(vgpu_function function, const void *parameters, size_t bytes)
{
	const uint32_t one[3] = { 1, 1, 1 };

	must(vgpu_channel_launch(channel, function, one, one, 0, 0, parameters, bytes), "launch");
}

static void hold(uint64_t bytes)
{
	vgpu_pointer pointer;

	must(vgpu_channel_mem_alloc(channel, bytes, &pointer), "alloc");
	ready();
	for (;;)
		pause();
}

static void run_forever(const char *image)
{
	uint64_t parameters[2] = { 0, INT64_MAX };
	vgpu_function function = function_of(image, "hold");

	must(vgpu_channel_mem_alloc(channel, 256 * MIB, &parameters[0]), "alloc");
	launch(function, parameters, sizeof(parameters));
	/* Its worker has started it, then. */
	must(vgpu_channel_nop(channel), "no-op");
	ready();
	for (;;)
		pause();
}

/* What its worker has there, the kernel must not reach. */
static void poke(const char *image, const char *path)
{
	vgpu_function function = function_of(image, "poke");
	struct {
		uint64_t address;
		uint32_t value;
	} parameters = { 0, 1 };

	ready();
	parameters.address = await(path);
	launch(function, &parameters, 12);
	if (vgpu_channel_synchronize(channel) == VGPU_OK) {
		printf("poke succeeded\n");
		exit(1);
	}
	printf("poke failed: %s\n", vgpu_last_error());
}

/* Allocates, checks that it reads zero, and leaves something behind. */
static double use(void)
{
	static uint8_t bytes[100000];
	double started_ms = now_ms();
	vgpu_pointer pointer;

	must(vgpu_channel_mem_alloc(channel, sizeof(bytes), &pointer), "alloc");
	memset(bytes, 1, sizeof(bytes));
	must(vgpu_channel_copy_from_device(channel, bytes, pointer, sizeof(bytes)), "copy");
	for (size_t i = 0; i < sizeof(bytes); i++)
		if (bytes[i]) {
			printf("byte %zu of fresh memory is %u\n", i, bytes[i]);
			exit(1);
		}
	must(vgpu_channel_mem_set(channel, pointer, 0x5c, 1, sizeof(bytes), 0), "set");
	must(vgpu_channel_mem_free(channel, pointer), "free");
	return now_ms() - started_ms;
}

static void idle(const char *path)
{
	printf("first use %.1f ms\n", use());
	ready();
	await(path);
	printf("next use %.1f ms\n", use());
	/* Until the other side has seen it. */
	while (access(path, F_OK) == 0)
		usleep(10000);
}

static void open_many(const char *transport, int count, useconds_t pause_us)
{
	for (int i = 0; i < count; i++) {
		double started_ms = now_ms();

		must(vgpu_channel_open(device, 0, 0, 0, &channel), transport);
		printf("opened in %.1f ms\n", now_ms() - started_ms);
		use();
		vgpu_channel_close(channel);
		usleep(pause_us);
	}
	channel = NULL;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 3 ? argv[2] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4 || ((strcmp(mode, "poke") == 0 || strcmp(mode, "open") == 0) && argc < 5))
		return 64;
	must(vgpu_open(argv[1], 0, 0, &device), argv[1]);
	if (strcmp(mode, "open") != 0)
		must(vgpu_channel_open(device, 0, 0, 0, &channel), "channel");
	if (strcmp(mode, "hold") == 0)
		hold(strtoull(argv[3], NULL, 0));
	else if (strcmp(mode, "forever") == 0)
		run_forever(argv[3]);
	else if (strcmp(mode, "poke") == 0)
		poke(argv[3], argv[4]);
	else if (strcmp(mode, "idle") == 0)
		idle(argv[3]);
	else if (strcmp(mode, "open") == 0)
		open_many(argv[1], atoi(argv[3]), (useconds_t)atoi(argv[4]) * 1000);
	vgpu_channel_close(channel);
	vgpu_close(device);
	return 0;
}
