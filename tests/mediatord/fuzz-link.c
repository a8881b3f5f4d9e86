/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any packets on a link socket, of a real mediator and keeper without a worker. An input is a
 * sequence of packets, each after two bytes: its length's lower byte, and the upper bits with, in
 * bit 7, whether it carries a window. A first byte with bit 0 set puts an honest HELLO in front,
 * and bit 1 a RESUME that names nothing after it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/link.h"
#include "common/log.h"
#include "common/packet.h"
#include "mediatord/mediator.h"
#include "mediatord/rundir.h"
#include "tests/mediatord/keeper-child.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mediator *mediator;
static struct config *config;
static char dir[] = "/tmp/vgpu-fuzz-XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int window;

static void clean_up(void)
{
	char path[64];

	mediator_free(&mediator);
	rmdir(config->link_dir);
	snprintf(path, sizeof(path), "%s/keeper.sock.lock", dir);
	unlink(path);
	rmdir(dir);
	config_free(&config);
}

static void set_up(void)
{
	struct vm_config vm = { .vm_id = 1, .name = "fuzz", .pool = "A", .weight = 100 };
	char text[256];

	vgpu_log_init("fuzz", VGPU_LOG_ERROR - 1);
	if (!mkdtemp(dir))
		abort();
	snprintf(text, sizeof(text),
		 "[mediatord]\nlink-dir = %s/link\nkeeper-socket = %s/keeper.sock\n", dir, dir);
	vm.has_link_uid = true;
	vm.link_uid = geteuid();
	vm.priority = VGPU_PRIORITY_MEDIUM;
	if (config_parse(text, strlen(text), "fuzz", &config, NULL) < 0 ||
	    rundir_make(config->link_dir, NULL) < 0)
		abort();
	keeper_child_start(config->keeper_socket);
	if (mediator_new(config, &mediator, NULL) < 0 || mediator_vm_put(mediator, &vm, NULL) < 0)
		abort();
	snprintf(address.sun_path, sizeof(address.sun_path),
		 "%s/link/00000000-0000-0000-0000-000000000000.sock", dir);
	window = memfd_create("window", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ftruncate(window, 1 << 20) < 0 ||
	    fcntl(window, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		abort();
	atexit(clean_up);
}

/* Lets the mediator work, and takes what it sends, which must be well-formed. */
static void turn(int fd)
{
	union vgpu_link_message message;
	ssize_t length;

	for (int i = 0; i < 3; i++)
		loop_step(mediator->loop, 0);
	while ((length = recv(fd, &message, sizeof(message), MSG_DONTWAIT)) > 0)
		if ((size_t)length < sizeof(message.header) || message.header.length != length)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vgpu_link_hello hello = {
		.header = { .type = VGPU_MSG_HELLO, .length = sizeof(hello) },
		.version = VGPU_LINK_VERSION,
		.window_bytes = 1 << 20,
	};
	const struct vgpu_link_resume resume = {
		.header = { .type = VGPU_MSG_RESUME,
			    .length = offsetof(struct vgpu_link_resume, channels) },
	};
	int fd;

	if (!mediator)
		set_up();
	if (size < 1)
		return 0;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		abort();
	turn(fd);
	if (data[0] & 1)
		vgpu_packet_send(fd, &hello, sizeof(hello), &window, 1);
	turn(fd);
	if (data[0] & 2)
		vgpu_packet_send(fd, &resume, resume.header.length, NULL, 0);
	turn(fd);
	data++;
	size--;
	while (size >= 2) {
		size_t length = data[0] | (size_t)(data[1] & 0x0f) << 8;

		if (length > size - 2)
			length = size - 2;
		if (length &&
		    vgpu_packet_send(fd, data + 2, length, &window, data[1] & 0x80 ? 1 : 0) < 0)
			break;
		turn(fd);
		data += 2 + length;
		size -= 2 + length;
	}
	close(fd);
	for (int i = 0; i < 3; i++)
		loop_step(mediator->loop, 0);
	return 0;
}
