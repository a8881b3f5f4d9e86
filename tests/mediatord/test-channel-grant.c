/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does with its grant page: which submissions wait for the GPU and which do not, what
 * the mediator is told and how often, and what the page then says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/mediatord/channel-driver.h"
#include "tests/wait.h"

static const struct vgpu_submission nop = { .opcode = VGPU_RING_NOP };

static struct channel_driver channel;
static uint64_t memory;

static int begin(void **state)
{
	(void)state;
	channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	memory = channel_must(&channel, VGPU_RING_MEM_ALLOC, 4096, 0, 0, 0, 0);
	/* So that it holds nothing. */
	channel_await_sleep(&channel);
	return 0;
}

static int end(void **state)
{
	(void)state;
	channel_end(&channel);
	return 0;
}

static uint64_t read_page(const uint64_t *field)
{
	return __atomic_load_n(field, __ATOMIC_RELAXED);
}

/* With so many submissions taken, nothing else may come. */
static void expect_no_answer(void)
{
	usleep(20000);
	channel_ledger(&channel);
	assert_false(guest_ring_waiting(&channel.ring));
}

static struct vgpu_submission make(uint16_t opcode, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
				   uint64_t tag)
{
	return (struct vgpu_submission){ .opcode = opcode, .tag = tag, .argument = { a, b, c, d } };
}

static void submit(struct vgpu_submission submission)
{
	guest_ring_submit(&channel.ring, &submission);
}

static void expect_tag(uint64_t tag)
{
	struct vgpu_completion completion = channel_wait(&channel);

	assert_true(completion.tag == tag);
	assert_int_equal(completion.status, 0);
}

static void what_starts_nothing_is_never_held(void **state)
{
	uint64_t stream, event, module;

	(void)state;
	assert_int_equal(channel_set_grant(&channel, 0), 0);
	channel_run(&channel, nop);
	channel_must(&channel, VGPU_RING_DEVICE_INFO, 0, 96, 0, 0, 0);
	channel_must(&channel, VGPU_RING_DEVICE_ATTRIBUTE, 16, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_MEM_INFO, 0, 0, 0, 0, 0);
	module = channel_must(&channel, VGPU_RING_MODULE_BUILTIN, 0, 0, 0, 0, 0);
	memcpy(channel.ring.window, "vadd_i32", 8);
	channel_must(&channel, VGPU_RING_MODULE_FUNCTION, module, 0, 8, 0, 0);
	channel_must(&channel, VGPU_RING_MODULE_UNLOAD, module, 0, 0, 0, 0);
	stream = channel_must(&channel, VGPU_RING_STREAM_CREATE, 0, 0, 0, 0, 0);
	event = channel_must(&channel, VGPU_RING_EVENT_CREATE, 0, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_STREAM_QUERY, stream, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_EVENT_QUERY, event, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_STREAM_SYNCHRONIZE, stream, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_EVENT_SYNCHRONIZE, event, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
	/* Nor what is refused, or has nothing to do. */
	channel_expect(&channel, VGPU_RING_MEM_SET, memory, 0, 4097, 1, 0, 1);
	channel_must(&channel, VGPU_RING_MEM_SET, memory, 0, 0, 1, 0);
	channel_must(&channel, VGPU_RING_COPY_DTOH, 0, memory, 0, 0, 0);
	channel_must(&channel, VGPU_RING_STREAM_DESTROY, stream, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_EVENT_DESTROY, event, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_MEM_FREE, memory, 0, 0, 0, 0);
	assert_int_equal(channel.wants, 0);
	assert_int_equal(channel.yields, 0);
	assert_int_equal(channel.grant->holding, 0);
}

/* Each of these is held, keeps what follows from being taken, and goes on when it may. */
static void what_starts_something_waits(void **state)
{
	uint64_t event = channel_must(&channel, VGPU_RING_EVENT_CREATE, 0, 0, 0, 0, 0);
	uint64_t stream = channel_must(&channel, VGPU_RING_STREAM_CREATE, 0, 0, 0, 0, 0);
	uint64_t function = channel_function(&channel, "vadd_i32");
	const uint64_t arguments[4] = { memory, memory, memory, 1 };
	const struct vgpu_submission held[] = {
		channel_launch(&channel, function, 1, 1, arguments, sizeof(arguments)),
		make(VGPU_RING_MEM_ALLOC, 100, 0, 0, 0, 1),
		make(VGPU_RING_MEM_SET, memory, 1, 16, 1, 1),
		make(VGPU_RING_COPY_HTOD, memory, 64, 16, 0, 1),
		make(VGPU_RING_COPY_DTOH, 64, memory, 16, 0, 1),
		make(VGPU_RING_COPY_DTOD, memory, memory + 64, 16, 0, 1),
		make(VGPU_RING_EVENT_RECORD, event, 0, 0, 0, 1),
		make(VGPU_RING_STREAM_WAIT_EVENT, stream, event, 0, 0, 1),
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
		uint64_t taken = read_page(&channel.grant->submissions);
		unsigned int yields = channel.yields;

		channel_await_sleep(&channel);
		assert_int_equal(channel_set_grant(&channel, 0), 0);
		submit(held[i]);
		submit(make(VGPU_RING_NOP, 0, 0, 0, 0, 2));
		channel_await_wants(&channel, i + 1);
		assert_int_equal(channel.wanted, VGPU_WORKER_WANT_GRANT);
		assert_false(guest_ring_waiting(&channel.ring));
		assert_true(read_page(&channel.grant->submissions) == taken + 1);
		assert_int_equal(channel.grant->holding, 0);
		channel_set_grant(&channel, VGPU_GRANT_RUN);
		channel_wake(&channel);
		expect_tag(held[i].tag);
		expect_tag(2);
		assert_int_equal(channel.yields, yields);
	}
}

/* However much waits, and however often the guest rings: one WANT, and a worker that sleeps. */
static void it_asks_once_and_sleeps(void **state)
{
	struct vgpu_submission set = make(VGPU_RING_MEM_SET, memory, 1, 16, 1, 0);
	unsigned long long before = 0, after = 0;
	char path[64], line[256];

	(void)state;
	channel_set_grant(&channel, 0);
	for (set.tag = 0; set.tag < CHANNEL_ENTRIES; set.tag++)
		submit(set);
	channel_await_wants(&channel, 1);
	usleep(20000);
	for (int round = 0; round < 2; round++) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/status", (int)channel.driver.pid);
		file = fopen(path, "re");
		assert_non_null(file);
		while (fgets(line, sizeof(line), file))
			sscanf(line, "voluntary_ctxt_switches: %llu", round ? &after : &before);
		fclose(file);
		for (int i = 0; round == 0 && i < 10000; i++)
			guest_ring_doorbell(&channel.ring);
	}
	assert_in_range(after - before, 0, 3);
	channel_ledger(&channel);
	assert_int_equal(channel.wants, 1);
	channel_set_grant(&channel, VGPU_GRANT_RUN);
	channel_wake(&channel);
	for (uint64_t tag = 0; tag < CHANNEL_ENTRIES; tag++)
		expect_tag(tag);
	assert_int_equal(channel.wants, 1);
	assert_int_equal(channel.yields, 0);
}

/* What was granted, and taken back before the worker saw it, is asked for once more. */
static void a_grant_that_it_missed_is_asked_for_again(void **state)
{
	(void)state;
	channel_set_grant(&channel, 0);
	submit(make(VGPU_RING_MEM_SET, memory, 1, 16, 1, 1));
	channel_await_wants(&channel, 1);
	channel_wake(&channel);
	channel_await_wants(&channel, 2);
	expect_no_answer();
	assert_int_equal(channel.wants, 2);
	channel_set_grant(&channel, VGPU_GRANT_RUN);
	channel_wake(&channel);
	expect_tag(1);
}

static void a_mediator_that_takes_over_is_asked_again(void **state)
{
	const struct vgpu_worker_adopt adopt = {
		.header = { .type = VGPU_WORKER_ADOPT, .length = sizeof(adopt) },
		.version = VGPU_WORKER_PROTOCOL_VERSION,
	};
	union vgpu_worker_message message;

	(void)state;
	channel_set_grant(&channel, 0);
	submit(make(VGPU_RING_MEM_SET, memory, 1, 16, 1, 1));
	channel_await_wants(&channel, 1);
	driver_send(&channel.driver, &adopt, sizeof(adopt));
	assert_int_equal(driver_receive(&channel.driver, &message), sizeof(message.adopted));
	assert_int_equal(message.header.type, VGPU_WORKER_ADOPTED);
	channel_await_wants(&channel, 2);
	assert_int_equal(channel.wanted, VGPU_WORKER_WANT_GRANT);
	channel_set_grant(&channel, VGPU_GRANT_RUN);
	channel_wake(&channel);
	expect_tag(1);
}

/* A standing grant costs no message, and who sleeps does not hold the GPU. */
static void a_standing_grant_is_silent(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++)
		channel_must(&channel, VGPU_RING_MEM_SET, memory, 1, 16, 1, 0);
	channel_await_sleep(&channel);
	assert_int_equal(channel.grant->holding, 0);
	channel_ledger(&channel);
	assert_int_equal(channel.wants, 0);
	assert_int_equal(channel.yields, 0);
}

static void it_yields_where_others_wait(void **state)
{
	(void)state;
	channel_set_grant(&channel, VGPU_GRANT_RUN | VGPU_GRANT_CONTENDED);
	channel_must(&channel, VGPU_RING_MEM_SET, memory, 1, 16, 1, 0);
	channel_await_yields(&channel, 1);
	assert_int_equal(channel.grant->holding, 0);
	/* The next word of it comes when it was woken, or revoked: no flood of them. */
	for (int i = 0; i < 100; i++) {
		channel_must(&channel, VGPU_RING_MEM_SET, memory, 1, 16, 1, 0);
		channel_await_sleep(&channel);
	}
	channel_ledger(&channel);
	assert_int_equal(channel.yields, 1);
	channel_wake(&channel);
	channel_must(&channel, VGPU_RING_MEM_SET, memory, 1, 16, 1, 0);
	channel_await_yields(&channel, 2);
	/* Revoked while nothing is there: nothing to say, and nothing started. */
	channel_await_sleep(&channel);
	assert_int_equal(channel_set_grant(&channel, 0), 0);
	channel_run(&channel, nop);
	channel_ledger(&channel);
	assert_int_equal(channel.yields, 2);
	assert_int_equal(channel.wants, 0);
}

/*
 * The mediator may come to its word when it has begun again, and lets it: it must hear of the end
 * of that, too, or the GPU waits for nobody until the slice ends.
 */
static void woken_with_nothing_to_do_it_yields_again(void **state)
{
	(void)state;
	channel_set_grant(&channel, VGPU_GRANT_RUN | VGPU_GRANT_CONTENDED);
	channel_must(&channel, VGPU_RING_MEM_SET, memory, 1, 16, 1, 0);
	channel_await_yields(&channel, 1);
	channel_wake(&channel);
	channel_await_yields(&channel, 2);
	assert_int_equal(channel.grant->holding, 0);
	assert_int_equal(channel.wants, 0);
}

/* A ring that is never empty of no-ops does not keep the GPU from others. */
static void a_flood_of_noops_yields_too(void **state)
{
	int64_t deadline_ns = vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS;
	struct vgpu_completion completion;
	uint32_t outstanding = 0;

	(void)state;
	channel_set_grant(&channel, VGPU_GRANT_RUN | VGPU_GRANT_CONTENDED);
	submit(make(VGPU_RING_MEM_SET, memory, 1, 16, 1, 1));
	outstanding++;
	while (channel.yields == 0) {
		assert_true(vgpu_now_ns() < deadline_ns);
		while (outstanding < CHANNEL_ENTRIES) {
			submit(nop);
			outstanding++;
		}
		while (guest_ring_poll(&channel.ring, &completion))
			outstanding--;
		channel_ledger(&channel);
	}
	while (outstanding-- > 0)
		channel_wait(&channel);
}

static void tokens_are_exact(void **state)
{
	uint64_t taken = read_page(&channel.grant->submissions);
	uint64_t *tokens = &channel.grant->tokens;

	(void)state;
	__atomic_store_n(tokens, taken + 5, __ATOMIC_RELAXED);
	for (uint64_t tag = 0; tag < 5; tag++)
		submit(make(VGPU_RING_NOP, 0, 0, 0, 0, tag));
	for (uint64_t tag = 0; tag < 5; tag++)
		expect_tag(tag);
	/* They are used up, but nothing wants another. */
	channel_await_sleep(&channel);
	channel_ledger(&channel);
	assert_int_equal(channel.wants, 0);
	for (uint64_t tag = 5; tag < 15; tag++)
		submit(make(VGPU_RING_NOP, 0, 0, 0, 0, tag));
	channel_await_wants(&channel, 1);
	assert_int_equal(channel.wanted, VGPU_WORKER_WANT_TOKENS);
	expect_no_answer();
	assert_int_equal(channel.wants, 1);
	assert_true(read_page(&channel.grant->submissions) == taken + 5);
	__atomic_store_n(tokens, taken + 8, __ATOMIC_RELAXED);
	channel_wake(&channel);
	for (uint64_t tag = 5; tag < 8; tag++)
		expect_tag(tag);
	channel_await_wants(&channel, 2);
	expect_no_answer();
	assert_true(read_page(&channel.grant->submissions) == taken + 8);
	__atomic_store_n(tokens, VGPU_GRANT_NO_LIMIT, __ATOMIC_RELAXED);
	channel_wake(&channel);
	for (uint64_t tag = 8; tag < 15; tag++)
		expect_tag(tag);
	assert_int_equal(channel.wants, 2);
}

/* What it waits for changes: it says both. */
static void a_token_and_then_a_grant(void **state)
{
	uint64_t taken = read_page(&channel.grant->submissions);

	(void)state;
	__atomic_store_n(&channel.grant->tokens, taken, __ATOMIC_RELAXED);
	channel_set_grant(&channel, 0);
	submit(make(VGPU_RING_MEM_SET, memory, 1, 16, 1, 1));
	channel_await_wants(&channel, 1);
	assert_int_equal(channel.wanted, VGPU_WORKER_WANT_TOKENS);
	__atomic_store_n(&channel.grant->tokens, taken + 1, __ATOMIC_RELAXED);
	channel_wake(&channel);
	channel_await_wants(&channel, 2);
	assert_int_equal(channel.wanted, VGPU_WORKER_WANT_GRANT);
	channel_set_grant(&channel, VGPU_GRANT_RUN);
	channel_wake(&channel);
	expect_tag(1);
}

static uint64_t sum(const uint32_t times[VGPU_HISTOGRAM_BUCKETS])
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < VGPU_HISTOGRAM_BUCKETS; i++)
		total += times[i];
	return total;
}

static void the_page_keeps_account(void **state)
{
	const struct vgpu_grant_page *page = channel.grant;
	uint64_t event = channel_must(&channel, VGPU_RING_EVENT_CREATE, 0, 0, 0, 0, 0);
	uint64_t taken = read_page(&page->submissions), gpu_time;

	(void)state;
	gpu_time = read_page(&page->gpu_time_ns);
	assert_true(read_page(&page->jobs) == 0);
	channel_must(&channel, VGPU_RING_COPY_HTOD, memory, 0, 1000, 0, 0);
	channel_must(&channel, VGPU_RING_COPY_DTOH, 0, memory, 300, 0, 0);
	channel_must(&channel, VGPU_RING_COPY_DTOD, memory, memory + 2048, 1000, 0, 0);
	channel_must(&channel, VGPU_RING_MEM_SET, memory, 1, 16, 1, 0);
	channel_must(&channel, VGPU_RING_EVENT_RECORD, event, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_MEM_SET, memory, 1, 0, 1, 0);
	channel_expect(&channel, VGPU_RING_MEM_SET, 1, 1, 16, 1, 0, 1);
	channel_run(&channel, nop);
	assert_true(read_page(&page->submissions) == taken + 8);
	assert_true(read_page(&page->errors) == 1);
	assert_true(read_page(&page->jobs) == 4);
	assert_true(read_page(&page->bytes_in) == 1000);
	assert_true(read_page(&page->bytes_out) == 300);
	assert_true(read_page(&page->gpu_time_ns) > gpu_time);
	assert_true(read_page(&page->job_since_ns) == 0);
	assert_true(sum(page->queue_times) == 4);
	assert_true(sum(page->run_times) == 4);
	assert_true(sum(page->total_times) == 4);
	assert_true(read_page(&page->run_ns) > 0);
}

static void waiting_is_in_the_histogram(void **state)
{
	const struct vgpu_grant_page *page = channel.grant;

	(void)state;
	channel_must(&channel, VGPU_RING_MEM_SET, memory, 1, 16, 1, 0);
	assert_int_equal(page->queue_times[0], 1);
	channel_await_sleep(&channel);
	channel_set_grant(&channel, 0);
	submit(make(VGPU_RING_MEM_SET, memory, 1, 16, 1, 1));
	channel_await_wants(&channel, 1);
	usleep(2000);
	channel_set_grant(&channel, VGPU_GRANT_RUN);
	channel_wake(&channel);
	expect_tag(1);
	assert_true(sum(page->queue_times) == 2);
	assert_true(read_page(&page->queue_ns) >= 2000 * 1000);
	/* Up to 1024 us there is the first one alone. */
	for (unsigned int bucket = 1; bucket <= 40; bucket++)
		assert_int_equal(page->queue_times[bucket], 0);
	for (unsigned int bucket = 0; bucket <= 40; bucket++)
		assert_in_range(page->total_times[bucket], 0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(what_starts_nothing_is_never_held),
		TEST(what_starts_something_waits),
		TEST(it_asks_once_and_sleeps),
		TEST(a_grant_that_it_missed_is_asked_for_again),
		TEST(a_mediator_that_takes_over_is_asked_again),
		TEST(a_standing_grant_is_silent),
		TEST(it_yields_where_others_wait),
		TEST(woken_with_nothing_to_do_it_yields_again),
		TEST(a_flood_of_noops_yields_too),
		TEST(tokens_are_exact),
		TEST(a_token_and_then_a_grant),
		TEST(the_page_keeps_account),
		TEST(waiting_is_in_the_histogram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
