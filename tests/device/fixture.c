/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
#include "tests/device/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/packet.h"
#include "common/ring.h"

static void on_interrupt(void *opaque, unsigned int vector)
{
	struct fixture *fixture = opaque;

	assert_in_range(vector, 0, VGPU_MSIX_VECTORS - 1);
	if (vector == VGPU_MSIX_MAILBOX)
		fixture->interrupts++;
	else
		fixture->woken[vector - 1]++;
}

static int64_t on_now(void *opaque)
{
	return ((struct fixture *)opaque)->now;
}

static void on_watch(void *opaque, int fd, bool read, bool write)
{
	struct fixture *fixture = opaque;

	fixture->watched = fd;
	fixture->watch_read = read;
	fixture->watch_write = write;
}

static void on_timer(void *opaque, int64_t deadline_ns)
{
	((struct fixture *)opaque)->deadline = deadline_ns;
}

static void on_log(void *opaque, int level, const char *line)
{
	struct fixture *fixture = opaque;

	assert_in_range(level, 3, 7);
	fixture->lines++;
	snprintf(fixture->last_line, sizeof(fixture->last_line), "%s", line);
}

static void on_doorbell(void *opaque, unsigned int channel, int fd)
{
	struct fixture *fixture = opaque;

	assert_in_range(channel, 0, VGPU_CHANNELS_MAX - 1);
	/* Hooked or unhooked, never twice in a row. */
	assert_true((fixture->hooked[channel].doorbell >= 0) == (fd < 0));
	fixture->hooked[channel].doorbell = fd;
}

static void on_completion(void *opaque, unsigned int channel, int fd)
{
	struct fixture *fixture = opaque;

	assert_in_range(channel, 0, VGPU_CHANNELS_MAX - 1);
	assert_true((fixture->hooked[channel].completion >= 0) == (fd < 0));
	fixture->hooked[channel].completion = fd;
}

void fixture_device(struct fixture *fixture, unsigned int vectors)
{
	static const struct vgpu_core_ops ops = {
		.interrupt = on_interrupt,
		.now_ns = on_now,
		.watch = on_watch,
		.timer = on_timer,
		.log = on_log,
		.doorbell = on_doorbell,
		.completion = on_completion,
	};
	struct vgpu_core_config config = {
		.link_path = fixture->path,
		.window_bytes = VGPU_WINDOW_SIZE_MIN,
		.vectors = vectors,
	};
	struct vgpu_error *err = NULL;

	assert_null(fixture->core);
	if (vgpu_core_new(&config, &ops, fixture, &fixture->core, &err) < 0)
		fail_msg("vgpu_core_new: %s", err->message);
}

int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/vgpu-device-XXXXXX");
	if (!mkdtemp(fixture->folder)) {
		free(fixture);
		return -1;
	}
	snprintf(fixture->path, sizeof(fixture->path), "%s/link.sock", fixture->folder);
	fixture->listener = -1;
	fixture->peer = -1;
	fixture->watched = -1;
	fixture->deadline = -1;
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		fixture->hooked[n] = (struct eventfds){ -1, -1 };
	fixture->now = 1000 * VGPU_NS_PER_SECOND;
	fixture_device(fixture, VGPU_MSIX_VECTORS);
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	vgpu_core_free(&fixture->core);
	assert_int_equal(fixture->watched, -1);
	assert_int_equal(fixture->deadline, -1);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		assert_int_equal(fixture->hooked[n].doorbell, -1);
		assert_int_equal(fixture->hooked[n].completion, -1);
	}
	mediator_stop(fixture);
	rmdir(fixture->folder);
	free(fixture);
	return 0;
}

void mediator_start(struct fixture *fixture)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture->path);
	fixture->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fixture->listener >= 0);
	assert_int_equal(
		bind(fixture->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fixture->listener, 1), 0);
}

void mediator_stop(struct fixture *fixture)
{
	if (fixture->peer >= 0)
		close(fixture->peer);
	fixture->peer = -1;
	if (fixture->listener < 0)
		return;
	close(fixture->listener);
	fixture->listener = -1;
	unlink(fixture->path);
}

void mediator_accept(struct fixture *fixture)
{
	struct vgpu_link_hello hello;
	size_t count;
	int fd;

	if (fixture->peer >= 0)
		close(fixture->peer);
	fixture->peer = accept4(fixture->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(fixture->peer >= 0);
	assert_int_equal(vgpu_packet_receive(fixture->peer, &hello, sizeof(hello), &fd, 1, &count),
			 sizeof(hello));
	assert_int_equal(count, 1);
	close(fd);
	assert_int_equal(hello.header.type, VGPU_MSG_HELLO);
	assert_int_equal(hello.header.length, sizeof(hello));
	assert_int_equal(hello.version, VGPU_LINK_VERSION);
	assert_int_equal(hello.window_bytes, VGPU_WINDOW_SIZE_MIN);
}

void mediator_send(struct fixture *fixture, const void *message, size_t length)
{
	assert_int_equal(vgpu_packet_send(fixture->peer, message, length, NULL, 0), 0);
}

void make_welcome(struct vgpu_link_welcome *welcome)
{
	*welcome = (struct vgpu_link_welcome){
		.header = { VGPU_MSG_WELCOME, sizeof(*welcome) },
		.version = VGPU_LINK_VERSION,
	};
}

void make_config(struct vgpu_link_config *config, uint64_t context)
{
	*config = (struct vgpu_link_config){
		.header = { VGPU_MSG_CONFIG, sizeof(*config) },
		.pool_id = 'B',
		.priority = VGPU_PRIORITY_HIGH,
		.vm_id = 7,
		.worker_state = VGPU_WORKER_READY,
		.context = context,
		.quotas = {
			.memory_bytes = 0x1122334455667788,
			.window_bytes = 0x99aabbccddeeff00,
			.time_guaranteed_percent = 10,
			.time_max_percent = 50,
			.requests_per_second = 1000,
			.burst = 20,
			.queue_depth = 64,
			.channels = 32,
			.longest_job_ms = 10000,
			.quarantined = 1,
		},
		.uuid = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
			  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff },
		.gpu_name = "NVIDIA H100 80GB HBM3",
		.pool_name = "B",
		.vm_name = "i-2-7-VM",
	};
}

void make_usage(struct vgpu_link_usage *usage)
{
	*usage = (struct vgpu_link_usage){
		.header = { VGPU_MSG_USAGE, sizeof(*usage) },
		.memory_bytes = 0x0102030405060708,
		.window_bytes = 0x1112131415161718,
		.time_ns = 0x2122232425262728,
		.jobs_completed = 0x3132333435363738,
		.jobs_failed = 0x4142434445464748,
	};
}

void make_response(struct vgpu_link_response *response, uint64_t tag, uint32_t error,
		   const void *data, uint32_t length)
{
	memset(response, 0, sizeof(*response));
	response->header.type = VGPU_MSG_RESPONSE;
	response->header.length = (uint32_t)offsetof(struct vgpu_link_response, data) + length;
	response->tag = tag;
	response->error_code = error;
	response->length = length;
	if (length)
		memcpy(response->data, data, length);
}

void mediator_welcome_version(struct fixture *fixture, uint32_t version)
{
	struct vgpu_link_welcome welcome;

	make_welcome(&welcome);
	welcome.version = version;
	mediator_send(fixture, &welcome, sizeof(welcome));
	device_run(fixture);
}

void mediator_welcome(struct fixture *fixture)
{
	mediator_welcome_version(fixture, VGPU_LINK_VERSION);
}

void mediator_config(struct fixture *fixture, uint64_t context)
{
	struct vgpu_link_config config;

	make_config(&config, context);
	mediator_send(fixture, &config, sizeof(config));
	device_run(fixture);
}

void mediator_respond(struct fixture *fixture, uint64_t tag, uint32_t error, const void *data,
		      uint32_t length)
{
	struct vgpu_link_response response;

	make_response(&response, tag, error, data, length);
	mediator_send(fixture, &response, response.header.length);
	device_run(fixture);
}

void mediator_expect(struct fixture *fixture, uint32_t type, union vgpu_link_message *message)
{
	ssize_t length =
		vgpu_packet_receive(fixture->peer, message, sizeof(*message), NULL, 0, NULL);

	assert_true(length > 0);
	assert_int_equal(message->header.length, length);
	assert_int_equal(message->header.type, type);
}

void mediator_expect_resume(struct fixture *fixture, uint32_t count,
			    struct vgpu_link_resume *resume)
{
	union vgpu_link_message message;

	mediator_expect(fixture, VGPU_MSG_RESUME, &message);
	assert_int_equal(message.resume.count, count);
	assert_int_equal(message.resume.reserved, 0);
	assert_int_equal(message.header.length, offsetof(struct vgpu_link_resume, channels) +
							count * sizeof(resume->channels[0]));
	*resume = message.resume;
}

void mediator_expect_open(struct fixture *fixture, struct vgpu_link_open *open,
			  struct eventfds *fds)
{
	int received[2];
	size_t count;

	assert_int_equal(
		vgpu_packet_receive(fixture->peer, open, sizeof(*open), received, 2, &count),
		sizeof(*open));
	assert_int_equal(count, 2);
	assert_int_equal(open->header.type, VGPU_MSG_OPEN);
	assert_int_equal(open->header.length, sizeof(*open));
	assert_int_equal(open->reserved, 0);
	assert_int_not_equal(open->serial, 0);
	*fds = (struct eventfds){ received[0], received[1] };
}

void mediator_expect_close(struct fixture *fixture, struct vgpu_link_close *close)
{
	union vgpu_link_message message;

	mediator_expect(fixture, VGPU_MSG_CLOSE, &message);
	assert_int_equal(message.header.length, sizeof(*close));
	*close = message.close;
}

void mediator_opened(struct fixture *fixture, const struct vgpu_link_open *open, uint64_t region)
{
	struct vgpu_link_opened opened = {
		.header = { VGPU_MSG_OPENED, sizeof(opened) },
		.channel = open->channel,
		.serial = open->serial,
		.region = region,
		.region_bytes = vgpu_ring_window_offset(open->entries) + open->window_bytes,
	};

	mediator_send(fixture, &opened, sizeof(opened));
	device_run(fixture);
}

void mediator_open_failed(struct fixture *fixture, const struct vgpu_link_open *open,
			  uint32_t error)
{
	struct vgpu_link_opened opened = {
		.header = { VGPU_MSG_OPENED, sizeof(opened) },
		.channel = open->channel,
		.serial = open->serial,
		.error_code = error,
	};

	mediator_send(fixture, &opened, sizeof(opened));
	device_run(fixture);
}

void mediator_closed(struct fixture *fixture, uint32_t channel, uint32_t serial, uint32_t error)
{
	struct vgpu_link_closed closed = {
		.header = { VGPU_MSG_CLOSED, sizeof(closed) },
		.channel = channel,
		.serial = serial,
		.error_code = error,
	};

	mediator_send(fixture, &closed, sizeof(closed));
	device_run(fixture);
}

bool mediator_has_nothing(struct fixture *fixture)
{
	union vgpu_link_message message;

	return vgpu_packet_receive(fixture->peer, &message, sizeof(message), NULL, 0, NULL) < 0 &&
	       errno == EAGAIN;
}

void link_lose(struct fixture *fixture)
{
	mediator_stop(fixture);
	device_run(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_DOWN);
}

void link_begin(struct fixture *fixture)
{
	mediator_start(fixture);
	device_sleep(fixture, VGPU_NS_PER_SECOND);
	mediator_accept(fixture);
}

void link_up(struct fixture *fixture)
{
	union vgpu_link_message message;

	link_begin(fixture);
	mediator_welcome(fixture);
	mediator_expect(fixture, VGPU_MSG_RESET, &message);
	mediator_config(fixture, 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
}

void device_run(struct fixture *fixture)
{
	for (int i = 0; fixture->watched >= 0 && i < 1000; i++) {
		struct pollfd poll_fd = {
			.fd = fixture->watched,
			.events = (short)((fixture->watch_read ? POLLIN : 0) |
					  (fixture->watch_write ? POLLOUT : 0)),
		};

		if (poll(&poll_fd, 1, 0) <= 0)
			return;
		vgpu_core_link_ready(fixture->core, poll_fd.revents & ~POLLOUT,
				     poll_fd.revents & POLLOUT);
	}
	assert_int_equal(fixture->watched, -1);
}

void device_sleep(struct fixture *fixture, int64_t ns)
{
	int64_t until = fixture->now + ns;

	while (fixture->deadline >= 0 && fixture->deadline <= until) {
		if (fixture->deadline > fixture->now)
			fixture->now = fixture->deadline;
		fixture->deadline = -1;
		vgpu_core_timer(fixture->core);
	}
	fixture->now = until;
}

uint32_t guest_read(struct fixture *fixture, uint64_t offset)
{
	uint64_t value = vgpu_core_read(fixture->core, offset, 4);

	assert_true(value <= UINT32_MAX);
	return (uint32_t)value;
}

uint64_t guest_read64(struct fixture *fixture, uint64_t offset)
{
	return guest_read(fixture, offset) | (uint64_t)guest_read(fixture, offset + 4) << 32;
}

void guest_write(struct fixture *fixture, uint64_t offset, uint32_t value)
{
	vgpu_core_write(fixture->core, offset, value, 4);
}

void guest_submit(struct fixture *fixture, const void *request, uint32_t length)
{
	uint8_t padded[VGPU_MAILBOX_BYTES] = { 0 };

	memcpy(padded, request, length);
	for (uint32_t i = 0; i < length; i += 4)
		guest_write(fixture, VGPU_REG_REQUEST_BUF + i,
			    padded[i] | (uint32_t)padded[i + 1] << 8 |
				    (uint32_t)padded[i + 2] << 16 | (uint32_t)padded[i + 3] << 24);
	guest_write(fixture, VGPU_REG_REQUEST_LEN, length);
	guest_write(fixture, VGPU_REG_DOORBELL, 1);
}

void guest_open(struct fixture *fixture, unsigned int channel, uint32_t entries,
		uint64_t window_bytes)
{
	const uint32_t block = VGPU_REG_CHANNEL_BLOCK(channel);

	guest_write(fixture, block + VGPU_CHANNEL_RING_ENTRIES, entries);
	guest_write(fixture, block + VGPU_CHANNEL_WINDOW_BYTES, (uint32_t)window_bytes);
	guest_write(fixture, block + VGPU_CHANNEL_WINDOW_BYTES + 4, (uint32_t)(window_bytes >> 32));
	guest_control(fixture, channel, VGPU_CHANNEL_OPEN);
}

uint32_t guest_channel(struct fixture *fixture, unsigned int channel, uint32_t offset)
{
	return guest_read(fixture, VGPU_REG_CHANNEL_BLOCK(channel) + offset);
}

void guest_control(struct fixture *fixture, unsigned int channel, uint32_t value)
{
	guest_write(fixture, VGPU_REG_CHANNEL_BLOCK(channel) + VGPU_CHANNEL_CONTROL, value);
}

void assert_channel(struct fixture *fixture, unsigned int channel, uint32_t state, uint32_t error)
{
	assert_int_equal(guest_channel(fixture, channel, VGPU_CHANNEL_STATE), state);
	assert_int_equal(guest_channel(fixture, channel, VGPU_CHANNEL_ERROR), error);
	/* Hooked while it is open, and only then. */
	assert_int_equal(fixture->hooked[channel].doorbell >= 0, state == VGPU_CHANNEL_STATE_OPEN);
	assert_int_equal(fixture->hooked[channel].completion >= 0,
			 state == VGPU_CHANNEL_STATE_OPEN);
}

void channel_up(struct fixture *fixture, unsigned int channel, uint64_t region,
		struct vgpu_link_open *open, struct eventfds *fds)
{
	struct eventfds mine;

	guest_open(fixture, channel, CHANNEL_ENTRIES, CHANNEL_WINDOW);
	assert_channel(fixture, channel, VGPU_CHANNEL_STATE_OPENING, VGPU_ERR_NONE);
	mediator_expect_open(fixture, open, &mine);
	assert_int_equal(open->channel, channel);
	assert_int_equal(open->entries, CHANNEL_ENTRIES);
	assert_int_equal(open->window_bytes, CHANNEL_WINDOW);
	mediator_opened(fixture, open, region);
	assert_channel(fixture, channel, VGPU_CHANNEL_STATE_OPEN, VGPU_ERR_NONE);
	if (fds) {
		*fds = mine;
	} else {
		close(mine.doorbell);
		close(mine.completion);
	}
}

uint64_t eventfd_take(int fd)
{
	uint64_t count = 0;
	ssize_t got = read(fd, &count, sizeof(count));

	assert_true(got == sizeof(count) || errno == EAGAIN);
	return count;
}

unsigned int descriptors_open(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 3; /* itself, and the two dots */
}

unsigned int fill_socket(struct fixture *fixture)
{
	for (unsigned int i = 0; i < 100000; i++) {
		vgpu_core_reset(fixture->core);
		if (fixture->watch_write)
			return i;
	}
	fail_msg("the socket is never full");
	return 0;
}
