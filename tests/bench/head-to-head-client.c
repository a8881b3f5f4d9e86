/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's program for tests/bench/head-to-head: adds two int32 numbers again and again, by one of
 * the ways that there are, and says how long each addition took.
 *
 *   head-to-head-client file-prototype FOLDER    the prototype's client, from what is known of it:
 *                                                writes its line, looks every 100 ms
 *   head-to-head-client file-notify FOLDER       libvgpu's requests through files
 *   head-to-head-client mailbox                  one request of the mailbox
 *   head-to-head-client ring-sleeping            copies in, kernel and copy out on a channel whose
 *   head-to-head-client ring-polling             worker has to be woken, or polls
 *
 * It answers each line of standard input with one line, and ends at "end".
 *
 *   (at the start)    "ready", or what went wrong
 *   run COUNT         "ran P50 P99 CPU": microseconds from asking to knowing the sum, and of this
 *                     process's processor time for one addition, pauses between them not counted
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "guest-agent/agent/percentile.h"
#include "guest-agent/handle.h"
#include "guest-agent/vgpu.h"

#define TIMEOUT_MS   30000u
#define WINDOW_BYTES (UINT64_C(1) << 20)
#define COUNT_MAX    1000000u
#define LINE_MAX     128

/* The prototype's. */
#define LOOK_NS	     (100 * VGPU_NS_PER_MS)
#define LOOKS_MAX    300
#define HOST_POLL_NS (1 * VGPU_NS_PER_SECOND)

/* Well beyond the time for which a worker polls. */
#define ASLEEP_NS (300 * VGPU_NS_PER_US)

/* On a channel: what the kernel is given, and where the numbers are, here and on the device. */
struct ring {
	struct vgpu_channel *channel;
	vgpu_function vadd;
	struct {
		vgpu_pointer a, b, sum;
		uint64_t count;
	} arguments;
	int32_t *numbers; /* a and b, and their sum, in the window */
};

struct client {
	const char *folder;
	struct vgpu *vgpu;
	struct ring ring;
};

struct way {
	const char *name;
	int (*prepare)(struct client *client);
	int (*add)(struct client *client, int32_t a, int32_t b, int32_t *sum);
	int64_t pause_ns; /* before each addition, */
	bool random;	  /* up to as long */
	bool awake;	  /* what is woken is to be the other side, not this one */
};

static void sleep_ns(int64_t ns)
{
	const struct timespec time = { .tv_sec = ns / VGPU_NS_PER_SECOND,
				       .tv_nsec = ns % VGPU_NS_PER_SECOND };

	nanosleep(&time, NULL);
}

static int64_t processor_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * VGPU_NS_PER_SECOND + time.tv_nsec;
}

static int failed(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return -1;
}

static int library_failed(void)
{
	printf("%s\n", vgpu_last_error());
	return -1;
}

static int prepare_folder(struct client *client)
{
	return chdir(client->folder) < 0 ? failed(client->folder) : 0;
}

/* Puts this into the file and nothing else, in place, as the prototype's guests did. */
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t length = strlen(text);
	ssize_t written = fd < 0 ? -1 : write(fd, text, length);

	if (fd < 0 || close(fd) < 0 || written != (ssize_t)length)
		return failed(path);
	return 0;
}

/* Returns 1 where there is an answer. */
static int look(char answer[LINE_MAX])
{
	int fd = open("response.txt", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, answer, LINE_MAX - 1);

	if (fd >= 0)
		close(fd);
	answer[length > 0 ? length : 0] = '\0';
	return length > 0;
}

static int add_prototype(struct client *client, int32_t a, int32_t b, int32_t *sum)
{
	char line[LINE_MAX];
	char *end;

	(void)client;
	snprintf(line, sizeof(line), "A:1:1:%" PRId32 ":%" PRId32 "\n", a, b);
	if (put("response.txt", "") < 0 || put("request.txt", line) < 0)
		return -1;
	for (int looks = 0; !look(line); looks++) {
		if (looks == LOOKS_MAX) {
			printf("no answer within 30 s\n");
			return -1;
		}
		sleep_ns(LOOK_NS);
	}
	*sum = (int32_t)strtol(line, &end, 10);
	if (end == line) {
		printf("%s", line);
		return -1;
	}
	return 0;
}

static int open_vgpu(struct client *client, const char *transport)
{
	return vgpu_open(transport, 0, TIMEOUT_MS, &client->vgpu) == VGPU_OK ? 0 : library_failed();
}

static int prepare_files(struct client *client)
{
	char transport[LINE_MAX];

	snprintf(transport, sizeof(transport), "file:%s", client->folder);
	return open_vgpu(client, transport);
}

static int prepare_mailbox(struct client *client)
{
	return open_vgpu(client, "pci");
}

static int add_mailbox(struct client *client, int32_t a, int32_t b, int32_t *sum)
{
	const uint32_t numbers[VGPU_PARAMS_ADD_I32] = { (uint32_t)a, (uint32_t)b };
	const struct mailbox_request request = { .opcode = VGPU_OP_ADD_I32,
						 .params = numbers,
						 .param_count = VGPU_PARAMS_ADD_I32 };
	struct mailbox_response response;
	enum vgpu_result result;

	HANDLE_LOCK(client->vgpu);

	result = handle_call(client->vgpu, &request, &response);
	if (result == VGPU_OK)
		result = handle_expect(&response, VGPU_RESULTS_ADD_I32);
	if (result != VGPU_OK)
		return library_failed();
	*sum = (int32_t)response.results[0];
	return 0;
}

static int prepare_ring(struct client *client)
{
	struct ring *ring = &client->ring;
	enum vgpu_result result;
	vgpu_module builtin;
	void *window;

	if (open_vgpu(client, "pci") < 0)
		return -1;
	result = vgpu_channel_open(client->vgpu, 0, WINDOW_BYTES, 0, &ring->channel);
	if (result == VGPU_OK)
		result = vgpu_channel_module_builtin(ring->channel, &builtin);
	if (result == VGPU_OK)
		result = vgpu_channel_module_function(ring->channel, builtin, "vadd_i32",
						      &ring->vadd);
	if (result == VGPU_OK)
		result = vgpu_channel_mem_alloc(ring->channel, 3 * sizeof(int32_t),
						&ring->arguments.a);
	if (result == VGPU_OK)
		result = vgpu_host_alloc(ring->channel, 3 * sizeof(int32_t), &window);
	if (result != VGPU_OK)
		return library_failed();
	ring->numbers = window;
	ring->arguments.b = ring->arguments.a + sizeof(int32_t);
	ring->arguments.sum = ring->arguments.b + sizeof(int32_t);
	ring->arguments.count = 1;
	return 0;
}

/* As a program would do it: all is started, and the copy back is waited for. */
static int add_ring(struct client *client, int32_t a, int32_t b, int32_t *sum)
{
	static const uint32_t one[3] = { 1, 1, 1 };
	struct ring *ring = &client->ring;
	enum vgpu_result result;

	ring->numbers[0] = a;
	ring->numbers[1] = b;
	result = vgpu_channel_copy_to_device_async(ring->channel, ring->arguments.a, ring->numbers,
						   2 * sizeof(int32_t), 0);
	if (result == VGPU_OK)
		result = vgpu_channel_launch(ring->channel, ring->vadd, one, one, 0, 0,
					     &ring->arguments, sizeof(ring->arguments));
	if (result == VGPU_OK)
		result = vgpu_channel_copy_from_device(ring->channel, &ring->numbers[2],
						       ring->arguments.sum, sizeof(int32_t));
	if (result != VGPU_OK)
		return library_failed();
	*sum = ring->numbers[2];
	return 0;
}

static const struct way ways[] = {
	/* One request after the other would always come just after the host's look. */
	{ "file-prototype", prepare_folder, add_prototype, HOST_POLL_NS, true, false },
	{ "file-notify", prepare_files, add_mailbox, 0, false, false },
	{ "mailbox", prepare_mailbox, add_mailbox, 0, false, false },
	{ "ring-sleeping", prepare_ring, add_ring, ASLEEP_NS, false, true },
	{ "ring-polling", prepare_ring, add_ring, 0, false, false },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* Returns the processor time that the pause itself took. */
static int64_t pause_before(const struct way *way)
{
	int64_t ns = way->random ? random() % way->pause_ns : way->pause_ns;
	int64_t before = processor_ns(), end = vgpu_now_ns() + ns;

	if (!way->awake)
		sleep_ns(ns);
	while (vgpu_now_ns() < end) {
	}
	return processor_ns() - before;
}

static int add_checked(const struct way *way, struct client *client, int32_t a, int32_t b)
{
	int32_t sum = 0;

	if (way->add(client, a, b, &sum) < 0)
		return -1;
	if (sum != a + b) {
		printf("%" PRId32 " + %" PRId32 " is not %" PRId32 "\n", a, b, sum);
		return -1;
	}
	return 0;
}

static int run(const struct way *way, struct client *client, size_t count)
{
	int64_t *times = calloc(count, sizeof(*times));
	int64_t processor = processor_ns(), start;

	for (size_t i = 0; times && i < count; i++) {
		if (way->pause_ns)
			processor += pause_before(way);
		start = vgpu_now_ns();
		if (add_checked(way, client, (int32_t)i, 200) < 0) {
			free(times);
			return -1;
		}
		times[i] = vgpu_now_ns() - start;
	}
	processor = processor_ns() - processor;
	if (!times)
		return failed("no memory");
	percentile_sort(times, count);
	printf("ran %.3f %.3f %.3f\n", (double)percentile_of(times, count, 500) / 1e3,
	       (double)percentile_of(times, count, 990) / 1e3,
	       (double)processor / 1e3 / (double)count);
	free(times);
	return 0;
}

/* Its first addition starts a worker and warms caches. */
static int serve(const struct way *way, struct client *client)
{
	char line[LINE_MAX];

	if (way->prepare(client) < 0 || add_checked(way, client, 1, 2) < 0)
		return -1;
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "end\n") != 0) {
		size_t count = strncmp(line, "run ", 4) == 0 ? strtoul(line + 4, NULL, 10) : 0;

		if (count == 0 || count > COUNT_MAX) {
			printf("not a count from 1 to %u: %s", COUNT_MAX, line);
			return -1;
		}
		if (run(way, client, count) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct client client = { .folder = argc > 2 ? argv[2] : NULL };
	int result = -1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < WAYS; i++) {
		bool files = strncmp(ways[i].name, "file-", 5) == 0;

		if (argc == (files ? 3 : 2) && strcmp(argv[1], ways[i].name) == 0)
			result = serve(&ways[i], &client);
	}
	vgpu_close(client.vgpu);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
