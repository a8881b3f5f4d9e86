/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mediator has our uid, and could do to us what it likes. It is checked all the same: what is
 * held here outlives it, and so must outlive its mistakes. A bad message costs it the connection
 * and nothing else.
 */
#include "mediatord/keeper/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/packet.h"
#include "mediatord/keeper/message.h"
#include "mediatord/keeper/spawn.h"

static void owe_nothing(struct keeper *keeper)
{
	keeper->complete_owed = false;
	keeper->answer.owed = false;
	keeper->untold = false;
	keeper->starved = false;
}

void session_end(struct keeper *keeper)
{
	close(keeper->mediator.fd);
	keeper->mediator.fd = -1;
	owe_nothing(keeper);
	if (!keeper->stopping)
		keeper_wait(keeper);
	vgpu_log_info("the mediator is gone; %u workers are alive", keeper->alive);
}

bool session_is_up(const struct keeper *keeper)
{
	struct pollfd state = { .fd = keeper->mediator.fd };

	/* A hang-up shows also before what it sent last was read. */
	return keeper->mediator.fd >= 0 && !(poll(&state, 1, 0) == 1 && (state.revents & POLLHUP));
}

/* The peer of a caller's socket, for the log and for whether it may be the mediator. */
static bool is_ours(int fd, struct ucred *peer)
{
	socklen_t length = sizeof(*peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &length) == 0 &&
	       peer->uid == geteuid();
}

static void refuse(int fd, uint32_t reason, const char *why)
{
	const struct vgpu_keeper_refused message = {
		.header = { .type = VGPU_KEEPER_REFUSED, .length = sizeof(message) },
		.reason = reason,
	};
	static struct vgpu_log_limit limit = { .burst = 5, .period_ns = 60 * VGPU_NS_PER_SECOND };

	vgpu_packet_send(fd, &message, sizeof(message), NULL, 0);
	if (vgpu_log_allowed(&limit, vgpu_now_ns()))
		vgpu_log_warning("refused a mediator: %s", why);
}

static void welcome(struct keeper *keeper, int fd, uint32_t version, pid_t pid)
{
	const struct vgpu_keeper_welcome message = {
		.header = { .type = VGPU_KEEPER_WELCOME, .length = sizeof(message) },
		.version = version < VGPU_KEEPER_VERSION ? version : VGPU_KEEPER_VERSION,
		.wait_seconds = keeper->wait_seconds,
	};

	/* The first packet of an empty socket always fits. */
	if (vgpu_packet_send(fd, &message, sizeof(message), NULL, 0) < 0) {
		close(fd);
		return;
	}
	keeper->mediator.fd = fd;
	keeper->mediator_events = EPOLLIN;
	keeper->complete_owed = true;
	keeper->deadline_ns = -1;
	for (struct held *held = keeper->held; held; held = held->next)
		held->told = HELD_UNTOLD;
	vgpu_log_info("the mediator, pid %d, is connected; %u workers are alive", (int)pid,
		      keeper->alive);
}

void session_hello(struct keeper *keeper, struct source *caller)
{
	union vgpu_keeper_message message;
	ssize_t length = vgpu_packet_receive(caller->fd, &message, sizeof(message), NULL, 0, NULL);
	struct ucred peer = { .pid = 0 };
	const char *fault;
	int fd = caller->fd;

	if (length < 0 && errno == EAGAIN)
		return;
	fault = length < 0 ? "more than a HELLO" : message_hello_fault(&message, (size_t)length);
	caller->fd = -1;
	if (fault) {
		close(fd);
		return;
	}
	if (keeper->mediator.fd >= 0 && !session_is_up(keeper))
		session_end(keeper);
	if (!is_ours(fd, &peer))
		refuse(fd, VGPU_KEEPER_REFUSED_PEER, "it has another uid");
	else if (message.hello.version < VGPU_KEEPER_OLDEST)
		refuse(fd, VGPU_KEEPER_REFUSED_VERSION, "it speaks an older protocol");
	else if (keeper->mediator.fd >= 0)
		refuse(fd, VGPU_KEEPER_REFUSED_BUSY, "another one is connected");
	else {
		/* Its event is a caller's still; the mediator's is another. */
		epoll_ctl(keeper->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		welcome(keeper, fd, message.hello.version, peer.pid);
		if (keeper->mediator.fd >= 0 &&
		    keeper_watch(keeper, &keeper->mediator, EPOLLIN) < 0)
			session_end(keeper);
		return;
	}
	close(fd);
}

/* Each handler returns NULL, or what an honest mediator would not have done. */

static struct held **find(struct keeper *keeper, uint64_t worker)
{
	struct held **place = &keeper->held;

	while (*place && (*place)->worker != worker)
		place = &(*place)->next;
	return place;
}

static void answer(struct keeper *keeper, uint64_t worker, const struct held *held,
		   const struct spawn_failure *failure)
{
	struct vgpu_keeper_spawned *message = &keeper->answer.message;

	memset(message, 0, sizeof(*message));
	message->header.type = VGPU_KEEPER_SPAWNED;
	message->header.length = sizeof(*message);
	message->worker = worker;
	if (held) {
		message->pid = held->pid;
	} else {
		message->errnum = failure->errnum;
		snprintf(message->step, sizeof(message->step), "%s", failure->step);
	}
	keeper->answer.pidfd = held ? held->fds[VGPU_KEEPER_FD_OTHER] : -1;
	keeper->answer.owed = true;
}

/* Takes a worker up, which has all its descriptors then. Returns 0, or -1 and *failure. */
static int take_up(struct keeper *keeper, struct held *held, struct spawn_failure *failure)
{
	held->process.fd = held->fds[VGPU_KEEPER_FD_OTHER];
	if (keeper_watch(keeper, &held->process, EPOLLIN) < 0) {
		*failure = (struct spawn_failure){ .step = "epoll_ctl", .errnum = errno };
		return -1;
	}
	held->next = keeper->held;
	keeper->held = held;
	keeper->held_count++;
	keeper->alive++;
	return 0;
}

static struct held *prepare(struct keeper *keeper, uint64_t worker, struct spawn_failure *failure)
{
	struct held *held;

	if (keeper->held_count >= keeper->held_max) {
		*failure = (struct spawn_failure){ .step = "table", .errnum = EMFILE };
		return NULL;
	}
	held = held_new(worker);
	if (!held)
		*failure = (struct spawn_failure){ .step = "memory", .errnum = ENOMEM };
	return held;
}

static void move_fds(struct held *held, int fds[VGPU_KEEPER_FDS], int count)
{
	for (int i = 0; i < count; i++) {
		held->fds[i] = fds[i];
		fds[i] = -1;
	}
}

static void spawn(struct keeper *keeper, uint64_t worker, int fds[VGPU_KEEPER_FDS])
{
	struct spawn_failure failure;
	struct held *held = prepare(keeper, worker, &failure);

	if (!held) {
		answer(keeper, worker, NULL, &failure);
		return;
	}
	held->pid = spawn_worker(keeper->program, fds[VGPU_KEEPER_FD_OTHER],
				 &held->fds[VGPU_KEEPER_FD_OTHER], &failure);
	if (held->pid > 0 && take_up(keeper, held, &failure) == 0) {
		move_fds(held, fds, VGPU_KEEPER_FD_OTHER);
		answer(keeper, worker, held, NULL);
		return;
	}
	if (held->pid > 0) {
		held_kill(held);
		waitpid(held->pid, NULL, 0);
	}
	held_free(held);
	answer(keeper, worker, NULL, &failure);
}

static void keep(struct keeper *keeper, const struct vgpu_keeper_kept *message,
		 int fds[VGPU_KEEPER_FDS])
{
	struct spawn_failure failure;
	struct held *held = prepare(keeper, message->worker, &failure);

	if (held) {
		held->pid = message->pid;
		move_fds(held, fds, VGPU_KEEPER_FDS);
		if (take_up(keeper, held, &failure) == 0)
			return;
		held_free(held);
	}
	answer(keeper, message->worker, NULL, &failure);
}

static const char *handle_forget(struct keeper *keeper, uint64_t worker)
{
	struct held **place = find(keeper, worker);
	struct held *held = *place;

	if (!held)
		return "a FORGET of a worker that there is none of";
	if (held->told != HELD_TOLD_ENDED)
		return "a FORGET of a worker that has not ended";
	*place = held->next;
	keeper->held_count--;
	held_free(held);
	return NULL;
}

static const char *handle(struct keeper *keeper, const union vgpu_keeper_message *message, int *fds)
{
	switch (message->header.type) {
	case VGPU_KEEPER_SPAWN:
	case VGPU_KEEPER_KEEP:
		/* The number stands at the same place in both. */
		if (*find(keeper, message->spawn.worker))
			return "a worker's number that is taken";
		if (message->header.type == VGPU_KEEPER_SPAWN)
			spawn(keeper, message->spawn.worker, fds);
		else
			keep(keeper, &message->kept, fds);
		return NULL;
	case VGPU_KEEPER_FORGET:
		return handle_forget(keeper, message->plain.worker);
	default:
		vgpu_log_info("the mediator ends us, and %u workers", keeper->alive);
		keeper_stop(keeper);
		return NULL;
	}
}

static const char *check(const union vgpu_keeper_message *message, size_t length, const int *fds,
			 size_t count)
{
	const char *fault = message_fault(message, length);

	if (fault)
		return fault;
	if (count != message_fds(message))
		return "another number of descriptors than the message has";
	return message_fds_fault(message, fds);
}

void session_readable(struct keeper *keeper)
{
	int fds[VGPU_PACKET_FDS_MAX];
	union vgpu_keeper_message message;
	const char *fault;
	ssize_t length;
	size_t count;

	length = vgpu_packet_receive(keeper->mediator.fd, &message, sizeof(message), fds,
				     VGPU_PACKET_FDS_MAX, &count);
	if (length < 0 && errno == EAGAIN)
		return;
	if (length == 0 || (length < 0 && errno != EMSGSIZE)) {
		session_end(keeper);
		return;
	}
	fault = length < 0 ? "a message that is too long, or has too many descriptors"
			   : check(&message, (size_t)length, fds, count);
	if (!fault)
		fault = handle(keeper, &message, fds);
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (fault) {
		vgpu_log_error("the mediator sent %s; closing its connection", fault);
		session_end(keeper);
	}
}

void session_hung_up(struct keeper *keeper)
{
	/* What it sent last is still to be read; an END, perhaps. */
	if (keeper->mediator_events & EPOLLIN)
		session_readable(keeper);
	else
		owe_nothing(keeper);
}

/* What it is owed. Each returns 0, or -1 with errno. */

static int send_kept(struct keeper *keeper, struct held *held)
{
	const struct vgpu_keeper_kept message = {
		.header = { .type = VGPU_KEEPER_KEPT, .length = sizeof(message) },
		.worker = held->worker,
		.pid = held->pid,
		.ended = held->ended,
		.status = held->status,
	};

	if (vgpu_packet_send(keeper->mediator.fd, &message, sizeof(message), held->fds,
			     VGPU_KEEPER_FDS) < 0)
		return -1;
	held->told = held->ended ? HELD_TOLD_ENDED : HELD_TOLD;
	return 0;
}

static int send_ended(struct keeper *keeper, struct held *held)
{
	const struct vgpu_keeper_ended message = {
		.header = { .type = VGPU_KEEPER_ENDED, .length = sizeof(message) },
		.worker = held->worker,
		.status = held->status,
	};

	if (vgpu_packet_send(keeper->mediator.fd, &message, sizeof(message), NULL, 0) < 0)
		return -1;
	held->told = HELD_TOLD_ENDED;
	return 0;
}

static int send_all_kept(struct keeper *keeper)
{
	const struct vgpu_keeper_plain complete = {
		.header = { .type = VGPU_KEEPER_COMPLETE, .length = sizeof(complete) },
	};

	for (struct held *held = keeper->held; held; held = held->next)
		if (held->told == HELD_UNTOLD && send_kept(keeper, held) < 0)
			return -1;
	if (vgpu_packet_send(keeper->mediator.fd, &complete, sizeof(complete), NULL, 0) < 0)
		return -1;
	keeper->complete_owed = false;
	return 0;
}

static int send_answer(struct keeper *keeper)
{
	struct answer *owed = &keeper->answer;

	if (vgpu_packet_send(keeper->mediator.fd, &owed->message, sizeof(owed->message),
			     &owed->pidfd, owed->pidfd >= 0 ? 1 : 0) < 0)
		return -1;
	owed->owed = false;
	return 0;
}

static int send_owed(struct keeper *keeper)
{
	if (keeper->complete_owed && send_all_kept(keeper) < 0)
		return -1;
	if (keeper->answer.owed && send_answer(keeper) < 0)
		return -1;
	for (struct held *held = keeper->untold ? keeper->held : NULL; held; held = held->next)
		if (held->ended && held->told == HELD_TOLD && send_ended(keeper, held) < 0)
			return -1;
	keeper->untold = false;
	return 0;
}

void session_flush(struct keeper *keeper)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &keeper->mediator };

	if (keeper->mediator.fd < 0)
		return;
	keeper->starved = false;
	if (send_owed(keeper) < 0) {
		/* A full socket says when it has room; anything else has to be tried. */
		keeper->starved = errno != EAGAIN;
		event.events = keeper->starved ? 0 : EPOLLOUT;
		/* The end of the stream follows what it still has to say. */
		if (errno == EPIPE || errno == ECONNRESET) {
			owe_nothing(keeper);
			event.events = EPOLLIN;
		}
	}
	if (event.events == keeper->mediator_events)
		return;
	keeper->mediator_events = event.events;
	epoll_ctl(keeper->epoll_fd, EPOLL_CTL_MOD, keeper->mediator.fd, &event);
}
