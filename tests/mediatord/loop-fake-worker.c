/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker that does what a test wants, honest or not: it speaks the worker protocol, holds no
 * memory, and takes its orders from loop-fake-worker.h. It exits with 0 at the end of the stream.
 */
#include "tests/mediatord/loop-fake-worker.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mediatord/request.h"
#include "mediatord/worker_protocol.h"

static void transmit(const void *bytes, size_t length)
{
	if (send(VGPU_WORKER_CONTROL_FD, bytes, length, MSG_NOSIGNAL) < 0)
		exit(1);
}

static size_t receive(union vgpu_worker_message *message)
{
	ssize_t length = recv(VGPU_WORKER_CONTROL_FD, message, sizeof(*message), 0);

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

static bool reserve(uint64_t bytes)
{
	struct vgpu_worker_reserve message = {
		.header = { .type = VGPU_WORKER_RESERVE, .length = sizeof(message) },
		.bytes = bytes,
	};
	union vgpu_worker_message answer;

	transmit(&message, sizeof(message));
	receive(&answer);
	return answer.reserved.granted;
}

static void release(uint64_t bytes)
{
	struct vgpu_worker_release message = {
		.header = { .type = VGPU_WORKER_RELEASE, .length = sizeof(message) },
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
		release(1 << 20);
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
			.version = VGPU_WORKER_PROTOCOL_VERSION,
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
	struct vgpu_request request;
	const char *reason;

	if (vgpu_request_validate(job->request, job->length, &request, &reason) != VGPU_ERR_NONE)
		exit(2);
	switch (request.opcode) {
	case VGPU_OP_MEMORY_ALLOC:
		if (reserve(request.alloc.bytes)) {
			uint32_t pointer[2] = { (uint32_t)request.alloc.bytes,
						(uint32_t)(request.alloc.bytes >> 32) };

			held += request.alloc.bytes;
			done(job->job, 1000, VGPU_ERR_NONE, pointer, 2);
		} else {
			done(job->job, 0, VGPU_ERR_CUDA, (uint32_t[]){ 2 }, 1);
		}
		return;
	case VGPU_OP_MEMORY_FREE:
		release(request.free.pointer);
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
		release(held);
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
		if (strcmp(request.kernel.name, FAKE_FAIL) == 0) {
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

int main(void)
{
	union vgpu_worker_message message;
	struct vgpu_worker_ready ready = {
		.header = { .type = VGPU_WORKER_READY_MESSAGE, .length = sizeof(ready) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
		.gpu_memory_bytes = 1 << 30,
		.gpu_name = "Fake GPU",
	};
	struct vgpu_worker_failed failed = {
		.header = { .type = VGPU_WORKER_FAILED_MESSAGE, .length = sizeof(failed) },
		.text = "told to fail",
	};

	receive(&message);
	if (message.header.type != VGPU_WORKER_START ||
	    message.start.version != VGPU_WORKER_PROTOCOL_VERSION)
		return 2;
	switch (message.start.memory_bytes) {
	case FAKE_START_SILENT:
		wait_for_end();
		break;
	case FAKE_START_FAILED:
		transmit(&failed, sizeof(failed));
		return 1;
	case FAKE_START_EXIT:
		return 1;
	case FAKE_START_NAME:
		strcpy(ready.gpu_name, "Evil\n\"\xff GPU");
		break;
	default:
		break;
	}
	transmit(&ready, sizeof(ready));
	for (;;) {
		receive(&message);
		if (message.header.type != VGPU_WORKER_JOB)
			return 2;
		run(&message.job);
	}
}
