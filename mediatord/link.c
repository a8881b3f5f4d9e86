/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer that must be refused for who it is still gets its answer only to its HELLO: an answer that
 * is sent earlier can be lost, since closing a socket with an unread HELLO in it makes the peer's
 * next read fail.
 */
#include "mediatord/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/packet.h"
#include "mediatord/eventfd.h"
#include "mediatord/worker.h"

/* What one wake-up takes of one socket, so that a peer that floods does not hold up the others. */
#define ACCEPTS_AT_ONCE 8
#define PACKETS_AT_ONCE 8

/* More than a socket holds of what a device sends. */
#define UNREAD_MAX 4096

/* The descriptors that came with a packet: those that nobody took are closed. */
struct received {
	int fds[2];
	size_t count;
};

static void close_received(struct received *received)
{
	for (size_t i = 0; i < received->count; i++)
		if (received->fds[i] >= 0)
			close(received->fds[i]);
}

/* Counts a refusal, and says it in the log as often as is bearable. */
static void log_refused(struct vm *vm, const struct peer *peer, const char *why)
{
	vm->usage.links_refused++;
	if (vgpu_log_allowed(&vm->refusal_log, vgpu_now_ns()))
		vm_log_always(vm, VGPU_LOG_WARNING, "refused the device of pid %d, uid %u: %s",
			      (int)peer->pid, (unsigned int)peer->uid, why);
}

int link_send(struct link *link, const struct vgpu_link_header *message)
{
	return vgpu_packet_send(link->fd, message, message->length, NULL, 0);
}

static void remove_half_open(struct link *link)
{
	struct link **place = &link->vm->half_open;

	while (*place != link)
		place = &(*place)->next;
	*place = link->next;
	link->next = NULL;
	link->vm->half_open_count[peer_accepted(link->verdict)]--;
	timer_cancel(loop_timers(link->vm->mediator->loop), &link->hello);
}

/* Closes the connection, which is in no list any more, and frees it. */
static void free_link(struct link *link)
{
	struct loop *loop = link->vm->mediator->loop;

	loop_remove(loop, &link->source);
	timers_unreserve(loop_timers(loop), 1);
	close(link->fd);
	if (link->window_fd >= 0)
		close(link->window_fd);
	free(link);
}

void link_drop(struct link *link, const char *why)
{
	struct vm *vm = link->vm;

	if (!link->up) {
		remove_half_open(link);
		free_link(link);
		return;
	}
	vm->link = NULL;
	vm_tell(vm, EVENT_LINK_DOWN, link->peer.pid, why ? why : "");
	if (why)
		vm_log_event(vm, VGPU_LOG_WARNING, EVENT_LINK_DOWN,
			     "dropped the device of pid %d: %s", (int)link->peer.pid, why);
	else
		vm_log_event(vm, VGPU_LOG_INFO, EVENT_LINK_DOWN, "the device of pid %d is gone",
			     (int)link->peer.pid);
	free_link(link);
	vm_reset(vm);
}

void link_leave(struct vm *vm)
{
	while (vm->half_open)
		link_drop(vm->half_open, NULL);
	if (vm->link)
		free_link(vgpu_steal_pointer(&vm->link));
}

/* Closed with something unread, a socket makes the peer's next read fail, whatever it was told. */
static void discard_unread(const struct link *link)
{
	char byte;

	for (int i = 0; i < UNREAD_MAX && recv(link->fd, &byte, 1, MSG_DONTWAIT) > 0; i++)
		;
}

void link_drop_all(struct vm *vm, const char *why)
{
	while (vm->half_open)
		link_drop(vm->half_open, why);
	if (!vm->link)
		return;
	discard_unread(vm->link);
	link_drop(vm->link, why);
}

/* Tells a half-open peer why, and closes it. */
static void refuse(struct link *link, uint32_t reason, const char *why)
{
	struct vgpu_link_refused message = {
		.header = { .type = VGPU_MSG_REFUSED, .length = sizeof(message) },
		.reason = reason,
	};

	log_refused(link->vm, &link->peer, why);
	snprintf(message.text, sizeof(message.text), "%s", why);
	/* A peer that does not read it is refused all the same. */
	link_send(link, &message.header);
	link_drop(link, NULL);
}

void link_hello_due(struct link *link)
{
	log_refused(link->vm, &link->peer, "it said no HELLO in 5 s");
	link_drop(link, NULL);
}

/* NULL where the descriptor is the window that HELLO says; otherwise what is wrong with it. */
static const char *window_fault(int fd, uint64_t bytes)
{
	const int needed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat status;
	int seals;

	if (bytes < VGPU_WINDOW_SIZE_MIN || bytes > VGPU_WINDOW_SIZE_MAX || (bytes & (bytes - 1)))
		return "the window's size is no power of two from 1 MiB to 64 GiB";
	/* Seals before size: once sealed, the size stays what it is. */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return "the window is no memfd";
	if ((seals & needed) != needed)
		return "the window is not sealed against resizing";
	if (fstat(fd, &status) < 0 || status.st_size < 0 || (uint64_t)status.st_size != bytes)
		return "the window's memfd has another size than HELLO says";
	return NULL;
}

/* Whether the VM's device has closed its end, although we were not told yet. */
static bool device_went(const struct link *link)
{
	struct pollfd state = { .fd = link->fd };

	/* A hang-up shows also before what it sent last was read. */
	return poll(&state, 1, 0) == 1 && (state.revents & POLLHUP);
}

static void welcome(struct link *link, const struct vgpu_link_hello *hello, int *window)
{
	struct vgpu_link_welcome message = {
		.header = { .type = VGPU_MSG_WELCOME, .length = sizeof(message) },
		.version = hello->version < VGPU_LINK_VERSION ? hello->version : VGPU_LINK_VERSION,
	};
	struct vm *vm = link->vm;

	remove_half_open(link);
	link->resuming = message.version >= VGPU_LINK_VERSION_RESUME;
	/* It would never name what was there before it. */
	if (!link->resuming)
		vm_reset(vm);
	link->up = true;
	link->window_fd = vgpu_steal_fd(window);
	link->window_bytes = hello->window_bytes;
	vm->link = link;
	channels_attach(vm, link->window_bytes);
	vm_log_event(vm, VGPU_LOG_INFO, EVENT_LINK_UP, "the device of pid %d, uid %u connected: %s",
		     (int)link->peer.pid, (unsigned int)link->peer.uid,
		     peer_verdict_text(link->verdict));
	vm_tell(vm, EVENT_LINK_UP, link->peer.pid, "");
	if (link_send(link, &message.header) < 0) {
		link_drop(link, "it did not take its welcome");
		return;
	}
	memset(&vm->sent_config, 0, sizeof(vm->sent_config));
	memset(&vm->sent_usage, 0, sizeof(vm->sent_usage));
	vm->sent_usage_ns = 0;
	vm_report(vm);
}

/* The first message of a connection, of `length` bytes. */
static void handle_hello(struct link *link, const union vgpu_link_message *message, size_t length,
			 int *window)
{
	const struct vgpu_link_hello *hello = &message->hello;
	struct vm *vm = link->vm;
	const char *fault;

	if (!peer_accepted(link->verdict)) {
		refuse(link, VGPU_REFUSED_IDENTITY, peer_verdict_text(link->verdict));
		return;
	}
	if (length < offsetof(struct vgpu_link_hello, vectors) ||
	    hello->header.type != VGPU_MSG_HELLO || hello->header.length != length) {
		refuse(link, VGPU_REFUSED_MALFORMED, "its first message is no HELLO");
		return;
	}
	/* Before anything that another version may lay out in another way. */
	if (hello->version < VGPU_LINK_OLDEST) {
		refuse(link, VGPU_REFUSED_VERSION, "it speaks no version of the link that we do");
		return;
	}
	if (length != sizeof(*hello)) {
		refuse(link, VGPU_REFUSED_MALFORMED, "its HELLO has another size than it must");
		return;
	}
	if (hello->vectors > VGPU_MSIX_VECTORS) {
		refuse(link, VGPU_REFUSED_MALFORMED, "its HELLO has more vectors than there are");
		return;
	}
	if (*window < 0) {
		refuse(link, VGPU_REFUSED_WINDOW, "its HELLO carries no window");
		return;
	}
	fault = window_fault(*window, hello->window_bytes);
	if (fault) {
		refuse(link, VGPU_REFUSED_WINDOW, fault);
		return;
	}
	if (vm->link && device_went(vm->link))
		link_drop(vm->link, NULL);
	if (vm->link) {
		refuse(link, VGPU_REFUSED_BUSY, "another device holds this VM's link");
		return;
	}
	welcome(link, hello, window);
}

/*
 * Channels. What a guest can bring about through a correct device is answered (channel.h says
 * how). What only a broken device does costs it the link, since the two disagree about what is
 * open: an OPEN with other descriptors than two different eventfds, of a channel that there is
 * none of or that is not closed, or with the serial of the last or none; and a CLOSE of what was
 * never opened. A CLOSE of what has just ended by itself is neither: they crossed.
 */

static const char *handle_open(struct link *link, const struct vgpu_link_open *open, size_t length,
			       struct received *received)
{
	const char *fault;

	if (length != sizeof(*open) || open->channel >= VGPU_CHANNELS_MAX)
		return "a malformed OPEN";
	if (!open->serial)
		return "an OPEN without a serial";
	if (received->count != 2)
		return "an OPEN without its two descriptors";
	fault = eventfd_pair_fault(received->fds);
	if (fault)
		return fault;
	if (link->channels[open->channel].used &&
	    link->channels[open->channel].serial == open->serial)
		return "an OPEN with the serial of an earlier one";
	link->channels[open->channel].used = true;
	link->channels[open->channel].closed = false;
	link->channels[open->channel].serial = open->serial;
	return channel_open(link->vm, open, received->fds);
}

static const char *handle_close(struct link *link, const struct vgpu_link_close *close_message,
				size_t length)
{
	uint32_t number = close_message->channel;

	if (length != sizeof(*close_message) || number >= VGPU_CHANNELS_MAX)
		return "a malformed CLOSE";
	if (!link->channels[number].used)
		return "a CLOSE of a channel that it had not opened";
	if (link->channels[number].serial != close_message->serial)
		return NULL; /* about an earlier life */
	if (!channel_close(link->vm, number, close_message->serial) &&
	    !link->channels[number].closed)
		channel_send_closed(link->vm, number, close_message->serial, VGPU_ERR_NONE);
	return NULL;
}

/*
 * A message of the VM's device; descriptors that are kept are taken out of it. Returns NULL, or
 * why the link has to go.
 */
static const char *handle_message(struct link *link, const union vgpu_link_message *message,
				  size_t length, struct received *received)
{
	const struct vgpu_link_request *request = &message->request;
	const size_t head = offsetof(struct vgpu_link_request, data);

	if (length < sizeof(message->header) || message->header.length != length)
		return "a message's length is not what it says";
	if (received->count && message->header.type != VGPU_MSG_OPEN)
		return "a descriptor with a message that carries none";
	if (link->resuming && message->header.type != VGPU_MSG_RESUME &&
	    message->header.type != VGPU_MSG_RESET)
		return "a first message that is neither RESUME nor RESET";
	switch (message->header.type) {
	case VGPU_MSG_RESET:
		if (length != sizeof(message->reset))
			return "a RESET of a wrong length";
		vm_log_always(link->vm, VGPU_LOG_DEBUG, "reset by its device");
		link->outstanding = false;
		link->resuming = false;
		for (uint32_t i = 0; i < VGPU_CHANNELS_MAX; i++)
			link->channels[i].closed = true;
		vm_reset(link->vm);
		return NULL;
	case VGPU_MSG_RESUME:
		if (!link->resuming)
			return "a RESUME that is not its first message";
		return resume_handle(link, &message->resume, length);
	case VGPU_MSG_REQUEST:
		if (length <= head || request->length != length - head)
			return "a REQUEST of a wrong length";
		if (link->outstanding)
			return "a second REQUEST before the answer to the first";
		link->outstanding = true;
		vm_request(link->vm, (struct vm_asker){ .tag = request->tag }, request->data,
			   request->length);
		return NULL;
	case VGPU_MSG_OPEN:
		return handle_open(link, &message->open, length, received);
	case VGPU_MSG_CLOSE:
		return handle_close(link, &message->close, length);
	default:
		return "a message that a device does not send";
	}
}

void link_ready(struct link *link)
{
	struct vm *vm = link->vm;

	for (int i = 0; i < PACKETS_AT_ONCE; i++) {
		union vgpu_link_message message;
		VGPU_CLEANUP(close_received) struct received received = { .fds = { -1, -1 } };
		bool was_up = link->up;
		ssize_t length;
		const char *fault;

		length = vgpu_packet_receive(link->fd, &message, sizeof(message), received.fds,
					     was_up ? 2 : 1, &received.count);
		if (length < 0 && errno == EAGAIN)
			return;
		if (length <= 0) {
			bool oversized = length < 0 && errno == EMSGSIZE;

			if (oversized && !was_up)
				refuse(link,
				       peer_accepted(link->verdict) ? VGPU_REFUSED_MALFORMED
								    : VGPU_REFUSED_IDENTITY,
				       "its first message is no HELLO");
			else
				link_drop(link, oversized ? "a message that is too long" : NULL);
			return;
		}
		if (!was_up) {
			handle_hello(link, &message, (size_t)length, &received.fds[0]);
			/* Refused or welcomed: what else it sent waits for the next round. */
			return;
		}
		fault = handle_message(link, &message, (size_t)length, &received);
		/* Answering may have dropped it already. */
		if (vm->link != link)
			return;
		if (fault) {
			link_drop(link, fault);
			return;
		}
	}
}

/* Takes an accepted connection, whose descriptor moves here. */
static void begin(struct vm *vm, int fd)
{
	VGPU_AUTO_CLOSE int owned = fd;
	struct mediator *mediator = vm->mediator;
	struct peer_pid_file file = { .state = PEER_PID_FILE_ABSENT };
	struct peer peer = { .pid = 0, .uid = (uid_t)-1 };
	enum peer_verdict verdict;
	struct link *link;

	if (peer_read(owned, &peer) < 0) {
		log_refused(vm, &peer, "the kernel does not say who it is");
		return;
	}
	if (!vm->config.has_link_uid)
		peer_pid_file_read(mediator->config->libvirt_run_dir, vm->config.name, &file);
	verdict = peer_decide(&vm->config, &peer, &file);
	if (vm->half_open_count[peer_accepted(verdict)] >= LINK_HALF_OPEN_MAX) {
		log_refused(vm, &peer, "too many connections that have said no HELLO yet");
		return;
	}
	link = calloc(1, sizeof(*link));
	if (!link || timers_reserve(loop_timers(mediator->loop), 1) < 0) {
		free(link);
		log_refused(vm, &peer, "out of memory");
		return;
	}
	link->source = loop_add(mediator->loop, SOURCE_LINK, owned, link);
	if (!link->source) {
		timers_unreserve(loop_timers(mediator->loop), 1);
		free(link);
		log_refused(vm, &peer, "out of memory");
		return;
	}
	link->vm = vm;
	link->fd = vgpu_steal_fd(&owned);
	link->window_fd = -1;
	link->peer = peer;
	link->verdict = verdict;
	link->next = vm->half_open;
	vm->half_open = link;
	vm->half_open_count[peer_accepted(verdict)]++;
	link->hello = (struct timer){ .kind = TIMER_LINK_HELLO, .owner = link };
	timer_set(loop_timers(mediator->loop), &link->hello, vgpu_now_ns() + LINK_HELLO_NS);
}

void link_accept(struct vm *vm)
{
	struct mediator *mediator = vm->mediator;

	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(vm->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			begin(vm, fd);
			continue;
		}
		if ((errno == EMFILE || errno == ENFILE) && mediator->spare_fd >= 0) {
			/* Left alone, the connection would wake the loop for ever. */
			vm->usage.links_refused++;
			if (vgpu_log_allowed(&vm->refusal_log, vgpu_now_ns()))
				vgpu_log_error("%s: refused a device: no descriptors left",
					       vm->label);
			close(mediator->spare_fd);
			fd = accept4(vm->listen_fd, NULL, NULL, SOCK_CLOEXEC);
			if (fd >= 0)
				close(fd);
			mediator->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		}
		return;
	}
}
