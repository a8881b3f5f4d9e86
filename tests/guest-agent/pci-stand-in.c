/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest-agent/pci-stand-in.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/packet.h"
#include "common/ring.h"
#include "mediatord/worker_protocol.h"

#define DEVICE	   "bus/pci/devices/0000:00:05.0"
#define WORKER_UID 1879048193u
#define CHANNELS   4u

/* Where a test finds a channel's worker: a register that no device has. */
#define REG_WORKER(n) (0x3000u + 4u * (n))

struct life {
	pid_t worker; /* 0: closed */
	int socket;
	int doorbell;
	uint64_t region, bytes;
	struct vgpu_grant_page *grant;
};

/* In the process that plays the device. */
static struct {
	volatile uint32_t *registers;
	uint8_t *window;
	int window_fd;
	uint64_t window_bytes;
	struct life lives[CHANNELS];
} device;

static void die(const char *what)
{
	fprintf(stderr, "stand-in: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static volatile uint32_t *reg(unsigned int channel, uint32_t offset)
{
	return &device.registers[(VGPU_REG_CHANNEL_BLOCK(channel) + offset) / 4];
}

static uint64_t reg64(unsigned int channel, uint32_t offset)
{
	return *reg(channel, offset) | (uint64_t)*reg(channel, offset + 4) << 32;
}

static void set_reg64(unsigned int channel, uint32_t offset, uint64_t value)
{
	*reg(channel, offset) = (uint32_t)value;
	*reg(channel, offset + 4) = (uint32_t)(value >> 32);
}

static void set_state(unsigned int channel, uint32_t state, uint32_t error)
{
	*reg(channel, VGPU_CHANNEL_ERROR) = error;
	__atomic_store_n(reg(channel, VGPU_CHANNEL_STATE), state, __ATOMIC_RELEASE);
}

static int memory(uint64_t bytes, void **mapped)
{
	int fd = memfd_create("vgpu-stand-in", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
		die("memfd");
	*mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*mapped == MAP_FAILED)
		die("mmap");
	return fd;
}

static void become_worker(int socket)
{
	static char name[] = "vgpu-worker";
	char *const arguments[] = { name, NULL };
	const char *top = getenv("top_builddir");
	char path[4096];

	snprintf(path, sizeof(path), "%s/vgpu-worker", top ? top : ".");
	socket = fcntl(socket, F_DUPFD, 10);
	dup2(socket, VGPU_WORKER_CONTROL_FD);
	execv(path, arguments);
	_exit(127);
}

/* Answers the worker's wishes for memory: the quota has room. */
static void serve_ledger(struct life *life)
{
	union vgpu_worker_message message;
	struct vgpu_worker_reserved reserved = {
		.header = { .type = VGPU_WORKER_RESERVED, .length = sizeof(reserved) },
		.granted = 1,
	};

	while (recv(life->socket, &message, sizeof(message), MSG_DONTWAIT) > 0) {
		if (message.header.type == VGPU_WORKER_RESERVE) {
			life->grant->used_bytes += message.reserve.bytes;
			reserved.number = message.reserve.number;
			if (send(life->socket, &reserved, sizeof(reserved), MSG_NOSIGNAL) < 0)
				return;
		} else if (message.header.type == VGPU_WORKER_RELEASE) {
			life->grant->released_bytes += message.release.bytes;
			life->grant->used_bytes -= message.release.bytes;
		}
	}
}

static bool wait_ready(struct life *life)
{
	union vgpu_worker_message answer;
	ssize_t length;

	do
		length = recv(life->socket, &answer, sizeof(answer), 0);
	while (length == (ssize_t)sizeof(answer.prepared) &&
	       answer.header.type == VGPU_WORKER_PREPARED_MESSAGE);
	return length == (ssize_t)sizeof(answer.ready) &&
	       answer.header.type == VGPU_WORKER_READY_MESSAGE;
}

static bool start_worker(struct life *life, uint32_t entries)
{
	const struct vgpu_worker_prepare prepare = {
		.header = { .type = VGPU_WORKER_PREPARE, .length = sizeof(prepare) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.backend = VGPU_BACKEND_CPU,
	};
	const struct vgpu_worker_start start = {
		.header = { .type = VGPU_WORKER_START, .length = sizeof(start) },
		.uid = geteuid() == 0 ? WORKER_UID : VGPU_WORKER_NO_ID,
		.gid = geteuid() == 0 ? WORKER_UID : VGPU_WORKER_NO_ID,
		.region = life->region,
		.region_bytes = life->bytes,
		.entries = entries,
	};
	int fds[4], pair[2];
	void *page;

	fds[0] = device.window_fd;
	fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds[2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds[3] = memory(VGPU_RING_PAGE, &page);
	life->grant = page;
	life->grant->grant = VGPU_GRANT_RUN;
	life->grant->tokens = VGPU_GRANT_NO_LIMIT;
	life->grant->quota_bytes = UINT64_C(1) << 30;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		die("socketpair");
	life->worker = fork();
	if (life->worker == 0)
		become_worker(pair[1]);
	close(pair[1]);
	life->socket = pair[0];
	life->doorbell = fds[1];
	if (vgpu_packet_send(life->socket, &prepare, sizeof(prepare), NULL, 0) < 0 ||
	    vgpu_packet_send(life->socket, &start, sizeof(start), fds, 4) < 0)
		die("PREPARE and START");
	close(fds[2]);
	close(fds[3]);
	return wait_ready(life);
}

/* Each channel has its own quarter of BAR2. */
static void open_channel(unsigned int n)
{
	struct life *life = &device.lives[n];
	uint32_t entries = *reg(n, VGPU_CHANNEL_RING_ENTRIES);

	life->region = n * (device.window_bytes / CHANNELS);
	life->bytes = vgpu_ring_window_offset(entries) + reg64(n, VGPU_CHANNEL_WINDOW_BYTES);
	if (life->bytes > device.window_bytes / CHANNELS) {
		set_state(n, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_WINDOW_LIMIT);
		return;
	}
	if (!start_worker(life, entries)) {
		set_state(n, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_UNAVAILABLE);
		return;
	}
	set_reg64(n, VGPU_CHANNEL_REGION, life->region);
	set_reg64(n, VGPU_CHANNEL_REGION_BYTES, life->bytes);
	(*reg(n, VGPU_CHANNEL_OPENS))++;
	device.registers[REG_WORKER(n) / 4] = (uint32_t)life->worker;
	set_state(n, VGPU_CHANNEL_STATE_OPEN, 0);
}

static void forget_worker(struct life *life, unsigned int n)
{
	device.registers[REG_WORKER(n) / 4] = 0;
	close(life->socket);
	close(life->doorbell);
	munmap(life->grant, VGPU_RING_PAGE);
	*life = (struct life){ 0 };
}

static void close_channel(unsigned int n)
{
	const struct vgpu_worker_end end = {
		.header = { .type = VGPU_WORKER_END, .length = sizeof(end) },
	};
	struct life *life = &device.lives[n];

	if (life->worker) {
		if (send(life->socket, &end, sizeof(end), MSG_NOSIGNAL) < 0)
			kill(life->worker, SIGKILL);
		waitpid(life->worker, NULL, 0);
		forget_worker(life, n);
	}
	set_state(n, VGPU_CHANNEL_STATE_CLOSED, 0);
}

static void serve_channel(unsigned int n)
{
	struct life *life = &device.lives[n];
	volatile uint32_t *doorbell = &device.registers[VGPU_REG_CHANNEL_DOORBELL(n) / 4];
	uint32_t control = *reg(n, VGPU_CHANNEL_CONTROL);
	const uint64_t one = 1;

	if (control) {
		if (control == VGPU_CHANNEL_OPEN)
			set_state(n, VGPU_CHANNEL_STATE_OPENING, 0);
		else
			set_state(n, VGPU_CHANNEL_STATE_CLOSING, 0);
		__atomic_store_n(reg(n, VGPU_CHANNEL_CONTROL), 0, __ATOMIC_RELEASE);
		if (control == VGPU_CHANNEL_OPEN)
			open_channel(n);
		else
			close_channel(n);
	}
	if (!life->worker)
		return;
	serve_ledger(life);
	if (__atomic_exchange_n(doorbell, 0, __ATOMIC_SEQ_CST) &&
	    write(life->doorbell, &one, sizeof(one)) < 0)
		die("doorbell");
	if (waitpid(life->worker, NULL, WNOHANG) == life->worker) {
		forget_worker(life, n);
		set_state(n, VGPU_CHANNEL_STATE_FAILED, VGPU_ERR_CONTEXT_LOST);
	}
}

static void play_device(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		for (unsigned int n = 0; n < CHANNELS; n++)
			serve_channel(n);
		usleep(20);
	}
}

static void path_of(const struct stand_in *stand_in, const char *name, char path[256])
{
	snprintf(path, 256, "%s/" DEVICE "/%s", stand_in->sysfs, name);
}

static void write_file(const struct stand_in *stand_in, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	path_of(stand_in, name, path);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		die(path);
}

static void make_registers(struct stand_in *stand_in)
{
	char path[256];
	void *mapped;
	int fd;

	path_of(stand_in, "resource0", path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, VGPU_BAR0_SIZE) != 0)
		die(path);
	mapped = mmap(NULL, VGPU_BAR0_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		die(path);
	close(fd);
	stand_in->registers = mapped;
	stand_in->registers[VGPU_REG_PROTOCOL_VER / 4] = VGPU_PROTOCOL_VERSION;
	stand_in->registers[VGPU_REG_CAPABILITIES / 4] =
		VGPU_CAP_MAILBOX | VGPU_CAP_WINDOW | VGPU_CAP_CHANNELS;
	stand_in->registers[VGPU_REG_CHANNELS / 4] = CHANNELS;
	stand_in->registers[VGPU_REG_LINK_STATE / 4] = VGPU_LINK_UP;
}

void stand_in_start(struct stand_in *stand_in, uint64_t window_bytes)
{
	char path[256], target[64], command[256];
	void *window;

	*stand_in = (struct stand_in){ .sysfs = "/tmp/vgpu-test-channel.XXXXXX",
				       .window_bytes = window_bytes };
	if (!mkdtemp(stand_in->sysfs))
		die("mkdtemp");
	snprintf(command, sizeof(command), "mkdir -p %s/" DEVICE, stand_in->sysfs);
	if (system(command) != 0)
		die(command);
	write_file(stand_in, "vendor", "0x1af4\n");
	write_file(stand_in, "device", "0x10f0\n");
	write_file(stand_in, "enable", "1\n");
	make_registers(stand_in);
	device.window_fd = memory(window_bytes, &window);
	stand_in->window = window;
	/* Write-combining in name only, so that the fences are there. */
	path_of(stand_in, "resource2_wc", path);
	snprintf(target, sizeof(target), "/proc/%d/fd/%d", getpid(), device.window_fd);
	if (symlink(target, path) != 0)
		die(path);
	device.registers = stand_in->registers;
	device.window = window;
	device.window_bytes = window_bytes;
	stand_in->pid = fork();
	if (stand_in->pid == 0)
		play_device();
}

void stand_in_stop(struct stand_in *stand_in)
{
	char command[128];

	/* Its workers end with their sockets. */
	kill(stand_in->pid, SIGKILL);
	waitpid(stand_in->pid, NULL, 0);
	munmap((void *)stand_in->registers, VGPU_BAR0_SIZE);
	munmap(stand_in->window, stand_in->window_bytes);
	close(device.window_fd);
	snprintf(command, sizeof(command), "rm -rf %s", stand_in->sysfs);
	if (system(command) != 0)
		die(command);
}

uint32_t stand_in_opens(const struct stand_in *stand_in, unsigned int channel)
{
	return stand_in->registers[(VGPU_REG_CHANNEL_BLOCK(channel) + VGPU_CHANNEL_OPENS) / 4];
}

pid_t stand_in_worker(const struct stand_in *stand_in, unsigned int channel)
{
	return (pid_t)stand_in->registers[REG_WORKER(channel) / 4];
}
