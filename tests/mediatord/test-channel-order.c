/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Synchronisations that wait: they complete when their work ends, in any order, and nothing waits
 * with them. The cpu backend's work always has ended, so the worker's loop runs here, in a thread,
 * over a backend that says so when the test wants it to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "mediatord/worker/backend.h"
#include "tests/mediatord/served-channel.h"

#define ENTRIES	     512u /* more than the worker keeps waits */
#define WINDOW_BYTES 4096u
#define LIMIT_NS     (60 * VGPU_NS_PER_SECOND)

/* What the queries of streams 1 to 7, of events 1 to 7, and of the context say. */
static uint32_t streams[8], events[8], context;
static uint64_t context_queries;

static struct backend_ops ops;
static struct backend backend;
static struct served_channel served;
static struct vgpu_grant_page grant;
static int next_stream, next_event;

static void set(uint32_t *what, cuda_error error)
{
	__atomic_store_n(what, error, __ATOMIC_RELEASE);
}

static cuda_error stream_query(struct backend *unused, uint64_t stream)
{
	(void)unused;
	return __atomic_load_n(&streams[stream], __ATOMIC_ACQUIRE);
}

static cuda_error event_query(struct backend *unused, uint64_t event)
{
	(void)unused;
	return __atomic_load_n(&events[event], __ATOMIC_ACQUIRE);
}

static cuda_error context_query(struct backend *unused)
{
	(void)unused;
	__atomic_add_fetch(&context_queries, 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&context, __ATOMIC_ACQUIRE);
}

static cuda_error stream_create(struct backend *unused, uint32_t flags, int32_t priority,
				uint64_t *stream)
{
	(void)unused;
	(void)flags;
	(void)priority;
	*stream = (uint64_t)++next_stream;
	return CUDA_ERROR_NONE;
}

static cuda_error event_create(struct backend *unused, uint32_t flags, uint64_t *event)
{
	(void)unused;
	(void)flags;
	*event = (uint64_t)++next_event;
	return CUDA_ERROR_NONE;
}

static cuda_error destroy(struct backend *unused, uint64_t object)
{
	(void)unused;
	(void)object;
	return CUDA_ERROR_NONE;
}

static cuda_error take(struct backend *unused)
{
	(void)unused;
	return CUDA_ERROR_NONE;
}

static cuda_error register_window(struct backend *unused, void *memory, uint64_t bytes)
{
	(void)unused;
	(void)memory;
	(void)bytes;
	return CUDA_ERROR_NONE;
}

static int begin(void **state)
{
	(void)state;
	ops = (struct backend_ops){ .name = "test",
				    .context_take = take,
				    .window_register = register_window,
				    .stream_query = stream_query,
				    .event_query = event_query,
				    .context_query = context_query,
				    .stream_create = stream_create,
				    .stream_destroy = destroy,
				    .event_create = event_create,
				    .event_destroy = destroy };
	backend = (struct backend){ .ops = &ops };
	grant = (struct vgpu_grant_page){ .grant = VGPU_GRANT_RUN, .tokens = VGPU_GRANT_NO_LIMIT };
	memset(streams, 0, sizeof(streams));
	memset(events, 0, sizeof(events));
	context = 0;
	next_stream = next_event = 0;
	served_begin(&served, &(struct channel){ .backend = &backend, .grant = &grant }, ENTRIES,
		     WINDOW_BYTES, 2);
	return 0;
}

static int end(void **state)
{
	(void)state;
	served_end(&served);
	return 0;
}

static void submit(uint16_t opcode, uint64_t argument, uint64_t tag)
{
	const struct vgpu_submission submission = { .opcode = opcode,
						    .tag = tag,
						    .argument = { argument } };

	guest_ring_submit(&served.ring, &submission);
}

static struct vgpu_completion next(void)
{
	int64_t deadline_ns = vgpu_now_ns() + LIMIT_NS;
	struct vgpu_completion completion;

	while (!guest_ring_poll(&served.ring, &completion)) {
		if (vgpu_now_ns() > deadline_ns)
			fail_msg("no completion within 60 s");
		usleep(10);
	}
	return completion;
}

static void expect(uint64_t tag, cuda_error status)
{
	struct vgpu_completion completion = next();

	assert_true(completion.tag == tag);
	assert_int_equal(completion.status, status);
}

static uint64_t make(uint16_t opcode)
{
	submit(opcode, 0, 99);
	return next().result[0];
}

static void expect_nothing(void)
{
	usleep(10000);
	assert_false(guest_ring_waiting(&served.ring));
}

static void they_complete_as_their_work_ends(void **state)
{
	uint64_t first = make(VGPU_RING_STREAM_CREATE), second = make(VGPU_RING_STREAM_CREATE);
	uint64_t event = make(VGPU_RING_EVENT_CREATE);

	(void)state;
	set(&streams[1], CUDA_ERROR_NOT_READY);
	set(&streams[2], CUDA_ERROR_NOT_READY);
	set(&events[1], CUDA_ERROR_NOT_READY);
	set(&context, CUDA_ERROR_NOT_READY);
	submit(VGPU_RING_STREAM_SYNCHRONIZE, first, 1);
	submit(VGPU_RING_STREAM_SYNCHRONIZE, second, 2);
	submit(VGPU_RING_EVENT_SYNCHRONIZE, event, 3);
	submit(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 4);
	expect_nothing();
	/* The ring goes on meanwhile, and a query does not wait. */
	submit(VGPU_RING_NOP, 0, 5);
	expect(5, CUDA_ERROR_NONE);
	submit(VGPU_RING_STREAM_QUERY, first, 6);
	expect(6, CUDA_ERROR_NOT_READY);
	submit(VGPU_RING_STREAM_SYNCHRONIZE, 0, 7);
	expect(7, CUDA_ERROR_NONE);
	set(&events[1], CUDA_ERROR_NONE);
	expect(3, CUDA_ERROR_NONE);
	set(&streams[2], CUDA_ERROR_NONE);
	expect(2, CUDA_ERROR_NONE);
	expect_nothing();
	set(&streams[1], CUDA_ERROR_LAUNCH_FAILED);
	expect(1, CUDA_ERROR_LAUNCH_FAILED);
	set(&context, CUDA_ERROR_LAUNCH_FAILED);
	expect(4, CUDA_ERROR_LAUNCH_FAILED);
	/* NOT_READY was an answer, and no error. */
	assert_true(__atomic_load_n(&grant.errors, __ATOMIC_RELAXED) == 2);
}

static void a_silent_error_comes_with_the_first_that_ends(void **state)
{
	uint64_t first = make(VGPU_RING_STREAM_CREATE), second = make(VGPU_RING_STREAM_CREATE);
	const struct vgpu_submission silent = { .opcode = VGPU_RING_EVENT_DESTROY,
						.flags = VGPU_SUBMIT_NO_REPLY,
						.argument = { 4711 } };

	(void)state;
	set(&streams[1], CUDA_ERROR_NOT_READY);
	set(&streams[2], CUDA_ERROR_NOT_READY);
	submit(VGPU_RING_STREAM_SYNCHRONIZE, first, 1);
	submit(VGPU_RING_STREAM_SYNCHRONIZE, second, 2);
	guest_ring_submit(&served.ring, &silent);
	submit(VGPU_RING_NOP, 0, 3);
	expect(3, CUDA_ERROR_NONE);
	set(&streams[2], CUDA_ERROR_NONE);
	expect(2, CUDA_ERROR_INVALID_HANDLE);
	set(&streams[1], CUDA_ERROR_NONE);
	expect(1, CUDA_ERROR_NONE);
}

static void what_is_destroyed_is_not_waited_for(void **state)
{
	uint64_t stream = make(VGPU_RING_STREAM_CREATE), event = make(VGPU_RING_EVENT_CREATE);

	(void)state;
	set(&streams[1], CUDA_ERROR_NOT_READY);
	set(&events[1], CUDA_ERROR_NOT_READY);
	submit(VGPU_RING_STREAM_SYNCHRONIZE, stream, 1);
	submit(VGPU_RING_EVENT_SYNCHRONIZE, event, 2);
	expect_nothing();
	submit(VGPU_RING_STREAM_DESTROY, stream, 3);
	expect(3, CUDA_ERROR_NONE);
	expect(1, CUDA_ERROR_INVALID_HANDLE);
	submit(VGPU_RING_EVENT_DESTROY, event, 4);
	expect(4, CUDA_ERROR_NONE);
	expect(2, CUDA_ERROR_INVALID_HANDLE);
}

/* With as many waits as it keeps, the worker takes nothing more until one ends; none is lost. */
/* How many submissions the worker took. */
static uint64_t taken(void)
{
	return __atomic_load_n(&grant.submissions, __ATOMIC_RELAXED);
}

static void more_waits_than_are_kept(void **state)
{
	bool ended[ENTRIES] = { false };

	(void)state;
	set(&context, CUDA_ERROR_NOT_READY);
	for (uint64_t i = 0; i < ENTRIES; i++)
		submit(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, i);
	for (int64_t end_ns = vgpu_now_ns() + LIMIT_NS; taken() < PENDING_MAX; usleep(1000))
		assert_true(vgpu_now_ns() < end_ns);
	expect_nothing();
	assert_true(taken() == PENDING_MAX);
	set(&context, CUDA_ERROR_NONE);
	/* A worker that is looking at them just now finds the rest of them first. */
	for (uint64_t i = 0; i < ENTRIES; i++) {
		struct vgpu_completion completion = next();

		assert_int_equal(completion.status, CUDA_ERROR_NONE);
		assert_true(completion.tag < ENTRIES && !ended[completion.tag]);
		ended[completion.tag] = true;
	}
}

/*
 * A worker that waits for the GPU sleeps longer and longer, and is there soon after the end. One
 * that polled would ask some ten million times a second; this one asks a few times between two
 * sleeps.
 */
static void waiting_costs_little(void **state)
{
	uint64_t queries;
	int64_t start_ns;

	(void)state;
	set(&context, CUDA_ERROR_NOT_READY);
	submit(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 1);
	usleep(20000);
	start_ns = vgpu_now_ns();
	queries = __atomic_load_n(&context_queries, __ATOMIC_RELAXED);
	usleep(1000000);
	queries = __atomic_load_n(&context_queries, __ATOMIC_RELAXED) - queries;
	print_message("%llu queries in a second\n", (unsigned long long)queries);
	assert_in_range(queries, 1, 20000 * ((vgpu_now_ns() - start_ns) / VGPU_NS_PER_SECOND));
	set(&context, CUDA_ERROR_NONE);
	expect(1, CUDA_ERROR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(they_complete_as_their_work_ends),
		TEST(a_silent_error_comes_with_the_first_that_ends),
		TEST(what_is_destroyed_is_not_waited_for),
		TEST(more_waits_than_are_kept),
		TEST(waiting_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
