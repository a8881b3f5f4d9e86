/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Polling costs a processor and answers within a microsecond; sleeping costs none and a wake-up of
 * several. The loop polls an empty ring for a while that adapts: where a wake-up came so soon that
 * polling on would have caught it, the while becomes the longest that is allowed; where it came
 * later, polling was for nothing, and it is halved. Where long polling found nothing and a wake-up
 * came right after, the guest was waiting for this very processor: then polling is kept short, for
 * longer each time. No system call is made, and no clock is read, on the way of a submission that
 * polling finds.
 */
#include "mediatord/worker/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define SPIN_MIN_NS	2000
#define SPINS_PER_CLOCK 64u

/*
 * While the guest waits for the GPU, sleeping costs it a wake-up on each side, and this process is
 * not idle: so long a job is polled for. Longer ones do not feel a sleep.
 */
#define SPIN_BUSY_NS (400 * VGPU_NS_PER_US)

/* Who polled for longer than the one, and was woken sooner than the other, was in the way. */
#define SPIN_LONG_NS	  20000
#define SPIN_WOKEN_NS	  30000
#define SPIN_HOLD_FIRST	  8u
#define SPIN_HOLD_LONGEST 1024u

/* Under load the control socket is looked at once in so many submissions. */
#define SUBMISSIONS_PER_CONTROL 256u
/* As are the waits that are pending. */
#define SUBMISSIONS_PER_PENDING 16u

/* How long to sleep at most, where no doorbell tells when to go on. */
#define SLEEP_OBSTACLE_NS (10 * VGPU_NS_PER_MS)
#define SLEEP_BUSY_MAX_NS VGPU_NS_PER_MS
#define SLEEP_BUSY_MIN_NS (10 * VGPU_NS_PER_US)

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

void server_init(struct server *server, void *region, uint32_t entries, long processors)
{
	ring_init(&server->ring, region, entries);
	server->pending.count = 0;
	server->idle_since_ns = 0;
	server->slept_since_ns = 0;
	server->spin_hold = 0;
	server->spin_hold_next = SPIN_HOLD_FIRST;
	server->since_control = 0;
	/* With one processor, polling only keeps the guest from what is polled for. */
	server->spin_limit_ns = processors > 1 ? SERVE_SPIN_MAX_NS / 2 : 0;
}

static int broken(const struct server *server, struct vgpu_error **err)
{
	return vgpu_error_set(err, EPROTO, "the guest broke its ring at submission %" PRIu64 ": %s",
			      server->ring.taken, server->ring.fault);
}

static void ring_guest(const struct server *server)
{
	const uint64_t one = 1;
	ssize_t written = write(server->completion, &one, sizeof(one));

	/* A counter that is full wakes the guest just as well. */
	(void)written;
}

static void complete(struct server *server, uint64_t tag, cuda_error status,
		     const uint64_t value[2])
{
	if (ring_complete(&server->ring, tag, status, value))
		ring_guest(server);
}

static bool granted(const struct server *server)
{
	return __atomic_load_n(&server->channel.grant->grant, __ATOMIC_ACQUIRE) & VGPU_GRANT_RUN;
}

static int64_t spin_limit(const struct server *server)
{
	return server->pending.count && server->spin_limit_ns ? SPIN_BUSY_NS
							      : server->spin_limit_ns;
}

/* A sleep ended with work: was the polling before it right? */
static void adapt(struct server *server)
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

static void note_progress(struct server *server)
{
	if (server->slept_since_ns && server->spin_limit_ns)
		adapt(server);
	server->slept_since_ns = 0;
	server->idle_since_ns = 0;
}

/* Completes the waits that are over. Returns how many, or -1 and err. */
static int complete_pending(struct server *server, struct vgpu_error **err)
{
	static const uint64_t nothing[2];
	uint32_t from = 0;
	int count = 0;

	while (from < server->pending.count) {
		int room = ring_room(&server->ring);
		cuda_error status;
		uint64_t tag;

		if (room < 0)
			return broken(server, err);
		if (!room ||
		    !pending_take(&server->pending, &server->channel, &from, &tag, &status))
			break;
		if (status)
			channel_count_error(&server->channel);
		complete(server, tag, status, nothing);
		count++;
	}
	if (count)
		note_progress(server);
	return count;
}

static int run_one(struct server *server, const struct vgpu_submission *submission,
		   struct vgpu_error **err)
{
	struct channel_result result;
	struct channel_wait wait;
	bool no_reply;
	int outcome;

	channel_count_submission(&server->channel);
	outcome = channel_execute(&server->channel, submission, &result, &wait, &no_reply, err);
	if (outcome < 0)
		return -1;
	if (outcome == CHANNEL_WAITS)
		pending_add(&server->pending, &wait, submission->tag);
	else if (!no_reply)
		complete(server, submission->tag, result.status, result.value);
	return 0;
}

/* Whether a submission may be taken now. Returns 1, 0, or -1 and err. */
static int may_take(struct server *server, struct vgpu_error **err)
{
	int room = ring_room(&server->ring);

	if (room < 0)
		return broken(server, err);
	return room && granted(server) && server->pending.count < PENDING_MAX;
}

/* Polls the ring for as long as that pays. Returns 1 where there is work, 0, or -1 and err. */
static int spin(struct server *server, bool take, struct vgpu_error **err)
{
	for (;;) {
		int64_t now;

		for (unsigned int i = 0; take && i < SPINS_PER_CLOCK; i++) {
			if (ring_waiting(&server->ring))
				return 1;
			relax();
		}
		if (server->pending.count) {
			int completed = complete_pending(server, err);

			if (completed)
				return completed < 0 ? -1 : 1;
		}
		now = vgpu_now_ns();
		if (!server->idle_since_ns)
			server->idle_since_ns = now;
		/* What stands in the way of taking does not go away by looking. */
		if (now - server->idle_since_ns >= spin_limit(server) ||
		    (!take && !server->pending.count))
			return 0;
	}
}

/*
 * What ends a sleep besides descriptors; returns the time, or NULL for none. due_ns is when the
 * channel wants to be looked at, or 0.
 */
static const struct timespec *sleep_limit(const struct server *server, bool take, int64_t due_ns,
					  struct timespec *limit)
{
	int64_t longest = 0;

	if (server->pending.count || server->channel.busy) {
		longest = (vgpu_now_ns() - server->idle_since_ns) / 16;
		if (longest < SLEEP_BUSY_MIN_NS)
			longest = SLEEP_BUSY_MIN_NS;
		if (longest > SLEEP_BUSY_MAX_NS)
			longest = SLEEP_BUSY_MAX_NS;
	} else if (!take && ring_waiting(&server->ring)) {
		/* Room in the completion ring: nobody rings for that. */
		longest = SLEEP_OBSTACLE_NS;
	} else if (due_ns) {
		longest = due_ns - vgpu_now_ns();
		if (longest < SLEEP_BUSY_MIN_NS)
			longest = SLEEP_BUSY_MIN_NS;
	}
	*limit = (struct timespec){ .tv_sec = longest / VGPU_NS_PER_SECOND,
				    .tv_nsec = longest % VGPU_NS_PER_SECOND };
	return longest ? limit : NULL;
}

/* Sleeps until a descriptor or the time says that there may be work. Returns 0, or -1 and err. */
static int sleep_until(struct server *server, const struct timespec *limit, struct vgpu_error **err)
{
	struct pollfd fds[] = {
		{ .fd = server->doorbell, .events = POLLIN },
		{ .fd = server->mediator->fd, .events = POLLIN },
	};
	uint64_t count;

	if (ppoll(fds, 2, limit, NULL) < 0 && errno != EINTR)
		return vgpu_error_errno(err, errno, "cannot wait for the doorbell");
	if (fds[0].revents & POLLNVAL)
		return vgpu_error_set(err, EBADF, "the doorbell is gone");
	if (fds[0].revents && read(server->doorbell, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return vgpu_error_errno(err, errno, "cannot read the doorbell");
	return fds[1].revents ? mediator_check(server->mediator, err) : 0;
}

/* Nothing could be taken: polls, then sleeps. Returns 0 when it is worth looking again. */
static int idle(struct server *server, bool take, struct vgpu_error **err)
{
	struct timespec limit;
	int64_t due_ns = 0;
	int found = spin(server, take, err);

	if (found)
		return found < 0 ? -1 : 0;
	channel_settle(&server->channel);
	if (!server->pending.count &&
	    channel_idle_due(&server->channel, vgpu_now_ns(), &due_ns, err) < 0)
		return -1;
	if (!server->slept_since_ns)
		server->slept_since_ns = vgpu_now_ns();
	ring_sleeps(&server->ring);
	/* A submission that was published before the guest could see that we sleep. */
	if (!take || !ring_waiting(&server->ring))
		found = sleep_until(server, sleep_limit(server, take, due_ns, &limit), err);
	ring_awake(&server->ring);
	return found;
}

static int serve(struct server *server, struct vgpu_error **err)
{
	struct vgpu_submission submission;

	for (;;) {
		int take = may_take(server, err), taken = 0;

		if (take > 0)
			taken = ring_take(&server->ring, &submission);
		if (take < 0)
			return -1;
		if (taken < 0)
			return broken(server, err);
		if (!taken) {
			if (idle(server, take, err) < 0)
				return -1;
			continue;
		}
		note_progress(server);
		if (run_one(server, &submission, err) < 0)
			return -1;
		if (server->pending.count && server->ring.taken % SUBMISSIONS_PER_PENDING == 0 &&
		    complete_pending(server, err) < 0)
			return -1;
		if (++server->since_control >= SUBMISSIONS_PER_CONTROL) {
			server->since_control = 0;
			if (mediator_check(server->mediator, err) < 0)
				return -1;
		}
	}
}

int server_run(struct server *server, struct vgpu_error **err)
{
	struct vgpu_error *reason = NULL;

	serve(server, &reason);
	ring_publish(&server->ring);
	ring_fail(&server->ring,
		  reason->status == EPROTO ? VGPU_ERR_INVALID_REQUEST : VGPU_ERR_CONTEXT_LOST);
	/* Also where it does not say that it sleeps: it may be about to. */
	ring_guest(server);
	if (err)
		*err = reason;
	else
		vgpu_error_free(&reason);
	return -1;
}
