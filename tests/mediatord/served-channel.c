/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/mediatord/served-channel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void *serve(void *opaque)
{
	struct served_channel *served = opaque;

	server_run(&served->server, &served->reason);
	return NULL;
}

void served_begin(struct served_channel *served, const struct channel *channel, uint32_t entries,
		  uint64_t window_bytes, long processors)
{
	const uint64_t bytes = vgpu_ring_window_offset(entries) + window_bytes;
	void *region = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct server *server = &served->server;
	int pair[2];

	assert_ptr_not_equal(region, MAP_FAILED);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	*served = (struct served_channel){
		.mediator = pair[0],
		.worker = { .fd = pair[1] },
		.bytes = bytes,
		.server = { .mediator = &served->worker,
			    .doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
			    .completion = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
			    .channel = *channel },
	};
	server->channel.window = (uint8_t *)region + vgpu_ring_window_offset(entries);
	server->channel.window_bytes = window_bytes;
	server_init(server, region, entries, processors);
	guest_ring_init(&served->ring, region, entries, server->doorbell, server->completion);
	assert_int_equal(channel_open(&server->channel, NULL), 0);
	assert_int_equal(pthread_create(&served->thread, NULL, serve, served), 0);
}

void served_end(struct served_channel *served)
{
	close(served->mediator);
	pthread_join(served->thread, NULL);
	assert_int_equal(served->reason->status, served->told_to_end ? ESHUTDOWN : EPIPE);
	vgpu_error_free(&served->reason);
	channel_close(&served->server.channel);
	close(served->worker.fd);
	close(served->server.doorbell);
	close(served->server.completion);
	munmap(served->ring.control, served->bytes);
}
