/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that opens a channel, writes "ready" and keeps it: channel-holder COMMAND [TRANSPORT].
 * "hold" does just that; after SIGUSR1 it checks that what it left in its memory on the GPU is
 * there, writes "served", and goes on; after SIGUSR2 it opens a second channel for a moment, as
 * soon as there is a mediator, and writes "opened". "fork" forks a child, which keeps the channel's
 * lock, and writes the child's pid after "ready". "once" closes the channel and ends.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vgpu.h"

#define GPU_BYTES (1u << 20)
#define PATTERN	  0x5eed1234u
#define RETRY_US  20000

static void must(enum vgpu_result result)
{
	if (result == VGPU_OK)
		return;
	fprintf(stderr, "channel-holder: %s\n", vgpu_last_error());
	exit(EXIT_FAILURE);
}

static void check_memory(struct vgpu_channel *channel, vgpu_pointer pointer)
{
	static uint32_t words[GPU_BYTES / sizeof(uint32_t)];

	memset(words, 0, sizeof(words));
	must(vgpu_channel_copy_from_device(channel, words, pointer, GPU_BYTES));
	for (size_t i = 0; i < GPU_BYTES / sizeof(words[0]); i++)
		if (words[i] != PATTERN) {
			fprintf(stderr, "channel-holder: word %zu is %x\n", i, words[i]);
			exit(EXIT_FAILURE);
		}
}

/* Also where the mediator has just been replaced. */
static void open_another(struct vgpu *vgpu)
{
	struct vgpu_channel *channel;
	enum vgpu_result result;

	while ((result = vgpu_channel_open(vgpu, 0, 1 << 20, 0, &channel)) == VGPU_E_UNAVAILABLE)
		usleep(RETRY_US);
	must(result);
	must(vgpu_channel_synchronize(channel));
	vgpu_channel_close(channel);
}

static void hold(struct vgpu *vgpu, struct vgpu_channel *channel, vgpu_pointer pointer)
{
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	while (sigwait(&set, &number) == 0) {
		if (number == SIGUSR2) {
			open_another(vgpu);
			puts("opened");
			continue;
		}
		check_memory(channel, pointer);
		puts("served");
	}
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "hold";
	struct vgpu_channel *channel;
	vgpu_pointer pointer;
	struct vgpu *vgpu;
	sigset_t set;
	pid_t child;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	must(vgpu_open(argc > 2 ? argv[2] : NULL, 0, 60000, &vgpu));
	must(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &channel));
	must(vgpu_channel_mem_alloc(channel, GPU_BYTES, &pointer));
	must(vgpu_channel_mem_set(channel, pointer, PATTERN, 4, GPU_BYTES / 4, 0));
	must(vgpu_channel_synchronize(channel));
	if (strcmp(command, "once") == 0) {
		vgpu_close(vgpu);
		puts("ready");
		return EXIT_SUCCESS;
	}
	if (strcmp(command, "fork") == 0) {
		child = fork();
		if (child < 0)
			return EXIT_FAILURE;
		if (child == 0) {
			for (;;)
				pause();
		}
		printf("ready %ld\n", (long)child);
	} else {
		puts("ready");
	}
	hold(vgpu, channel, pointer);
	return EXIT_FAILURE;
}
