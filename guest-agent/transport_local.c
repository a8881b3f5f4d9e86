/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vGPU within this process: the device core, with its link to a mediator on the same host. No VM
 * and no privileges are needed, so that tests and host tools use the same code as guests.
 *
 * The core runs only while a function of the library does. What the mediator sends meanwhile waits
 * in the socket, and so does a mediator that was restarted.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "device/core.h"
#include "guest-agent/last_error.h"
#include "guest-agent/transport.h"

/* A mediator that is there answers in well under this; one that restarts may need it. */
#define LINK_WAIT_NS (2 * VGPU_NS_PER_SECOND)

/* Between two attempts at a link that another device has. */
#define BUSY_RETRY_NS (50 * VGPU_NS_PER_MS)

/* An open channel's eventfds: the core's, or -1. Who uses the rings rings and sleeps on them. */
struct local_channel {
	int doorbell;
	int completion;
};

/* No memory until it is touched, so that only the VM's quota limits the channels' windows. */
#define WINDOW_BYTES (UINT64_C(16) << 30)

struct local {
	struct transport transport;
	struct vgpu_core *core;
	int fd; /* the core's, or -1 */
	short events;
	int64_t deadline; /* of the core's timer, or -1 */
	struct local_channel channels[VGPU_CHANNELS_MAX];
	char problem[256]; /* the core's last words of warning */
	bool expect_link;  /* worth waiting for: it was up, or nobody has waited yet */
};

static struct local *local_of(struct transport *transport)
{
	return (struct local *)transport; /* its first member */
}

static void core_interrupt(void *opaque, unsigned int vector)
{
	(void)opaque; /* the mailbox's status is looked at instead */
	(void)vector;
}

static int64_t core_now(void *opaque)
{
	(void)opaque;
	return vgpu_now_ns();
}

static void core_watch(void *opaque, int fd, bool read, bool write)
{
	struct local *local = opaque;

	local->fd = fd;
	local->events = (read ? POLLIN : 0) | (write ? POLLOUT : 0);
}

static void core_timer(void *opaque, int64_t deadline)
{
	struct local *local = opaque;

	local->deadline = deadline;
}

static void core_log(void *opaque, int level, const char *line)
{
	struct local *local = opaque;

	/* Nobody asked for a log here; the last problem explains why there is no link. */
	if (level <= VGPU_LOG_WARNING)
		snprintf(local->problem, sizeof(local->problem), "%s", line);
}

static void core_doorbell(void *opaque, unsigned int channel, int fd)
{
	struct local *local = opaque;

	local->channels[channel].doorbell = fd;
}

/*
 * Not waited for in pump(), which would take a completion's wake-up away from the thread that
 * sleeps on the descriptor.
 */
static void core_completion(void *opaque, unsigned int channel, int fd)
{
	struct local *local = opaque;

	local->channels[channel].completion = fd;
}

static const struct vgpu_core_ops core_ops = {
	.interrupt = core_interrupt,
	.now_ns = core_now,
	.watch = core_watch,
	.timer = core_timer,
	.log = core_log,
	.doorbell = core_doorbell,
	.completion = core_completion,
};

/* Lets the core handle what came, after waiting for it until deadline at most. */
static void pump(struct local *local, int64_t deadline)
{
	struct pollfd entry = { .fd = local->fd, .events = local->events };
	struct timespec timeout = { 0 };
	int64_t now = deadline ? vgpu_now_ns() : 0, left;

	if (local->deadline >= 0 && local->deadline < deadline)
		deadline = local->deadline;
	left = deadline - now;
	if (left > 0) {
		timeout.tv_sec = left / VGPU_NS_PER_SECOND;
		timeout.tv_nsec = left % VGPU_NS_PER_SECOND;
	}
	/* A negative descriptor is ignored: then this only sleeps. */
	if (ppoll(&entry, 1, &timeout, NULL) > 0)
		vgpu_core_link_ready(local->core, entry.revents & (POLLIN | POLLHUP | POLLERR),
				     entry.revents & (POLLOUT | POLLERR));
	if (local->deadline >= 0 && vgpu_now_ns() >= local->deadline) {
		local->deadline = -1;
		vgpu_core_timer(local->core);
	}
}

static uint32_t local_read(struct transport *transport, uint32_t offset)
{
	return (uint32_t)vgpu_core_read(local_of(transport)->core, offset, 4);
}

static void local_write(struct transport *transport, uint32_t offset, uint32_t value)
{
	vgpu_core_write(local_of(transport)->core, offset, value, 4);
}

static uint32_t link_state(struct local *local)
{
	return local_read(&local->transport, VGPU_REG_LINK_STATE);
}

/*
 * Waits for a link that is on its way up, or whose mediator may be restarting: for LINK_WAIT_NS,
 * and once only where it stays down.
 */
static void wait_link(struct local *local, int64_t deadline)
{
	int64_t until = vgpu_now_ns() + LINK_WAIT_NS;

	if (until > deadline)
		until = deadline;
	while (link_state(local) != VGPU_LINK_UP && local->expect_link) {
		pump(local, until);
		if (vgpu_now_ns() >= until || link_state(local) == VGPU_LINK_REFUSED)
			break;
	}
	local->expect_link = link_state(local) == VGPU_LINK_UP;
}

static void local_refresh(struct transport *transport)
{
	pump(local_of(transport), 0);
}

static void local_await_link(struct transport *transport, int64_t deadline)
{
	struct local *local = local_of(transport);

	/* What came while nobody looked, such as the end of the link. */
	pump(local, 0);
	wait_link(local, deadline);
}

static enum vgpu_result local_lock(struct transport *transport, int64_t deadline)
{
	local_await_link(transport, deadline);
	return VGPU_OK;
}

static void local_unlock(struct transport *transport)
{
	(void)transport; /* nobody else has this device */
}

static const char *local_problem(struct transport *transport)
{
	return local_of(transport)->problem;
}

static void local_wait(struct transport *transport, int64_t since, int64_t deadline)
{
	(void)since;
	pump(local_of(transport), deadline);
}

/* The mediator frees what a VM held when its device goes, so that nothing is ever left over. */
static enum vgpu_result local_enter(struct transport *transport, int64_t deadline, bool *alone)
{
	(void)transport;
	(void)deadline;
	*alone = false;
	return VGPU_OK;
}

static enum vgpu_result local_settle(struct transport *transport, int64_t deadline)
{
	(void)transport;
	(void)deadline;
	return VGPU_OK;
}

/* Nobody else has this device's channels. */
static bool local_claim(struct transport *transport, unsigned int channel)
{
	(void)transport;
	(void)channel;
	return true;
}

static void local_unclaim(struct transport *transport, unsigned int channel)
{
	(void)transport;
	(void)channel;
}

static enum vgpu_result local_map(struct transport *transport, uint64_t offset, uint64_t bytes,
				  void **memory, bool *combining)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			    vgpu_core_window_fd(local_of(transport)->core), (off_t)offset);

	if (mapped == MAP_FAILED)
		return last_error_errno(VGPU_E_IO, errno, "mapping a channel");
	*memory = mapped;
	*combining = false;
	return VGPU_OK;
}

/* Duplicates: the core closes its own when the channel ends, and threads may then still use them.
 */
static enum vgpu_result local_eventfds(struct transport *transport, unsigned int channel,
				       int *doorbell, int *completion)
{
	const struct local_channel *fds = &local_of(transport)->channels[channel];

	*doorbell = fcntl(fds->doorbell, F_DUPFD_CLOEXEC, 0);
	*completion = fcntl(fds->completion, F_DUPFD_CLOEXEC, 0);
	if (*doorbell >= 0 && *completion >= 0)
		return VGPU_OK;
	return last_error_errno(VGPU_E_IO, errno, "duplicating a channel's eventfds");
}

static void local_close(struct transport *transport)
{
	struct local *local = local_of(transport);

	vgpu_core_free(&local->core);
	free(local);
}

static const struct transport_ops local_ops = {
	.read = local_read,
	.write = local_write,
	.lock = local_lock,
	.unlock = local_unlock,
	.wait = local_wait,
	.await_link = local_await_link,
	.refresh = local_refresh,
	.problem = local_problem,
	.enter = local_enter,
	.settle = local_settle,
	.claim = local_claim,
	.unclaim = local_unclaim,
	.map = local_map,
	.eventfds = local_eventfds,
	.close = local_close,
};

static enum vgpu_result new_core(struct local *local, const char *socket)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	const struct vgpu_core_config config = {
		.link_path = socket,
		.window_bytes = WINDOW_BYTES,
	};

	if (vgpu_core_new(&config, &core_ops, local, &local->core, &err) == 0)
		return VGPU_OK;
	return last_error_set(err->status == EINVAL ? VGPU_E_ARGUMENT : VGPU_E_IO, "%s",
			      err->message);
}

/* A link serves one device at a time: this tries until the one that has it is gone. */
static enum vgpu_result connect_in_turn(struct local *local, const char *socket, int64_t deadline)
{
	for (;;) {
		enum vgpu_result result = new_core(local, socket);
		int64_t until = vgpu_now_ns() + BUSY_RETRY_NS;

		if (result != VGPU_OK)
			return result;
		local->expect_link = true;
		wait_link(local, deadline);
		if (vgpu_core_refused(local->core) != VGPU_REFUSED_BUSY || until >= deadline)
			return VGPU_OK;
		while (vgpu_now_ns() < until)
			pump(local, until);
		vgpu_core_free(&local->core);
	}
}

enum vgpu_result transport_local_open(const char *socket, int64_t deadline,
				      struct transport **transport)
{
	struct local *local = calloc(1, sizeof(*local));
	enum vgpu_result result;

	if (!local)
		return last_error_set(VGPU_E_NO_MEMORY, "out of memory");
	local->fd = -1;
	for (unsigned int i = 0; i < VGPU_CHANNELS_MAX; i++)
		local->channels[i] = (struct local_channel){ -1, -1 };
	local->deadline = -1;
	local->transport.ops = &local_ops;
	snprintf(local->transport.name, sizeof(local->transport.name), "local:%s", socket);
	result = connect_in_turn(local, socket, deadline);
	if (result != VGPU_OK) {
		free(local);
		return result;
	}
	*transport = &local->transport;
	return VGPU_OK;
}
