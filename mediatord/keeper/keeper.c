/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/keeper/keeper.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"
#include "mediatord/keeper/session.h"

#define STARVED_MS 10

/* What the keeper has open besides the workers' descriptors, and receives at once: about 20. */
#define OWN_FILES 32

int keeper_watch(struct keeper *keeper, struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(keeper->epoll_fd, EPOLL_CTL_ADD, source->fd, &event);
}

static int watch_signals(struct keeper *keeper)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	keeper->signals.fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (keeper->signals.fd < 0)
		return -1;
	return keeper_watch(keeper, &keeper->signals, EPOLLIN);
}

/* So many that there is always room for a mediator, and for what it sends. */
static unsigned int most_workers(void)
{
	struct rlimit files;
	rlim_t most;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur < OWN_FILES)
		return 0;
	most = (files.rlim_cur - OWN_FILES) / VGPU_KEEPER_FDS;
	return most < VGPU_KEEPER_WORKERS_MAX ? (unsigned int)most : VGPU_KEEPER_WORKERS_MAX;
}

void keeper_wait(struct keeper *keeper)
{
	keeper->deadline_ns = -1;
	if (keeper->wait_seconds)
		keeper->deadline_ns = vgpu_now_ns() + keeper->wait_seconds * VGPU_NS_PER_SECOND;
}

int keeper_new(struct listener *listener, const char *program, uint32_t wait_seconds,
	       struct keeper **keeper, struct vgpu_error **err)
{
	VGPU_CLEANUP(keeper_free) struct keeper *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->program = program;
	made->wait_seconds = wait_seconds;
	made->socket = (struct listener)LISTENER_NONE;
	made->signals = (struct source){ .kind = SOURCE_SIGNALS, .fd = -1 };
	made->listener = (struct source){ .kind = SOURCE_LISTENER, .fd = listener->fd };
	made->mediator = (struct source){ .kind = SOURCE_MEDIATOR, .fd = -1 };
	for (unsigned int i = 0; i < KEEPER_CALLERS; i++)
		made->callers[i] = (struct source){ .kind = SOURCE_CALLER, .fd = -1 };
	made->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (made->epoll_fd < 0 || watch_signals(made) < 0 ||
	    keeper_watch(made, &made->listener, EPOLLIN) < 0)
		return vgpu_error_errno(err, errno, "cannot watch for mediators and signals");
	made->held_max = most_workers();
	made->socket = *listener;
	*listener = (struct listener)LISTENER_NONE;
	keeper_wait(made);
	*keeper = vgpu_steal_pointer(&made);
	return 0;
}

static void close_source(struct source *source)
{
	if (source->fd >= 0)
		close(source->fd);
	source->fd = -1;
}

void keeper_free(struct keeper **keeper)
{
	struct keeper *old = *keeper;

	if (!old)
		return;
	while (old->held) {
		struct held *held = old->held;

		old->held = held->next;
		held_free(held);
	}
	for (unsigned int i = 0; i < KEEPER_CALLERS; i++)
		close_source(&old->callers[i]);
	close_source(&old->mediator);
	listener_close(&old->socket);
	close_source(&old->signals);
	if (old->epoll_fd >= 0)
		close(old->epoll_fd);
	free(old);
	*keeper = NULL;
}

void keeper_stop(struct keeper *keeper)
{
	keeper->stopping = true;
	keeper->deadline_ns = -1;
	/* Whoever comes from now on is the next keeper's. */
	listener_close(&keeper->socket);
	for (struct held *held = keeper->held; held; held = held->next)
		if (!held->ended)
			held_kill(held);
}

static void accept_caller(struct keeper *keeper)
{
	struct source *place = &keeper->callers[keeper->next_caller];
	int fd = accept4(keeper->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	close_source(place);
	place->fd = fd;
	if (keeper_watch(keeper, place, EPOLLIN) < 0)
		close_source(place);
	keeper->next_caller = (keeper->next_caller + 1) % KEEPER_CALLERS;
}

/* Where a mediator is there, the workers go on: it hands them to the next keeper. */
static void handle_signals(struct keeper *keeper)
{
	struct signalfd_siginfo info;

	if (read(keeper->signals.fd, &info, sizeof(info)) != sizeof(info))
		return;
	vgpu_log_info("%s: ending; %u workers are alive",
		      info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM", keeper->alive);
	if (session_is_up(keeper))
		keeper->stopped = true;
	else
		keeper_stop(keeper);
}

static void reap(struct keeper *keeper, struct held *held)
{
	if (!held_reap(held))
		return;
	epoll_ctl(keeper->epoll_fd, EPOLL_CTL_DEL, held->process.fd, NULL);
	keeper->alive--;
	keeper->untold = true;
}

static void dispatch(struct keeper *keeper, const struct epoll_event *event)
{
	struct source *source = event->data.ptr;

	switch (source->kind) {
	case SOURCE_SIGNALS:
		handle_signals(keeper);
		break;
	case SOURCE_LISTENER:
		accept_caller(keeper);
		break;
	case SOURCE_CALLER:
		session_hello(keeper, source);
		break;
	case SOURCE_MEDIATOR:
		if (event->events & (EPOLLHUP | EPOLLERR))
			session_hung_up(keeper);
		else if (event->events & EPOLLIN)
			session_readable(keeper);
		break;
	case SOURCE_PROCESS:
		reap(keeper, (struct held *)source);
		break;
	}
}

/* Rounded up, so that what is due at the deadline is due when the wait is over. */
static int wait_ms(const struct keeper *keeper)
{
	int64_t left;

	if (keeper->starved)
		return STARVED_MS;
	if (keeper->deadline_ns < 0)
		return -1;
	left = keeper->deadline_ns - vgpu_now_ns();
	if (left <= 0)
		return 0;
	left = (left + VGPU_NS_PER_MS - 1) / VGPU_NS_PER_MS;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int keeper_step(struct keeper *keeper, int timeout_ms, struct vgpu_error **err)
{
	struct epoll_event event;
	int count = epoll_wait(keeper->epoll_fd, &event, 1,
			       timeout_ms < 0 ? wait_ms(keeper) : timeout_ms);

	if (count < 0 && errno != EINTR)
		return vgpu_error_errno(err, errno, "cannot wait for events");
	if (count > 0)
		dispatch(keeper, &event);
	if (keeper->deadline_ns >= 0 && vgpu_now_ns() >= keeper->deadline_ns) {
		vgpu_log_warning("no mediator for %u s: killing %u workers", keeper->wait_seconds,
				 keeper->alive);
		keeper_stop(keeper);
	}
	session_flush(keeper);
	return count > 0;
}

int keeper_run(struct keeper *keeper, struct vgpu_error **err)
{
	while (!keeper->stopped && !(keeper->stopping && keeper->alive == 0))
		if (keeper_step(keeper, -1, err) < 0)
			return -1;
	return 0;
}
