/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later */
/* Packets with descriptors over SOCK_SEQPACKET Unix sockets; nothing here blocks. */
#ifndef VGPU_COMMON_PACKET_H
#define VGPU_COMMON_PACKET_H

#include <stddef.h>
#include <sys/types.h>

#define VGPU_PACKET_FDS_MAX 8

/*
 * Sends one packet of `length` bytes with `fd_count` descriptors, which stay the caller's. Returns
 * 0, or -1 with errno: EAGAIN where the socket is full, EPIPE where the peer is gone (no SIGPIPE).
 */
int vgpu_packet_send(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count);

/*
 * Receives one packet of at most `size` bytes. Returns its length, 0 at the end of the stream (an
 * empty packet cannot be told from it, and counts as it), or -1 with errno: EAGAIN, or EMSGSIZE
 * where the packet was longer or carried more than `fd_max` descriptors. Up to `fd_max`
 * descriptors go to fds, CLOEXEC and owned by the caller, and their number to *fd_count; where the
 * length is not positive all received ones are closed and *fd_count is 0. fds may be NULL where
 * fd_max is 0.
 */
ssize_t vgpu_packet_receive(int socket, void *bytes, size_t size, int *fds, size_t fd_max,
			    size_t *fd_count);

#endif
