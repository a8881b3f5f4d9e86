/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/resume.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "mediatord/link.h"
#include "mediatord/worker.h"

const char *resume_expect(struct vm *vm, const struct record *record)
{
	static const char gone[] = "its device is gone";
	struct resume *resume = &vm->resume;
	VGPU_AUTO_CLOSE int pidfd = -1;

	pidfd = (int)syscall(SYS_pidfd_open, record->device_pid, 0);
	if (pidfd < 0)
		return errno == ESRCH ? gone : "its device cannot be watched";
	/* Read afterwards: from here on the descriptor stands for that process. */
	if (!record->device_start || peer_start(record->device_pid) != record->device_start)
		return gone;
	if (resume->source)
		return resume->pid == record->device_pid
			       ? NULL
			       : "it served another device than the VM's other workers";
	resume->source = loop_add(vm->mediator->loop, SOURCE_DEVICE, pidfd, vm);
	if (!resume->source)
		return "its device cannot be watched";
	resume->pid = record->device_pid;
	resume->start = record->device_start;
	resume->pidfd = vgpu_steal_fd(&pidfd);
	return NULL;
}

void resume_forget(struct vm *vm)
{
	struct resume *resume = &vm->resume;

	if (!resume->source)
		return;
	loop_remove(vm->mediator->loop, &resume->source);
	close(resume->pidfd);
}

void resume_device_gone(struct vm *vm)
{
	vm_log(vm, VGPU_LOG_INFO, "the device of pid %d ended while no mediator was there",
	       (int)vm->resume.pid);
	vm_reset(vm);
}

static const char *message_fault(const struct vgpu_link_resume *message, size_t length)
{
	const size_t head = offsetof(struct vgpu_link_resume, channels);
	uint32_t named = 0;

	VGPU_STATIC_ASSERT(VGPU_CHANNELS_MAX <= 32, "a bit for each channel");
	if (length < head || message->count > VGPU_CHANNELS_MAX ||
	    length != head + message->count * sizeof(message->channels[0]))
		return "a RESUME of a wrong length";
	for (uint32_t i = 0; i < message->count; i++) {
		uint32_t number = message->channels[i].channel;

		if (number >= VGPU_CHANNELS_MAX || !message->channels[i].serial)
			return "a RESUME of what is no channel";
		if (named & UINT32_C(1) << number)
			return "a RESUME that names a channel twice";
		named |= UINT32_C(1) << number;
	}
	return NULL;
}

static bool names(const struct vgpu_link_resume *message, const struct channel *channel)
{
	for (uint32_t i = 0; i < message->count; i++)
		if (message->channels[i].channel == channel->number)
			return message->channels[i].serial == channel->serial;
	return false;
}

/* From now on it is this device's: the next mediator is to expect it. */
static void take_over(const struct worker *worker, const struct peer *peer)
{
	if (worker->record->device_pid == peer->pid && worker->record->device_start == peer->start)
		return;
	RECORD_SET(worker->record, device_start, 0);
	RECORD_SET(worker->record, device_pid, peer->pid);
	RECORD_SET(worker->record, device_start, peer->start);
}

/* Sorts the VM's channels: those that go on, and those that nobody will ask for. */
static void sort_channels(struct link *link, const struct vgpu_link_resume *message,
			  const struct stat *bar)
{
	struct vm *vm = link->vm;

	for (struct channel *channel = vm->channels.first; channel; channel = channel->next) {
		const struct record *record = channel->worker->record;

		if (channel->state == CHANNEL_ORPHANED)
			continue;
		if (!names(message, channel) || record->bar_device != bar->st_dev ||
		    record->bar_inode != bar->st_ino || record->bar_bytes != link->window_bytes)
			channel_kill(channel, CHANNEL_ORPHANED);
		else
			take_over(channel->worker, &link->peer);
	}
	if (vm->worker && vm->worker->state != WORKER_ENDING)
		take_over(vm->worker, &link->peer);
}

const char *resume_handle(struct link *link, const struct vgpu_link_resume *message, size_t length)
{
	const char *fault = message_fault(message, length);
	struct vm *vm = link->vm;
	struct stat bar;
	uint32_t lost = 0;

	if (fault)
		return fault;
	if (fstat(link->window_fd, &bar) < 0)
		return "BAR2's memory, which cannot be looked at";
	sort_channels(link, message, &bar);
	resume_forget(vm);
	link->resuming = false;
	for (uint32_t i = 0; i < message->count; i++) {
		uint32_t number = message->channels[i].channel;
		bool there = channel_find(vm, number);

		link->channels[number].used = true;
		link->channels[number].closed = !there;
		link->channels[number].serial = message->channels[i].serial;
		lost += !there;
	}
	vm_log(vm, VGPU_LOG_INFO, "its device resumed %u channels and lost %u",
	       message->count - lost, lost);
	channels_sample_soon(vm);
	channels_expire_soon(vm);
	/* Sending may end the link. */
	for (uint32_t i = 0; i < message->count && vm->link == link; i++) {
		uint32_t number = message->channels[i].channel;

		if (link->channels[number].closed)
			channel_send_closed(vm, number, message->channels[i].serial,
					    VGPU_ERR_CONTEXT_LOST);
	}
	return NULL;
}
