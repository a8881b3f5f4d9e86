/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grant where work stays on the GPU for a while: the loop of a worker in a thread, over the
 * cuda backend and a double of the driver whose work takes the time that a test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/mediatord/cuda-fixture.h"
#include "tests/mediatord/served-channel.h"

#define ENTRIES	     VGPU_RING_ENTRIES_MIN
#define WINDOW_BYTES (UINT64_C(64) << 20)
#define MEMORY_BYTES (UINT64_C(48) << 20)
#define MS	     ((uint64_t)VGPU_NS_PER_MS)
/* The stand-in's GPU is as slow as this machine is busy, and so are the pieces that follow. */
#define PATIENCE_NS (120 * VGPU_NS_PER_SECOND)

static struct double_control *control;
static struct fixture_ledger ledger;
static struct backend *backend;
static struct served_channel served;
static struct vgpu_grant_page page;
static unsigned int wants, yields;
static uint64_t memory, function, tags, opened;

static void await(bool (*condition)(void), const char *what)
{
	int64_t deadline_ns = vgpu_now_ns() + PATIENCE_NS;

	while (!condition()) {
		if (vgpu_now_ns() > deadline_ns)
			fail_msg("not in time: %s", what);
		usleep(10);
	}
}
#define AWAIT(condition) await(condition, #condition)

static struct vgpu_completion next(void)
{
	int64_t deadline_ns = vgpu_now_ns() + PATIENCE_NS;
	struct vgpu_completion completion;

	while (!guest_ring_poll(&served.ring, &completion)) {
		if (vgpu_now_ns() > deadline_ns)
			fail_msg("no completion in time");
		usleep(10);
	}
	assert_int_equal(completion.status, 0);
	return completion;
}

static void submit(struct vgpu_submission submission)
{
	submission.tag = ++tags;
	while (!guest_ring_has_room(&served.ring))
		usleep(10);
	guest_ring_submit(&served.ring, &submission);
}

/* Stores the second first: a worker that sees the one sees both. */
static void submit_together(const struct vgpu_submission *first,
			    const struct vgpu_submission *second)
{
	served.ring.submitted++;
	guest_ring_store(&served.ring, second);
	served.ring.submitted -= 2;
	guest_ring_store(&served.ring, first);
	served.ring.submitted++;
	guest_ring_notify(&served.ring);
}

static uint64_t call(uint16_t opcode, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	submit((struct vgpu_submission){ .opcode = opcode, .argument = { a, b, c, d } });
	return next().result[0];
}

/* A launch of one thread that adds nothing, without a reply. */
static struct vgpu_submission launch_on(uint64_t stream)
{
	const struct vgpu_launch launch = {
		.function = (uint32_t)function,
		.stream = (uint32_t)stream,
		.grid = { 1, 1, 1 },
		.block = { 1, 1, 1 },
		.parameter_bytes = 32,
		.parameters = WINDOW_BYTES - 32,
	};
	struct vgpu_submission submission = { .opcode = VGPU_RING_LAUNCH,
					      .flags = VGPU_SUBMIT_NO_REPLY };

	memcpy(submission.argument, &launch, sizeof(launch));
	return submission;
}

static void open_channel(void)
{
	static const char name[] = "vadd_i32";
	uint64_t module = call(VGPU_RING_MODULE_BUILTIN, 0, 0, 0, 0);

	memcpy(served.ring.window, name, sizeof(name));
	function = call(VGPU_RING_MODULE_FUNCTION, module, 0, sizeof(name) - 1, 0);
	memory = call(VGPU_RING_MEM_ALLOC, MEMORY_BYTES, 0, 0, 0);
	opened = __atomic_load_n(&control->started, __ATOMIC_ACQUIRE);
}

static int begin_on(long processors)
{
	control = fixture_double();
	backend = fixture_open(&ledger, UINT64_MAX);
	page = (struct vgpu_grant_page){ .grant = VGPU_GRANT_RUN, .tokens = VGPU_GRANT_NO_LIMIT };
	control->allowed = &page.holding;
	wants = yields = 0;
	served_begin(
		&served,
		&(struct channel){ .backend = backend, .mediator = &ledger.ledger, .grant = &page },
		ENTRIES, WINDOW_BYTES, processors);
	open_channel();
	return 0;
}

static int begin(void **state)
{
	(void)state;
	return begin_on(2);
}

/* It polls for nothing: what it does follows from the order of its looks alone. */
static int begin_on_one_processor(void **state)
{
	(void)state;
	return begin_on(1);
}

static int end(void **state)
{
	(void)state;
	/* Never was work started that the mediator could not see. */
	assert_true(control->forbidden == 0);
	__atomic_store_n(&control->hung, 0, __ATOMIC_RELEASE);
	served_end(&served);
	backend->ops->close(&backend);
	return 0;
}

static void receive(void)
{
	union vgpu_worker_message message;

	while (recv(served.mediator, &message, sizeof(message), MSG_DONTWAIT) > 0) {
		if (message.header.type == VGPU_WORKER_WANT)
			wants++;
		else if (message.header.type == VGPU_WORKER_YIELDED)
			yields++;
		else
			fail_msg("message type %u", message.header.type);
	}
}

static uint32_t set_grant(uint32_t grant)
{
	__atomic_store_n(&page.grant, grant, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&page.holding, __ATOMIC_ACQUIRE);
}

static void wake(void)
{
	const struct vgpu_worker_wake message = {
		.header = { .type = VGPU_WORKER_WAKE, .length = sizeof(message) },
	};

	assert_int_equal(send(served.mediator, &message, sizeof(message), MSG_NOSIGNAL),
			 sizeof(message));
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool yielded(void)
{
	receive();
	return yields > 0;
}

static bool wanted(void)
{
	receive();
	return wants > 0;
}

static bool runs(void)
{
	return load(&page.job_since_ns) != 0;
}

/* Besides what the channel's opening started. */
static bool started(void)
{
	return load(&control->started) > opened;
}

static bool both_started(void)
{
	return load(&control->started) == opened + 2;
}

static bool idle(void)
{
	return load(&page.job_since_ns) == 0;
}

/* Asleep, too. */
static bool holds_nothing(void)
{
	return __atomic_load_n(&page.holding, __ATOMIC_ACQUIRE) == 0;
}

static bool is_done(void)
{
	return vgpu_now_ns() >= __atomic_load_n(&control->done_ns, __ATOMIC_ACQUIRE);
}

static void a_revoked_worker_waits_for_what_is_there(void **state)
{
	(void)state;
	control->launch_ns = 1;
	control->hung = 1;
	submit(launch_on(0));
	AWAIT(started);
	assert_int_equal(set_grant(0), 1);
	wake();
	submit((struct vgpu_submission){ .opcode = VGPU_RING_CONTEXT_SYNCHRONIZE });
	submit(launch_on(0));
	__atomic_store_n(&control->hung, 0, __ATOMIC_RELEASE);
	AWAIT(yielded);
	/* What was pending completes, nothing more is started. */
	assert_true(is_done());
	assert_true(holds_nothing());
	assert_true(idle());
	next();
	/* Once more where it had asked before it read the WAKE. */
	AWAIT(wanted);
	assert_in_range(wants, 1, 2);
	assert_int_equal(yields, 1);
	assert_true(load(&control->started) == opened + 1);
	set_grant(VGPU_GRANT_RUN);
	wake();
	call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
	assert_true(load(&control->started) == opened + 2);
}

static void under_contention_it_yields_when_its_work_is_done(void **state)
{
	(void)state;
	control->launch_ns = 5 * MS;
	AWAIT(holds_nothing);
	set_grant(VGPU_GRANT_RUN | VGPU_GRANT_CONTENDED);
	submit(launch_on(0));
	AWAIT(yielded);
	assert_true(is_done());
	assert_int_equal(page.holding, 0);
}

/* The watchdog's word: since when it is there. No-ops are answered meanwhile. */
static void a_kernel_that_never_ends_is_seen(void **state)
{
	uint64_t since, before = (uint64_t)vgpu_now_ns();

	(void)state;
	control->launch_ns = 1;
	control->hung = 1;
	submit(launch_on(0));
	AWAIT(started);
	AWAIT(runs);
	since = load(&page.job_since_ns);
	assert_in_range(since, before, vgpu_now_ns());
	assert_int_equal(set_grant(0), 1);
	wake();
	for (int i = 0; i < 20; i++) {
		call(VGPU_RING_NOP, 0, 0, 0, 0);
		usleep(1000);
	}
	receive();
	assert_int_equal(yields, 0);
	assert_int_equal(page.holding, 1);
	assert_true(load(&page.job_since_ns) == since);
}

static void a_function_that_nobody_knows_runs_alone(void **state)
{
	(void)state;
	page.inflight_ns = 100 * MS;
	control->launch_ns = 20 * MS;
	submit(launch_on(0));
	submit(launch_on(0));
	call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
	assert_true(load(&control->started) == opened + 2);
	/* The second was not started while the first was there. */
	assert_in_range(control->ahead_ns, 1, 20 * MS);
}

static void what_is_known_is_bounded_in_time(void **state)
{
	(void)state;
	page.inflight_ns = 20 * MS;
	control->launch_ns = 2 * MS;
	for (int i = 0; i < 3; i++) {
		submit(launch_on(0));
		call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
	}
	control->ahead_ns = 0;
	for (int i = 0; i < 50; i++)
		submit(launch_on(0));
	call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
	/* A batch, and not one by one. */
	assert_in_range(control->ahead_ns, 3 * MS, 22 * MS);
	assert_true(load(&page.jobs) == 53);
}

static void the_queue_depth_is_exact(void **state)
{
	(void)state;
	page.queue_depth = 3;
	control->launch_ns = 5 * MS;
	control->ahead_ns = 0;
	for (int i = 0; i < 10; i++)
		submit(launch_on(0));
	call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
	assert_in_range(control->ahead_ns, 10 * MS, 15 * MS);
	/* A change is seen at once. */
	__atomic_store_n(&page.queue_depth, 1, __ATOMIC_RELAXED);
	control->ahead_ns = 0;
	for (int i = 0; i < 4; i++)
		submit(launch_on(0));
	call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
	assert_in_range(control->ahead_ns, 1, 5 * MS);
}

/* A copy of 40 MiB that would take 40 ms, with 10 ms granted ahead, and revoked in its midst. */
static void a_large_copy_yields_between_its_pieces(void **state)
{
	uint64_t seen, jobs = load(&page.jobs);

	(void)state;
	/* A copy that takes so long is cut into as many more pieces. */
	if (getenv("VGPU_TEST_SLOW"))
		skip();
	for (uint64_t i = 0; i < UINT64_C(40) << 20; i += 8)
		memcpy(served.ring.window + i, &i, 8);
	page.inflight_ns = 10 * MS;
	control->copy_ns = MS;
	control->ahead_ns = 0;
	/* Its speed is learned. */
	for (int i = 0; i < 20; i++) {
		call(VGPU_RING_COPY_HTOD, memory, 0, 4 << 20, 0);
		call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
	}
	control->ahead_ns = 0;
	seen = load(&page.bytes_in);
	opened = load(&control->started);
	submit((struct vgpu_submission){ .opcode = VGPU_RING_COPY_HTOD,
					 .argument = { memory, 0, 40 << 20, 0 } });
	AWAIT(started);
	assert_int_equal(set_grant(0), 1);
	wake();
	AWAIT(yielded);
	assert_in_range(load(&page.bytes_in) - seen, 1 << 20, 39 << 20);
	assert_false(guest_ring_waiting(&served.ring));
	set_grant(VGPU_GRANT_RUN);
	wake();
	next();
	call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
	assert_true(load(&page.bytes_in) - seen == 40 << 20);
	assert_true(load(&page.jobs) == jobs + 21);
	assert_in_range(control->ahead_ns, MS, 15 * MS);
	memset(served.ring.window, 0, 40 << 20);
	call(VGPU_RING_COPY_DTOH, 0, memory, 40 << 20, 0);
	call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
	for (uint64_t i = 0; i < UINT64_C(40) << 20; i += 8)
		assert_memory_equal(served.ring.window + i, &i, 8);
}

static void a_copy_onto_itself_is_not_divided(void **state)
{
	(void)state;
	page.inflight_ns = 1;
	call(VGPU_RING_COPY_DTOD, memory + 4096, memory, 32 << 20, 0);
	assert_true(load(&control->started) == opened + 1);
}

/* It ends between any two of the worker's looks at it, the last before the sleep among them. */
static void work_that_ends_now_lets_the_held_one_start(void **state)
{
	const struct vgpu_submission launch = launch_on(0);

	(void)state;
	page.queue_depth = 1;
	for (uint32_t looks = 0; looks < 8; looks++) {
		AWAIT(idle);
		opened = load(&control->started);
		control->busy = looks;
		submit_together(&launch, &launch);
		AWAIT(both_started);
	}
}

/* Whichever look finds the GPU idle: nothing is started before it was told. */
static void who_waits_does_not_wait_for_later_work(void **state)
{
	const struct vgpu_submission wait = { .opcode = VGPU_RING_CONTEXT_SYNCHRONIZE };

	(void)state;
	page.queue_depth = 1;
	for (uint32_t looks = 0; looks < 8; looks++) {
		uint64_t tag = tags + 2;

		AWAIT(idle);
		control->busy = looks;
		set_grant(0);
		submit(launch_on(0));
		submit(wait);
		for (int i = 0; i < 8; i++)
			submit(launch_on(0));
		submit((struct vgpu_submission){ .opcode = VGPU_RING_NOP });
		set_grant(VGPU_GRANT_RUN);
		wake();
		assert_true(next().tag == tag);
		assert_true(next().tag == tags);
	}
}

/* Compiling takes seconds, in which a worker cannot yield: it has done so before. */
static void nobody_waits_for_the_compiler(void **state)
{
	(void)state;
	control->launch_ns = 5 * MS;
	submit(launch_on(0));
	call(VGPU_RING_MODULE_BUILTIN, 0, 0, 0, 0);
	assert_true(is_done());
	assert_true(holds_nothing());
	assert_int_equal(control->held_up, 0);
	/* Who waits for the GPU is told. */
	set_grant(VGPU_GRANT_RUN | VGPU_GRANT_CONTENDED);
	wake();
	submit(launch_on(0));
	submit((struct vgpu_submission){ .opcode = VGPU_RING_MODULE_BUILTIN });
	AWAIT(yielded);
	next();
	assert_int_equal(control->held_up, 0);
}

/* Told to end, it gives the GPU up when its work there has ended: all else is not waited for. */
static void who_ends_gives_the_gpu_up(void **state)
{
	const struct vgpu_worker_end message = {
		.header = { .type = VGPU_WORKER_END, .length = sizeof(message) },
	};

	(void)state;
	control->launch_ns = 1;
	control->hung = 1;
	submit(launch_on(0));
	AWAIT(started);
	assert_int_equal(set_grant(0), 1);
	served.told_to_end = true;
	assert_int_equal(send(served.mediator, &message, sizeof(message), MSG_NOSIGNAL),
			 sizeof(message));
	assert_false(idle());
	__atomic_store_n(&control->hung, 0, __ATOMIC_RELEASE);
	AWAIT(yielded);
	assert_true(is_done());
	assert_true(holds_nothing());
	assert_true(idle());
}

/* Two streams at once count once; the histograms have each. */
static void gpu_time_is_a_union(void **state)
{
	uint64_t streams[2], gpu_time, started_ns, elapsed_ns, jobs = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		streams[i] = call(VGPU_RING_STREAM_CREATE, 1, 0, 0, 0);
	control->launch_ns = 20 * MS;
	gpu_time = load(&page.gpu_time_ns);
	started_ns = (uint64_t)vgpu_now_ns();
	for (int i = 0; i < 2; i++)
		submit(launch_on(streams[i]));
	call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
	AWAIT(idle);
	elapsed_ns = (uint64_t)vgpu_now_ns() - started_ns;
	assert_in_range(load(&page.gpu_time_ns) - gpu_time, 20 * MS, elapsed_ns);
	for (unsigned int i = 0; i < VGPU_HISTOGRAM_BUCKETS; i++)
		jobs += page.run_times[i];
	assert_int_equal(jobs, 2);
}

/* What a mediator that revokes may rely on, at any moment of a guest that never stops. */
static void work_never_runs_where_it_was_revoked(void **state)
{
	uint64_t stream = call(VGPU_RING_STREAM_CREATE, 1, 0, 0, 0);
	unsigned int revoked_while_held = 0;
	struct vgpu_completion completion;

	(void)state;
	control->launch_ns = 50 * 1000;
	for (unsigned int round = 0; round < 500; round++) {
		int64_t deadline_ns = vgpu_now_ns() + PATIENCE_NS;
		uint64_t before;

		opened = load(&control->started);
		set_grant(round % 3 ? VGPU_GRANT_RUN : VGPU_GRANT_RUN | VGPU_GRANT_CONTENDED);
		wake();
		for (unsigned int i = 0; i < 1 + round % 7; i++)
			if (guest_ring_has_room(&served.ring))
				submit(launch_on(i % 2 ? stream : 0));
		/* In some rounds surely with work there, in the others at any moment. */
		if (round % 4 == 0)
			AWAIT(started);
		for (unsigned int i = 0; i < round % 97; i++)
			(void)load(&page.submissions);
		receive();
		yields = 0;
		if (set_grant(0)) {
			wake();
			revoked_while_held++;
			while (!yielded() || page.holding) {
				if (vgpu_now_ns() > deadline_ns)
					fail_msg("not yielded in time");
				yields = yields && !page.holding;
			}
		}
		assert_true(is_done());
		/* It may still store 1 to `holding`, but then sees that it may not. */
		before = load(&control->started);
		for (int i = 0; i < 20; i++)
			(void)load(&page.submissions);
		assert_true(load(&control->started) == before);
		while (guest_ring_poll(&served.ring, &completion))
			assert_int_equal(completion.status, 0);
	}
	assert_true(revoked_while_held > 0);
	set_grant(VGPU_GRANT_RUN);
	wake();
	call(VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(a_revoked_worker_waits_for_what_is_there),
		TEST(under_contention_it_yields_when_its_work_is_done),
		TEST(a_kernel_that_never_ends_is_seen),
		TEST(a_function_that_nobody_knows_runs_alone),
		TEST(what_is_known_is_bounded_in_time),
		TEST(the_queue_depth_is_exact),
		TEST(a_large_copy_yields_between_its_pieces),
		TEST(a_copy_onto_itself_is_not_divided),
		cmocka_unit_test_setup_teardown(work_that_ends_now_lets_the_held_one_start,
						begin_on_one_processor, end),
		cmocka_unit_test_setup_teardown(who_waits_does_not_wait_for_later_work,
						begin_on_one_processor, end),
		TEST(nobody_waits_for_the_compiler),
		TEST(who_ends_gives_the_gpu_up),
		TEST(gpu_time_is_a_union),
		TEST(work_never_runs_where_it_was_revoked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
