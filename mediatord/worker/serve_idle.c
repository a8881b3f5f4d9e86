/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Polling costs a processor and answers within a microsecond; sleeping costs none and a wake-up of
 * several. The loop polls for a while that adapts: where a wake-up came so soon that polling on
 * would have caught it, the while becomes the longest that is allowed; where it came later, polling
 * was for nothing, and it is halved. Where long polling found nothing and a wake-up came right
 * after, the guest was waiting for this very processor: then polling is kept short, for longer each
 * time. No system call is made, and no clock is read, on the way of a submission that polling
 * finds.
 *
 * While the GPU works nobody rings when it is done. Short work is polled for; for the rest the
 * worker sleeps a part of the time that has passed, and where the work's end can be estimated, it
 * is awake shortly before and polls again.
 */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "mediatord/worker/serve_private.h"

#define SPIN_MIN_NS	2000
#define SPINS_PER_CLOCK 64u
/* A look at the GPU is what ends the wait then. */
#define SPINS_PER_QUERY 8u

/*
 * While the guest waits for the GPU, sleeping costs it a wake-up on each side, and this process is
 * not idle: so long a job is polled for.
 */
#define SPIN_BUSY_NS (400 * VGPU_NS_PER_US)

/*
 * It is polled for around the job's estimated end, too: a part of its time before, and after. An
 * estimate that is too long by what a sleep takes is found out only by who is awake before the end.
 */
#define EARLY_PART   16
#define EARLY_MIN_NS (100 * VGPU_NS_PER_US)
#define EARLY_MAX_NS VGPU_NS_PER_MS
#define LATE_PART    8
#define LATE_MIN_NS  (100 * VGPU_NS_PER_US)
#define LATE_MAX_NS  (400 * VGPU_NS_PER_US)

/* Others wait for a GPU on which nothing is: the next submission had so long to come. */
#define YIELD_AFTER_NS 3000

/* Who polled for longer than the one, and was woken sooner than the other, was in the way. */
#define SPIN_LONG_NS	  20000
#define SPIN_WOKEN_NS	  30000
#define SPIN_HOLD_LONGEST 1024u

/* How long to sleep at most, where no doorbell tells when to go on. */
#define SLEEP_OBSTACLE_NS (10 * VGPU_NS_PER_MS)
#define SLEEP_BUSY_MAX_NS VGPU_NS_PER_MS
#define SLEEP_BUSY_MIN_NS (10 * VGPU_NS_PER_US)
#define SLEEP_BUSY_PART	  16

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

void server_adapt(struct server *server)
{
	int64_t now = vgpu_now_ns();

	if (server->spin_limit_ns >= SPIN_LONG_NS && now - server->slept_since_ns < SPIN_WOKEN_NS) {
		server->spin_limit_ns = SPIN_MIN_NS;
		server->spin_hold = server->spin_hold_next;
		if (server->spin_hold_next < SPIN_HOLD_LONGEST)
			server->spin_hold_next *= 2;
	} else if (now - server->idle_since_ns <= SERVE_SPIN_MAX_NS) {
		if (server->spin_hold)
			server->spin_hold--;
		else
			server->spin_limit_ns = SERVE_SPIN_MAX_NS;
	} else if (server->spin_limit_ns > SPIN_MIN_NS) {
		server->spin_limit_ns /= 2;
	}
}

/* Whether the guest is who ends the wait, by a submission. */
static bool waits_for_guest(enum server_wait wait)
{
	return wait == SERVER_WAITS_SUBMISSION || wait == SERVER_WAITS_READER;
}

/* Whether what is waited for is there, as far as a word in memory tells. */
static bool has_come(const struct server *server, enum server_wait wait)
{
	switch (wait) {
	case SERVER_WAITS_SUBMISSION:
	case SERVER_WAITS_READER:
		return ring_waiting(&server->ring);
	case SERVER_WAITS_TOKEN:
		return gate_has_token(&server->gate);
	case SERVER_WAITS_GRANT:
		return gate_granted(&server->gate);
	default: /* GPU and ROOM: no word does */
		return false;
	}
}

/* Whether work is waited for that may be on the GPU: by the guest, by us, or by others. */
static bool waits_for_gpu(const struct server *server, enum server_wait wait)
{
	const struct gate *gate = &server->gate;

	if (server->pending.count || wait == SERVER_WAITS_GPU)
		return true;
	return jobs_on_gpu(&server->channel.jobs) && (!gate_granted(gate) || gate_contended(gate));
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* From when on, and until when, the end of what is on the GPU is polled for; 0: not at all. */
static int64_t expect_end(const struct server *server, int64_t *until_ns)
{
	const struct inflight *inflight = &server->channel.jobs.inflight;
	int64_t expected = inflight_expected_ns(inflight);
	int64_t length = expected - inflight->since_ns;

	*until_ns = 0;
	if (!expected)
		return 0;
	*until_ns = expected + clamp(length / LATE_PART, LATE_MIN_NS, LATE_MAX_NS);
	return expected - clamp(length / EARLY_PART, EARLY_MIN_NS, EARLY_MAX_NS);
}

static bool goes_on_polling(const struct server *server, enum server_wait wait, int64_t now)
{
	int64_t waited = now - server->idle_since_ns, until;
	int64_t from = expect_end(server, &until);

	if (!server->spin_limit_ns)
		return false;
	if (!waits_for_gpu(server, wait))
		/* Room does not come by looking; the guest may need this very processor. */
		return wait != SERVER_WAITS_ROOM && wait != SERVER_WAITS_READER &&
		       waited < server->spin_limit_ns;
	if (now >= from && now < until)
		return true;
	/* Our own next piece may come a little late; the guest's answer may not. */
	if (!server->pending.count && from > now)
		return false;
	return waited < SPIN_BUSY_NS;
}

/* Gives the GPU up in time where others wait for it. Returns 0, or -1 and err. */
static int yield_idle(struct server *server, int64_t now, struct vgpu_error **err)
{
	if (jobs_on_gpu(&server->channel.jobs) ||
	    (gate_granted(&server->gate) && now - server->idle_since_ns < YIELD_AFTER_NS))
		return 0;
	return server_yield(server, err);
}

/* Polls for as long as that pays. Returns 1 where there is something to do, 0, or -1 and err. */
static int spin(struct server *server, enum server_wait wait, struct vgpu_error **err)
{
	for (;;) {
		unsigned int spins =
			waits_for_gpu(server, wait) ? SPINS_PER_QUERY : SPINS_PER_CLOCK;
		int64_t now;

		for (unsigned int i = 0; i < spins; i++) {
			if (has_come(server, wait))
				return 1;
			relax();
		}
		if (server->pending.count) {
			int completed = server_complete_pending(server, err);

			if (completed)
				return completed < 0 ? -1 : 1;
		}
		if (!channel_settle(&server->channel) && wait == SERVER_WAITS_GPU)
			return 1;
		now = vgpu_now_ns();
		if (!server->idle_since_ns)
			server->idle_since_ns = now;
		if (yield_idle(server, now, err) < 0)
			return -1;
		if (!goes_on_polling(server, wait, now))
			return 0;
	}
}

/*
 * What ends a sleep besides descriptors; returns the time, or NULL for none. due_ns is when the
 * channel wants to be looked at, or 0.
 */
static const struct timespec *sleep_limit(const struct server *server, enum server_wait wait,
					  int64_t due_ns, struct timespec *limit)
{
	int64_t longest = 0, now = vgpu_now_ns(), until;

	if (server->pending.count || jobs_on_gpu(&server->channel.jobs)) {
		int64_t left = expect_end(server, &until) - now;

		longest = (now - server->idle_since_ns) / SLEEP_BUSY_PART;
		if (left > 0 && (left < longest || !server->pending.count))
			longest = left;
		longest = clamp(longest, SLEEP_BUSY_MIN_NS, SLEEP_BUSY_MAX_NS);
	} else if (wait == SERVER_WAITS_ROOM) {
		longest = SLEEP_OBSTACLE_NS;
	} else if (due_ns) {
		longest = due_ns - now;
		if (longest < SLEEP_BUSY_MIN_NS)
			longest = SLEEP_BUSY_MIN_NS;
	}
	*limit = (struct timespec){ .tv_sec = longest / VGPU_NS_PER_SECOND,
				    .tv_nsec = longest % VGPU_NS_PER_SECOND };
	return longest ? limit : NULL;
}

/*
 * Sleeps until a descriptor or the time says that there may be something to do. A guest that rings
 * while its ring may not be taken from wakes nobody. Returns 0, or -1 and err.
 */
static int sleep_until(struct server *server, enum server_wait wait, int64_t due_ns,
		       struct vgpu_error **err)
{
	struct pollfd fds[] = {
		{ .fd = waits_for_guest(wait) ? server->doorbell : -1, .events = POLLIN },
		{ .fd = server->mediator->fd, .events = POLLIN },
	};
	struct timespec limit;
	uint64_t count;

	if (ppoll(fds, 2, sleep_limit(server, wait, due_ns, &limit), NULL) < 0 && errno != EINTR)
		return vgpu_error_errno(err, errno, "cannot wait for the doorbell");
	if (fds[0].revents & POLLNVAL)
		return vgpu_error_set(err, EBADF, "the doorbell is gone");
	if (fds[0].revents && read(server->doorbell, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return vgpu_error_errno(err, errno, "cannot read the doorbell");
	return fds[1].revents ? mediator_check(server->mediator, err) : 0;
}

int server_idle(struct server *server, enum server_wait wait, struct vgpu_error **err)
{
	int found = spin(server, wait, err);
	int64_t due_ns = 0;

	if (found)
		return found < 0 ? -1 : 0;
	/*
	 * Who sleeps with nothing on the GPU need not be asked for it. What spin() has just seen
	 * there may have ended since, but is not looked at again: it limits the sleep.
	 */
	if (!jobs_on_gpu(&server->channel.jobs) && gate_leave(&server->gate, err) < 0)
		return -1;
	if (waits_for_guest(wait) && !server->pending.count &&
	    channel_idle_due(&server->channel, vgpu_now_ns(), &due_ns, err) < 0)
		return -1;
	if (!server->slept_since_ns)
		server->slept_since_ns = vgpu_now_ns();
	if (waits_for_guest(wait))
		ring_sleeps(&server->ring);
	else
		ring_publish(&server->ring);
	/* What came before anybody could see that we sleep. */
	if (!has_come(server, wait))
		found = sleep_until(server, wait, due_ns, err);
	if (waits_for_guest(wait))
		ring_awake(&server->ring);
	return found;
}
