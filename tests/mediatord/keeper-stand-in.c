/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In a worker's place: answers each packet of its control socket with its pid, as others see it, or
 * exits with the status that an "x" and a byte name. It ends with the stream.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mediatord/worker_protocol.h"

int main(void)
{
	unsigned char packet[16];
	char self[16] = "";
	ssize_t length;
	pid_t pid;

	if (readlink("/proc/self", self, sizeof(self) - 1) < 0)
		return 1;
	pid = (pid_t)strtol(self, NULL, 10);
	while ((length = recv(VGPU_WORKER_CONTROL_FD, packet, sizeof(packet), 0)) > 0) {
		if (packet[0] == 'x' && length == 2)
			return packet[1];
		if (send(VGPU_WORKER_CONTROL_FD, &pid, sizeof(pid), MSG_NOSIGNAL) < 0)
			return 1;
	}
	return 0;
}
