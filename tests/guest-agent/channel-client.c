/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tenant's program on channels: channel-client TRANSPORT [COMMAND]. Without a command it checks
 * everything. "lost" opens a channel, says so, and expects to lose it after a line on standard
 * input; "hold" does the same and keeps it. "outlive" uses its channel at each line: after the
 * first without a mediator, after the second with another one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/guest-agent/channel-checks.h"

/* From the smallest rings and windows to large ones. */
static void check_shapes(struct vgpu *vgpu)
{
	static const struct {
		uint32_t entries;
		uint64_t window_bytes;
	} shapes[] = { { 16, 1 }, { 0, 0 }, { 64, 1 << 20 }, { 4096, 3 << 20 } };

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct vgpu_channel *channel;
		uint64_t bytes;

		MUST(vgpu_channel_open(vgpu, shapes[i].entries, shapes[i].window_bytes, 0,
				       &channel));
		EXPECT(vgpu_channel_window(channel, &bytes) != NULL);
		EXPECT(bytes >= shapes[i].window_bytes && bytes % 4096 == 0);
		channel_check_all(channel);
		vgpu_channel_close(channel);
	}
}

static void check_arguments(struct vgpu *vgpu)
{
	struct vgpu_channel *channel;

	MUST_FAIL(vgpu_channel_open(vgpu, 15, 0, 0, &channel), VGPU_E_ARGUMENT, 0);
	MUST_FAIL(vgpu_channel_open(vgpu, 8, 0, 0, &channel), VGPU_E_ARGUMENT, 0);
	MUST_FAIL(vgpu_channel_open(vgpu, 8192, 0, 0, &channel), VGPU_E_ARGUMENT, 0);
	MUST_FAIL(vgpu_channel_open(vgpu, 0, 0, 2, &channel), VGPU_E_ARGUMENT, 0);
	MUST_FAIL(vgpu_channel_open(vgpu, 0, UINT64_MAX, 0, &channel), VGPU_E_ARGUMENT, 0);
	MUST_FAIL(vgpu_channel_open(vgpu, 0, 0, 0, NULL), VGPU_E_ARGUMENT, 0);
	MUST_FAIL(vgpu_channel_open(vgpu, 0, UINT64_C(60) << 30, 0, &channel), VGPU_E_WINDOW_LIMIT,
		  0);
	EXPECT(channel == NULL);
	vgpu_channel_close(NULL);
}

/* Mistakes are told where they are made. */
static void check_checking(struct vgpu *vgpu)
{
	struct vgpu_channel *channel;
	uint8_t byte = 0;

	MUST(vgpu_channel_open(vgpu, 0, 0, VGPU_CHANNEL_CHECK, &channel));
	MUST_FAIL(vgpu_channel_copy_to_device_async(channel, 8, &byte, 1, 0), VGPU_E_CUDA, 1);
	MUST_FAIL(vgpu_channel_mem_set(channel, 8, 0, 1, 1, 0), VGPU_E_CUDA, 1);
	MUST_FAIL(vgpu_channel_event_record(channel, 77, 0), VGPU_E_CUDA, 400);
	MUST(vgpu_channel_synchronize(channel));
	channel_check_device(channel);
	vgpu_channel_close(channel);
}

static void check_several(struct vgpu *vgpu)
{
	struct vgpu_channel *channels[3];

	for (int i = 0; i < 3; i++)
		MUST(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &channels[i]));
	for (int i = 0; i < 3; i++)
		channel_check_kernels(channels[i]);
	vgpu_channel_close(channels[1]);
	MUST(vgpu_channel_open(vgpu, 0, 2 << 20, 0, &channels[1]));
	for (int i = 0; i < 3; i++)
		channel_check_set(channels[i]);
	/* vgpu_close() closes them. */
}

static int hold(struct vgpu *vgpu, int lose)
{
	struct vgpu_channel *channel;
	vgpu_pointer pointer;
	char line[16];

	MUST(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &channel));
	MUST(vgpu_channel_mem_alloc(channel, 1 << 20, &pointer));
	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return EXIT_FAILURE;
	if (!lose) {
		MUST(vgpu_channel_mem_free(channel, pointer));
	} else {
		MUST_FAIL(vgpu_channel_nop(channel), VGPU_E_CONTEXT_LOST, 0);
		MUST_FAIL(vgpu_channel_mem_free(channel, pointer), VGPU_E_CONTEXT_LOST, 0);
		vgpu_channel_close(channel);
		MUST(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &channel));
		channel_check_kernels(channel);
	}
	vgpu_channel_close(channel);
	vgpu_close(vgpu);
	return EXIT_SUCCESS;
}

/* Tells the test that a step is done, and waits for its line. */
static void step(const char *done)
{
	char line[16];

	printf("%s\n", done);
	fflush(stdout);
	EXPECT(fgets(line, sizeof(line), stdin) != NULL);
}

/* The device's memory holds what it held. */
static void check_kept(struct vgpu_channel *channel, vgpu_pointer pointer, const uint8_t *mine,
		       size_t bytes)
{
	uint8_t *back = calloc(1, bytes);

	MUST(vgpu_channel_copy_from_device(channel, back, pointer, bytes));
	EXPECT(memcmp(back, mine, bytes) == 0);
	free(back);
}

/* The library's part of the link moves only while the library runs. */
static enum vgpu_result open_at_last(struct vgpu *vgpu, struct vgpu_channel **channel)
{
	const struct timespec pause = { 0, 50 * 1000 * 1000 };
	enum vgpu_result result = VGPU_E_UNAVAILABLE;

	for (int i = 0; i < 1200 && result == VGPU_E_UNAVAILABLE; i++) {
		result = vgpu_channel_open(vgpu, 0, 1 << 20, 0, channel);
		if (result == VGPU_E_UNAVAILABLE)
			nanosleep(&pause, NULL);
	}
	return result;
}

static int outlive(struct vgpu *vgpu)
{
	struct vgpu_channel *channel, *closed, *other;
	uint8_t mine[1 << 16];
	vgpu_pointer pointer;

	for (size_t i = 0; i < sizeof(mine); i++)
		mine[i] = (uint8_t)rand();
	MUST(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &channel));
	MUST(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &closed));
	MUST(vgpu_channel_mem_alloc(channel, sizeof(mine), &pointer));
	MUST(vgpu_channel_copy_to_device(channel, pointer, mine, sizeof(mine)));
	step("ready");
	check_kept(channel, pointer, mine, sizeof(mine));
	MUST_FAIL(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &other), VGPU_E_UNAVAILABLE, 0);
	vgpu_channel_close(closed);
	check_kept(channel, pointer, mine, sizeof(mine));
	step("alone");
	MUST(open_at_last(vgpu, &other));
	check_kept(channel, pointer, mine, sizeof(mine));
	channel_check_kernels(channel);
	channel_check_kernels(other);
	vgpu_channel_close(other);
	step("again");
	check_kept(channel, pointer, mine, sizeof(mine));
	vgpu_channel_close(channel);
	vgpu_close(vgpu);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct vgpu *vgpu;

	if (argc < 2)
		return EXIT_FAILURE;
	channel_check_seed((unsigned int)time(NULL));
	MUST(vgpu_open(argv[1], 0, 10000, &vgpu));
	if (argc > 2 && strcmp(argv[2], "outlive") == 0)
		return outlive(vgpu);
	if (argc > 2)
		return hold(vgpu, strcmp(argv[2], "lost") == 0);
	check_arguments(vgpu);
	check_checking(vgpu);
	check_several(vgpu);
	check_shapes(vgpu);
	vgpu_close(vgpu);
	return EXIT_SUCCESS;
}
