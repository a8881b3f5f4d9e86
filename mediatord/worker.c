/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that a worker says is hostile: its tenant may control it. */
#include "mediatord/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/packet.h"
#include "mediatord/spawn.h"

/* What one wake-up takes of one worker, so that one that floods does not hold up the others. */
#define PACKETS_AT_ONCE 16

void worker_log(const struct worker *worker, int level, const char *format, ...)
{
	char text[384];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!worker->vm)
		vgpu_log(level, "a deleted VM: %s", text);
	else if (worker->channel)
		vm_log(worker->vm, level, "channel %u: %s", worker->channel->number, text);
	else
		vm_log(worker->vm, level, "%s", text);
}

int worker_start(struct vm *vm, uint32_t gpu, struct channel *channel,
		 const struct worker_rings *rings, struct worker **worker, struct vgpu_error **err)
{
	struct mediator *mediator = vm->mediator;
	const struct config *config = mediator->config;
	uint32_t uid = mediator->privileged ? config->worker_uid_base + vm->config.vm_id
					    : VGPU_WORKER_NO_ID;
	const struct vgpu_worker_prepare prepare = {
		.header = { .type = VGPU_WORKER_PREPARE, .length = sizeof(prepare) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.backend = config->backend,
		.gpu = gpu,
		.flags = config->allow_pageable_access ? VGPU_WORKER_PREPARE_ALLOW_PAGEABLE : 0,
	};
	const struct vgpu_worker_start start = {
		.header = { .type = VGPU_WORKER_START, .length = sizeof(start) },
		.uid = uid,
		.gid = uid,
		.memory_bytes = vm->config.quotas.gpu_memory_bytes,
		.region = rings ? rings->region : 0,
		.region_bytes = rings ? rings->region_bytes : 0,
		.entries = rings ? rings->entries : 0,
		.idle_ms = rings ? config->context_idle_ms : 0,
	};
	VGPU_AUTO_FREE struct worker *made = calloc(1, sizeof(*made));
	VGPU_AUTO_CLOSE int ours = -1;
	VGPU_AUTO_CLOSE int theirs = -1;
	int pair[2];

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return vgpu_error_errno(err, errno, "cannot make the worker's socket");
	ours = pair[0];
	theirs = pair[1];
	/* The first packets of an empty socket always fit. */
	if (vgpu_packet_send(ours, &prepare, sizeof(prepare), NULL, 0) < 0 ||
	    vgpu_packet_send(ours, &start, sizeof(start), rings ? rings->fds : NULL,
			     rings ? WORKER_FDS : 0) < 0)
		return vgpu_error_errno(err, errno, "cannot write to the worker's socket");
	if (timers_reserve(loop_timers(mediator->loop), 1) < 0)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->source = loop_add(mediator->loop, SOURCE_WORKER, ours, made);
	if (!made->source) {
		timers_unreserve(loop_timers(mediator->loop), 1);
		return vgpu_error_errno(err, errno, "cannot watch the worker's socket");
	}
	made->pid = spawn_worker(config->worker, theirs, err);
	if (made->pid < 0) {
		loop_remove(mediator->loop, &made->source);
		timers_unreserve(loop_timers(mediator->loop), 1);
		return -1;
	}
	made->mediator = mediator;
	made->vm = vm;
	made->channel = channel;
	made->state = WORKER_STARTING;
	made->gpu = gpu;
	made->fd = vgpu_steal_fd(&ours);
	made->start_ns = vgpu_now_ns();
	made->timer = (struct timer){ .kind = TIMER_WORKER_START, .owner = made };
	timer_set(loop_timers(mediator->loop), &made->timer, made->start_ns + WORKER_START_NS);
	worker_log(made, VGPU_LOG_INFO, "started worker %d for GPU %u", (int)made->pid, gpu);
	made->next = mediator->workers;
	mediator->workers = made;
	*worker = vgpu_steal_pointer(&made);
	return 0;
}

int worker_send_job(struct worker *worker, const struct job *job, uint64_t memory_used)
{
	struct vgpu_worker_job message;
	size_t length = offsetof(struct vgpu_worker_job, request) + job->length;

	memset(&message, 0, offsetof(struct vgpu_worker_job, request));
	message.header.type = VGPU_WORKER_JOB;
	message.header.length = (uint32_t)length;
	message.job = job->id;
	message.memory_used = memory_used;
	message.length = job->length;
	memcpy(message.request, job->request, job->length);
	return vgpu_packet_send(worker->fd, &message, length, NULL, 0);
}

static void stop_listening(struct worker *worker)
{
	loop_remove(worker->mediator->loop, &worker->source);
	if (worker->fd >= 0)
		close(worker->fd);
	worker->fd = -1;
}

void worker_kill(struct worker *worker)
{
	if (worker->state == WORKER_ENDING)
		return;
	stop_listening(worker);
	worker->state = WORKER_ENDING;
	worker->timer.kind = TIMER_WORKER_END;
	timer_set(loop_timers(worker->mediator->loop), &worker->timer,
		  vgpu_now_ns() + WORKER_END_NS);
	/* Once it was reaped, its number may be another process's. */
	if (!worker->reaped)
		kill(worker->pid, SIGKILL);
}

void worker_end(struct worker *worker)
{
	const struct vgpu_worker_end message = {
		.header = { .type = VGPU_WORKER_END, .length = sizeof(message) },
	};

	if (vgpu_packet_send(worker->fd, &message, sizeof(message), NULL, 0) < 0) {
		worker_kill(worker);
		return;
	}
	worker->state = WORKER_FINISHING;
	worker->timer.kind = TIMER_WORKER_END;
	timer_set(loop_timers(worker->mediator->loop), &worker->timer,
		  vgpu_now_ns() + WORKER_FINISH_NS);
}

/* To whom the worker belongs: its channel, or its VM's mailbox. */

static void tell_lost(struct worker *worker, const char *text)
{
	if (worker->channel)
		channel_worker_lost(worker->channel, text);
	else
		vm_worker_lost(worker->vm, text);
}

static void tell_stuck(struct worker *worker)
{
	if (worker->channel)
		channel_worker_stuck(worker->channel);
	else if (worker->vm)
		vm_worker_stuck(worker->vm);
}

static void tell_gone(struct worker *worker)
{
	if (worker->vm)
		ledger_release(&worker->vm->memory, worker->memory.used);
	if (worker->channel)
		channel_worker_gone(worker->channel);
	else if (worker->vm)
		vm_worker_gone(worker->vm);
}

static bool text_ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* Each handler returns NULL, or what an honest worker would not have done. */

static const char *handle_prepared(struct worker *worker,
				   const struct vgpu_worker_prepared *prepared, size_t length)
{
	if (worker->prepared)
		return "a second PREPARED";
	if (length != sizeof(*prepared) ||
	    !text_ends(prepared->gpu_name, sizeof(prepared->gpu_name)))
		return "a malformed PREPARED";
	if (prepared->version != VGPU_WORKER_PROTOCOL_VERSION)
		return "another version of the protocol; mediator and worker are not from the "
		       "same installation";
	worker->prepared = true;
	worker->context = true;
	/* It goes to logs, JSON and the guest: nothing but printable ASCII. */
	for (size_t i = 0; prepared->gpu_name[i]; i++)
		worker->gpu_name[i] = prepared->gpu_name[i] < 0x20 || prepared->gpu_name[i] > 0x7e
					      ? '?'
					      : prepared->gpu_name[i];
	return NULL;
}

static const char *handle_ready(struct worker *worker, size_t length)
{
	if (worker->state != WORKER_STARTING || !worker->prepared)
		return "a second READY, or one before PREPARED";
	if (length != sizeof(struct vgpu_worker_ready))
		return "a malformed READY";
	worker->state = WORKER_READY;
	timer_cancel(loop_timers(worker->mediator->loop), &worker->timer);
	memcpy(worker->vm->gpu_name, worker->gpu_name, sizeof(worker->vm->gpu_name));
	if (worker->channel)
		channel_worker_ready(worker->channel);
	else
		vm_worker_ready(worker->vm);
	return NULL;
}

static const char *handle_failed(struct worker *worker, const struct vgpu_worker_failed *failed,
				 size_t length)
{
	bool broken = worker->channel && worker->state == WORKER_READY;

	if (length != sizeof(*failed) || !text_ends(failed->text, sizeof(failed->text)))
		return "a malformed FAILED";
	/* It crossed the END; the worker exits in either case. */
	if (worker->state == WORKER_FINISHING)
		return NULL;
	if (worker->state != WORKER_STARTING && !broken)
		return "a late FAILED";
	if (broken) {
		channel_ring_broken(worker->channel, failed->text);
		return NULL;
	}
	worker_log(worker, VGPU_LOG_ERROR, "worker %d could not start: %s", (int)worker->pid,
		   failed->text);
	tell_lost(worker, "it could not be started");
	return NULL;
}

uint32_t worker_contexts(const struct mediator *mediator, uint32_t gpu)
{
	uint32_t count = 0;

	for (const struct worker *worker = mediator->workers; worker; worker = worker->next)
		count += worker->gpu == gpu && worker->context;
	return count;
}

/* Whether the worker's GPU has room for one more context. */
static bool context_allowed(const struct worker *worker)
{
	worker_log(worker, VGPU_LOG_DEBUG, "takes a context on GPU %u, beside %u others",
		   worker->gpu, worker_contexts(worker->mediator, worker->gpu));
	return true;
}

/* A channel's context, which no quota is about. */
static const char *handle_context(struct worker *worker, const struct vgpu_worker_reserve *reserve)
{
	struct vgpu_worker_reserved answer = {
		.header = { .type = VGPU_WORKER_RESERVED, .length = sizeof(answer) },
		.number = reserve->number,
	};

	if (!worker->channel || reserve->bytes)
		return "a malformed RESERVE";
	if (worker->context)
		return "a RESERVE of a context where it has one";
	answer.granted = context_allowed(worker);
	worker->context = answer.granted;
	if (vgpu_packet_send(worker->fd, &answer, sizeof(answer), NULL, 0) < 0)
		return "RESERVE upon RESERVE, without reading the answers";
	return NULL;
}

static const char *handle_reserve(struct worker *worker, const struct vgpu_worker_reserve *reserve,
				  size_t length)
{
	struct vgpu_worker_reserved answer = {
		.header = { .type = VGPU_WORKER_RESERVED, .length = sizeof(answer) },
		.number = reserve->number,
	};
	struct vm *vm = worker->vm;

	if (length == sizeof(*reserve) && reserve->kind == VGPU_WORKER_KIND_CONTEXT)
		return handle_context(worker, reserve);
	if (length != sizeof(*reserve) || reserve->kind != VGPU_WORKER_KIND_MEMORY)
		return "a malformed RESERVE";
	if (!worker->channel && (!vm->queue || !vm->queue->run_ns))
		return "a RESERVE without a job";
	answer.granted =
		ledger_reserve(&vm->memory, reserve->bytes, vm->config.quotas.gpu_memory_bytes);
	if (answer.granted) {
		/* No more than the sum just taken, so it cannot overflow. */
		worker->memory.used += reserve->bytes;
		channels_publish(vm);
	}
	if (vgpu_packet_send(worker->fd, &answer, sizeof(answer), NULL, 0) < 0)
		return "RESERVE upon RESERVE, without reading the answers";
	vm_report(vm);
	return NULL;
}

static const char *handle_release(struct worker *worker, const struct vgpu_worker_release *release,
				  size_t length)
{
	if (length == sizeof(*release) && release->kind == VGPU_WORKER_KIND_CONTEXT) {
		if (!worker->channel || !worker->context || release->bytes)
			return "a RELEASE of a context that it does not have";
		worker->context = false;
		return NULL;
	}
	if (length != sizeof(*release) || release->kind != VGPU_WORKER_KIND_MEMORY)
		return "a malformed RELEASE";
	if (!ledger_release(&worker->memory, release->bytes))
		return "a RELEASE of more memory than it holds";
	ledger_release(&worker->vm->memory, release->bytes);
	worker->released_bytes += release->bytes;
	channels_publish(worker->vm);
	vm_report(worker->vm);
	return NULL;
}

static const char *handle_done(struct worker *worker, const struct vgpu_worker_done *done,
			       size_t length)
{
	const size_t head = offsetof(struct vgpu_worker_done, response);

	if (length < head || done->length != length - head ||
	    done->length < sizeof(struct vgpu_response_header))
		return "a malformed DONE";
	if (worker->channel)
		return "a DONE, although it serves a channel";
	/* Passed on, it would make the device end its link. */
	if (!VGPU_LINK_ERROR_KNOWN(done->error_code))
		return "a DONE with an error that there is none of";
	worker->jobs++;
	if (!vm_worker_done(worker->vm, done->job, done->gpu_time_ns, done->error_code,
			    done->response, done->length))
		return "a DONE of a job that it was not running";
	return NULL;
}

static const char *handle(struct worker *worker, const union vgpu_worker_message *message,
			  size_t length)
{
	if (length < sizeof(message->header) || message->header.length != length)
		return "a message's length is not what it says";
	if (message->header.type == VGPU_WORKER_PREPARED_MESSAGE)
		return handle_prepared(worker, &message->prepared, length);
	if (message->header.type == VGPU_WORKER_READY_MESSAGE)
		return handle_ready(worker, length);
	if (message->header.type == VGPU_WORKER_FAILED_MESSAGE)
		return handle_failed(worker, &message->failed, length);
	if (worker->state == WORKER_STARTING)
		return "a message before READY";
	switch (message->header.type) {
	case VGPU_WORKER_RESERVE:
		return handle_reserve(worker, &message->reserve, length);
	case VGPU_WORKER_RELEASE:
		return handle_release(worker, &message->release, length);
	case VGPU_WORKER_DONE:
		return handle_done(worker, &message->done, length);
	default:
		return "a message that a worker does not send";
	}
}

void worker_readable(struct worker *worker)
{
	for (int i = 0; i < PACKETS_AT_ONCE && worker->state != WORKER_ENDING; i++) {
		union vgpu_worker_message message;
		const char *fault;
		ssize_t length;

		length = vgpu_packet_receive(worker->fd, &message, sizeof(message), NULL, 0, NULL);
		if (length < 0 && errno == EAGAIN)
			return;
		if (length == 0 || (length < 0 && errno != EMSGSIZE)) {
			tell_lost(worker, "it ended");
			return;
		}
		fault = length < 0 ? "a message that is too long"
				   : handle(worker, &message, (size_t)length);
		if (fault) {
			worker_log(worker, VGPU_LOG_ERROR, "killing worker %d, which sent %s",
				   (int)worker->pid, fault);
			tell_lost(worker, "it broke its protocol and was killed");
			return;
		}
	}
}

void worker_due(struct worker *worker)
{
	switch (worker->state) {
	case WORKER_STARTING:
		worker_log(worker, VGPU_LOG_ERROR, "killing worker %d, which was not ready in 10 s",
			   (int)worker->pid);
		tell_lost(worker, "it did not become ready in 10 s");
		return;
	case WORKER_FINISHING:
		worker_log(worker, VGPU_LOG_WARNING,
			   "killing worker %d, which was told to end 2 s ago", (int)worker->pid);
		worker_kill(worker);
		return;
	case WORKER_READY:
	case WORKER_ENDING:
		break;
	}
	worker_log(worker, VGPU_LOG_ERROR,
		   "worker %d was killed 10 s ago and is still there; is its GPU wedged?",
		   (int)worker->pid);
	timer_set(loop_timers(worker->mediator->loop), &worker->timer,
		  vgpu_now_ns() + WORKER_END_NS);
	tell_stuck(worker);
}

static void log_end(const struct worker *worker, int status)
{
	const bool killed = WIFSIGNALED(status);
	const char *how = killed ? "ended by signal" : "exited with status";
	int number = killed ? WTERMSIG(status) : WEXITSTATUS(status);

	worker_log(worker, VGPU_LOG_INFO, "worker %d %s %d", (int)worker->pid, how, number);
}

static void gone(struct worker **place, int status)
{
	struct worker *worker = *place;

	worker->reaped = true;
	if (worker->state != WORKER_ENDING) {
		/* What it said last, as a reason to have failed, is still in the socket. */
		worker_readable(worker);
		if (worker->state != WORKER_ENDING)
			tell_lost(worker, "it ended");
	}
	log_end(worker, status);
	*place = worker->next;
	timer_cancel(loop_timers(worker->mediator->loop), &worker->timer);
	timers_unreserve(loop_timers(worker->mediator->loop), 1);
	tell_gone(worker);
	free(worker);
}

void worker_reap(struct mediator *mediator)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (struct worker **place = &mediator->workers; *place; place = &(*place)->next)
			if ((*place)->pid == pid) {
				gone(place, status);
				break;
			}
}
