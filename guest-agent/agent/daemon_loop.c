/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-agent/agent/daemon.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "guest-agent/agent/guard.h"
#include "guest-agent/last_error.h"

/* New channels are found by looking; what one owes to a process that ends is told by its pidfd. */
#define SCAN_NS VGPU_NS_PER_SECOND

/* vGPUs that are plugged in are found by looking, too, which reads a file for each PCI device. */
#define FIND_NS (5 * VGPU_NS_PER_SECOND)

#define EVENTS_MAX 32

struct daemon {
	const char *sysfs;
	const char *address; /* NULL: all */
	unsigned int timeout_ms;
	int epoll;
	struct guard *guards;
	struct vgpu_log_limit limit; /* of what may be said every time that it looks for vGPUs */
};

static bool is_guarded(const struct daemon *daemon, const char *address)
{
	for (const struct guard *guard = daemon->guards; guard; guard = guard->next) {
		if (strcmp(guard->address, address) == 0)
			return true;
	}
	return false;
}

static enum vgpu_result add(struct daemon *daemon, const char *address)
{
	struct guard *guard;
	enum vgpu_result result;

	if (is_guarded(daemon, address))
		return VGPU_OK;
	result = guard_open(daemon->sysfs, address, daemon->timeout_ms, daemon->epoll, &guard);
	if (result != VGPU_OK)
		return result;
	guard->next = daemon->guards;
	daemon->guards = guard;
	vgpu_log_info("watching the channels of %s", guard->vgpu->transport->name);
	return VGPU_OK;
}

/* Adds the vGPUs that are there. Returns the last failure; the others are added all the same. */
static enum vgpu_result find(struct daemon *daemon)
{
	enum vgpu_result failed = VGPU_OK, result;
	char after[PCI_ADDRESS_BYTES] = "", address[PCI_ADDRESS_BYTES];
	struct last_error reason;
	bool any = false;

	if (daemon->address)
		return add(daemon, daemon->address);
	while ((result = pci_find_after(daemon->sysfs, after, address)) == VGPU_OK) {
		any = true;
		memcpy(after, address, sizeof(after));
		result = add(daemon, address);
		if (result != VGPU_OK) {
			failed = result;
			last_error_save(&reason);
		}
	}
	if (failed != VGPU_OK)
		last_error_restore(&reason);
	return any ? failed : result;
}

static void find_again(struct daemon *daemon, int64_t now)
{
	enum vgpu_result result = find(daemon);

	/* One that went away was told of; that it is still away is no news. */
	if (result != VGPU_OK && result != VGPU_E_NO_DEVICE &&
	    vgpu_log_allowed(&daemon->limit, now))
		vgpu_log_warning("%s", vgpu_last_error());
}

static void look(struct daemon *daemon, bool all, int64_t now, int64_t *next)
{
	struct guard **at = &daemon->guards;

	while (*at) {
		struct guard *guard = *at;

		if (guard_look(guard, all, now, next)) {
			at = &guard->next;
			continue;
		}
		vgpu_log_warning("%s went away", guard->vgpu->transport->name);
		*at = guard->next;
		guard_close(guard);
	}
}

/* Returns false once a signal asks for an end. */
static bool sleep_until(struct daemon *daemon, int signals, int64_t now, int64_t next)
{
	struct epoll_event events[EVENTS_MAX];
	/* Rounded up: waking too early would only mean to sleep again. */
	int64_t wait = next <= now ? 0 : (next - now + VGPU_NS_PER_MS - 1) / VGPU_NS_PER_MS;
	int count = epoll_wait(daemon->epoll, events, EVENTS_MAX, (int)wait);

	for (int i = 0; i < count; i++) {
		struct signalfd_siginfo info;

		if (events[i].data.ptr) {
			guard_owner_ended(events[i].data.ptr);
		} else if (read(signals, &info, sizeof(info)) == sizeof(info)) {
			vgpu_log_info("ended: %s", strsignal((int)info.ssi_signo));
			return false;
		}
	}
	return true;
}

static void loop(struct daemon *daemon, int signals)
{
	int64_t now = vgpu_now_ns(), scan = now, find_at = now + FIND_NS, next;

	do {
		bool all;

		now = vgpu_now_ns();
		if (now >= find_at) {
			find_again(daemon, now);
			find_at = now + FIND_NS;
		}
		all = now >= scan;
		if (all)
			scan = now + SCAN_NS;
		next = scan;
		look(daemon, all, now, &next);
	} while (sleep_until(daemon, signals, now, next));
}

/* A descriptor that is readable when one of the signals came, in the epoll set; or -1 with errno.
 */
static int catch_signals(int epoll)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct epoll_event event = { .events = EPOLLIN };
	VGPU_AUTO_CLOSE int fd = -1;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&set, numbers[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		return -1;
	return vgpu_steal_fd(&fd);
}

enum vgpu_result daemon_watch(const char *sysfs, const char *address, unsigned int timeout_ms)
{
	struct daemon daemon = {
		.sysfs = sysfs,
		.address = address,
		.timeout_ms = timeout_ms,
		.limit = { .burst = 2, .period_ns = 600 * VGPU_NS_PER_SECOND },
	};
	VGPU_AUTO_CLOSE int epoll = epoll_create1(EPOLL_CLOEXEC);
	VGPU_AUTO_CLOSE int signals = epoll < 0 ? -1 : catch_signals(epoll);
	enum vgpu_result result;

	if (signals < 0)
		return last_error_errno(VGPU_E_IO, errno, "waiting for signals");
	daemon.epoll = epoll;
	result = find(&daemon);
	if (result == VGPU_OK)
		loop(&daemon, signals);
	while (daemon.guards) {
		struct guard *next = daemon.guards->next;

		guard_close(daemon.guards);
		daemon.guards = next;
	}
	return result;
}
