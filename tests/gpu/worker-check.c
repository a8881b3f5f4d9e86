/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real vgpu-worker in its sandbox, on a real GPU, driven through a channel's rings as a guest
 * does: what it may do, how fast it is, and a checkpoint from outside. Run by tests/gpu/run.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <glob.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/packet.h"
#include "tests/gpu/check.h"
#include "tests/mediatord/channel-driver.h"

#define MIB    (UINT64_C(1) << 20)
#define WINDOW (UINT64_C(1) << 30)

int check_failures;
static struct channel_driver channel;

/* Submits without a reply; what fails shows at the next synchronisation. */
static void submit(uint16_t opcode, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const struct vgpu_submission submission = { .opcode = opcode,
						    .flags = VGPU_SUBMIT_NO_REPLY,
						    .argument = { a, b, c, d } };

	guest_ring_submit(&channel.ring, &submission);
}

static void submit_launch(uint64_t function, uint32_t grid, uint16_t block, const void *parameters,
			  uint16_t bytes)
{
	struct vgpu_submission submission =
		channel_launch(&channel, function, grid, block, parameters, bytes);

	submission.flags = VGPU_SUBMIT_NO_REPLY;
	guest_ring_submit(&channel.ring, &submission);
}

/* Submits one that is answered, and polls for its completion. */
static void finish(uint16_t opcode)
{
	const struct vgpu_submission submission = { .opcode = opcode };
	struct vgpu_completion completion;

	guest_ring_submit(&channel.ring, &submission);
	while (!guest_ring_poll(&channel.ring, &completion))
		;
	MUST(completion.status);
}

static void print_status(void)
{
	static const char *const fields[] = { "Uid",	    "Groups",	"Cap",
					      "NoNewPrivs", "Seccomp:", "Threads" };
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", channel.driver.pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
			if (strncmp(line, fields[i], strlen(fields[i])) == 0)
				printf("    %s", line);
	if (file)
		fclose(file);
	snprintf(line, sizeof(line),
		 "cd /proc/%d/root && find . -path ./proc/self -prune -print -o -type f -print -o "
		 "-type c -print | tr '\\n' ' '; echo; ls -l /proc/%d/fd | grep -c nvidia",
		 channel.driver.pid, channel.driver.pid);
	fflush(stdout);
	if (system(line) != 0)
		printf("    (its root cannot be listed)\n");
}

static double noop_us(double part)
{
	enum {
		COUNT = 20000
	};
	static int64_t samples[COUNT];

	for (int i = 0; i < COUNT; i++) {
		int64_t started_ns = vgpu_now_ns();

		finish(VGPU_RING_NOP);
		samples[i] = vgpu_now_ns() - started_ns;
	}
	return percentile_us(samples, COUNT, part);
}

static double copy_gb_per_s(bool to_device, uint64_t device, uint64_t bytes)
{
	static int64_t samples[5000];
	int64_t until_ns = vgpu_now_ns() + 100 * VGPU_NS_PER_MS;
	size_t count = 0;

	while (count < 5 || (vgpu_now_ns() < until_ns && count < 5000)) {
		int64_t started_ns = vgpu_now_ns();

		if (to_device)
			submit(VGPU_RING_COPY_HTOD, device, 0, bytes, 0);
		else
			submit(VGPU_RING_COPY_DTOH, 0, device, bytes, 0);
		finish(VGPU_RING_CONTEXT_SYNCHRONIZE);
		samples[count++] = vgpu_now_ns() - started_ns;
	}
	return (double)bytes / percentile_us(samples, count, 0.5) / 1e3;
}

static void measure(uint64_t device)
{
	enum {
		COUNT = 300,
		N = 1 << 20
	};
	static int64_t samples[COUNT];
	const uint64_t arguments[4] = { device, device + 4 * MIB, device + 8 * MIB, N };
	uint64_t function = channel_function(&channel, "vadd_f32");
	float *a, *b, *c;
	unsigned int seed = (unsigned int)vgpu_now_ns();
	bool same = true;
	double us;

	/* Sorted samples: the percentiles of one series each. */
	printf("\nno-op through the ring, polling: p50 %.2f us", noop_us(0.5));
	printf(", p99 %.2f us\n", noop_us(0.99));
	for (int to_device = 1; to_device >= 0; to_device--)
		for (uint64_t size = 4096; size <= WINDOW; size *= 4)
			printf("%s %10" PRIu64 " KiB, GB/s %9.2f\n",
			       to_device ? "ring: host to device" : "ring: device to host",
			       size >> 10, copy_gb_per_s(to_device, device, size));
	/* The parameters lie at the window's start. */
	a = (float *)(channel.ring.window + MIB);
	b = a + N;
	c = b + N;
	for (int i = 0; i < N; i++) {
		a[i] = random_float(&seed);
		b[i] = random_float(&seed);
	}
	for (int i = 0; i < COUNT; i++) {
		int64_t started_ns = vgpu_now_ns();

		submit(VGPU_RING_COPY_HTOD, arguments[0], MIB, N * 4, 0);
		submit(VGPU_RING_COPY_HTOD, arguments[1], MIB + N * 4, N * 4, 0);
		submit_launch(function, N / 256, 256, arguments, 32);
		submit(VGPU_RING_COPY_DTOH, MIB + N * 8, arguments[2], N * 4, 0);
		finish(VGPU_RING_CONTEXT_SYNCHRONIZE);
		samples[i] = vgpu_now_ns() - started_ns;
	}
	us = percentile_us(samples, COUNT, 0.5);
	for (int i = 0; i < N; i++)
		same &= c[i] == a[i] + b[i];
	CHECK(same, "1 Mi vadd_f32 through the ring, in and out: %.2f us", us);
	for (int i = 0; i < COUNT; i++) {
		int64_t started_ns = vgpu_now_ns();

		submit_launch(function, 1, 1, arguments, 32);
		finish(VGPU_RING_CONTEXT_SYNCHRONIZE);
		samples[i] = vgpu_now_ns() - started_ns;
	}
	printf("launch + synchronise through the ring: p50 %.2f us\n\n",
	       percentile_us(samples, COUNT, 0.5));
}

/* How many GPUs this host has nodes of. A confined worker has its own GPU's alone. */
static size_t host_gpus(void)
{
	glob_t found = { 0 };
	size_t count = glob("/dev/nvidia[0-9]*", 0, NULL, &found) ? 0 : found.gl_pathc;

	globfree(&found);
	return count;
}

/* One step of a checkpoint of the worker, as its parent; false where it is the last. */
static bool checkpoint_step(void *library, const char *name, void *arguments)
{
	void *symbol = dlsym(library, name);
	uint32_t (*step)(int pid, void *arguments);
	int64_t started_ns = vgpu_now_ns();
	uint32_t error;

	if (!symbol) {
		printf("this driver has no %s\n", name);
		return false;
	}
	memcpy(&step, &symbol, sizeof(step));
	error = step(channel.driver.pid, arguments);
	if (error && host_gpus() > 1) {
		/* Its manufacturer knows of it: github.com/NVIDIA/cuda-checkpoint/issues/24. */
		printf("%s: %u. This driver cannot suspend who has one of the %zu GPUs alone\n",
		       name, error, host_gpus());
		return false;
	}
	CHECK(error == 0, "%s: %u, %.0f ms", name, error,
	      (double)(vgpu_now_ns() - started_ns) / 1e6);
	return error == 0;
}

/* Suspends the worker's GPU state to host memory and back. */
static bool checkpoint(void *library)
{
	/* CUcheckpointLockArgs: milliseconds to wait. */
	uint64_t lock[8] = { 5000 };

	return checkpoint_step(library, "cuCheckpointProcessLock", lock) &&
	       checkpoint_step(library, "cuCheckpointProcessCheckpoint", NULL) &&
	       checkpoint_step(library, "cuCheckpointProcessRestore", NULL) &&
	       checkpoint_step(library, "cuCheckpointProcessUnlock", NULL);
}

/* A worker with 1 GiB of device memory, suspended from outside: it goes on where it was. */
static void check_checkpoint(void)
{
	void *library = dlopen("libcuda.so.1", RTLD_NOW);
	void *symbol = library ? dlsym(library, "cuInit") : NULL;
	uint32_t (*init)(unsigned int flags);
	uint64_t device;

	if (!symbol)
		return;
	if (geteuid() != 0) {
		printf("only root may checkpoint a worker, which lets no one trace it\n");
		return;
	}
	memcpy(&init, &symbol, sizeof(init));
	MUST(init(0));
	channel = channel_begin(VGPU_RING_ENTRIES, 64 * MIB, 0);
	device = channel_must(&channel, VGPU_RING_MEM_ALLOC, WINDOW, 0, 0, 0, 0);
	channel.ring.window[0] = 0x5c;
	submit(VGPU_RING_COPY_HTOD, device, 0, 1, 0);
	finish(VGPU_RING_CONTEXT_SYNCHRONIZE);
	if (!checkpoint(library)) {
		/* It may have ended by that. */
		channel_forget(&channel);
		return;
	}
	channel.ring.window[0] = 0;
	submit(VGPU_RING_COPY_DTOH, 0, device, 1, 0);
	finish(VGPU_RING_CONTEXT_SYNCHRONIZE);
	CHECK(channel.ring.window[0] == 0x5c, "device memory and window work after the restore");
	channel_end(&channel);
}

/* A channel whose kernel faults fails alone; one that is killed leaves no memory behind. */
static void check_neighbours(uint64_t device)
{
	struct channel_driver other = channel_begin(VGPU_RING_ENTRIES, MIB, 0);
	const uint64_t wild[4] = { device, device, 16, 100 };
	uint64_t function = channel_function(&other, "vadd_f32");
	struct vgpu_submission launch = channel_launch(&other, function, 1, 128, wild, 32);
	uint32_t status;

	/* Both pointers are the neighbour's: to this process they are nothing. */
	MUST(channel_run(&other, launch).status);
	status = channel_call(&other, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0).status;
	CHECK(status == 700, "a kernel that uses a neighbour's memory: %u", status);
	status = channel_call(&other, VGPU_RING_MEM_ALLOC, 100, 0, 0, 0, 0).status;
	CHECK(status == 700, "its channel keeps the error: %u", status);
	submit(VGPU_RING_COPY_HTOD, device, 0, MIB, 0);
	finish(VGPU_RING_CONTEXT_SYNCHRONIZE);
	CHECK(true, "the neighbour goes on");
	channel_end(&other);
	for (int i = 0; i < 3; i++) {
		/* 60 of the GPU's 80 GB each time: what was left would make the next one fail. */
		other = channel_begin(VGPU_RING_ENTRIES, MIB, 0);
		status = channel_call(&other, VGPU_RING_MEM_ALLOC, UINT64_C(60) << 30, 0, 0, 0, 0)
				 .status;
		CHECK(status == 0, "60 GiB, and the worker is killed: %u", status);
		channel_forget(&other);
	}
}

/* What a channel waits for where its worker is prepared before, and long before. */
static void measure_start(void)
{
	const struct vgpu_worker_prepare prepare = driver_prepare();
	struct vgpu_worker_start start;
	struct channel_driver warm = channel_make(VGPU_RING_ENTRIES, 16 * MIB, &start);
	int64_t started_ns = vgpu_now_ns();

	warm.driver = driver_spawn(NULL);
	driver_send(&warm.driver, &prepare, sizeof(prepare));
	driver_receive_prepared(&warm.driver);
	printf("a worker is warm after %.0f ms", (double)(vgpu_now_ns() - started_ns) / 1e6);
	sleep(2);
	started_ns = vgpu_now_ns();
	assert_int_equal(vgpu_packet_send(warm.driver.socket, &start, sizeof(start), warm.fds, 4),
			 0);
	driver_receive_ready(&warm.driver);
	printf(", and with 16 MiB of window ready %.1f ms after START\n",
	       (double)(vgpu_now_ns() - started_ns) / 1e6);
	CHECK(channel_call(&warm, VGPU_RING_MEM_ALLOC, MIB, 0, 0, 0, 0).status == 0,
	      "it allocates");
	channel_end(&warm);
}

/* cmocka's assertions, which the driver of tests makes, need a test around them. */
static void check(void **state)
{
	int64_t started_ns;
	uint64_t device;

	(void)state;
	measure_start();
	started_ns = vgpu_now_ns();
	channel = channel_begin(VGPU_RING_ENTRIES, WINDOW, 0);
	printf("a worker with 1 GiB of window was ready after %.0f ms\n",
	       (double)(vgpu_now_ns() - started_ns) / 1e6);
	print_status();
	device = channel_must(&channel, VGPU_RING_MEM_ALLOC, WINDOW, 0, 0, 0, 0);
	measure(device);
	check_neighbours(device);
	/* Its context would go here. */
	channel_must(&channel, VGPU_RING_MEM_FREE, device, 0, 0, 0, 0);
	CHECK(channel.driver.reserved == 0, "nothing counts when everything was freed");
	channel_end(&channel);
	check_checkpoint();
	assert_int_equal(check_failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(check) };

	setvbuf(stdout, NULL, _IOLBF, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
