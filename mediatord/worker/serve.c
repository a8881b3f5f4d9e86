/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop takes one submission after the other. One with work for the GPU that may not be started
 * yet, because the scheduler has not granted it or enough is there already, is held, and nothing is
 * taken after it until it was started: the ring's order stays. So is one that compiles, until
 * nothing is on the GPU. Synchronisations that were taken before complete meanwhile.
 */
#include "mediatord/worker/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "mediatord/worker/serve_private.h"

/* Under load, what else there is to do is looked at once in so many submissions. */
#define SUBMISSIONS_PER_LOOK	16u
#define SUBMISSIONS_PER_SETTLE	64u
#define SUBMISSIONS_PER_CONTROL 256u

/* How often a channel that ends looks whether its work on the GPU has ended. */
#define END_LOOK_US 50

void server_init(struct server *server, void *region, uint32_t entries, long processors)
{
	ring_init(&server->ring, region, entries);
	server->gate = (struct gate){ .page = server->channel.grant, .mediator = server->mediator };
	server->pending.count = 0;
	server->held = false;
	server->idle_since_ns = 0;
	server->slept_since_ns = 0;
	server->spin_hold = 0;
	server->spin_hold_next = SPIN_HOLD_FIRST;
	server->since_gpu = 0;
	/* With one processor, polling only keeps the guest from what is polled for. */
	server->spin_limit_ns = processors > 1 ? SERVE_SPIN_MAX_NS / 2 : 0;
}

int server_broken(const struct server *server, struct vgpu_error **err)
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

int server_complete_pending(struct server *server, struct vgpu_error **err)
{
	uint32_t from = 0;
	int count = 0;

	while (from < server->pending.count) {
		int room = ring_room(&server->ring);
		struct channel_result result;
		uint64_t tag;

		if (room < 0)
			return server_broken(server, err);
		if (!room ||
		    !pending_take(&server->pending, &server->channel, &from, &tag, &result))
			break;
		if (result.status)
			channel_count_error(&server->channel);
		complete(server, tag, result.status, result.value);
		count++;
	}
	if (count) {
		/* Was that all? The account is of what is on the GPU, not of what is waited for. */
		channel_settle(&server->channel);
		server_progressed(server);
	}
	return count;
}

int server_yield(struct server *server, struct vgpu_error **err)
{
	if (!server->gate.holding ||
	    (gate_granted(&server->gate) && !gate_contended(&server->gate)))
		return 0;
	return channel_settle(&server->channel) ? 0 : gate_leave(&server->gate, err);
}

/* The submission that was taken ends, with its completion where it wants one. */
static void finish(struct server *server, const struct channel_result *result)
{
	if (result->status)
		channel_failed(&server->channel, &server->request, result);
	if (!server->request.no_reply)
		complete(server, server->tag, result->status, result->value);
}

/*
 * Compiling keeps this worker for seconds, in which it would not see that others want the GPU: it
 * lets its work there end and gives it up before.
 */
static bool makes_code(const struct channel_request *request)
{
	return request->opcode == VGPU_RING_MODULE_LOAD ||
	       request->opcode == VGPU_RING_MODULE_BUILTIN;
}

/* Whether a completion has room, after those that are due. Returns 1, 0, or -1 and err. */
static int has_room(struct server *server, struct vgpu_error **err)
{
	int room;

	/* Who waits for what has ended must not wait for what is started now, too. */
	if (server->pending.count && !jobs_on_gpu(&server->channel.jobs) &&
	    server_complete_pending(server, err) < 0)
		return -1;
	room = ring_room(&server->ring);
	return room < 0 ? server_broken(server, err) : room;
}

/* Whether what is held may be started. Returns 1, 0 and what it waits for, or -1 and err. */
static int may_start(struct server *server, int64_t *now_ns, enum server_wait *wait,
		     struct vgpu_error **err)
{
	struct channel *channel = &server->channel;

	do {
		int may = has_room(server, err);

		*now_ns = vgpu_now_ns();
		*wait = SERVER_WAITS_ROOM;
		if (may > 0 && server->request.on_gpu) {
			*wait = SERVER_WAITS_GRANT;
			may = gate_enter(&server->gate, err);
		}
		if (may <= 0)
			return may;
		if (!server->request.on_gpu && !jobs_on_gpu(&channel->jobs))
			return gate_leave(&server->gate, err) < 0 ? -1 : 1;
		if (server->request.on_gpu && channel_admits(channel, &server->request, *now_ns))
			return 1;
		*wait = SERVER_WAITS_GPU;
		/* It may be that only nobody looked. */
	} while (!channel_settle(channel));
	return 0;
}

/* Starts what is held. Returns 1 when all of it was, 0 and what it waits for, or -1 and err. */
static int start_held(struct server *server, enum server_wait *wait, struct vgpu_error **err)
{
	struct channel *channel = &server->channel;
	struct channel_result result;
	struct channel_wait none;
	int outcome = CHANNEL_MORE;

	while (outcome == CHANNEL_MORE) {
		int64_t now_ns = 0;
		int may = may_start(server, &now_ns, wait, err);

		if (may < 0)
			return -1;
		if (!may) {
			jobs_wait(&channel->jobs, now_ns);
			return 0;
		}
		outcome = channel_execute(channel, &server->request, now_ns, &result, &none, err);
		if (outcome < 0)
			return -1;
	}
	server->held = false;
	finish(server, &result);
	return 1;
}

/*
 * Checks what was taken, and makes the context that it may need: not while others wait for the GPU,
 * since that takes long. Returns 0 and what it failed with, or -1 and err.
 */
static int prepare(struct server *server, const struct vgpu_submission *submission,
		   struct channel_result *result, struct vgpu_error **err)
{
	struct channel_request *request = &server->request;
	const char *reason;

	channel_count_submission(&server->channel);
	server->tag = submission->tag;
	server->since_gpu++;
	*result = (struct channel_result){ 0 };
	result->status = channel_validate(&server->channel, submission, request, &reason);
	if (!result->status)
		return channel_take_context(&server->channel, request->opcode, &result->status,
					    err);
	vgpu_log_debug("operation 0x%04x: %s", request->opcode, reason);
	return 0;
}

static int run_one(struct server *server, const struct vgpu_submission *submission,
		   enum server_wait *wait, struct vgpu_error **err)
{
	struct channel_result result;
	struct channel_wait waits_for;
	int outcome = CHANNEL_DONE;

	if (prepare(server, submission, &result, err) < 0)
		return -1;
	if (!result.status && (server->request.on_gpu || makes_code(&server->request))) {
		server->held = true;
		server->since_gpu = 0;
		jobs_next(&server->channel.jobs);
		return start_held(server, wait, err);
	}
	if (!result.status)
		outcome = channel_execute(&server->channel, &server->request, 0, &result,
					  &waits_for, err);
	if (outcome < 0)
		return -1;
	if (outcome == CHANNEL_WAITS)
		pending_add(&server->pending, &waits_for, server->tag);
	else
		finish(server, &result);
	return 1;
}

/* Whether a submission may be taken now. Returns 1, 0 and what stands in the way, or -1 and err. */
static int may_take(struct server *server, enum server_wait *wait, struct vgpu_error **err)
{
	int room = ring_room(&server->ring);

	if (room < 0)
		return server_broken(server, err);
	/* Without a submission nothing stands in its way: there may be room when it comes. */
	*wait = room ? SERVER_WAITS_SUBMISSION : SERVER_WAITS_READER;
	if ((!room || !gate_has_token(&server->gate)) && !ring_waiting(&server->ring))
		return 0;
	*wait = SERVER_WAITS_ROOM;
	if (!room || server->pending.count >= PENDING_MAX)
		return 0;
	*wait = SERVER_WAITS_TOKEN;
	return gate_take_token(&server->gate, err);
}

/* Returns 1 when something was done, 0 and what is waited for, or -1 and err. */
static int step(struct server *server, enum server_wait *wait, struct vgpu_error **err)
{
	struct vgpu_submission submission;
	int taken;

	if (server->held)
		return start_held(server, wait, err);
	taken = may_take(server, wait, err);
	if (taken <= 0)
		return taken;
	taken = ring_take(&server->ring, &submission);
	if (taken < 0)
		return server_broken(server, err);
	if (taken == 0) {
		*wait = SERVER_WAITS_SUBMISSION;
		return 0;
	}
	return run_one(server, &submission, wait, err);
}

/* A ring that is never empty must not keep the worker from what else it has to do. */
static int look_around(struct server *server, struct vgpu_error **err)
{
	uint64_t taken = server->ring.taken;

	if (server->pending.count && server_complete_pending(server, err) < 0)
		return -1;
	if (taken % SUBMISSIONS_PER_SETTLE == 0)
		channel_settle(&server->channel);
	/* Of what it took last, nothing needed the GPU. */
	if (server->since_gpu >= SUBMISSIONS_PER_LOOK && server_yield(server, err) < 0)
		return -1;
	if (taken % SUBMISSIONS_PER_CONTROL == 0)
		return mediator_check(server->mediator, err);
	return 0;
}

static int serve(struct server *server, struct vgpu_error **err)
{
	for (;;) {
		enum server_wait wait;
		int done = step(server, &wait, err);

		if (done < 0)
			return -1;
		if (!done) {
			if (server_idle(server, wait, err) < 0)
				return -1;
			continue;
		}
		server_progressed(server);
		if (server->ring.taken % SUBMISSIONS_PER_LOOK == 0 && look_around(server, err) < 0)
			return -1;
	}
}

/*
 * What is on the GPU ends, and others have it while everything else is taken down. The mediator
 * kills who takes too long.
 */
static void leave_gpu(struct server *server)
{
	VGPU_AUTO_ERROR struct vgpu_error *ignored = NULL;

	while (channel_settle(&server->channel))
		usleep(END_LOOK_US);
	/* Where this cannot be said, nobody waits for it. */
	gate_leave(&server->gate, &ignored);
}

int server_run(struct server *server, struct vgpu_error **err)
{
	struct vgpu_error *reason = NULL;

	serve(server, &reason);
	if (reason->status == ESHUTDOWN)
		leave_gpu(server);
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
