/* SPDX-License-Identifier: Apache-2.0 */
/* When errors surface: of submissions without a reply, of kernels, and of the quota. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mediatord/worker/cuda_error.h"
#include "tests/mediatord/channel-driver.h"

static int begin(void **state)
{
	static struct channel_driver channel;

	channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 4u << 20);
	*state = &channel;
	return 0;
}

static int end(void **state)
{
	channel_end(*state);
	return 0;
}

static void submit_silently(struct channel_driver *channel, uint16_t opcode, uint64_t a, uint64_t b,
			    uint64_t c)
{
	const struct vgpu_submission submission = { .opcode = opcode,
						    .flags = VGPU_SUBMIT_NO_REPLY,
						    .tag = 0xbad,
						    .argument = { a, b, c } };

	guest_ring_submit(&channel->ring, &submission);
}

static void the_first_silent_error_surfaces_once(void **state)
{
	struct channel_driver *channel = *state;
	static const uint16_t synchronisations[] = { VGPU_RING_CONTEXT_SYNCHRONIZE,
						     VGPU_RING_STREAM_SYNCHRONIZE };

	for (int i = 0; i < 2; i++) {
		submit_silently(channel, VGPU_RING_NOP, 0, 0, 0);
		submit_silently(channel, VGPU_RING_STREAM_DESTROY, 77, 0, 0);
		submit_silently(channel, VGPU_RING_MEM_FREE, 4711, 0, 0);
		submit_silently(channel, 0x7777, 0, 0, 0);
		/* Nothing else is failed by it. */
		channel_must(channel, VGPU_RING_NOP, 0, 0, 0, 0, 0);
		channel_must(channel, VGPU_RING_STREAM_QUERY, 0, 0, 0, 0, 0);
		channel_expect(channel, synchronisations[i], 0, 0, 0, 0, 0,
			       CUDA_ERROR_INVALID_HANDLE);
		channel_must(channel, synchronisations[i], 0, 0, 0, 0, 0);
	}
}

static void it_surfaces_at_an_events_synchronisation_too(void **state)
{
	struct channel_driver *channel = *state;
	uint64_t event = channel_must(channel, VGPU_RING_EVENT_CREATE, 0, 0, 0, 0, 0);

	submit_silently(channel, VGPU_RING_COPY_HTOD, 1, 0, 8);
	channel_must(channel, VGPU_RING_EVENT_QUERY, event, 0, 0, 0, 0);
	channel_expect(channel, VGPU_RING_EVENT_SYNCHRONIZE, event, 0, 0, 0, 0,
		       CUDA_ERROR_INVALID_VALUE);
	channel_must(channel, VGPU_RING_EVENT_SYNCHRONIZE, event, 0, 0, 0, 0);
}

static void silent_work_is_done(void **state)
{
	struct channel_driver *channel = *state;
	uint64_t pointer = channel_must(channel, VGPU_RING_MEM_ALLOC, 16, 0, 0, 0, 0);

	memcpy(channel->ring.window, "sixteen bytes...", 16);
	submit_silently(channel, VGPU_RING_COPY_HTOD, pointer, 0, 16);
	submit_silently(channel, VGPU_RING_COPY_DTOH, 100, pointer, 16);
	channel_must(channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
	assert_memory_equal(channel->ring.window + 100, "sixteen bytes...", 16);
	submit_silently(channel, VGPU_RING_MEM_FREE, pointer, 0, 0);
	channel_must(channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
	assert_true(channel->driver.reserved == 0);
}

/* A kernel that faults leaves the context with its error; the launch itself succeeds. */
static void a_kernels_fault_stays(void **state)
{
	struct channel_driver *channel = *state;
	uint64_t pointer = channel_must(channel, VGPU_RING_MEM_ALLOC, 400, 0, 0, 0, 0);
	uint64_t parameters[] = { pointer, pointer, 16, 100 };
	uint64_t function = channel_function(channel, "vadd_i32");
	struct vgpu_submission launch =
		channel_launch(channel, function, 1, 128, parameters, sizeof(parameters));

	assert_int_equal(channel_run(channel, launch).status, 0);
	for (int i = 0; i < 2; i++)
		channel_expect(channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0,
			       CUDA_ERROR_ILLEGAL_ADDRESS);
	channel_expect(channel, VGPU_RING_STREAM_QUERY, 0, 0, 0, 0, 0, CUDA_ERROR_ILLEGAL_ADDRESS);
	channel_expect(channel, VGPU_RING_MEM_ALLOC, 8, 0, 0, 0, 0, CUDA_ERROR_ILLEGAL_ADDRESS);
	channel_expect(channel, VGPU_RING_MEM_FREE, pointer, 0, 0, 0, 0,
		       CUDA_ERROR_ILLEGAL_ADDRESS);
	channel_expect(channel, VGPU_RING_EVENT_CREATE, 0, 0, 0, 0, 0, CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(channel_run(channel, launch).status, CUDA_ERROR_ILLEGAL_ADDRESS);
	/* The silent one comes first, once; then the sticky one again. */
	submit_silently(channel, VGPU_RING_STREAM_DESTROY, 77, 0, 0);
	channel_expect(channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0,
		       CUDA_ERROR_INVALID_HANDLE);
	channel_expect(channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0,
		       CUDA_ERROR_ILLEGAL_ADDRESS);
	/* What needs no context goes on. */
	channel_must(channel, VGPU_RING_NOP, 0, 0, 0, 0, 0);
	channel_must(channel, VGPU_RING_MEM_INFO, 0, 0, 0, 0, 0);
}

static void a_misaligned_kernel(void **state)
{
	struct channel_driver *channel = *state;
	uint64_t pointer = channel_must(channel, VGPU_RING_MEM_ALLOC, 400, 0, 0, 0, 0);
	struct {
		uint64_t in, out, n;
	} parameters = { pointer + 1, pointer, 4 };
	uint64_t function = channel_function(channel, "reduce_sum_f32");
	struct vgpu_submission launch =
		channel_launch(channel, function, 1, 1, &parameters, sizeof(parameters));

	assert_int_equal(channel_run(channel, launch).status, 0);
	channel_expect(channel, VGPU_RING_STREAM_SYNCHRONIZE, 0, 0, 0, 0, 0,
		       CUDA_ERROR_MISALIGNED_ADDRESS);
}

/* Matrices whose sizes multiply beyond 64 bits. */
static void kernels_of_enormous_sizes(void **state)
{
	struct channel_driver *channel = *state;
	uint64_t pointer = channel_must(channel, VGPU_RING_MEM_ALLOC, 400, 0, 0, 0, 0);
	struct {
		uint64_t a, b, c;
		uint32_t m, n, k;
	} parameters = { pointer, pointer, pointer, UINT32_MAX, UINT32_MAX, UINT32_MAX };
	uint64_t function = channel_function(channel, "matmul_f32");
	struct vgpu_submission launch = channel_launch(channel, function, 1, 1, &parameters, 36);
	struct vgpu_launch *shape = (struct vgpu_launch *)(void *)launch.argument;

	shape->grid[0] = 0x7fffffff;
	shape->grid[1] = 65535;
	shape->block[0] = 4;
	shape->block[1] = 256;
	assert_int_equal(channel_run(channel, launch).status, 0);
	channel_expect(channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0,
		       CUDA_ERROR_ILLEGAL_ADDRESS);
}

static void the_quota_holds_to_the_byte(void **state)
{
	struct channel_driver *channel = *state;
	uint64_t all = channel_must(channel, VGPU_RING_MEM_ALLOC, 4u << 20, 0, 0, 0, 0);
	unsigned int asked = channel->driver.reserves;
	struct vgpu_completion refused;

	refused = channel_call(channel, VGPU_RING_MEM_ALLOC, 1, 0, 0, 0, 0);
	assert_int_equal(refused.status, CUDA_ERROR_OUT_OF_MEMORY);
	assert_true(refused.result[0] == VGPU_MEMORY_QUOTA && refused.result[1] == 0);
	/* What no quota would allow is another matter. */
	channel_expect(channel, VGPU_RING_MEM_ALLOC, UINT64_MAX, 0, 0, 0, 0,
		       CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(channel->driver.reserves, asked + 1);
	assert_true(channel->grant->memory_used_bytes == 4u << 20);
	channel_must(channel, VGPU_RING_MEM_FREE, all, 0, 0, 0, 0);
	assert_true(channel->driver.reserved == 0);
	assert_true(channel->grant->memory_used_bytes == 0);
	all = channel_must(channel, VGPU_RING_MEM_ALLOC, (4u << 20) - 255, 0, 0, 0, 0);
	assert_true(channel->driver.reserved == 4u << 20);
	channel_must(channel, VGPU_RING_MEM_FREE, all, 0, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(the_first_silent_error_surfaces_once),
		TEST(it_surfaces_at_an_events_synchronisation_too),
		TEST(silent_work_is_done),
		TEST(a_kernels_fault_stays),
		TEST(a_misaligned_kernel),
		TEST(kernels_of_enormous_sizes),
		TEST(the_quota_holds_to_the_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
