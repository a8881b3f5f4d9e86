/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As in vm.c, a message to the device may find its socket full and end the link, and with it every
 * channel: each function brings the channels into their new state first, and sends last.
 */
#include "mediatord/channel.h"

#include <errno.h>
#include <string.h>

#include "common/ring.h"
#include "mediatord/channel_turn.h"
#include "mediatord/link.h"
#include "mediatord/gpus/placement.h"
#include "mediatord/vm.h"
#include "mediatord/worker.h"

/* A worker that was lost sooner, having done nothing, says that the next will be lost too. */
#define PROVEN_NS (10 * VGPU_NS_PER_SECOND)

/* A worker under sched.h's number of its own; those of mailboxes have their VM's. */
#define SCHED_CHANNEL_FIRST (CONFIG_VM_ID_MAX + 1u)

void channels_init(struct vm *vm)
{
	vm->channels.start = (struct timer){ .kind = TIMER_CHANNELS_START, .owner = vm };
	vm->channels.sample = (struct timer){ .kind = TIMER_CHANNELS_SAMPLE, .owner = vm };
	vm->channels.expire = (struct timer){ .kind = TIMER_CHANNELS_EXPIRE, .owner = vm };
}

/* Takes a channel that has no worker out of its VM. */
static void remove_channel(struct channel *channel)
{
	struct channel **place = &channel->vm->channels.first;

	while (*place != channel)
		place = &(*place)->next;
	*place = channel->next;
	if (channel->doorbell >= 0)
		close(channel->doorbell);
	if (channel->completion >= 0)
		close(channel->completion);
	grant_free(&channel->grant);
	free(channel);
}

void channels_free(struct vm *vm)
{
	struct timers *timers = loop_timers(vm->mediator->loop);

	while (vm->channels.first) {
		struct channel *channel = vm->channels.first;

		if (channel->worker) {
			channel->worker->vm = NULL;
			channel->worker->channel = NULL;
		}
		remove_channel(channel);
	}
	timer_cancel(timers, &vm->channels.start);
	timer_cancel(timers, &vm->channels.sample);
	timer_cancel(timers, &vm->channels.expire);
}

void channels_attach(struct vm *vm, uint64_t window_bytes)
{
	/* Regions of the last device stay taken until their workers are gone: the BAR2 of this one
	 * may be the same memory. */
	vm->channels.bar.bytes = window_bytes;
}

static void send_to_device(struct vm *vm, const struct vgpu_link_header *message)
{
	if (vm->link && link_send(vm->link, message) < 0)
		link_drop(vm->link, errno == EAGAIN ? "it does not read its messages" : NULL);
}

static void send_opened(struct vm *vm, uint32_t number, uint32_t serial,
			const struct region *region, uint32_t error)
{
	struct vgpu_link_opened message = {
		.header = { .type = VGPU_MSG_OPENED, .length = sizeof(message) },
		.channel = number,
		.serial = serial,
		.region = region ? region->offset : 0,
		.region_bytes = region ? region->bytes : 0,
		.error_code = error,
	};

	if (error)
		vm_count_refusal(vm, error);
	send_to_device(vm, &message.header);
}

void channel_send_closed(struct vm *vm, uint32_t number, uint32_t serial, uint32_t error)
{
	struct vgpu_link_closed message = {
		.header = { .type = VGPU_MSG_CLOSED, .length = sizeof(message) },
		.channel = number,
		.serial = serial,
		.error_code = error,
	};

	/* A device that is about to resume is told of what it then names. */
	if (vm->link && vm->link->resuming)
		return;
	if (vm->link)
		vm->link->channels[number].closed = true;
	send_to_device(vm, &message.header);
}

struct channel *channel_find(const struct vm *vm, uint32_t number)
{
	for (struct channel *channel = vm->channels.first; channel; channel = channel->next)
		if (channel->number == number && channel->state != CHANNEL_ORPHANED)
			return channel;
	return NULL;
}

/* Whether what it holds will be free soon. */
static bool is_ending(const struct channel *channel)
{
	return (channel->state == CHANNEL_CLOSING || channel->state == CHANNEL_BROKEN ||
		channel->state == CHANNEL_ORPHANED) &&
	       !channel->stuck;
}

void channel_unschedule(struct channel *channel)
{
	if (channel->scheduled)
		sched_channel_remove(channel->vm->mediator->sched, channel->sched_channel,
				     vgpu_now_ns());
	channel->scheduled = false;
	channel->granted = false;
}

void channel_kill(struct channel *channel, enum channel_state state)
{
	channel->state = state;
	channel_turn_end(channel);
	worker_kill(channel->worker);
}

int channel_schedule(struct channel *channel, uint32_t *gpu, bool there)
{
	struct mediator *mediator = channel->vm->mediator;
	uint32_t vm_id = channel->vm->config.vm_id;
	int rc;

	if (!there)
		placement_prepare(channel->vm);
	do {
		if (mediator->last_channel < SCHED_CHANNEL_FIRST - 1)
			mediator->last_channel = SCHED_CHANNEL_FIRST - 1;
		channel->sched_channel = ++mediator->last_channel;
		rc = there ? sched_channel_adopt(mediator->sched, channel->sched_channel, vm_id,
						 *gpu, channel->granted, vgpu_now_ns())
			   : sched_channel_add(mediator->sched, channel->sched_channel, vm_id, gpu);
	} while (rc < 0 && errno == EEXIST);
	channel->scheduled = rc == 0;
	return rc;
}

static void publish(struct channel *channel, uint64_t released_bytes)
{
	const struct vm *vm = channel->vm;

	grant_publish(&channel->grant, vm->config.quotas.gpu_memory_bytes, vm->memory.used,
		      released_bytes);
	grant_bound(&channel->grant, vm->config.quotas.queue_depth,
		    (uint64_t)vm->mediator->config->inflight_ms * (uint64_t)VGPU_NS_PER_MS);
}

/* Starts the worker of a channel whose region was placed. Returns 0, or -1 and err. */
static int start_worker(struct channel *channel, struct vgpu_error **err)
{
	struct vm *vm = channel->vm;
	struct worker_rings rings = {
		.region = channel->region.offset,
		.region_bytes = channel->region.bytes,
		.entries = channel->entries,
		.grant = &channel->grant,
	};
	uint32_t gpu = 0;

	if (channel_schedule(channel, &gpu, false) < 0)
		return vgpu_error_errno(err, errno, "cannot schedule channel %u", channel->number);
	rings.fds[WORKER_FD_BAR] = vm->link->window_fd;
	rings.fds[WORKER_FD_DOORBELL] = channel->doorbell;
	rings.fds[WORKER_FD_COMPLETION] = channel->completion;
	if (worker_start(vm, gpu, channel, &rings, &channel->worker, err) < 0)
		return -1;
	publish(channel, 0);
	channel_turn_begin(channel);
	return 0;
}

static void close_eventfds(struct channel *channel)
{
	close(channel->doorbell);
	close(channel->completion);
	channel->doorbell = -1;
	channel->completion = -1;
}

/* What the quotas say of one more channel of so many bytes: 0, *wait, or an error. */
static uint32_t check_quotas(const struct vm *vm, uint64_t bytes, bool *wait)
{
	const struct vgpu_quotas *quotas = &vm->config.quotas;
	uint32_t limit = quotas->channels ? quotas->channels : VGPU_CHANNELS_MAX;
	uint32_t count = 0, ending = 0;
	uint64_t ending_bytes = 0;
	struct ledger window = vm->channels.window;

	if (limit > VGPU_CHANNELS_MAX)
		limit = VGPU_CHANNELS_MAX;
	for (const struct channel *channel = vm->channels.first; channel; channel = channel->next) {
		if (channel->state == CHANNEL_WAITING)
			continue;
		count++;
		if (is_ending(channel)) {
			ending++;
			ending_bytes += channel->region.bytes;
		}
	}
	if (count - ending >= limit)
		return VGPU_ERR_CHANNEL_LIMIT;
	if (ledger_reserve(&window, bytes, quotas->window_bytes)) {
		*wait = count >= limit;
		return VGPU_ERR_NONE;
	}
	ledger_release(&window, ending_bytes);
	if (!ledger_reserve(&window, bytes, quotas->window_bytes))
		return VGPU_ERR_WINDOW_LIMIT;
	*wait = true;
	return VGPU_ERR_NONE;
}

/* Whether a worker may be started now, as far as their number in a time goes. */
static bool start_allowed(struct vm *vm, int64_t now)
{
	int64_t earliest = pace_earliest(&vm->channels.pace, &pace_starts);

	if (earliest <= now)
		return true;
	timer_set(loop_timers(vm->mediator->loop), &vm->channels.start, earliest);
	return false;
}

static bool place(struct channel *channel)
{
	struct channels *channels = &channel->vm->channels;

	/* Large pages on both sides, where there is room for that. */
	if (channel->bytes >= REGION_HUGE_BYTES &&
	    region_place(&channels->bar, &channel->region, channel->bytes, REGION_HUGE_BYTES))
		return true;
	return region_place(&channels->bar, &channel->region, channel->bytes, REGION_GRANULE);
}

static void unplace(struct channel *channel)
{
	struct channels *channels = &channel->vm->channels;

	ledger_release(&channels->window, channel->region.bytes);
	region_free(&channels->bar, &channel->region);
}

/* Whether something of the VM that a channel may wait for will be free soon. */
static bool any_ending(const struct vm *vm)
{
	for (const struct channel *channel = vm->channels.first; channel; channel = channel->next)
		if (is_ending(channel))
			return true;
	return false;
}

/* Starts a channel that waits, if it can. Returns 0, also where it goes on waiting, or an error. */
static uint32_t try_start(struct channel *channel)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	struct vm *vm = channel->vm;
	int64_t now = vgpu_now_ns();
	bool wait = false;
	uint32_t error;

	if (vm_quarantined(vm))
		return VGPU_ERR_QUARANTINED;
	if (vm->config.hold == VM_HOLD_DRAINING || backoff_waits(&vm->channels.backoff, now))
		return VGPU_ERR_UNAVAILABLE;
	error = check_quotas(vm, channel->bytes, &wait);
	if (error || wait || !start_allowed(vm, now))
		return error;
	if (!place(channel))
		return any_ending(vm) ? VGPU_ERR_NONE : VGPU_ERR_WINDOW_LIMIT;
	if (!pools_window_take(&vm->mediator->pools, channel->region.bytes)) {
		region_free(&vm->channels.bar, &channel->region);
		if (any_ending(vm))
			return VGPU_ERR_NONE;
		vm_log(vm, VGPU_LOG_WARNING,
		       "channel %u: the host has no room for its window (window-commitment)",
		       channel->number);
		return VGPU_ERR_WINDOW_LIMIT;
	}
	ledger_reserve(&vm->channels.window, channel->region.bytes, 0);
	pace_count(&vm->channels.pace, &pace_starts, now);
	if (start_worker(channel, &err) < 0) {
		vm_log(vm, VGPU_LOG_ERROR, "channel %u: %s", channel->number, err->message);
		channel_unschedule(channel);
		pools_window_release(&vm->mediator->pools, channel->region.bytes);
		unplace(channel);
		backoff_fail(&vm->channels.backoff, now);
		return VGPU_ERR_UNAVAILABLE;
	}
	channel->worker->window_bytes = channel->region.bytes;
	close_eventfds(channel);
	channel->state = CHANNEL_STARTING;
	return VGPU_ERR_NONE;
}

/* The first that can be started no more, or NULL when all that can have been. */
static struct channel *start_waiting(struct vm *vm, uint32_t *error)
{
	for (struct channel *channel = vm->channels.first; channel; channel = channel->next)
		if (channel->state == CHANNEL_WAITING) {
			*error = try_start(channel);
			if (*error)
				return channel;
		}
	return NULL;
}

void channels_advance(struct vm *vm)
{
	struct channel *failed;
	uint32_t error;

	while ((failed = start_waiting(vm, &error)) != NULL) {
		uint32_t number = failed->number;
		uint32_t serial = failed->serial;

		remove_channel(failed);
		send_opened(vm, number, serial, NULL, error);
	}
	vm_report(vm);
}

/* What is wrong with the sizes that a guest asks for, and would be at any time: VGPU_ERR_*. */
static uint32_t check_sizes(const struct vm *vm, const struct vgpu_link_open *open)
{
	if (open->entries < VGPU_RING_ENTRIES_MIN || open->entries > VGPU_RING_ENTRIES_MAX ||
	    (open->entries & (open->entries - 1)))
		return VGPU_ERR_INVALID_REQUEST;
	if (!open->window_bytes || open->window_bytes % REGION_GRANULE != 0)
		return VGPU_ERR_INVALID_REQUEST;
	/* The window alone first, so that the sum cannot overflow. */
	if (open->window_bytes > vm->channels.bar.bytes ||
	    vgpu_ring_window_offset(open->entries) + open->window_bytes > vm->channels.bar.bytes)
		return VGPU_ERR_WINDOW_LIMIT;
	return VGPU_ERR_NONE;
}

const char *channel_open(struct vm *vm, const struct vgpu_link_open *open, int fds[2])
{
	struct channel **end = &vm->channels.first;
	VGPU_AUTO_FREE struct channel *channel = calloc(1, sizeof(*channel));
	uint32_t error = channel ? check_sizes(vm, open) : VGPU_ERR_UNAVAILABLE;

	if (channel_find(vm, open->channel))
		return "an OPEN of a channel that is not closed";
	if (error) {
		send_opened(vm, open->channel, open->serial, NULL, error);
		return NULL;
	}
	*channel = (struct channel){
		.vm = vm,
		.number = open->channel,
		.serial = open->serial,
		.entries = open->entries,
		.bytes = vgpu_ring_window_offset(open->entries) + open->window_bytes,
		.doorbell = vgpu_steal_fd(&fds[0]),
		.completion = vgpu_steal_fd(&fds[1]),
	};
	while (*end)
		end = &(*end)->next;
	*end = vgpu_steal_pointer(&channel);
	channels_advance(vm);
	return NULL;
}

bool channel_close(struct vm *vm, uint32_t number, uint32_t serial)
{
	struct channel *channel = channel_find(vm, number);

	if (!channel || channel->serial != serial)
		return false;
	switch (channel->state) {
	case CHANNEL_WAITING:
		remove_channel(channel);
		channel_send_closed(vm, number, serial, VGPU_ERR_NONE);
		break;
	case CHANNEL_STARTING:
		channel_kill(channel, CHANNEL_CLOSING);
		break;
	case CHANNEL_OPEN:
		channel->state = CHANNEL_CLOSING;
		channel_turn_end(channel);
		worker_end(channel->worker);
		break;
	case CHANNEL_BROKEN:
		/* The CLOSED that is to come answers this, too. */
		channel->state = CHANNEL_CLOSING;
		break;
	case CHANNEL_CLOSING:
	case CHANNEL_ORPHANED:
		break;
	}
	return true;
}

void channels_reset(struct vm *vm)
{
	struct channel *next;

	for (struct channel *channel = vm->channels.first; channel; channel = next) {
		next = channel->next;
		if (channel->state == CHANNEL_WAITING)
			remove_channel(channel);
		else
			channel_kill(channel, CHANNEL_ORPHANED);
	}
	timer_cancel(loop_timers(vm->mediator->loop), &vm->channels.start);
}

void channels_break(struct vm *vm, uint32_t error, const char *text)
{
	for (struct channel *channel = vm->channels.first; channel; channel = channel->next)
		if (channel->state == CHANNEL_STARTING || channel->state == CHANNEL_OPEN) {
			worker_log(channel->worker, VGPU_LOG_INFO, "%s", text);
			channel->error = channel->opened ? error : VGPU_ERR_UNAVAILABLE;
			channel_kill(channel, CHANNEL_BROKEN);
			channel_unschedule(channel);
		}
}

void channels_leave(struct vm *vm)
{
	for (struct channel *channel = vm->channels.first; channel; channel = channel->next) {
		if (channel->worker)
			worker_kill(channel->worker);
		channel_unschedule(channel);
	}
}

void channels_forsake(struct vm *vm)
{
	/* Nobody will ask for what it wants to resume. */
	if (vm->link)
		vm->link->resuming = false;
	/* Sending may end the link, and with it free channels: so each is looked for anew. */
	for (uint32_t number = 0; number < VGPU_CHANNELS_MAX && vm->link; number++) {
		const struct channel *channel = channel_find(vm, number);

		if (!channel)
			continue;
		if (channel->state == CHANNEL_CLOSING)
			channel_send_closed(vm, number, channel->serial, VGPU_ERR_NONE);
		else if (channel->opened)
			channel_send_closed(vm, number, channel->serial, VGPU_ERR_CONTEXT_LOST);
		else
			send_opened(vm, number, channel->serial, NULL, VGPU_ERR_UNAVAILABLE);
	}
}

void channels_publish(struct vm *vm)
{
	for (struct channel *channel = vm->channels.first; channel; channel = channel->next)
		if (channel->worker)
			publish(channel, channel->worker->released_bytes);
}

void channel_worker_ready(struct channel *channel)
{
	channel->state = CHANNEL_OPEN;
	channel->opened = true;
	RECORD_SET(channel->worker->record, opened, 1);
	channels_sample_soon(channel->vm);
	channels_expire_soon(channel->vm);
	vm_tell_channel(channel->vm, EVENT_CHANNEL_OPENED, channel->number);
	vm_report(channel->vm);
	send_opened(channel->vm, channel->number, channel->serial, &channel->region, VGPU_ERR_NONE);
}

void channel_worker_lost(struct channel *channel, const char *text)
{
	struct worker *worker = channel->worker;
	struct backoff *backoff = &channel->vm->channels.backoff;
	int64_t now = vgpu_now_ns();

	if (channel->state == CHANNEL_CLOSING) {
		/* It was to end, and did. */
		worker_kill(worker);
		return;
	}
	if (channel->state != CHANNEL_STARTING && channel->state != CHANNEL_OPEN)
		return;
	worker_log_event(worker, VGPU_LOG_WARNING, event_type_name(EVENT_WORKER_LOST),
			 "lost worker %d: %s", (int)worker_pid(worker), text);
	vm_tell(channel->vm, EVENT_WORKER_LOST, worker_pid(worker), text);
	channel_sample(channel);
	if (channel->grant.seen.submissions > 0 || worker->memory.used > 0)
		channel->vm->usage.workers_lost++;
	if (channel->grant.seen.submissions > 0 || now - worker->start_ns > PROVEN_NS)
		backoff_succeed(backoff);
	backoff_fail(backoff, now);
	channel->error = channel->opened ? VGPU_ERR_CONTEXT_LOST : VGPU_ERR_UNAVAILABLE;
	channel_kill(channel, CHANNEL_BROKEN);
	if (channel->opened)
		vm_count_fault(channel->vm, "a channel's worker was lost");
}

void channel_ring_broken(struct channel *channel, const char *text)
{
	bool open = channel->state == CHANNEL_OPEN;

	/* No reason to make the VM's other programs wait: another worker would serve them. */
	if (open)
		backoff_succeed(&channel->vm->channels.backoff);
	channel_worker_lost(channel, text);
	if (open)
		channel->error = VGPU_ERR_INVALID_REQUEST;
}

void channel_worker_gone(struct channel *channel)
{
	struct vm *vm = channel->vm;
	const struct channel old = *channel;

	channel_sample(channel);
	channel_unschedule(channel);
	unplace(channel);
	channel->worker = NULL;
	remove_channel(channel);
	channels_publish(vm);
	if (old.opened)
		vm_tell_channel(vm, EVENT_CHANNEL_CLOSED, old.number);
	vm_report(vm);
	if (old.state == CHANNEL_CLOSING)
		channel_send_closed(vm, old.number, old.serial, VGPU_ERR_NONE);
	else if (old.state == CHANNEL_BROKEN && old.opened)
		channel_send_closed(vm, old.number, old.serial, old.error);
	else if (old.state == CHANNEL_BROKEN)
		send_opened(vm, old.number, old.serial, NULL, old.error);
	channels_advance(vm);
}

void channel_worker_stuck(struct channel *channel)
{
	channel->stuck = true;
	channel_unschedule(channel);
	channels_advance(channel->vm);
}
