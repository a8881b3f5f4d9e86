/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/channel-driver.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/packet.h"
#include "tests/wait.h"

static int make_memory(uint64_t bytes, void **memory)
{
	int fd = memfd_create("vgpu-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	*memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(*memory, MAP_FAILED);
	return fd;
}

struct channel_driver channel_make(uint32_t entries, uint64_t window_bytes,
				   struct vgpu_worker_start *start)
{
	struct channel_driver channel = { .driver = { .socket = -1, .pid = -1 } };
	void *bar, *page;

	channel.region_bytes = vgpu_ring_window_offset(entries) + window_bytes;
	channel.bar_bytes = CHANNEL_REGION + channel.region_bytes + CHANNEL_BAR_TAIL;
	channel.fds[0] = make_memory(channel.bar_bytes, &bar);
	channel.fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	channel.fds[2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	channel.fds[3] = make_memory(VGPU_RING_PAGE, &page);
	assert_true(channel.fds[1] >= 0 && channel.fds[2] >= 0);
	channel.bar = bar;
	channel.grant = page;
	channel.context = true;
	channel.grant->grant = VGPU_GRANT_RUN;
	channel.grant->tokens = VGPU_GRANT_NO_LIMIT;
	guest_ring_init(&channel.ring, channel.bar + CHANNEL_REGION, entries, channel.fds[1],
			channel.fds[2]);
	*start = (struct vgpu_worker_start){
		.header = { .type = VGPU_WORKER_START, .length = sizeof(*start) },
		.uid = geteuid() == 0 ? DRIVER_UID : VGPU_WORKER_NO_ID,
		.gid = geteuid() == 0 ? DRIVER_UID : VGPU_WORKER_NO_ID,
		.region = CHANNEL_REGION,
		.region_bytes = channel.region_bytes,
		.entries = entries,
	};
	return channel;
}

void channel_spawn(struct channel_driver *channel, const struct vgpu_worker_start *start,
		   const int *fds, size_t fd_count)
{
	const struct vgpu_worker_prepare prepare = driver_prepare();

	channel->driver = driver_spawn(NULL);
	driver_send(&channel->driver, &prepare, sizeof(prepare));
	assert_int_equal(
		vgpu_packet_send(channel->driver.socket, start, sizeof(*start), fds, fd_count), 0);
}

struct channel_driver channel_begin(uint32_t entries, uint64_t window_bytes, uint64_t quota)
{
	struct vgpu_worker_start start;
	struct channel_driver channel = channel_make(entries, window_bytes, &start);

	start.memory_bytes = quota;
	channel.grant->quota_bytes = quota;
	channel_spawn(&channel, &start, channel.fds, 4);
	channel.driver.quota = quota;
	driver_receive_prepared(&channel.driver);
	driver_receive_ready(&channel.driver);
	return channel;
}

static void reserve(struct channel_driver *channel, const struct vgpu_worker_reserve *reserve)
{
	uint64_t bytes = reserve->bytes;
	struct driver *driver = &channel->driver;
	struct vgpu_worker_reserved answer = {
		.header = { .type = VGPU_WORKER_RESERVED, .length = sizeof(answer) },
		.number = reserve->number,
		.granted = !driver->quota || bytes <= driver->quota - driver->reserved,
	};

	if (reserve->kind == VGPU_WORKER_KIND_CONTEXT) {
		assert_false(channel->context);
		assert_int_equal(bytes, 0);
		answer.granted = channel->context = !channel->refuses_context;
		channel->contexts_taken += answer.granted;
		driver_send(driver, &answer, sizeof(answer));
		return;
	}
	driver->reserves++;
	if (answer.granted)
		driver->reserved += bytes;
	__atomic_store_n(&channel->grant->used_bytes, driver->reserved, __ATOMIC_RELEASE);
	driver_send(driver, &answer, sizeof(answer));
}

bool channel_ledger(struct channel_driver *channel)
{
	union vgpu_worker_message message;

	for (;;) {
		ssize_t length =
			recv(channel->driver.socket, &message, sizeof(message), MSG_DONTWAIT);

		if (length < 0 && errno == EAGAIN)
			return true;
		if (length <= 0)
			return false;
		assert_int_equal(message.header.length, length);
		if (message.header.type == VGPU_WORKER_RESERVE) {
			assert_int_equal(length, sizeof(message.reserve));
			reserve(channel, &message.reserve);
			continue;
		}
		if (message.header.type == VGPU_WORKER_WANT) {
			assert_int_equal(length, sizeof(message.want));
			channel->wants++;
			channel->wanted = message.want.what;
			continue;
		}
		if (message.header.type == VGPU_WORKER_YIELDED) {
			assert_int_equal(length, sizeof(message.yielded));
			channel->yields++;
			continue;
		}
		assert_int_equal(message.header.type, VGPU_WORKER_RELEASE);
		assert_int_equal(length, sizeof(message.release));
		if (message.release.kind == VGPU_WORKER_KIND_CONTEXT) {
			assert_true(channel->context);
			channel->context = false;
			continue;
		}
		assert_true(message.release.bytes <= channel->driver.reserved);
		channel->driver.reserved -= message.release.bytes;
		channel->grant->released_bytes += message.release.bytes;
		__atomic_store_n(&channel->grant->used_bytes, channel->driver.reserved,
				 __ATOMIC_RELEASE);
	}
}

uint32_t channel_set_grant(struct channel_driver *channel, uint32_t grant)
{
	__atomic_store_n(&channel->grant->grant, grant, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&channel->grant->holding, __ATOMIC_ACQUIRE);
}

void channel_wake(struct channel_driver *channel)
{
	const struct vgpu_worker_wake wake = {
		.header = { .type = VGPU_WORKER_WAKE, .length = sizeof(wake) },
	};

	driver_send(&channel->driver, &wake, sizeof(wake));
}

static void await(struct channel_driver *channel, const unsigned int *counter, unsigned int count,
		  const char *what)
{
	int64_t deadline_ns = vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS;

	while (*counter < count) {
		if (!channel_ledger(channel))
			fail_msg("the worker ended where it was to send %s", what);
		if (vgpu_now_ns() > deadline_ns)
			fail_msg("%u %s within 10 s, not %u", *counter, what, count);
		usleep(10);
	}
}

void channel_await_wants(struct channel_driver *channel, unsigned int count)
{
	await(channel, &channel->wants, count, "WANT");
}

void channel_await_yields(struct channel_driver *channel, unsigned int count)
{
	await(channel, &channel->yields, count, "YIELDED");
}

void channel_await_context(struct channel_driver *channel, bool context)
{
	int64_t deadline_ns = vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS;

	while (channel->context != context) {
		assert_true(channel_ledger(channel));
		if (vgpu_now_ns() > deadline_ns)
			fail_msg("the context is %s after a minute", context ? "gone" : "there");
		usleep(1000);
	}
}

void channel_await_sleep(const struct channel_driver *channel)
{
	wait_until(__atomic_load_n(&channel->ring.control->worker_sleeps, __ATOMIC_RELAXED));
}

struct vgpu_completion channel_wait(struct channel_driver *channel)
{
	int64_t deadline_ns = vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS;
	struct vgpu_completion completion = { 0 };

	while (!guest_ring_poll(&channel->ring, &completion)) {
		if (!channel_ledger(channel))
			fail_msg("the worker ended where it was to answer: wait status 0x%x",
				 (unsigned int)driver_wait(&channel->driver));
		if (channel->ring.control->failed)
			fail_msg("the channel failed with %u", channel->ring.control->failed);
		if (vgpu_now_ns() > deadline_ns)
			fail_msg("no completion within a minute");
		usleep(10);
	}
	/* What it gave back before it answered is in the socket. */
	channel_ledger(channel);
	return completion;
}

struct vgpu_completion channel_run(struct channel_driver *channel,
				   struct vgpu_submission submission)
{
	static uint64_t tag;
	struct vgpu_completion completion;

	submission.tag = ++tag << 32 | 0x5a5a;
	guest_ring_submit(&channel->ring, &submission);
	completion = channel_wait(channel);
	assert_true(completion.tag == submission.tag);
	return completion;
}

struct vgpu_completion channel_call(struct channel_driver *channel, uint16_t opcode, uint64_t a,
				    uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	const struct vgpu_submission submission = { .opcode = opcode,
						    .argument = { a, b, c, d, e } };

	return channel_run(channel, submission);
}

uint64_t channel_expect_at(struct channel_driver *channel, uint16_t opcode, uint64_t a, uint64_t b,
			   uint64_t c, uint64_t d, uint64_t e, uint32_t status, const char *file,
			   int line)
{
	struct vgpu_completion completion = channel_call(channel, opcode, a, b, c, d, e);

	if (completion.status != status)
		fail_msg("%s:%d: operation 0x%04x ended with %u, expected %u", file, line, opcode,
			 completion.status, status);
	if (status)
		assert_true(completion.result[0] == 0 && completion.result[1] == 0);
	return completion.result[0];
}

uint64_t channel_function(struct channel_driver *channel, const char *name)
{
	if (!channel->builtin)
		channel->builtin = channel_must(channel, VGPU_RING_MODULE_BUILTIN, 0, 0, 0, 0, 0);
	memcpy(channel->ring.window, name, strlen(name));
	return channel_must(channel, VGPU_RING_MODULE_FUNCTION, channel->builtin, 0, strlen(name),
			    0, 0);
}

struct vgpu_submission channel_launch(struct channel_driver *channel, uint64_t function,
				      uint32_t grid, uint16_t block, const void *parameters,
				      uint16_t bytes)
{
	struct vgpu_launch launch = {
		.function = (uint32_t)function,
		.grid = { grid, 1, 1 },
		.block = { block, 1, 1 },
		.parameter_bytes = bytes,
	};
	struct vgpu_submission submission = { .opcode = VGPU_RING_LAUNCH };

	memcpy(channel->ring.window, parameters, bytes);
	memcpy(submission.argument, &launch, sizeof(launch));
	return submission;
}

void channel_end(struct channel_driver *channel)
{
	const struct vgpu_worker_end end = {
		.header = { .type = VGPU_WORKER_END, .length = sizeof(end) },
	};
	int status;

	driver_send(&channel->driver, &end, sizeof(end));
	status = driver_wait(&channel->driver);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the worker's end: wait status 0x%x", (unsigned int)status);
	for (uint64_t i = 0; i < channel->region_bytes; i++)
		if (channel->bar[CHANNEL_REGION + i])
			fail_msg("byte 0x%llx of the region is not 0", (unsigned long long)i);
	channel_forget(channel);
}

void channel_forget(struct channel_driver *channel)
{
	if (channel->driver.log)
		driver_forget(&channel->driver);
	munmap(channel->bar, channel->bar_bytes);
	munmap(channel->grant, VGPU_RING_PAGE);
	for (int i = 0; i < 4; i++)
		close(channel->fds[i]);
}
