/* SPDX-License-Identifier: Apache-2.0 */
/* START with a region, END and the end of the stream: what a worker takes and what it refuses. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

#include <cmocka.h>

#include "common/packet.h"
#include "common/clock.h"
#include "tests/mediatord/channel-driver.h"
#include "tests/wait.h"

static int exit_status(struct channel_driver *channel)
{
	int status = driver_wait(&channel->driver);

	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* It says FAILED, with this word in the reason, and ends. */
static void expect_failed(struct channel_driver *channel, const char *word)
{
	union vgpu_worker_message message;

	driver_receive_prepared(&channel->driver);
	assert_int_equal(driver_receive(&channel->driver, &message), sizeof(message.failed));
	assert_int_equal(message.header.type, VGPU_WORKER_FAILED_MESSAGE);
	if (!strstr(message.failed.text, word))
		fail_msg("\"%s\" does not say \"%s\"", message.failed.text, word);
	assert_int_not_equal(exit_status(channel), 0);
	channel_forget(channel);
}

static void refuse_fields(uint64_t region, uint64_t bytes, uint32_t entries, const char *word)
{
	struct vgpu_worker_start start;
	struct channel_driver channel = channel_make(CHANNEL_ENTRIES, CHANNEL_WINDOW, &start);

	start.region = region;
	start.region_bytes = bytes;
	start.entries = entries;
	memset(channel.bar, 0x55, channel.bar_bytes);
	channel_spawn(&channel, &start, channel.fds, 4);
	/* What it refuses it has not touched. */
	for (uint64_t i = 0; i < channel.bar_bytes; i += 64)
		assert_int_equal(channel.bar[i], 0x55);
	expect_failed(&channel, word);
}

static void fields_that_cannot_be(void **state)
{
	const uint64_t rings = vgpu_ring_window_offset(CHANNEL_ENTRIES);
	const uint64_t bytes = rings + CHANNEL_WINDOW;

	(void)state;
	refuse_fields(CHANNEL_REGION, bytes, 0, "power of two");
	refuse_fields(CHANNEL_REGION, bytes, 8, "power of two");
	refuse_fields(CHANNEL_REGION, bytes, 24, "power of two");
	refuse_fields(CHANNEL_REGION, bytes, 8192, "power of two");
	refuse_fields(CHANNEL_REGION, bytes, UINT32_MAX, "power of two");
	refuse_fields(CHANNEL_REGION + 1, bytes, 16, "whole pages");
	refuse_fields(CHANNEL_REGION, bytes + 64, 16, "whole pages");
	refuse_fields(CHANNEL_REGION, rings, 16, "no room");
	refuse_fields(CHANNEL_REGION, 4096, 16, "no room");
	refuse_fields(CHANNEL_REGION, bytes, 4096 * 4, "power of two");
	refuse_fields(UINT64_C(1) << 63, bytes, 16, "largest BAR2");
	refuse_fields(UINT64_MAX - 4095, bytes, 16, "largest BAR2");
	refuse_fields(CHANNEL_REGION + CHANNEL_BAR_TAIL + 4096, bytes, 16, "not within");
	refuse_fields(0, UINT64_C(1) << 35, 16, "not within");
}

static void refuse_descriptor(int place, int fd, const char *word)
{
	struct vgpu_worker_start start;
	struct channel_driver channel = channel_make(CHANNEL_ENTRIES, CHANNEL_WINDOW, &start);
	int fds[4];

	assert_true(fd >= 0);
	memcpy(fds, channel.fds, sizeof(fds));
	fds[place] = fd;
	channel_spawn(&channel, &start, fds, 4);
	close(fd);
	expect_failed(&channel, word);
}

static int memfd(uint64_t bytes, int seals)
{
	int fd = memfd_create("vgpu-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int plain_file(void)
{
	char path[] = "/tmp/vgpu-test.XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	assert_int_equal(ftruncate(fd, 8 << 20), 0);
	return fd;
}

static int read_only(void)
{
	int fd = memfd(8 << 20, F_SEAL_SHRINK | F_SEAL_GROW), reopened;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reopened = open(path, O_RDONLY | O_CLOEXEC);
	close(fd);
	return reopened;
}

static void descriptors_of_the_wrong_kind(void **state)
{
	int fds[2];

	(void)state;
	refuse_descriptor(0, eventfd(0, EFD_CLOEXEC), "no memfd");
	refuse_descriptor(0, open("/dev/zero", O_RDWR | O_CLOEXEC), "no memfd");
	refuse_descriptor(0, open("/dev/null", O_RDWR | O_CLOEXEC), "no memfd");
	refuse_descriptor(0, plain_file(), "region's");
	refuse_descriptor(0, memfd(8 << 20, 0), "sealed against shrinking");
	refuse_descriptor(0, memfd(8 << 20, F_SEAL_GROW), "sealed against shrinking");
	refuse_descriptor(0, memfd(CHANNEL_REGION, F_SEAL_SHRINK), "not within");
	refuse_descriptor(0, memfd(0, F_SEAL_SHRINK), "not within");
	refuse_descriptor(0, memfd(8 << 20, F_SEAL_SHRINK | F_SEAL_WRITE), "cannot map");
	refuse_descriptor(0, read_only(), "cannot map");
	refuse_descriptor(3, eventfd(0, EFD_CLOEXEC), "no memfd");
	refuse_descriptor(3, memfd(4095, F_SEAL_SHRINK), "not within");
	refuse_descriptor(3, memfd(4096, F_SEAL_GROW), "sealed against shrinking");
	for (int place = 1; place < 3; place++) {
		refuse_descriptor(place, memfd(4096, F_SEAL_SHRINK), "no eventfd");
		refuse_descriptor(place, open("/dev/null", O_RDWR | O_CLOEXEC), "no eventfd");
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		close(fds[1]);
		refuse_descriptor(place, fds[0], "no eventfd");
	}
}

static void refuse_count(uint64_t region_bytes, size_t count)
{
	struct vgpu_worker_start start;
	struct channel_driver channel = channel_make(CHANNEL_ENTRIES, CHANNEL_WINDOW, &start);
	const int fds[] = { channel.fds[0], channel.fds[1], channel.fds[2], channel.fds[3],
			    channel.fds[3] };

	start.region_bytes = region_bytes ? start.region_bytes : 0;
	channel_spawn(&channel, &start, fds, count);
	assert_int_equal(exit_status(&channel), EX_SOFTWARE);
	channel_forget(&channel);
}

static void too_few_or_too_many_descriptors(void **state)
{
	(void)state;
	for (size_t count = 0; count <= 5; count++)
		if (count != 4)
			refuse_count(1, count);
	/* Not a channel, with descriptors, or with a part of one. */
	refuse_count(0, 4);
	refuse_count(0, 0);
}

/* All of the region is emptied, and what lies beside it in BAR2 is another channel's. */
static void the_region_is_emptied_and_nothing_else(void **state)
{
	struct vgpu_worker_start start;
	struct channel_driver channel = channel_make(CHANNEL_ENTRIES, CHANNEL_WINDOW, &start);
	struct stat before, after;

	(void)state;
	memset(channel.bar, 0x55, channel.bar_bytes);
	assert_int_equal(fstat(channel.fds[0], &before), 0);
	channel_spawn(&channel, &start, channel.fds, 4);
	driver_receive_prepared(&channel.driver);
	driver_receive_ready(&channel.driver);
	assert_int_equal(fstat(channel.fds[0], &after), 0);
	/* Its memory is the host's again. */
	if (driver_backend() == VGPU_BACKEND_CPU) /* a GPU has the window's pages pinned */
		assert_true((uint64_t)(before.st_blocks - after.st_blocks) * 512 >=
			    channel.region_bytes - 2 * VGPU_RING_PAGE);
	for (uint64_t i = 0; i < channel.bar_bytes; i++) {
		bool inside = i >= CHANNEL_REGION && i < CHANNEL_REGION + channel.region_bytes;

		/* But for the control page, where it may say that it sleeps. */
		if (i < CHANNEL_REGION || i >= CHANNEL_REGION + VGPU_RING_PAGE)
			assert_int_equal(channel.bar[i], inside ? 0 : 0x55);
	}
	memset(channel.ring.window, 0x77, CHANNEL_WINDOW);
	channel_must(&channel, VGPU_RING_NOP, 0, 0, 0, 0, 0);
	channel_end(&channel);
}

/* What the worker has of BAR2 is its region: no descriptor, no other mapping. */
static void it_keeps_the_region_alone(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	uint64_t mapped = 0;
	char path[64], line[512], link[128];
	FILE *maps;

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)channel.driver.pid);
	maps = fopen(path, "re");
	if (!maps) {
		/* Not dumpable: only root may look. */
		channel_end(&channel);
		skip();
	}
	while (fgets(line, sizeof(line), maps)) {
		unsigned long long start, end, offset;

		if (!strstr(line, "/memfd:"))
			continue;
		assert_int_equal(sscanf(line, "%llx-%llx %*s %llx", &start, &end, &offset), 3);
		assert_non_null(strstr(line, " rw-s "));
		if (end - start != VGPU_RING_PAGE) {
			assert_true(offset == CHANNEL_REGION);
			assert_true(end - start == channel.region_bytes);
		}
		mapped += end - start;
	}
	fclose(maps);
	assert_true(mapped == channel.region_bytes + VGPU_RING_PAGE);
	for (int fd = 0; fd < 64; fd++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)channel.driver.pid, fd);
		length = readlink(path, link, sizeof(link) - 1);
		if (length < 0)
			continue;
		link[length] = '\0';
		assert_null(strstr(link, "memfd"));
	}
	channel_end(&channel);
}

static void the_end_of_the_stream_ends_it(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);

	(void)state;
	close(channel.driver.socket);
	channel.driver.socket = -1;
	assert_int_equal(exit_status(&channel), 0);
	/* The guest sees that nothing more is answered, and is woken. */
	assert_int_equal(channel.ring.control->failed, VGPU_ERR_CONTEXT_LOST);
	assert_int_equal(poll(&(struct pollfd){ .fd = channel.fds[2], .events = POLLIN }, 1, 0), 1);
	channel_forget(&channel);
}

/* Neither a full ring nor a busy guest keeps a worker from hearing END. */
static void end_comes_under_load(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	const struct vgpu_worker_end message = {
		.header = { .type = VGPU_WORKER_END, .length = sizeof(message) },
	};
	const struct vgpu_submission silent = { .opcode = VGPU_RING_NOP,
						.flags = VGPU_SUBMIT_NO_REPLY };
	int64_t deadline_ns = vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS;
	int status;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		while (!guest_ring_has_room(&channel.ring))
			;
		guest_ring_submit(&channel.ring, &silent);
	}
	driver_send(&channel.driver, &message, sizeof(message));
	for (int i = 0; vgpu_now_ns() < deadline_ns; i++) {
		if (guest_ring_has_room(&channel.ring))
			guest_ring_submit(&channel.ring, &silent);
		if (i % 1024 == 0 && waitpid(channel.driver.pid, &status, WNOHANG) > 0) {
			channel.driver.pid = -1;
			break;
		}
	}
	assert_int_equal(channel.driver.pid, -1);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	channel_forget(&channel);
}

static void end_comes_with_the_completion_ring_full(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	const struct vgpu_submission nop = { .opcode = VGPU_RING_NOP };

	(void)state;
	for (uint32_t i = 0; i < CHANNEL_ENTRIES; i++)
		guest_ring_submit(&channel.ring, &nop);
	while (channel.ring.control->submission_head != CHANNEL_ENTRIES)
		usleep(100);
	guest_ring_submit(&channel.ring, &nop);
	usleep(20000);
	channel_end(&channel);
}

/* Where the worker waits for the mediator's word about memory. */
static void end_instead_of_reserved(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	const struct vgpu_submission alloc = { .opcode = VGPU_RING_MEM_ALLOC,
					       .argument = { 4096 } };
	union vgpu_worker_message message;

	(void)state;
	guest_ring_submit(&channel.ring, &alloc);
	assert_int_equal(driver_receive(&channel.driver, &message), sizeof(message.reserve));
	assert_int_equal(message.header.type, VGPU_WORKER_RESERVE);
	channel_end(&channel);
}

static void messages_that_a_channel_does_not_get(void **state)
{
	struct channel_driver channel;
	union vgpu_worker_message message;

	(void)state;
	for (uint32_t type = 0; type < 40; type++) {
		if (type == VGPU_WORKER_END || type == VGPU_WORKER_WAKE)
			continue;
		channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
		memset(&message, 0, sizeof(message));
		message.header.type = type;
		message.header.length = sizeof(message.end);
		driver_send(&channel.driver, &message, sizeof(message.end));
		assert_int_equal(exit_status(&channel), EX_SOFTWARE);
		assert_int_equal(channel.ring.control->failed, VGPU_ERR_CONTEXT_LOST);
		channel_forget(&channel);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_that_cannot_be),
		cmocka_unit_test(descriptors_of_the_wrong_kind),
		cmocka_unit_test(too_few_or_too_many_descriptors),
		cmocka_unit_test(the_region_is_emptied_and_nothing_else),
		cmocka_unit_test(it_keeps_the_region_alone),
		cmocka_unit_test(the_end_of_the_stream_ends_it),
		cmocka_unit_test(end_comes_under_load),
		cmocka_unit_test(end_comes_with_the_completion_ring_full),
		cmocka_unit_test(end_instead_of_reserved),
		cmocka_unit_test(messages_that_a_channel_does_not_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
