/* SPDX-License-Identifier: Apache-2.0 */
/* A channel that holds nothing on the GPU gives its context back, and takes one when it needs it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "mediatord/worker/channel.h"
#include "tests/mediatord/channel-driver.h"

#define MS	     VGPU_NS_PER_MS
#define IDLE_MS	     100
#define WINDOW_BYTES 65536

/* A channel in the test's own process, and its mediator. Time is what the test says it is. */
struct fixture {
	struct vgpu_grant_page grant;
	struct memory_ledger ledger;
	struct channel channel;
	uint8_t window[WINDOW_BYTES];
	int contexts; /* that the mediator knows of */
	bool refuses, gone;
	int asked;
};

static struct fixture fixture;

static int reserve(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	(void)opaque;
	(void)bytes;
	(void)err;
	return 1;
}

static int release(void *opaque, uint64_t bytes, struct vgpu_error **err)
{
	(void)opaque;
	(void)bytes;
	(void)err;
	return 0;
}

static int take_context(void *opaque, struct vgpu_error **err)
{
	(void)opaque;
	fixture.asked++;
	if (fixture.gone)
		return vgpu_error_set(err, EPIPE, "the mediator is gone");
	if (fixture.refuses)
		return 0;
	fixture.contexts++;
	return 1;
}

static int give_context_back(void *opaque, struct vgpu_error **err)
{
	(void)opaque;
	(void)err;
	fixture.contexts--;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(&fixture, 0, sizeof(fixture));
	fixture.contexts = 1;
	fixture.grant.grant = VGPU_GRANT_RUN;
	fixture.ledger = (struct memory_ledger){ .reserve = reserve,
						 .release = release,
						 .take_context = take_context,
						 .give_context_back = give_context_back };
	fixture.channel = (struct channel){ .mediator = &fixture.ledger,
					    .grant = &fixture.grant,
					    .window = fixture.window,
					    .window_bytes = WINDOW_BYTES,
					    .idle_ms = IDLE_MS };
	if (backend_cpu.open(0, 0, &fixture.channel.backend, NULL) < 0)
		return -1;
	return channel_open(&fixture.channel, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	channel_close(&fixture.channel);
	fixture.channel.backend->ops->close(&fixture.channel.backend);
	return 0;
}

/* Runs one operation; its result is in *value. */
static cuda_error run(uint16_t opcode, uint64_t a, uint64_t b, uint64_t *value)
{
	const struct vgpu_submission submission = { .opcode = opcode, .argument = { a, b } };
	struct channel_request request;
	struct channel_result result = { 0 };
	struct channel_wait wait;
	const char *reason;

	result.status = channel_validate(&fixture.channel, &submission, &request, &reason);
	if (!result.status)
		assert_int_equal(
			channel_take_context(&fixture.channel, opcode, &result.status, NULL), 0);
	if (!result.status) {
		if (request.on_gpu)
			assert_true(channel_admits(&fixture.channel, &request, 1));
		assert_int_equal(
			channel_execute(&fixture.channel, &request, 1, &result, &wait, NULL),
			CHANNEL_DONE);
	}
	if (value)
		*value = result.value[0];
	return result.status;
}

/* The channel is looked at at this time; returns when it wants to be looked at again. */
static int64_t look(int64_t now_ns)
{
	int64_t due_ns = -1;

	assert_int_equal(channel_idle_due(&fixture.channel, now_ns, &due_ns, NULL), 0);
	return due_ns;
}

static void give_back(int64_t now_ns)
{
	look(now_ns);
	look(now_ns + IDLE_MS * MS);
	assert_int_equal(fixture.contexts, 0);
}

static void it_is_given_back_after_the_time(void **state)
{
	(void)state;
	assert_int_equal(look(1000 * MS), 1100 * MS);
	assert_int_equal(look(1050 * MS), 1100 * MS);
	assert_int_equal(look(1100 * MS - 1), 1100 * MS);
	assert_int_equal(fixture.contexts, 1);
	assert_int_equal(look(1100 * MS), 0);
	assert_int_equal(fixture.contexts, 0);
	/* Once. */
	assert_int_equal(look(9000 * MS), 0);
	assert_int_equal(fixture.contexts, 0);
}

static void without_a_time_it_is_kept(void **state)
{
	(void)state;
	fixture.channel.idle_ms = 0;
	assert_int_equal(look(1), 0);
	assert_int_equal(look(INT64_MAX), 0);
	assert_int_equal(fixture.contexts, 1);
}

/* Whatever it holds keeps the context, and the time begins when it holds nothing. */
static void what_is_held_keeps_it(void **state)
{
	static const uint16_t operations[][2] = {
		{ VGPU_RING_MEM_ALLOC, VGPU_RING_MEM_FREE },
		{ VGPU_RING_MODULE_BUILTIN, VGPU_RING_MODULE_UNLOAD },
		{ VGPU_RING_STREAM_CREATE, VGPU_RING_STREAM_DESTROY },
		{ VGPU_RING_EVENT_CREATE, VGPU_RING_EVENT_DESTROY },
	};
	int64_t now_ns = MS;

	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		bool memory = operations[i][0] == VGPU_RING_MEM_ALLOC;
		uint64_t value = 0;

		assert_int_equal(look(now_ns), now_ns + IDLE_MS * MS);
		assert_int_equal(run(operations[i][0], memory ? 100 : 0, 0, &value), 0);
		now_ns += 10 * IDLE_MS * MS;
		assert_int_equal(look(now_ns), 0);
		assert_int_equal(fixture.contexts, 1);
		assert_int_equal(run(operations[i][1], value, 0, NULL), 0);
		assert_int_equal(look(now_ns), now_ns + IDLE_MS * MS);
		now_ns += IDLE_MS * MS;
		look(now_ns);
		assert_int_equal(fixture.contexts, 0);
		/* The next round takes it again. */
		assert_int_equal(run(VGPU_RING_EVENT_CREATE, 0, 0, &value), 0);
		assert_int_equal(fixture.contexts, 1);
		assert_int_equal(run(VGPU_RING_EVENT_DESTROY, value, 0, NULL), 0);
	}
	assert_int_equal(fixture.asked, 4);
	/* As does work that has not ended. */
	fixture.channel.jobs.inflight.count = 1;
	assert_int_equal(look(now_ns), 0);
	assert_int_equal(fixture.contexts, 1);
}

static void what_needs_none_takes_none(void **state)
{
	uint64_t value = 0;

	(void)state;
	give_back(MS);
	assert_int_equal(run(VGPU_RING_NOP, 0, 0, NULL), 0);
	assert_int_equal(run(VGPU_RING_DEVICE_INFO, 0, 4096, NULL), 0);
	assert_int_equal(run(VGPU_RING_DEVICE_ATTRIBUTE, 1, 0, &value), 0);
	assert_int_equal(value, 1024);
	assert_int_equal(run(VGPU_RING_MEM_INFO, 0, 0, NULL), 0);
	assert_int_equal(run(VGPU_RING_STREAM_QUERY, 0, 0, NULL), 0);
	assert_int_equal(run(VGPU_RING_STREAM_SYNCHRONIZE, 0, 0, NULL), 0);
	assert_int_equal(run(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, NULL), 0);
	/* On what is not there. */
	assert_int_equal(run(VGPU_RING_MEM_FREE, 4096, 0, NULL), 1);
	assert_int_equal(run(VGPU_RING_MODULE_UNLOAD, 1, 0, NULL), 400);
	assert_int_equal(run(VGPU_RING_EVENT_QUERY, 1, 0, NULL), 400);
	assert_int_equal(fixture.asked, 0);
	assert_int_equal(fixture.contexts, 0);
}

/* An error that was kept for the next synchronisation outlives the context. */
static void a_kept_error_stays(void **state)
{
	(void)state;
	fixture.channel.kept = CUDA_ERROR_INVALID_VALUE;
	give_back(MS);
	assert_int_equal(run(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, NULL), 1);
	assert_int_equal(run(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, NULL), 0);
}

/* So does the limit that was in the way of what nobody waited for. */
static void a_kept_limit_stays(void **state)
{
	const struct channel_request silent = { .opcode = VGPU_RING_LAUNCH, .no_reply = true };
	const struct channel_result none = { .status = CUDA_ERROR_OUT_OF_MEMORY,
					     .value = { VGPU_MEMORY_QUOTA } };
	uint64_t limit = 0;

	(void)state;
	channel_failed(&fixture.channel, &silent, &none);
	give_back(MS);
	assert_int_equal(run(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, &limit),
			 CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(limit, VGPU_MEMORY_QUOTA);
	assert_int_equal(run(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, &limit), 0);
	assert_int_equal(limit, 0);
}

static void a_refusal_is_that_operations_error(void **state)
{
	uint64_t value = 0;

	(void)state;
	give_back(MS);
	fixture.refuses = true;
	assert_int_equal(run(VGPU_RING_MEM_ALLOC, 100, 0, NULL), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(run(VGPU_RING_MODULE_BUILTIN, 0, 0, NULL), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(run(VGPU_RING_NOP, 0, 0, NULL), 0);
	assert_int_equal(fixture.asked, 2);
	fixture.refuses = false;
	assert_int_equal(run(VGPU_RING_MEM_ALLOC, 100, 0, &value), 0);
	assert_int_equal(run(VGPU_RING_MEM_FREE, value, 0, NULL), 0);
}

static void a_mediator_that_is_gone_ends_it(void **state)
{
	struct vgpu_error *err = NULL;
	cuda_error error;

	(void)state;
	give_back(MS);
	fixture.gone = true;
	assert_int_equal(
		channel_take_context(&fixture.channel, VGPU_RING_EVENT_CREATE, &error, &err), -1);
	assert_int_equal(err->status, EPIPE);
	vgpu_error_free(&err);
}

static cuda_error fails(struct backend *backend)
{
	(void)backend;
	return CUDA_ERROR_ILLEGAL_ADDRESS;
}

static cuda_error window_fails(struct backend *backend, void *memory, uint64_t bytes)
{
	(void)backend;
	(void)memory;
	(void)bytes;
	return CUDA_ERROR_UNKNOWN;
}

/* Taken, but not made: the mediator is told, and the next operation asks again. */
static void a_context_that_cannot_be_made_is_given_back(void **state)
{
	const struct backend_ops *ops = fixture.channel.backend->ops;
	struct backend_ops failing = *ops;
	uint64_t value;

	(void)state;
	give_back(MS);
	fixture.channel.backend->ops = &failing;
	failing.context_take = fails;
	assert_int_equal(run(VGPU_RING_EVENT_CREATE, 0, 0, NULL), CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(fixture.contexts, 0);
	failing.context_take = ops->context_take;
	failing.window_register = window_fails;
	assert_int_equal(run(VGPU_RING_EVENT_CREATE, 0, 0, NULL), CUDA_ERROR_UNKNOWN);
	assert_int_equal(fixture.contexts, 0);
	fixture.channel.backend->ops = ops;
	assert_int_equal(run(VGPU_RING_EVENT_CREATE, 0, 0, &value), 0);
	assert_int_equal(fixture.contexts, 1);
}

/* A context with a fault that stays cannot be given back: it is not tried again. */
static void one_that_is_lost_stays_until_the_end(void **state)
{
	const struct backend_ops *ops = fixture.channel.backend->ops;
	struct backend_ops failing = *ops;

	(void)state;
	fixture.channel.backend->ops = &failing;
	failing.context_give_back = fails;
	look(MS);
	assert_int_equal(look(MS + IDLE_MS * MS), 0);
	assert_int_equal(fixture.contexts, 1);
	assert_int_equal(look(9000 * MS), 0);
	assert_int_equal(look(9999 * MS), 0);
	assert_true(fixture.channel.context);
	fixture.channel.backend->ops = ops;
}

/* A real worker, asleep for as long as it likes, does it by itself. */
static void a_sleeping_worker_gives_it_back(void **state)
{
	struct vgpu_worker_start start;
	struct channel_driver channel = channel_make(CHANNEL_ENTRIES, CHANNEL_WINDOW, &start);
	const uint64_t bytes = 100000;
	uint64_t device;

	(void)state;
	start.idle_ms = 20;
	channel_spawn(&channel, &start, channel.fds, 4);
	driver_receive_prepared(&channel.driver);
	driver_receive_ready(&channel.driver);
	for (uint32_t round = 0; round < 3; round++) {
		channel_await_context(&channel, false);
		assert_int_equal(channel.contexts_taken, round);
		channel_must(&channel, VGPU_RING_NOP, 0, 0, 0, 0, 0);
		assert_int_equal(channel.contexts_taken, round);
		device = channel_must(&channel, VGPU_RING_MEM_ALLOC, bytes, 0, 0, 0, 0);
		assert_true(channel.context);
		/* Of the context before, nothing is there: neither in memory nor as a pointer. */
		memset(channel.ring.window, 0xff, bytes);
		channel_must(&channel, VGPU_RING_COPY_DTOH, 0, device, bytes, 0, 0);
		channel_must(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
		for (uint64_t i = 0; i < bytes; i++)
			assert_int_equal(channel.ring.window[i], 0);
		channel_must(&channel, VGPU_RING_MEM_SET, device, 0x5c, bytes, 1, 0);
		channel_must(&channel, VGPU_RING_MEM_FREE, device, 0, 0, 0, 0);
		channel_expect(&channel, VGPU_RING_MEM_FREE, device, 0, 0, 0, 0, 1);
	}
	channel_await_context(&channel, false);
	channel.refuses_context = true;
	channel_expect(&channel, VGPU_RING_MEM_ALLOC, 1, 0, 0, 0, 0, CUDA_ERROR_OUT_OF_MEMORY);
	channel_must(&channel, VGPU_RING_NOP, 0, 0, 0, 0, 0);
	channel_end(&channel);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(it_is_given_back_after_the_time),
		TEST(without_a_time_it_is_kept),
		TEST(what_is_held_keeps_it),
		TEST(what_needs_none_takes_none),
		TEST(a_kept_error_stays),
		TEST(a_kept_limit_stays),
		TEST(a_refusal_is_that_operations_error),
		TEST(a_mediator_that_is_gone_ends_it),
		TEST(a_context_that_cannot_be_made_is_given_back),
		TEST(one_that_is_lost_stays_until_the_end),
		cmocka_unit_test(a_sleeping_worker_gives_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
