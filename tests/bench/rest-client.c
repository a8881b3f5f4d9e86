/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of tests/bench/rest. Prints a number a line.
 *
 *   register SOCKET VMS
 *       registers so many VMs
 *   read SOCKET PATH VMS SECONDS PID
 *       GETs by 32 kept-alive connections, each one at a time; PATH has a %s for a VM's uuid, or
 *       none: reads a second, their p99 in ms, and reads for each second of process PID's time
 *   patch SOCKET VMS COUNT
 *       PATCHes one after the other: p99 in ms
 *   idle FOLDER VMS SECONDS PID [channels]
 *       connects so many devices, and opens a channel of each: percent of a processor that process
 *       PID takes in twice that time, and the bytes that it grew by a VM
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/packet.h"
#include "common/ring.h"
#include "guest-agent/agent/percentile.h"

#define CONNECTIONS 32
#define ANSWER_MAX  65536
#define SAMPLES_MAX 4000000u
#define WINDOW	    (UINT64_C(1) << 20)

struct connection {
	int fd;
	int64_t sent_ns;
	size_t length;
	char answer[ANSWER_MAX + 1];
};

static int64_t *samples;
static size_t sample_count;

static void die(const char *what)
{
	fprintf(stderr, "rest-client: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int connect_to(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	return fd;
}

static void uuid_of(unsigned int vm, char uuid[37])
{
	snprintf(uuid, 37, "%08x-0000-4000-8000-000000000000", vm);
}

/* Whether the whole answer is there; it must be a good one. */
static bool is_whole(struct connection *c)
{
	const char *end, *length;

	c->answer[c->length] = '\0';
	end = strstr(c->answer, "\r\n\r\n");
	if (!end)
		return false;
	length = strcasestr(c->answer, "\r\ncontent-length:");
	if (!length || length > end || strncmp(c->answer, "HTTP/1.1 20", 11) != 0) {
		fprintf(stderr, "rest-client: %s\n", c->answer);
		exit(EXIT_FAILURE);
	}
	return c->length >= (size_t)(end + 4 - c->answer) + strtoul(length + 17, NULL, 10);
}

static void send_text(struct connection *c, const char *text, size_t length)
{
	c->length = 0;
	c->sent_ns = vgpu_now_ns();
	if (send(c->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
		die("send");
}

static void get(struct connection *c, const char *format, unsigned int vm)
{
	char path[256], text[512], uuid[37];
	const char *place = strstr(format, "%s");

	uuid_of(vm, uuid);
	snprintf(path, sizeof(path), "%.*s%s%s", (int)(place ? place - format : 200), format,
		 place ? uuid : "", place ? place + 2 : "");
	send_text(c, text,
		  (size_t)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
				   path));
}

/* Takes what arrived; returns whether it was the rest of the answer. */
static bool take(struct connection *c)
{
	ssize_t got = recv(c->fd, c->answer + c->length, ANSWER_MAX - c->length, 0);

	if (got <= 0)
		die("the connection ended");
	c->length += (size_t)got;
	if (!is_whole(c))
		return false;
	if (sample_count < SAMPLES_MAX)
		samples[sample_count++] = vgpu_now_ns() - c->sent_ns;
	return true;
}

static double p99_ms(void)
{
	percentile_sort(samples, sample_count);
	return sample_count ? (double)percentile_of(samples, sample_count, 990) / 1e6 : 0;
}

/* Seconds of processor time that a process and its threads took. */
static double process_seconds(const char *pid)
{
	struct timespec used;
	clockid_t clock;

	errno = clock_getcpuclockid((pid_t)strtol(pid, NULL, 10), &clock);
	if (errno || clock_gettime(clock, &used) < 0)
		die("cannot read a process's time");
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static double process_bytes(const char *pid)
{
	char path[64];
	unsigned long pages;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/statm", pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%*u %lu", &pages) != 1)
		die(path);
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void read_all(const char *path, const char *format, unsigned int vms, double seconds,
		     const char *pid)
{
	struct connection *connections = calloc(CONNECTIONS, sizeof(*connections));
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	double before = process_seconds(pid);
	int64_t start = vgpu_now_ns(), end = start + (int64_t)(seconds * 1e9);
	unsigned int next = 0;
	double took;

	if (!connections || epoll < 0)
		die("cannot begin");
	for (int i = 0; i < CONNECTIONS; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &connections[i] };

		connections[i].fd = connect_to(path, SOCK_STREAM);
		epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event);
		get(&connections[i], format, next++ % vms);
	}
	while (vgpu_now_ns() < end) {
		struct epoll_event events[CONNECTIONS];
		int count = epoll_wait(epoll, events, CONNECTIONS, 100);

		for (int i = 0; i < count; i++)
			if (take(events[i].data.ptr))
				get(events[i].data.ptr, format, next++ % vms);
	}
	took = (double)(vgpu_now_ns() - start) / 1e9;
	before = process_seconds(pid) - before;
	printf("%.0f\n", (double)sample_count / took);
	printf("%.3f\n", p99_ms());
	printf("%.0f\n", before > 0 ? (double)sample_count / before : 0);
	for (int i = 0; i < CONNECTIONS; i++)
		close(connections[i].fd);
	close(epoll);
	free(connections);
}

/* One request with a body after the other. */
static void change_all(const char *path, const char *method, const char *headers,
		       const char *(*body)(unsigned int n), unsigned int vms, unsigned int count)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		die("cannot begin");
	c->fd = connect_to(path, SOCK_STREAM);
	for (unsigned int n = 0; n < count; n++) {
		char text[1024], uuid[37];
		const char *json = body(n);

		uuid_of(n % vms, uuid);
		send_text(c, text,
			  (size_t)snprintf(text, sizeof(text),
					   "%s /v1/vms/%s HTTP/1.1\r\nHost: localhost\r\n%s"
					   "Content-Length: %zu\r\n\r\n%s",
					   method, uuid, headers, strlen(json), json));
		while (!take(c))
			;
	}
	close(c->fd);
	free(c);
}

/* Their devices come from this very user. */
static const char *registration(unsigned int n)
{
	static char text[64];

	(void)n;
	snprintf(text, sizeof(text), "{\"link_uid\":%u}", (unsigned int)geteuid());
	return text;
}

static const char *weight(unsigned int n)
{
	static char text[32];

	snprintf(text, sizeof(text), "{\"weight\":%u}", 1 + n % 10000);
	return text;
}

/* A device of that VM; returns its link. */
static int connect_device(const char *folder, unsigned int vm)
{
	const struct vgpu_link_hello hello = {
		.header = { .type = VGPU_MSG_HELLO, .length = sizeof(hello) },
		.version = VGPU_LINK_VERSION,
		.vectors = VGPU_MSIX_VECTORS,
		.window_bytes = WINDOW,
	};
	int window = memfd_create("vgpu-bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	union vgpu_link_message message;
	char path[108], uuid[37];
	int fd;

	uuid_of(vm, uuid);
	snprintf(path, sizeof(path), "%s/%s.sock", folder, uuid);
	fd = connect_to(path, SOCK_SEQPACKET);
	if (window < 0 || ftruncate(window, (off_t)WINDOW) < 0 ||
	    fcntl(window, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
	    vgpu_packet_send(fd, &hello, sizeof(hello), &window, 1) < 0)
		die("cannot say HELLO");
	close(window);
	if (recv(fd, &message, sizeof(message), 0) <= 0 || message.header.type != VGPU_MSG_WELCOME)
		die("no WELCOME");
	return fd;
}

static void open_channel(int fd)
{
	const struct vgpu_link_reset reset = {
		.header = { .type = VGPU_MSG_RESET, .length = sizeof(reset) },
	};
	const struct vgpu_link_open open = {
		.header = { .type = VGPU_MSG_OPEN, .length = sizeof(open) },
		.serial = 1,
		.window_bytes = 4096,
		.entries = VGPU_RING_ENTRIES_MIN,
	};
	int fds[2] = { eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC) };
	union vgpu_link_message message;

	if (vgpu_packet_send(fd, &reset, sizeof(reset), NULL, 0) < 0 ||
	    vgpu_packet_send(fd, &open, sizeof(open), fds, 2) < 0)
		die("cannot open a channel");
	close(fds[0]);
	close(fds[1]);
	do
		if (recv(fd, &message, sizeof(message), 0) <= 0)
			die("no OPENED");
	while (message.header.type != VGPU_MSG_OPENED);
	if (message.opened.error_code)
		die("a channel is refused");
}

static void connect_devices(const char *folder, unsigned int vms, double seconds, const char *pid,
			    bool channels)
{
	double bytes = process_bytes(pid), before;

	for (unsigned int vm = 0; vm < vms; vm++) {
		int fd = connect_device(folder, vm);

		if (channels)
			open_channel(fd);
	}
	poll(NULL, 0, 2000);
	before = process_seconds(pid);
	poll(NULL, 0, (int)(seconds * 1000));
	printf("%.3f\n", (process_seconds(pid) - before) / seconds * 100);
	bytes = process_bytes(pid) - bytes;
	printf("%.0f\n", bytes > 0 ? bytes / vms : 0);
}

int main(int argc, char **argv)
{
	samples = malloc(SAMPLES_MAX * sizeof(*samples));
	if (!samples)
		die("cannot begin");
	if (argc == 4 && strcmp(argv[1], "register") == 0) {
		unsigned int vms = (unsigned int)strtoul(argv[3], NULL, 10);

		change_all(argv[2], "PUT", "", registration, vms, vms);
	} else if (argc == 7 && strcmp(argv[1], "read") == 0) {
		read_all(argv[2], argv[3], (unsigned int)strtoul(argv[4], NULL, 10),
			 strtod(argv[5], NULL), argv[6]);
	} else if (argc == 5 && strcmp(argv[1], "patch") == 0) {
		change_all(argv[2], "PATCH",
			   "If-Match: *\r\nContent-Type: application/merge-patch+json\r\n", weight,
			   (unsigned int)strtoul(argv[3], NULL, 10),
			   (unsigned int)strtoul(argv[4], NULL, 10));
		printf("%.3f\n", p99_ms());
	} else if ((argc == 6 || argc == 7) && strcmp(argv[1], "idle") == 0) {
		connect_devices(argv[2], (unsigned int)strtoul(argv[3], NULL, 10),
				2 * strtod(argv[4], NULL), argv[5], argc == 7);
	} else {
		fprintf(stderr, "see the beginning of rest-client.c\n");
		return EXIT_FAILURE;
	}
	free(samples);
	return EXIT_SUCCESS;
}
