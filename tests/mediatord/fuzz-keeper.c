/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any packets with any descriptors at a real keeper, whose worker program is not there. An input is
 * a sequence of packets, each after three bytes: its length; how many descriptors it carries, with,
 * in bit 7, whether its header's length is made right, and, in bit 6, whether they are those of a
 * SPAWN or a KEEP; and which of the kinds below they are. A first byte with bit 0 set puts an
 * honest HELLO in front. After each input the keeper holds no descriptor
 * that it did not hold before, but those of the workers that it kept.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/packet.h"
#include "mediatord/keeper/keeper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KINDS 4

static struct keeper *keeper;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
/* A socket, a sealed page, one that is not sealed, and the pidfd of a process that has ended. */
static int kinds[KINDS];
static unsigned int descriptors_before;

/* Sockets, pages and pidfds: the fuzzer itself opens and closes pipes. */
static unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char target[64];
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));

		if (length > 5 &&
		    (memcmp(target, "socke", 5) == 0 || memcmp(target, "/memf", 5) == 0 ||
		     memcmp(target, "anon_", 5) == 0 || memcmp(target, "pidfd", 5) == 0))
			count++;
	}
	closedir(dir);
	return count;
}

static void make_kinds(void)
{
	int pair[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		abort();
	close(pair[1]);
	kinds[0] = pair[0];
	kinds[1] = memfd_create("sealed", MFD_ALLOW_SEALING);
	kinds[2] = memfd_create("unsealed", MFD_ALLOW_SEALING);
	if (ftruncate(kinds[1], 4096) < 0 || ftruncate(kinds[2], 4096) < 0 ||
	    fcntl(kinds[1], F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		abort();
	child = fork();
	if (child == 0)
		_exit(0);
	kinds[3] = (int)syscall(SYS_pidfd_open, child, 0);
	waitpid(child, NULL, 0);
}

static void make_keeper(void)
{
	struct listener listener = LISTENER_NONE;

	/* Abstract: it leaves no file. */
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "vgpu-fuzz-%d", (int)getpid());
	listener.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(listener.fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener.fd, 4) < 0 ||
	    keeper_new(&listener, "/nonexistent/worker", 0, &keeper, NULL) < 0)
		abort();
	descriptors_before = count_descriptors();
}

static void set_up(void)
{
	const struct rlimit files = { 256, 256 };

	vgpu_log_init("fuzz", VGPU_LOG_ERROR - 1);
	setrlimit(RLIMIT_NOFILE, &files);
	make_kinds();
	make_keeper();
}

static void turn(void)
{
	while (keeper_step(keeper, 0, NULL) > 0)
		;
}

/* Lets the keeper work, and takes what it sends, which must be well-formed. */
static void converse(int fd)
{
	union vgpu_keeper_message message;
	int fds[VGPU_KEEPER_FDS];
	ssize_t length;
	size_t count;

	turn();
	while ((length = vgpu_packet_receive(fd, &message, sizeof(message), fds, VGPU_KEEPER_FDS,
					     &count)) > 0) {
		if ((size_t)length < sizeof(message.header) || message.header.length != length)
			abort();
		while (count > 0)
			close(fds[--count]);
		turn();
	}
}

static void transmit(int fd, const uint8_t *control, const uint8_t *bytes, size_t length)
{
	uint8_t packet[256];
	uint32_t said = (uint32_t)length;
	int fds[VGPU_PACKET_FDS_MAX];
	const int right[] = { kinds[0], kinds[1], kinds[1], kinds[control[2] & 1 ? 3 : 0] };
	size_t count = (control[1] & 0x3f) % (VGPU_PACKET_FDS_MAX + 1);

	memcpy(packet, bytes, length);
	if ((control[1] & 0x80) && length >= sizeof(struct vgpu_keeper_header))
		memcpy(packet + offsetof(struct vgpu_keeper_header, length), &said, sizeof(said));
	for (size_t i = 0; i < count; i++)
		fds[i] = kinds[control[2] >> (2 * (i % 4)) & 3];
	if (control[1] & 0x40)
		vgpu_packet_send(fd, packet, length, right, VGPU_KEEPER_FDS);
	else if (length)
		vgpu_packet_send(fd, packet, length, fds, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vgpu_keeper_hello hello = {
		.header = { .type = VGPU_KEEPER_HELLO, .length = sizeof(hello) },
		.version = VGPU_KEEPER_VERSION,
	};
	int fd;

	if (!keeper)
		set_up();
	if (size < 1)
		return 0;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		abort();
	if (data[0] & 1)
		vgpu_packet_send(fd, &hello, sizeof(hello), NULL, 0);
	converse(fd);
	data++;
	size--;
	/* END is the one message after which it need not go on. */
	while (size >= 3 && !keeper->stopping) {
		size_t length = data[0];

		if (length > size - 3)
			length = size - 3;
		transmit(fd, data, data + 3, length);
		converse(fd);
		data += 3 + length;
		size -= 3 + length;
	}
	close(fd);
	turn();
	if (keeper->mediator.fd >= 0 ||
	    count_descriptors() + (keeper->stopping ? 1 : 0) !=
		    descriptors_before + VGPU_KEEPER_FDS * keeper->held_count)
		abort();
	if (keeper->held_count || keeper->stopping) {
		keeper_free(&keeper);
		make_keeper();
	}
	return 0;
}
