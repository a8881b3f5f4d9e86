/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that a worker says is hostile: its tenant may control it. */
#include "mediatord/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/packet.h"
#include "mediatord/channel_turn.h"
#include "mediatord/warm.h"

/* What one wake-up takes of one worker, so that one that floods does not hold up the others. */
#define PACKETS_AT_ONCE 16

/* For how long nobody listens to one whose VM's workers sent too much: 50 messages' worth. */
#define HUSH_NS VGPU_NS_PER_MS

pid_t worker_pid(const struct worker *worker)
{
	return worker->process->pid;
}

static int control_socket(const struct worker *worker)
{
	return worker->process->fds[VGPU_KEEPER_FD_CONTROL];
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
	RECORD_SET(worker->record, job, job->id);
	return vgpu_packet_send(control_socket(worker), &message, length, NULL, 0);
}

void worker_wake(struct worker *worker)
{
	const struct vgpu_worker_wake message = {
		.header = { .type = VGPU_WORKER_WAKE, .length = sizeof(message) },
	};

	/* A socket that is full has one in it. */
	if (worker->state == WORKER_READY || worker->state == WORKER_ADOPTING)
		vgpu_packet_send(control_socket(worker), &message, sizeof(message), NULL, 0);
}

void worker_kill(struct worker *worker)
{
	if (worker->state == WORKER_ENDING)
		return;
	loop_remove(worker->mediator->loop, &worker->source);
	timer_cancel(loop_timers(worker->mediator->loop), &worker->listen);
	worker->state = WORKER_ENDING;
	worker->timer.kind = TIMER_WORKER_END;
	timer_set(loop_timers(worker->mediator->loop), &worker->timer,
		  vgpu_now_ns() + WORKER_END_NS);
	if (worker->record)
		RECORD_SET(worker->record, ending, 1);
	if (!worker->reaped)
		keeper_kill(worker->process);
}

void worker_end(struct worker *worker)
{
	const struct vgpu_worker_end message = {
		.header = { .type = VGPU_WORKER_END, .length = sizeof(message) },
	};

	RECORD_SET(worker->record, ending, 1);
	if (vgpu_packet_send(control_socket(worker), &message, sizeof(message), NULL, 0) < 0) {
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
	if (worker->warm)
		warm_worker_lost(worker, text);
	else if (worker->channel)
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
	if (worker->warm)
		warm_worker_gone(worker);
	else if (worker->channel)
		channel_worker_gone(worker->channel);
	else if (worker->vm)
		vm_worker_gone(worker->vm);
}

static bool text_ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* Each handler returns NULL, or what an honest worker would not have done. */

static void set_context(struct worker *worker, bool context)
{
	struct pools *pools = &worker->mediator->pools;

	if (worker->context == context)
		return;
	worker->context = context;
	if (context)
		pools_context_add(pools, worker->gpu);
	else
		pools_context_release(pools, worker->gpu);
	if (worker->record)
		RECORD_SET(worker->record, context, context ? 1 : 0);
}

static bool version_served(uint32_t version)
{
	return version >= VGPU_WORKER_PROTOCOL_OLDEST && version <= VGPU_WORKER_PROTOCOL_VERSION;
}

static const char *handle_prepared(struct worker *worker,
				   const struct vgpu_worker_prepared *prepared, size_t length)
{
	if (worker->prepared)
		return "a second PREPARED";
	if (length != sizeof(*prepared) ||
	    !text_ends(prepared->gpu_name, sizeof(prepared->gpu_name)))
		return "a malformed PREPARED";
	if (!version_served(prepared->version))
		return "another version of the protocol; mediator and worker are not from the "
		       "same installation";
	worker->prepared = true;
	/* It goes to logs, JSON and the guest: nothing but printable ASCII. */
	for (size_t i = 0; prepared->gpu_name[i]; i++)
		worker->gpu_name[i] = prepared->gpu_name[i] < 0x20 || prepared->gpu_name[i] > 0x7e
					      ? '?'
					      : prepared->gpu_name[i];
	memcpy(worker->record->gpu_name, worker->gpu_name, sizeof(worker->record->gpu_name));
	RECORD_SET(worker->record, worker_version, prepared->version);
	if (worker->warm) {
		timer_cancel(loop_timers(worker->mediator->loop), &worker->timer);
		warm_worker_prepared(worker);
	}
	return NULL;
}

/* It is ready, having been started or adopted. */
static void begin_work(struct worker *worker)
{
	worker->state = WORKER_READY;
	timer_cancel(loop_timers(worker->mediator->loop), &worker->timer);
	memcpy(worker->vm->gpu_name, worker->gpu_name, sizeof(worker->vm->gpu_name));
}

static const char *handle_ready(struct worker *worker, size_t length)
{
	if (worker->state != WORKER_STARTING || !worker->prepared)
		return "a second READY, or one before PREPARED";
	if (length != sizeof(struct vgpu_worker_ready))
		return "a malformed READY";
	RECORD_SET(worker->record, ready, 1);
	begin_work(worker);
	if (worker->channel)
		channel_worker_ready(worker->channel);
	else
		vm_worker_ready(worker->vm);
	return NULL;
}

/*
 * The record errs on the side of more: a RESERVE of which the worker has no answer, and a RELEASE
 * that we did not see. It never says that the worker holds more than that.
 */
static void settle_memory(struct worker *worker, uint64_t held)
{
	struct record *record = worker->record;
	uint64_t excess = worker->memory.used > held ? worker->memory.used - held : 0;

	ledger_release(&worker->memory, excess);
	ledger_release(&worker->vm->memory, excess);
	/* What is not the one that was being handled is a RELEASE that we did not see. */
	if (excess > record->moving)
		worker->released_bytes += excess - record->moving;
	RECORD_SET(record, released_bytes, worker->released_bytes);
	RECORD_SET(record, memory_used, worker->memory.used);
	RECORD_SET(record, moving, 0);
}

/* There may be several: as many mediators as asked. Each lowers what it holds, as a RELEASE can. */
static const char *handle_adopted(struct worker *worker, const struct vgpu_worker_adopted *adopted,
				  size_t length)
{
	bool first = worker->state == WORKER_ADOPTING;

	if (!worker->adopted)
		return "an ADOPTED without having been asked";
	if (length != sizeof(*adopted) || !version_served(adopted->version))
		return "a malformed ADOPTED";
	settle_memory(worker, adopted->held_bytes);
	set_context(worker, adopted->context);
	channels_publish(worker->vm);
	if (first)
		begin_work(worker);
	vm_report(worker->vm);
	if (first && !worker->channel)
		vm_worker_ready(worker->vm);
	return NULL;
}

static const char *handle_failed(struct worker *worker, const struct vgpu_worker_failed *failed,
				 size_t length)
{
	bool broken = worker->channel &&
		      (worker->state == WORKER_READY || worker->state == WORKER_ADOPTING);

	if (length != sizeof(*failed) || !text_ends(failed->text, sizeof(failed->text)))
		return "a malformed FAILED";
	/* It crossed the END; the worker exits in either case. */
	if (worker->state == WORKER_FINISHING)
		return NULL;
	if (worker->state != WORKER_STARTING && worker->state != WORKER_WARM && !broken)
		return "a late FAILED";
	if (broken) {
		channel_ring_broken(worker->channel, failed->text);
		return NULL;
	}
	worker_log(worker, VGPU_LOG_ERROR, "worker %d could not start: %s", (int)worker_pid(worker),
		   failed->text);
	tell_lost(worker, "it could not be started");
	return NULL;
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
	answer.granted = pools_context_take(&worker->mediator->pools, worker->gpu);
	worker->context = answer.granted;
	RECORD_SET(worker->record, context, answer.granted);
	if (vgpu_packet_send(control_socket(worker), &answer, sizeof(answer), NULL, 0) < 0)
		return "RESERVE upon RESERVE, without reading the answers";
	return NULL;
}

/* Whether the VM's quota allows it; then it is in every ledger, and in the record before. */
static bool take_memory(struct worker *worker, uint64_t bytes)
{
	struct vm *vm = worker->vm;

	if (!ledger_reserve(&vm->memory, bytes, vm->config.quotas.gpu_memory_bytes)) {
		vm->usage.refused[USAGE_REFUSED_MEMORY]++;
		return false;
	}
	/* No more than the sum just taken, so it cannot overflow. */
	worker->memory.used += bytes;
	RECORD_SET(worker->record, moving, bytes);
	RECORD_SET(worker->record, memory_used, worker->memory.used);
	channels_publish(vm);
	return true;
}

static const char *handle_reserve(struct worker *worker, const struct vgpu_worker_reserve *reserve,
				  size_t length)
{
	struct vgpu_worker_reserved answer = {
		.header = { .type = VGPU_WORKER_RESERVED, .length = sizeof(answer) },
		.number = reserve->number,
	};
	const struct vm *vm = worker->vm;

	if (length != sizeof(*reserve))
		return "a malformed RESERVE";
	/* To an earlier mediator: the worker asks again after its ADOPTED. */
	if (worker->state == WORKER_ADOPTING)
		return NULL;
	if (reserve->kind == VGPU_WORKER_KIND_CONTEXT)
		return handle_context(worker, reserve);
	if (reserve->kind != VGPU_WORKER_KIND_MEMORY)
		return "a malformed RESERVE";
	if (!worker->channel && !worker->old_job && (!vm->queue || !vm->queue->run_ns))
		return "a RESERVE without a job";
	answer.granted = take_memory(worker, reserve->bytes);
	if (vgpu_packet_send(control_socket(worker), &answer, sizeof(answer), NULL, 0) < 0)
		return "RESERVE upon RESERVE, without reading the answers";
	RECORD_SET(worker->record, moving, 0);
	vm_report(worker->vm);
	return NULL;
}

static const char *handle_release(struct worker *worker, const struct vgpu_worker_release *release,
				  size_t length)
{
	if (length == sizeof(*release) && release->kind == VGPU_WORKER_KIND_CONTEXT) {
		if (!worker->channel || !worker->context || release->bytes)
			return "a RELEASE of a context that it does not have";
		set_context(worker, false);
		return NULL;
	}
	if (length != sizeof(*release) || release->kind != VGPU_WORKER_KIND_MEMORY)
		return "a malformed RELEASE";
	if (!ledger_release(&worker->memory, release->bytes))
		return "a RELEASE of more memory than it holds";
	ledger_release(&worker->vm->memory, release->bytes);
	worker->released_bytes += release->bytes;
	RECORD_SET(worker->record, moving, release->bytes);
	RECORD_SET(worker->record, released_bytes, worker->released_bytes);
	RECORD_SET(worker->record, memory_used, worker->memory.used);
	RECORD_SET(worker->record, moving, 0);
	channels_publish(worker->vm);
	vm_report(worker->vm);
	return NULL;
}

static const char *handle_want(struct worker *worker, const struct vgpu_worker_want *want,
			       size_t length)
{
	const uint32_t known = VGPU_WORKER_WANT_GRANT | VGPU_WORKER_WANT_TOKENS;

	if (length != sizeof(*want) || !want->what || want->what & ~known)
		return "a malformed WANT";
	if (!worker->channel)
		return "a WANT, although it serves no channel";
	channel_worker_wants(worker->channel, want->what);
	return NULL;
}

static const char *handle_yielded(struct worker *worker, size_t length)
{
	if (length != sizeof(struct vgpu_worker_yielded) || !worker->channel)
		return "a malformed YIELDED, or one of a worker that serves no channel";
	channel_worker_yielded(worker->channel);
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
	RECORD_SET(worker->record, jobs, worker->jobs);
	RECORD_SET(worker->record, job, 0);
	/* Whoever asked for it was told that the mediator is gone. */
	if (worker->old_job && done->job == worker->old_job) {
		worker->old_job = 0;
		return NULL;
	}
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
	if (worker->state == WORKER_STARTING || worker->state == WORKER_WARM)
		return "a message before READY";
	switch (message->header.type) {
	case VGPU_WORKER_ADOPTED:
		return handle_adopted(worker, &message->adopted, length);
	case VGPU_WORKER_RESERVE:
		return handle_reserve(worker, &message->reserve, length);
	case VGPU_WORKER_RELEASE:
		return handle_release(worker, &message->release, length);
	case VGPU_WORKER_DONE:
		return handle_done(worker, &message->done, length);
	case VGPU_WORKER_WANT:
		return handle_want(worker, &message->want, length);
	case VGPU_WORKER_YIELDED:
		return handle_yielded(worker, length);
	default:
		return "a message that a worker does not send";
	}
}

/*
 * Whether what it sends waits, since its VM's workers have sent too much. What it does not get rid
 * of holds up nobody but itself; what is to be taken from it is taken through its grant page.
 */
static bool is_hushed(struct worker *worker, int64_t now_ns)
{
	if (!worker->vm || pace_earliest(&worker->vm->messages, &pace_messages) <= now_ns)
		return false;
	loop_remove(worker->mediator->loop, &worker->source);
	timer_set(loop_timers(worker->mediator->loop), &worker->listen, now_ns + HUSH_NS);
	return true;
}

void worker_listen_due(struct worker *worker)
{
	if (worker_listen(worker) < 0)
		tell_lost(worker, strerror(errno));
}

void worker_readable(struct worker *worker)
{
	int64_t now_ns = vgpu_now_ns();

	for (int i = 0; i < PACKETS_AT_ONCE && worker->state != WORKER_ENDING; i++) {
		union vgpu_worker_message message;
		const char *fault;
		ssize_t length;

		if (is_hushed(worker, now_ns))
			return;
		length = vgpu_packet_receive(control_socket(worker), &message, sizeof(message),
					     NULL, 0, NULL);
		if (length < 0 && errno == EAGAIN)
			return;
		if (length == 0 || (length < 0 && errno != EMSGSIZE)) {
			tell_lost(worker, "it ended");
			return;
		}
		if (worker->vm)
			pace_count(&worker->vm->messages, &pace_messages, now_ns);
		fault = length < 0 ? "a message that is too long"
				   : handle(worker, &message, (size_t)length);
		if (fault) {
			worker_log(worker, VGPU_LOG_ERROR, "killing worker %d, which sent %s",
				   (int)worker_pid(worker), fault);
			tell_lost(worker, "it broke its protocol and was killed");
			return;
		}
	}
}

void worker_due(struct worker *worker)
{
	switch (worker->state) {
	case WORKER_WARM:
	case WORKER_STARTING:
		worker_log(worker, VGPU_LOG_ERROR, "killing worker %d, which was not ready in 10 s",
			   (int)worker_pid(worker));
		tell_lost(worker, "it did not become ready in 10 s");
		return;
	case WORKER_ADOPTING:
		worker_log(worker, VGPU_LOG_ERROR,
			   "killing worker %d, whose job was there before this mediator",
			   (int)worker_pid(worker));
		tell_lost(worker, "its job ran longer than the VM's limit");
		return;
	case WORKER_FINISHING:
		worker_log(worker, VGPU_LOG_WARNING,
			   "killing worker %d, which was told to end 2 s ago",
			   (int)worker_pid(worker));
		worker_kill(worker);
		return;
	case WORKER_KEPT:
	case WORKER_READY:
	case WORKER_ENDING:
		break;
	}
	worker_log(worker, VGPU_LOG_ERROR,
		   "worker %d was killed 10 s ago and is still there; is its GPU wedged?",
		   (int)worker_pid(worker));
	timer_set(loop_timers(worker->mediator->loop), &worker->timer,
		  vgpu_now_ns() + WORKER_END_NS);
	tell_stuck(worker);
}

static void log_end(const struct worker *worker, int status)
{
	const bool killed = WIFSIGNALED(status);
	const char *how = killed ? "ended by signal" : "exited with status";
	int number = killed ? WTERMSIG(status) : WEXITSTATUS(status);

	if (status == -1)
		worker_log(worker, VGPU_LOG_INFO, "worker %d ended", (int)worker_pid(worker));
	else
		worker_log(worker, VGPU_LOG_INFO, "worker %d %s %d", (int)worker_pid(worker), how,
			   number);
}

static void gone(struct worker *worker)
{
	struct keeper_worker *process = worker->process;

	/* First: who waits for that room may take it. */
	set_context(worker, false);
	pools_window_release(&worker->mediator->pools, worker->window_bytes);
	tell_gone(worker);
	worker_leave(worker);
	keeper_forget(&process);
}

void worker_spawned(void *owner)
{
	struct worker *worker = owner;

	worker_log_event(worker, VGPU_LOG_INFO, event_type_name(EVENT_WORKER_STARTED),
			 "started worker %d for GPU %u", (int)worker_pid(worker), worker->gpu);
	/* Not before: whoever hears that it is ready may ask for its pid. */
	if ((worker->state == WORKER_STARTING || worker->state == WORKER_WARM) &&
	    worker_listen(worker) < 0)
		tell_lost(worker, strerror(errno));
}

void worker_failed(void *owner, const struct vgpu_error *err)
{
	struct worker *worker = owner;

	worker->reaped = true;
	if (worker->state != WORKER_ENDING) {
		worker_log(worker, VGPU_LOG_ERROR, "%s", err->message);
		tell_lost(worker, "it could not be started");
	}
	gone(worker);
}

void worker_ended(void *owner, int status)
{
	struct worker *worker = owner;

	worker->reaped = true;
	/* What it said last, as a reason to have failed, is still in the socket. */
	if (worker->source)
		worker_readable(worker);
	if (worker->state != WORKER_ENDING && worker->state != WORKER_KEPT)
		tell_lost(worker, "it ended");
	log_end(worker, status);
	gone(worker);
}
