/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/mediator.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "mediatord/adopt.h"
#include "mediatord/channel_turn.h"
#include "mediatord/control_queue.h"
#include "mediatord/keeper_client.h"
#include "mediatord/link.h"
#include "mediatord/warm.h"
#include "mediatord/worker.h"

#define WORKERS_GONE_NS (2 * VGPU_NS_PER_SECOND)

/* uuids are random, or made by somebody who may choose them all alike: nothing breaks then. */
static size_t uuid_bucket(const uint8_t uuid[16])
{
	uint32_t hash = 2166136261u;

	for (int i = 0; i < 16; i++)
		hash = (hash ^ uuid[i]) * 16777619u;
	return hash % MEDIATOR_BUCKETS;
}

struct vm *mediator_vm_by_uuid(const struct mediator *mediator, const uint8_t uuid[16])
{
	struct vm *vm = mediator->by_uuid[uuid_bucket(uuid)];

	while (vm && memcmp(vm->config.uuid, uuid, sizeof(vm->config.uuid)) != 0)
		vm = vm->next_uuid;
	return vm;
}

struct vm *mediator_vm_by_id(const struct mediator *mediator, uint32_t vm_id)
{
	struct vm *vm = mediator->by_id[vm_id % MEDIATOR_BUCKETS];

	while (vm && vm->config.vm_id != vm_id)
		vm = vm->next_id;
	return vm;
}

static void insert_id(struct mediator *mediator, struct vm *vm)
{
	struct vm **bucket = &mediator->by_id[vm->config.vm_id % MEDIATOR_BUCKETS];

	vm->next_id = *bucket;
	*bucket = vm;
}

static void remove_id(struct mediator *mediator, const struct vm *vm, uint32_t vm_id)
{
	struct vm **place = &mediator->by_id[vm_id % MEDIATOR_BUCKETS];

	while (*place != vm)
		place = &(*place)->next_id;
	*place = vm->next_id;
}

uint64_t mediator_new_context(struct mediator *mediator)
{
	struct timespec now;
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * (uint64_t)VGPU_NS_PER_SECOND + (uint64_t)now.tv_nsec;
	mediator->last_context = ns > mediator->last_context ? ns : mediator->last_context + 1;
	return mediator->last_context;
}

static void carry_out(struct vm *vm, const struct sched_decision *decision)
{
	switch (decision->kind) {
	case SCHED_RUN:
		vm_run(vm, decision->job);
		break;
	case SCHED_EXPIRE:
		vm_expire(vm, decision->job);
		break;
	case SCHED_LOST:
		if (decision->channel == vm->config.vm_id) {
			vm_gpu_lost(vm);
			break;
		}
		/* fall through */
	default:
		channel_decide(vm, decision);
	}
}

void mediator_schedule(struct mediator *mediator)
{
	struct sched_decision decision;
	int64_t deadline;

	while (sched_next(mediator->sched, vgpu_now_ns(), &decision)) {
		struct vm *vm = mediator_vm_by_id(mediator, decision.tenant);

		if (vm)
			carry_out(vm, &decision);
	}
	deadline = sched_deadline(mediator->sched);
	if (deadline < 0)
		timer_cancel(loop_timers(mediator->loop), &mediator->sched_timer);
	else
		timer_set(loop_timers(mediator->loop), &mediator->sched_timer, deadline);
}

static void idle(void *opaque)
{
	mediator_schedule(opaque);
}

/* Another thread does what may take a while. Returns false where there is none. */
static bool ask(int event_fd)
{
	const uint64_t one = 1;
	/* Fails only where the counter is full: it was asked already. */
	ssize_t written = event_fd < 0 ? 0 : write(event_fd, &one, sizeof(one));

	(void)written;
	return event_fd >= 0;
}

/* Who waits for an answer is to get it first, unless somebody is in a hurry. */
static void end(struct mediator *mediator)
{
	bool asked = !mediator->ending && ask(mediator->end_fd);

	mediator->ending = true;
	if (!asked)
		loop_stop(mediator->loop);
}

static void handle_signals(struct mediator *mediator)
{
	struct signalfd_siginfo info;

	while (read(mediator->signal_fd, &info, sizeof(info)) == sizeof(info))
		switch (info.ssi_signo) {
		case SIGHUP:
			ask(mediator->reload_fd);
			break;
		default:
			vgpu_log_info("%s: shutting down",
				      info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
			end(mediator);
		}
}

static void ready(void *opaque, struct source *source)
{
	switch (source->kind) {
	case SOURCE_COMMANDS:
		control_ready(source->owner);
		break;
	case SOURCE_SIGNALS:
		handle_signals(opaque);
		break;
	case SOURCE_LISTENER:
		link_accept(source->owner);
		break;
	case SOURCE_LINK:
		link_ready(source->owner);
		break;
	case SOURCE_WORKER:
		worker_readable(source->owner);
		break;
	case SOURCE_KEEPER:
		keeper_readable(source->owner);
		break;
	case SOURCE_DEVICE:
		resume_device_gone(source->owner);
		break;
	}
}

static void due(void *opaque, struct timer *timer)
{
	(void)opaque;
	switch (timer->kind) {
	case TIMER_SCHEDULER:
		break; /* it is asked after every round */
	case TIMER_LINK_HELLO:
		link_hello_due(timer->owner);
		break;
	case TIMER_LINK_REPORT:
		vm_report(timer->owner);
		break;
	case TIMER_QUARANTINE:
		vm_quarantine_due(timer->owner);
		break;
	case TIMER_MAILBOX_START:
		vm_want_worker(timer->owner);
		break;
	case TIMER_CHANNELS_START:
		channels_advance(timer->owner);
		break;
	case TIMER_CHANNELS_SAMPLE:
		channels_sample_due(timer->owner);
		break;
	case TIMER_CHANNELS_EXPIRE:
		channels_expire_due(timer->owner);
		break;
	case TIMER_WARM:
		warm_due(timer->owner);
		break;
	case TIMER_WORKER_START:
	case TIMER_WORKER_END:
		worker_due(timer->owner);
		break;
	case TIMER_WORKER_LISTEN:
		worker_listen_due(timer->owner);
		break;
	case TIMER_KEEPER:
		keeper_due(timer->owner);
		break;
	}
}

static int add_gpus(struct mediator *mediator, struct vgpu_error **err)
{
	const struct config *config = mediator->config;

	if (pools_init(&mediator->pools, config, err) < 0)
		return -1;
	if (sched_set_params(mediator->sched, &config->sched, vgpu_now_ns()) < 0)
		return vgpu_error_errno(err, errno, "cannot set up the scheduler");
	for (size_t pool = 0; pool < config->pool_count; pool++)
		for (size_t i = 0; i < config->pools[pool].gpu_count; i++)
			if (sched_gpu_add(mediator->sched, config->pools[pool].gpus[i],
					  (uint32_t)pool) < 0)
				return vgpu_error_errno(err, errno, "cannot add GPU %u",
							config->pools[pool].gpus[i]);
	return 0;
}

static int watch_signals(struct mediator *mediator, struct vgpu_error **err)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	mediator->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (mediator->signal_fd >= 0)
		mediator->signals =
			loop_add(mediator->loop, SOURCE_SIGNALS, mediator->signal_fd, mediator);
	if (!mediator->signals)
		return vgpu_error_errno(err, errno, "cannot watch for signals");
	return 0;
}

static void kept(void *opaque, struct keeper_worker *process)
{
	struct mediator *mediator = opaque;

	if (worker_keep(mediator, process) < 0)
		mediator->keep_failed = true;
}

static int connect_keeper(struct mediator *mediator, struct vgpu_error **err)
{
	static const struct keeper_ops ops = { .kept = kept,
					       .spawned = worker_spawned,
					       .failed = worker_failed,
					       .ended = worker_ended };

	mediator->keeper_settings = (struct keeper_settings){
		.socket = mediator->config->keeper_socket,
		.program = mediator->config->keeper,
		.worker = mediator->config->worker,
		.wait_seconds = mediator->config->keeper_wait_seconds,
	};
	if (keeper_connect(mediator->loop, &mediator->keeper_settings, &ops, mediator,
			   &mediator->keeper, err) < 0)
		return -1;
	if (mediator->keep_failed)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	return 0;
}

int mediator_new(const struct config *config, struct mediator **mediator, struct vgpu_error **err)
{
	static const struct loop_ops ops = { .ready = ready, .due = due, .idle = idle };
	VGPU_CLEANUP(mediator_free) struct mediator *made = calloc(1, sizeof(*made));

	if (!made)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	made->config = config;
	made->signal_fd = -1;
	made->reload_fd = -1;
	made->end_fd = -1;
	made->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	made->privileged = geteuid() == 0;
	/* More than any earlier mediator can have given since the host was booted. */
	made->last_job = (uint64_t)vgpu_now_ns();
	made->sched_timer = (struct timer){ .kind = TIMER_SCHEDULER, .owner = made };
	if (loop_new(&ops, made, &made->loop, err) < 0)
		return -1;
	made->sched = sched_new();
	if (!made->sched || timers_reserve(loop_timers(made->loop), 1) < 0)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	if (link_remove_stale(config->link_dir, err) < 0 || add_gpus(made, err) < 0 ||
	    watch_signals(made, err) < 0 || control_new(made, &made->control, err) < 0 ||
	    connect_keeper(made, err) < 0 || warm_new(made, &made->warm, err) < 0)
		return -1;
	*mediator = vgpu_steal_pointer(&made);
	return 0;
}

static struct vm *any_vm(const struct mediator *mediator)
{
	for (size_t i = 0; i < MEDIATOR_BUCKETS; i++)
		if (mediator->by_uuid[i])
			return mediator->by_uuid[i];
	return NULL;
}

static uint32_t pool_index(const struct vm *vm)
{
	return (uint32_t)(vm->pool - vm->mediator->config->pools);
}

/* Takes a VM out of the tables. */
static void remove_vm(struct mediator *mediator, struct vm *vm)
{
	struct vm **place = &mediator->by_uuid[uuid_bucket(vm->config.uuid)];

	while (*place != vm)
		place = &(*place)->next_uuid;
	*place = vm->next_uuid;
	remove_id(mediator, vm, vm->config.vm_id);
	mediator->vm_count--;
	warm_leave(mediator->warm, pool_index(vm));
}

/* What is still there then is beyond our reach; its end of stream ends it. */
static void end_workers(struct mediator *mediator)
{
	int64_t deadline = vgpu_now_ns() + WORKERS_GONE_NS;

	while (mediator->workers && vgpu_now_ns() < deadline)
		loop_step(mediator->loop, 10 * VGPU_NS_PER_MS);
	for (const struct worker *worker = mediator->workers; worker; worker = worker->next)
		vgpu_log_error("worker %d was killed and does not end", (int)worker_pid(worker));
	keeper_end(mediator->keeper);
}

void mediator_free(struct mediator **mediator)
{
	struct mediator *old = *mediator;
	bool leave = old && old->keeper && keeper_stays(old->keeper);
	struct vm *vm;

	if (!old)
		return;
	if (old->control)
		control_close(old->control);
	while ((vm = any_vm(old)) != NULL) {
		remove_vm(old, vm);
		if (leave)
			vm_leave(&vm);
		else
			vm_free(&vm);
	}
	/* The next mediator's are to be of its own installation. */
	warm_free(&old->warm);
	if (old->keeper && !leave)
		end_workers(old);
	while (old->workers)
		worker_leave(old->workers);
	if (old->control)
		control_free(&old->control);
	keeper_client_free(&old->keeper);
	if (old->loop)
		loop_remove(old->loop, &old->signals);
	if (old->signal_fd >= 0)
		close(old->signal_fd);
	if (old->spare_fd >= 0)
		close(old->spare_fd);
	sched_free(&old->sched);
	pools_free(&old->pools);
	loop_free(&old->loop);
	free(old);
	*mediator = NULL;
}

int mediator_run(struct mediator *mediator, struct vgpu_error **err)
{
	int rc;

	adopt_workers(mediator);
	rc = loop_run(mediator->loop, err);
	control_close(mediator->control);
	return rc;
}

void mediator_tell(struct mediator *mediator, struct event_feed *feed)
{
	mediator->feed = feed;
}

void mediator_on_signals(struct mediator *mediator, int reload_fd, int end_fd)
{
	mediator->reload_fd = reload_fd;
	mediator->end_fd = end_fd;
}

struct control *mediator_control(struct mediator *mediator)
{
	return mediator->control;
}

int mediator_vm_put(struct mediator *mediator, const struct vm_config *config,
		    struct vgpu_error **err)
{
	struct vm *vm = mediator_vm_by_uuid(mediator, config->uuid);
	const struct vm *other = mediator_vm_by_id(mediator, config->vm_id);
	struct vm **bucket;

	if (config->vm_id == 0 || config->vm_id > CONFIG_VM_ID_MAX)
		return vgpu_error_set(err, EINVAL, "vm_id %u is not from 1 to %u", config->vm_id,
				      CONFIG_VM_ID_MAX);
	if (other && other != vm)
		return vgpu_error_set(err, EEXIST, "vm_id %u is taken by %s", config->vm_id,
				      other->label);
	if (vm) {
		uint32_t old_id = vm->config.vm_id, old_pool = pool_index(vm);

		if (vm_change(vm, config, err) < 0)
			return -1;
		if (old_id != config->vm_id) {
			remove_id(mediator, vm, old_id);
			insert_id(mediator, vm);
		}
		warm_join(mediator->warm, pool_index(vm));
		warm_leave(mediator->warm, old_pool);
		return 0;
	}
	if (vm_new(mediator, config, &vm, err) < 0)
		return -1;
	bucket = &mediator->by_uuid[uuid_bucket(config->uuid)];
	vm->next_uuid = *bucket;
	*bucket = vm;
	insert_id(mediator, vm);
	mediator->vm_count++;
	warm_join(mediator->warm, pool_index(vm));
	return 0;
}

void mediator_vm_delete(struct mediator *mediator, const uint8_t uuid[16])
{
	struct vm *vm = mediator_vm_by_uuid(mediator, uuid);

	if (!vm)
		return;
	remove_vm(mediator, vm);
	vm_free(&vm);
}

int mediator_vm_status(struct mediator *mediator, const uint8_t uuid[16], struct vm_status *status,
		       struct vgpu_error **err)
{
	struct vm *vm = mediator_vm_by_uuid(mediator, uuid);
	char text[VGPU_UUID_TEXT];

	if (vm) {
		vm_status(vm, status);
		return 0;
	}
	vgpu_uuid_format(uuid, text);
	return vgpu_error_set(err, ENOENT, "there is no VM %s", text);
}
