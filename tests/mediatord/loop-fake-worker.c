/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker that does what a test wants, honest or not: it speaks the worker protocol, holds no
 * memory, and takes its orders from loop-fake-worker.h, or, for a channel, medchan-device.h. It
 * exits with 0 at the end of the stream.
 */
#include "tests/mediatord/loop-fake-worker.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/packet.h"
#include "mediatord/request.h"
#include "mediatord/worker_protocol.h"
#include "tests/mediatord/medchan-device.h"

static void transmit(const void *bytes, size_t length)
{
	if (send(VGPU_WORKER_CONTROL_FD, bytes, length, MSG_NOSIGNAL) < 0)
		exit(1);
}

/* The next message that is no WAKE: what those are about is looked at when a test asks. */
static size_t receive(union vgpu_worker_message *message)
{
	ssize_t length;

	do
		length = recv(VGPU_WORKER_CONTROL_FD, message, sizeof(*message), 0);
	while (length > 0 && message->header.type == VGPU_WORKER_WAKE);
	if (length <= 0)
		exit(length == 0 ? 0 : 1);
	return (size_t)length;
}

static void wait_for_end(void)
{
	struct pollfd poll_fd = { .fd = VGPU_WORKER_CONTROL_FD, .events = 0 };

	poll(&poll_fd, 1, -1);
	exit(0);
}

static void done_with(uint64_t job, uint64_t gpu_time_ns, uint32_t error, const uint32_t *results,
		      uint32_t count, const void *data, uint32_t data_length)
{
	struct vgpu_worker_done message = {
		.header = { .type = VGPU_WORKER_DONE },
		.job = job,
		.gpu_time_ns = gpu_time_ns,
		.error_code = error,
	};

	message.length =
		vgpu_response_build(message.response, error, results, count, data, data_length, 0);
	message.header.length =
		(uint32_t)(offsetof(struct vgpu_worker_done, response) + message.length);
	transmit(&message, message.header.length);
}

static void done(uint64_t job, uint64_t gpu_time_ns, uint32_t error, const uint32_t *results,
		 uint32_t count)
{
	done_with(job, gpu_time_ns, error, results, count, NULL, 0);
}

static bool reserve(uint32_t kind, uint64_t bytes)
{
	static uint32_t number;
	struct vgpu_worker_reserve message = {
		.header = { .type = VGPU_WORKER_RESERVE, .length = sizeof(message) },
		.number = number + 1,
		.kind = kind,
		.bytes = bytes,
	};
	union vgpu_worker_message answer;

	number++;
	transmit(&message, sizeof(message));
	receive(&answer);
	if (answer.header.type != VGPU_WORKER_RESERVED || answer.reserved.number != number)
		exit(2);
	return answer.reserved.granted;
}

static void release(uint32_t kind, uint64_t bytes)
{
	struct vgpu_worker_release message = {
		.header = { .type = VGPU_WORKER_RELEASE, .length = sizeof(message) },
		.kind = kind,
		.bytes = bytes,
	};

	transmit(&message, sizeof(message));
}

static void misbehave(const char *name, uint64_t job)
{
	if (strcmp(name, FAKE_EXIT) == 0)
		exit(3);
	if (strcmp(name, FAKE_HANG) == 0)
		wait_for_end();
	if (strcmp(name, FAKE_SLOW) == 0)
		usleep(200000);
	if (strcmp(name, FAKE_OVER_RELEASE) == 0)
		release(VGPU_WORKER_KIND_MEMORY, 1 << 20);
	if (strcmp(name, FAKE_OTHER_JOB) == 0)
		done(job + 1, 0, VGPU_ERR_NONE, NULL, 0);
	if (strcmp(name, FAKE_ERROR) == 0)
		done(job, 0, 0xDEAD, NULL, 0);
	if (strcmp(name, FAKE_RESERVE) == 0)
		for (;;) {
			struct vgpu_worker_reserve message = {
				.header = { .type = VGPU_WORKER_RESERVE,
					    .length = sizeof(message) },
			};

			transmit(&message, sizeof(message));
		}
	if (strcmp(name, FAKE_BAD_LENGTH) == 0) {
		struct vgpu_worker_done message = { .header = { .type = VGPU_WORKER_DONE,
								.length = 4000000000u } };

		transmit(&message, 100);
	}
	if (strcmp(name, FAKE_LONG) == 0) {
		static const char long_message[4096];

		transmit(long_message, sizeof(long_message));
	}
	if (strcmp(name, FAKE_UNKNOWN) == 0) {
		struct vgpu_worker_header message = { .type = 99, .length = sizeof(message) };

		transmit(&message, sizeof(message));
	}
	if (strcmp(name, FAKE_READY) == 0) {
		struct vgpu_worker_ready message = {
			.header = { .type = VGPU_WORKER_READY_MESSAGE, .length = sizeof(message) },
		};

		transmit(&message, sizeof(message));
	}
}

static void run(const struct vgpu_worker_job *job)
{
	/* Bytes that were reserved by job; a pointer is the size itself. */
	static uint64_t held;
	/* As vgpu-worker does, it gives an asynchronous failure's account at SYNCHRONIZE. */
	static bool kept;
	/* No call of its context succeeds any more. */
	static bool poisoned;
	struct vgpu_request request;
	const char *reason;

	if (vgpu_request_validate(job->request, job->length, &request, &reason) != VGPU_ERR_NONE)
		exit(2);
	switch (request.opcode) {
	case VGPU_OP_MEMORY_ALLOC:
		if (reserve(VGPU_WORKER_KIND_MEMORY, request.alloc.bytes)) {
			uint32_t pointer[2] = { (uint32_t)request.alloc.bytes,
						(uint32_t)(request.alloc.bytes >> 32) };

			held += request.alloc.bytes;
			done(job->job, 1000, VGPU_ERR_NONE, pointer, 2);
		} else {
			done(job->job, 0, VGPU_ERR_CUDA, (uint32_t[]){ 2 }, 1);
		}
		return;
	case VGPU_OP_MEMORY_FREE:
		release(VGPU_WORKER_KIND_MEMORY, request.free.pointer);
		held -= request.free.pointer;
		break;
	case VGPU_OP_GET_DEVICE_INFO:
		done(job->job, 0, VGPU_ERR_NONE, (uint32_t[VGPU_INFO_WORDS]){ 0 }, VGPU_INFO_WORDS);
		return;
	case VGPU_OP_MEMORY_COPY:
		/* Memory always reads as zeros, whatever was copied or computed. */
		if (request.copy.direction == VGPU_COPY_DEVICE_TO_HOST) {
			static const uint8_t zeros[VGPU_MAILBOX_BYTES];

			done_with(job->job, 0, VGPU_ERR_NONE, NULL, 0, zeros,
				  (uint32_t)request.copy.bytes);
			return;
		}
		break;
	case VGPU_OP_CONTEXT_RESET:
		if (poisoned) {
			done(job->job, 0, VGPU_ERR_CUDA, (uint32_t[]){ 700 }, 1);
			return;
		}
		release(VGPU_WORKER_KIND_MEMORY, held);
		held = 0;
		kept = false;
		break;
	case VGPU_OP_SYNCHRONIZE:
		if (!kept)
			break;
		kept = false;
		done(job->job, 0, VGPU_ERR_CUDA, (uint32_t[]){ 700 }, 1);
		return;
	case VGPU_OP_CUDA_KERNEL:
		misbehave(request.kernel.name, job->job);
		poisoned = poisoned || strcmp(request.kernel.name, FAKE_POISON) == 0;
		if (poisoned || strcmp(request.kernel.name, FAKE_FAIL) == 0) {
			kept = kept || request.async;
			done(job->job, 0, VGPU_ERR_CUDA, (uint32_t[]){ 700 }, 1);
			return;
		}
		if (strcmp(request.kernel.name, FAKE_TIME) == 0) {
			done(job->job, UINT64_C(3600000000000), VGPU_ERR_NONE, NULL, 0);
			return;
		}
		break;
	default:
		break;
	}
	done(job->job, 1000, VGPU_ERR_NONE, NULL, 0);
}

/* A channel's orders: medchan-device.h. */
struct rings {
	int fds[4]; /* BAR2, doorbell, completion, grant page */
	size_t fd_count;
	struct order *order;
	uint64_t region_bytes;
	struct vgpu_grant_page *grant;
	bool ignores_end;
	bool fails_at_end;
};

static void map_rings(struct rings *rings, const struct vgpu_worker_start *start)
{
	if (rings->fd_count != 4 || start->region_bytes < sizeof(*rings->order))
		exit(2);
	rings->region_bytes = start->region_bytes;
	rings->order = mmap(NULL, start->region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			    rings->fds[0], (off_t)start->region);
	rings->grant = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, rings->fds[3], 0);
	if (rings->order == MAP_FAILED || rings->grant == MAP_FAILED)
		exit(2);
	/* As a real one: what somebody left there is gone before the channel is open. */
	memset(rings->order, 0, start->region_bytes);
}

static void want(uint32_t what)
{
	const struct vgpu_worker_want message = {
		.header = { .type = VGPU_WORKER_WANT, .length = sizeof(message) },
		.what = what,
	};

	transmit(&message, sizeof(message));
}

static void yielded(void)
{
	const struct vgpu_worker_yielded message = {
		.header = { .type = VGPU_WORKER_YIELDED, .length = sizeof(message) },
	};

	transmit(&message, sizeof(message));
}

_Noreturn static void flood(struct order *order, uint32_t what)
{
	for (;;) {
		if (what)
			want(what);
		else
			yielded();
		__atomic_add_fetch(&order->flooded, 1, __ATOMIC_RELAXED);
	}
}

static uint64_t carry_out(struct rings *rings, uint32_t kind, uint64_t argument)
{
	struct vgpu_grant_page *grant = rings->grant;

	switch (kind) {
	case ORDER_RESERVE:
		return reserve(VGPU_WORKER_KIND_MEMORY, argument);
	case ORDER_RELEASE:
		release(VGPU_WORKER_KIND_MEMORY, argument);
		return 0;
	case ORDER_CONTEXT:
		if (argument)
			return reserve(VGPU_WORKER_KIND_CONTEXT, 0);
		release(VGPU_WORKER_KIND_CONTEXT, 0);
		return 0;
	case ORDER_COUNT:
		grant->submissions += argument;
		grant->errors += argument;
		grant->gpu_time_ns += argument;
		return 0;
	case ORDER_LIE:
		grant->submissions = UINT64_MAX;
		grant->errors = UINT64_MAX;
		grant->gpu_time_ns = UINT64_MAX;
		return 0;
	case ORDER_EXIT:
		exit(3);
	case ORDER_IGNORE_END:
		rings->ignores_end = true;
		return 0;
	case ORDER_FAIL_AT_END:
		rings->fails_at_end = true;
		return 0;
	case ORDER_DONE:
		done(1, 0, VGPU_ERR_NONE, NULL, 0);
		return 0;
	case ORDER_USED:
		return __atomic_load_n(&grant->used_bytes, __ATOMIC_ACQUIRE);
	case ORDER_QUOTA:
		return grant->quota_bytes;
	case ORDER_DEPTH:
		return __atomic_load_n(&grant->queue_depth, __ATOMIC_RELAXED);
	case ORDER_ECHO:
		return argument;
	case ORDER_DESCRIPTORS:
		return rings->fd_count;
	case ORDER_WANT:
		want((uint32_t)argument);
		return 0;
	case ORDER_HOLD:
		__atomic_store_n(&grant->holding, (uint32_t)argument, __ATOMIC_SEQ_CST);
		return __atomic_load_n(&grant->grant, __ATOMIC_SEQ_CST);
	case ORDER_YIELD:
		__atomic_store_n(&grant->holding, 0, __ATOMIC_SEQ_CST);
		yielded();
		return 0;
	case ORDER_GRANT:
		return __atomic_load_n(&grant->grant, __ATOMIC_SEQ_CST);
	case ORDER_TOKENS:
		return __atomic_load_n(&grant->tokens, __ATOMIC_SEQ_CST);
	case ORDER_JOB_SINCE:
		__atomic_store_n(&grant->job_since_ns, argument, __ATOMIC_SEQ_CST);
		return 0;
	case ORDER_FLOOD:
		flood(rings->order, (uint32_t)argument);
	case ORDER_SHRINK:
		return ftruncate(rings->fds[3], 0) == 0;
	default:
		exit(2);
	}
}

static void take_order(struct rings *rings)
{
	struct order *order = rings->order;
	uint64_t count = 1;

	if (read(rings->fds[1], &count, sizeof(count)) < 0)
		return;
	if (__atomic_load_n(&order->sequence, __ATOMIC_ACQUIRE) == order->answered)
		return;
	order->answer = carry_out(rings, order->kind, order->argument);
	__atomic_store_n(&order->answered, order->sequence, __ATOMIC_RELEASE);
	count = 1;
	if (write(rings->fds[2], &count, sizeof(count)) < 0)
		exit(2);
}

static void fail_at_end(struct rings *rings)
{
	const struct vgpu_worker_failed failed = {
		.header = { .type = VGPU_WORKER_FAILED_MESSAGE, .length = sizeof(failed) },
		.text = "the guest broke its ring",
	};

	transmit(&failed, sizeof(failed));
	usleep(200000);
	rings->order->answer = ORDER_FAIL_AT_END;
	exit(0);
}

static void serve_rings(struct rings *rings)
{
	for (;;) {
		struct pollfd poll_fds[] = {
			{ .fd = VGPU_WORKER_CONTROL_FD, .events = POLLIN },
			{ .fd = rings->fds[1], .events = POLLIN },
		};
		union vgpu_worker_message message;

		poll(poll_fds, 2, -1);
		if (poll_fds[0].revents) {
			if (recv(VGPU_WORKER_CONTROL_FD, &message, sizeof(message), 0) <= 0)
				exit(0);
			if (message.header.type == VGPU_WORKER_WAKE)
				continue;
			if (message.header.type != VGPU_WORKER_END)
				exit(2);
			if (rings->fails_at_end)
				fail_at_end(rings);
			if (!rings->ignores_end) {
				memset(rings->order, 0, rings->region_bytes);
				exit(0);
			}
		}
		if (poll_fds[1].revents)
			take_order(rings);
	}
}

/* Receives PREPARE, and START with a channel's descriptors. */
static void begin(struct vgpu_worker_start *start, struct rings *rings)
{
	struct pollfd poll_fd = { .fd = VGPU_WORKER_CONTROL_FD, .events = POLLIN };
	union vgpu_worker_message message;

	if (receive(&message) != sizeof(message.prepare) ||
	    message.header.type != VGPU_WORKER_PREPARE ||
	    message.prepare.version != VGPU_WORKER_PROTOCOL_VERSION)
		exit(2);
	poll(&poll_fd, 1, -1);
	if (vgpu_packet_receive(VGPU_WORKER_CONTROL_FD, &message, sizeof(message), rings->fds, 4,
				&rings->fd_count) != sizeof(message.start) ||
	    message.header.type != VGPU_WORKER_START)
		exit(2);
	*start = message.start;
}

int main(void)
{
	union vgpu_worker_message message;
	struct vgpu_worker_start start;
	struct rings rings = { .fd_count = 0 };
	struct vgpu_worker_prepared prepared = {
		.header = { .type = VGPU_WORKER_PREPARED_MESSAGE, .length = sizeof(prepared) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.gpu_memory_bytes = 1 << 30,
		.gpu_name = "Fake GPU",
	};
	const struct vgpu_worker_ready ready = {
		.header = { .type = VGPU_WORKER_READY_MESSAGE, .length = sizeof(ready) },
	};
	struct vgpu_worker_failed failed = {
		.header = { .type = VGPU_WORKER_FAILED_MESSAGE, .length = sizeof(failed) },
		.text = "told to fail",
	};

	begin(&start, &rings);
	switch (start.memory_bytes) {
	case FAKE_START_SILENT:
		wait_for_end();
		break;
	case FAKE_START_FAILED:
		transmit(&failed, sizeof(failed));
		return 1;
	case FAKE_START_EXIT:
		return 1;
	case FAKE_START_NAME:
		strcpy(prepared.gpu_name, "Evil\n\"\xff GPU");
		break;
	default:
		break;
	}
	if (start.region_bytes)
		map_rings(&rings, &start);
	transmit(&prepared, sizeof(prepared));
	transmit(&ready, sizeof(ready));
	if (rings.order)
		serve_rings(&rings);
	for (;;) {
		receive(&message);
		if (message.header.type != VGPU_WORKER_JOB)
			return 2;
		run(&message.job);
	}
}
