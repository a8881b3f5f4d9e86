/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/guard.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "guest-agent/last_error.h"
#include "guest-agent/process.h"

/* A device that is slow to close is asked less and less often. */
#define PAUSE_MIN_NS VGPU_NS_PER_MS
#define PAUSE_MAX_NS VGPU_NS_PER_SECOND

/* The mediator kills a worker that hangs in less. */
#define SLOW_NS (5 * VGPU_NS_PER_SECOND)

/*
 * What one look does about one channel at most: processes that keep changing a channel must not
 * keep the others from their turn.
 */
#define TURNS_MAX 4

static unsigned int number_of(const struct guard *guard, const struct guard_channel *channel)
{
	return (unsigned int)(channel - guard->channels);
}

static void forget(struct guard_channel *channel)
{
	/* The last descriptor of it: that takes it out of the epoll set. */
	if (channel->pidfd >= 0)
		close(vgpu_steal_fd(&channel->pidfd));
	*channel = (struct guard_channel){ .pidfd = -1 };
}

/*
 * A pidfd of the process with this number and start time, in the epoll set; -1 where there is none,
 * it cannot be seen, or this kernel has no pidfds. Then the channel's lock alone is looked at.
 */
static int watch_process(int epoll, uint32_t pid, uint64_t start, struct guard_channel *channel)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = channel };
	VGPU_AUTO_CLOSE int fd = -1;

	if (pid == 0 || pid > INT_MAX)
		return -1;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0)
		return -1;
	/* From here on the number is this process's, or the start time is another's. */
	if (start == 0 || process_start_time((pid_t)pid) != start)
		return -1;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		return -1;
	return vgpu_steal_fd(&fd);
}

static void look_up(struct guard *guard, struct guard_channel *channel,
		    const struct owner_sight *sight)
{
	forget(channel);
	channel->pidfd = watch_process(guard->epoll, sight->owner, sight->owner_start, channel);
	channel->watch.owner = sight->owner;
	channel->watch.owner_start = sight->owner_start;
	channel->watch.fate = channel->pidfd >= 0 ? WATCH_LIVES : WATCH_STRANGER;
}

void guard_owner_ended(struct guard_channel *channel)
{
	if (channel->pidfd < 0)
		return;
	close(vgpu_steal_fd(&channel->pidfd));
	channel->watch.fate = WATCH_ENDED;
}

static bool try_claim(struct guard *guard, struct guard_channel *channel, int64_t now)
{
	unsigned int n = number_of(guard, channel);
	const char *name = guard->vgpu->transport->name;

	if (!owner_claim(guard->vgpu, n)) {
		if (channel->watch.fate == WATCH_ENDED && !channel->said)
			vgpu_log_info("%s: channel %u: process %u ended, but one that it forked "
				      "has the channel",
				      name, n, channel->watch.owner);
		channel->said = true;
		return false;
	}
	channel->watch.claimed = true;
	channel->since_ns = now;
	channel->said = false;
	if (channel->watch.fate == WATCH_ENDED)
		vgpu_log_info("%s: channel %u: process %u ended: closing the channel", name, n,
			      channel->watch.owner);
	else
		vgpu_log_info("%s: channel %u: nobody has what process %u opened: closing the "
			      "channel",
			      name, n, channel->watch.owner);
	return true;
}

static void release(struct guard *guard, struct guard_channel *channel, int64_t now)
{
	unsigned int n = number_of(guard, channel);

	owner_unclaim(guard->vgpu, n);
	vgpu_log_info("%s: channel %u: closed after %lld ms", guard->vgpu->transport->name, n,
		      (long long)((now - channel->since_ns) / VGPU_NS_PER_MS));
	forget(channel);
}

/* When to look again at a channel that the device is closing. */
static int64_t pause_ns(const struct guard_channel *channel, int64_t now)
{
	int64_t pause = (now - channel->since_ns) / 4;

	return pause < PAUSE_MIN_NS ? PAUSE_MIN_NS : pause > PAUSE_MAX_NS ? PAUSE_MAX_NS : pause;
}

static void wait_for_device(const struct guard *guard, struct guard_channel *channel, int64_t now,
			    int64_t *next)
{
	int64_t again = now + pause_ns(channel, now);

	if (again < *next)
		*next = again;
	if (now - channel->since_ns < SLOW_NS || channel->said)
		return;
	channel->said = true;
	vgpu_log_warning("%s: channel %u: the host has not closed it for %d s; still waiting",
			 guard->vgpu->transport->name, number_of(guard, channel),
			 (int)(SLOW_NS / VGPU_NS_PER_SECOND));
}

/* Does what there is to do about a channel. Returns false where the vGPU is gone. */
static bool look_at(struct guard *guard, struct guard_channel *channel, int64_t now, int64_t *next)
{
	for (int turn = 0; turn < TURNS_MAX; turn++) {
		struct owner_sight sight;

		owner_look(guard->vgpu, number_of(guard, channel), &sight);
		if (sight.state > VGPU_CHANNEL_STATE_CLOSING)
			return false;
		switch (watch_decide(&channel->watch, &sight)) {
		case WATCH_REST:
			return true;
		case WATCH_LOOK_UP:
			look_up(guard, channel, &sight);
			break;
		case WATCH_FORGET:
			forget(channel);
			break;
		case WATCH_CLAIM:
			if (!try_claim(guard, channel, now))
				return true;
			break;
		case WATCH_CLOSE:
			owner_close(guard->vgpu, number_of(guard, channel));
			break;
		case WATCH_WAIT:
			wait_for_device(guard, channel, now, next);
			return true;
		case WATCH_RELEASE:
			release(guard, channel, now);
			break;
		}
	}
	if (channel->watch.claimed)
		wait_for_device(guard, channel, now, next);
	return true;
}

/* A vGPU that was unplugged has no registers any more, and reading them would end this process. */
static bool is_there(const struct guard *guard)
{
	struct stat status;

	return stat(guard->registers, &status) == 0 && status.st_dev == guard->device &&
	       status.st_ino == guard->inode;
}

bool guard_look(struct guard *guard, bool all, int64_t now, int64_t *next)
{
	if (!is_there(guard))
		return false;
	for (unsigned int n = 0; n < guard->channel_count; n++) {
		struct guard_channel *channel = &guard->channels[n];

		if (!all && !channel->watch.claimed && channel->watch.fate != WATCH_ENDED)
			continue;
		if (!look_at(guard, channel, now, next))
			return false;
	}
	return true;
}

enum vgpu_result guard_open(const char *sysfs, const char *address, unsigned int timeout_ms,
			    int epoll, struct guard **opened)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	char transport[sizeof("pci:") + PCI_ADDRESS_BYTES];
	enum vgpu_result result;
	struct stat status;

	if (!guard)
		return last_error_set(VGPU_E_NO_MEMORY, "out of memory");
	guard->epoll = epoll;
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		guard->channels[n].pidfd = -1;
	snprintf(guard->address, sizeof(guard->address), "%s", address);
	snprintf(guard->registers, sizeof(guard->registers), "%s/bus/pci/devices/%s/resource%d",
		 sysfs, address, VGPU_BAR_REGISTERS);
	snprintf(transport, sizeof(transport), "pci:%s", address);
	/* Before it is opened: one that is replaced meanwhile is then taken for gone. */
	if (stat(guard->registers, &status) == 0) {
		guard->device = status.st_dev;
		guard->inode = status.st_ino;
	}
	result = handle_open(sysfs, transport, VGPU_OPEN_OBSERVE, timeout_ms, &guard->vgpu);
	if (result == VGPU_OK) {
		guard->channel_count = owner_channels(guard->vgpu);
		if (guard->channel_count == 0)
			result = last_error_set(VGPU_E_UNSUPPORTED, "%s: this vGPU has no channels",
						transport);
		else if (!owner_claim_watch(guard->vgpu))
			result = last_error_set(VGPU_E_TIMEOUT,
						"%s: another 'vgpu-agent daemon' watches this vGPU",
						transport);
	}
	if (result != VGPU_OK) {
		guard_close(guard);
		return result;
	}
	*opened = guard;
	return VGPU_OK;
}

void guard_close(struct guard *guard)
{
	for (unsigned int n = 0; n < guard->channel_count; n++)
		forget(&guard->channels[n]);
	vgpu_close(guard->vgpu);
	free(guard);
}
