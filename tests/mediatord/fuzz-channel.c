/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sequences of submissions on the cpu backend, in the fuzzer's own process. Each step is either a
 * submission in raw bytes, or an operation whose pointers and handles are taken from what earlier
 * steps got and moved a little, so that most of it gets past the first check.
 *
 * What must hold: every step is answered; only a synchronisation may wait, and on this backend none
 * does; the ledger has granted no more than its quota, and the grant page says what it holds; what
 * lies beside the window is not touched.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "mediatord/worker/channel.h"
#include "tests/mediatord/fuzz-input.h"

#define WINDOW_BYTES 8192u
#define GUARD_BYTES  64u
#define VALUES_MAX   16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take_context(void *opaque, struct vgpu_error **err)
{
	(void)err;
	/* Some are refused. */
	return *(uint64_t *)opaque % 3 != 2;
}

static int give_context_back(void *opaque, struct vgpu_error **err)
{
	(void)opaque;
	(void)err;
	return 0;
}

/* A result of an earlier step, an offset, a small number, or any. */
static uint64_t take_value(struct input *input, const uint64_t *values)
{
	uint64_t which = take(input, 1);

	switch (which >> 5) {
	case 0:
	case 1:
	case 2:
		return values[which % VALUES_MAX];
	case 3:
		return values[which % VALUES_MAX] + take(input, 2);
	case 4:
		return which & 0x1f;
	case 5:
		return take(input, 2) % (WINDOW_BYTES + 16);
	case 6:
		return 0;
	default:
		return take(input, 8);
	}
}

static struct vgpu_submission take_submission(struct input *input, uint8_t *window,
					      const uint64_t *values)
{
	static const char *const names[] = { "vadd_i32", "vadd_f32", "saxpy_f32", "reduce_sum_f32",
					     "matmul_f32" };
	struct vgpu_submission submission = { .sequence = 1 };
	struct vgpu_launch launch;
	uint64_t parameter, which = take(input, 1);
	const char *name;

	switch (which % 16) {
	case 0: /* a name that is one */
		name = names[take(input, 1) % 5];
		memcpy(window, name, strlen(name));
		submission.opcode = VGPU_RING_MODULE_FUNCTION;
		submission.argument[0] = take_value(input, values);
		submission.argument[2] = strlen(name);
		break;
	case 1:
	case 2: /* a launch that may be one */
		for (size_t i = 0; i < 5; i++) {
			parameter = take_value(input, values);
			memcpy(window + 8 * i, &parameter, 8);
		}
		memset(&launch, 0, sizeof(launch));
		launch.function = (uint32_t)take_value(input, values);
		launch.stream = which & 0x10 ? (uint32_t)take_value(input, values) : 0;
		for (size_t i = 0; i < 3; i++) {
			launch.grid[i] = 1 + (uint32_t)take(input, 1) % 4;
			launch.block[i] = (uint16_t)(1 + take(input, 1) % 16);
		}
		launch.parameter_bytes = (uint16_t)(which & 0x20 ? 24 : which & 0x40 ? 36 : 32);
		submission.opcode = VGPU_RING_LAUNCH;
		memcpy(submission.argument, &launch, sizeof(launch));
		break;
	case 3: /* anything */
		for (size_t i = 0; i < 8; i++) {
			uint64_t word = take(input, 8);

			memcpy((uint8_t *)&submission + 8 * i, &word, 8);
		}
		break;
	default:
		submission.opcode = (uint16_t)(take(input, 1) % 0x61);
		submission.flags = which & 0x80 ? VGPU_SUBMIT_NO_REPLY : 0;
		for (uint64_t i = 0; i < (which >> 4) % 6; i++)
			submission.argument[i] = take_value(input, values);
		break;
	}
	return submission;
}

static void check_step(const struct channel *channel, const struct channel_result *result,
		       uint64_t held)
{
	const uint8_t *window = channel->window;

	if (result->status && (result->value[0] > VGPU_MEMORY_QUOTA || result->value[1]))
		abort();
	if (result->status && result->status != CUDA_ERROR_OUT_OF_MEMORY && result->value[0])
		abort();
	if (channel->grant->memory_used_bytes != held)
		abort();
	for (size_t i = 0; i < GUARD_BYTES; i++)
		if (window[-1 - (ptrdiff_t)i] != 0xa5 || window[WINDOW_BYTES + i] != 0xa5)
			abort();
}

/* On this backend every call ends with an idle GPU, so all of it may be started. */
static void execute(struct channel *channel, struct channel_request *request,
		    struct channel_result *result)
{
	struct channel_wait wait;
	int outcome = CHANNEL_MORE;

	if (channel_take_context(channel, request->opcode, &result->status, NULL) < 0)
		abort();
	if (result->status)
		return;
	jobs_next(&channel->jobs);
	while (outcome == CHANNEL_MORE) {
		if (request->on_gpu && !channel_admits(channel, request, 1))
			abort();
		outcome = channel_execute(channel, request, 1, result, &wait, NULL);
	}
	if (outcome != CHANNEL_DONE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[GUARD_BYTES + WINDOW_BYTES + GUARD_BYTES];
	uint64_t held = 0, values[VALUES_MAX] = { 0 };
	const struct memory_ledger ledger = { .reserve = reserve,
					      .release = release,
					      .take_context = take_context,
					      .give_context_back = give_context_back,
					      .opaque = &held };
	struct vgpu_grant_page grant = { .grant = VGPU_GRANT_RUN, .quota_bytes = QUOTA };
	struct channel channel = { .mediator = &ledger,
				   .grant = &grant,
				   .window = memory + GUARD_BYTES,
				   .window_bytes = WINDOW_BYTES,
				   .idle_ms = 1 };
	int64_t now_ns = 1, due_ns;
	struct input input = { data, size };
	size_t next = 0;

	memset(memory, 0xa5, sizeof(memory));
	if (backend_cpu.open(0, 0, &channel.backend, NULL) < 0 || channel_open(&channel, NULL) < 0)
		abort();
	while (input.size > 0) {
		struct vgpu_submission submission = take_submission(&input, channel.window, values);
		struct channel_request request;
		struct channel_result result = { 0 };
		const char *reason;

		result.status = channel_validate(&channel, &submission, &request, &reason);
		if (!result.status)
			execute(&channel, &request, &result);
		if (result.status)
			channel_failed(&channel, &request, &result);
		check_step(&channel, &result, held);
		/* Every third step it has been idle for long enough, if it holds nothing. */
		now_ns += VGPU_NS_PER_MS / 2;
		if (channel_idle_due(&channel, now_ns, &due_ns, NULL) < 0 ||
		    (!channel.context && held))
			abort();
		if (!result.status && result.value[0])
			values[next++ % VALUES_MAX] = result.value[0];
	}
	channel_close(&channel);
	channel.backend->ops->close(&channel.backend);
	return 0;
}
