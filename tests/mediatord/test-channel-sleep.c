/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping and waking: an idle channel costs nothing, and nobody rings a side that polls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/mediatord/channel-driver.h"
#include "tests/wait.h"

static const struct vgpu_submission nop = { .opcode = VGPU_RING_NOP };

static struct channel_driver channel;

static int begin(void **state)
{
	(void)state;
	channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	channel_end(&channel);
	return 0;
}

/* Processor time of the worker, in clock ticks, and how often it gave the processor up. */
static void read_usage(unsigned long *ticks, unsigned long *switches)
{
	unsigned long user = 0, system = 0;
	char path[64], line[1024];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)channel.driver.pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	assert_int_equal(sscanf(strrchr(line, ')') + 1,
				" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
				&system),
			 2);
	*ticks = user + system;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)channel.driver.pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", switches) == 1)
			break;
	fclose(file);
}

static uint64_t eventfd_count(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void an_idle_worker_costs_nothing(void **state)
{
	unsigned long before, after, switches_before = 0, switches_after = 0;

	(void)state;
	channel_run(&channel, nop);
	channel_await_sleep(&channel);
	read_usage(&before, &switches_before);
	usleep(1500000);
	read_usage(&after, &switches_after);
	/* One that polled would have used a hundred and more. */
	assert_in_range(after - before, 0, 1);
	/* It did not even wake up: it said that it sleeps a little before it did. */
	assert_in_range(switches_after - switches_before, 0, 1);
}

static void the_doorbell_wakes_it(void **state)
{
	struct vgpu_completion completion;

	(void)state;
	for (int i = 0; i < 50; i++) {
		uint64_t doorbells = channel.ring.doorbells;

		channel_await_sleep(&channel);
		guest_ring_submit(&channel.ring, &nop);
		assert_true(channel.ring.doorbells == doorbells + 1);
		assert_true(guest_ring_sleep(&channel.ring, WAIT_MS));
		assert_true(guest_ring_poll(&channel.ring, &completion));
	}
}

/* A batch stored while it sleeps needs one doorbell. */
static void one_doorbell_for_a_batch(void **state)
{
	(void)state;
	channel_await_sleep(&channel);
	for (uint32_t i = 0; i < CHANNEL_ENTRIES; i++)
		guest_ring_store(&channel.ring, &nop);
	usleep(20000);
	assert_int_equal(channel.ring.control->submission_head,
			 channel.ring.submitted - CHANNEL_ENTRIES);
	guest_ring_notify(&channel.ring);
	for (uint32_t i = 0; i < CHANNEL_ENTRIES; i++)
		assert_int_equal(channel_wait(&channel).status, 0);
}

/*
 * Where both have a processor, neither rings. A host that is busy may let them share one, and then
 * they take turns: so it has to be seen once.
 */
static void sides_that_poll_do_not_ring(void **state)
{
	const int64_t end_ns = vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS;
	uint64_t doorbells;

	(void)state;
	/* A guest under valgrind is too slow for the worker to go on polling, and rightly so. */
	if (getenv("VGPU_TEST_SLOW"))
		skip();
	channel_await_sleep(&channel);
	eventfd_count(channel.fds[2]);
	do {
		struct vgpu_completion completion;

		doorbells = channel.ring.doorbells;
		for (int i = 0; i < 1000; i++) {
			guest_ring_submit(&channel.ring, &nop);
			while (!guest_ring_poll(&channel.ring, &completion))
				;
		}
		/* Never the other way: this guest did not say that it sleeps. */
		assert_true(eventfd_count(channel.fds[2]) == 0);
		doorbells = channel.ring.doorbells - doorbells;
	} while (doorbells >= 10 && vgpu_now_ns() < end_ns);
	assert_in_range(doorbells, 0, 9);
}

static void a_guest_that_sleeps_is_woken(void **state)
{
	struct vgpu_completion completion;

	(void)state;
	channel_await_sleep(&channel);
	eventfd_count(channel.fds[2]);
	channel.ring.control->guest_sleeps = 1;
	guest_ring_submit(&channel.ring, &nop);
	assert_int_equal(
		poll(&(struct pollfd){ .fd = channel.fds[2], .events = POLLIN }, 1, WAIT_MS), 1);
	assert_true(guest_ring_poll(&channel.ring, &completion));
	channel.ring.control->guest_sleeps = 0;
}

/* No wake-up may be lost where both sides go to sleep all the time. */
static void sleeping_against_each_other(void **state)
{
	struct vgpu_completion completion;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		guest_ring_submit(&channel.ring, &nop);
		assert_true(guest_ring_sleep(&channel.ring, WAIT_MS));
		assert_true(guest_ring_poll(&channel.ring, &completion));
		if (i % 16 == 0)
			usleep(i % 300);
	}
}

/* A doorbell that announces nothing, as often as the guest likes, changes nothing. */
static void doorbells_for_nothing(void **state)
{
	(void)state;
	channel_await_sleep(&channel);
	for (int i = 0; i < 1000; i++)
		guest_ring_doorbell(&channel.ring);
	assert_int_equal(channel_run(&channel, nop).status, 0);
	channel_await_sleep(&channel);
	assert_true(channel.grant->errors == 0);
}

/* A guest that took no completion yet is waited for by the doorbell, as any. */
static void completions_that_nobody_took_do_not_deafen_it(void **state)
{
	const struct vgpu_completion *last =
		&channel.ring
			 .completions[(channel.ring.taken + CHANNEL_ENTRIES - 1) % CHANNEL_ENTRIES];
	struct vgpu_completion completion;
	uint64_t doorbells;

	(void)state;
	for (uint32_t i = 0; i < CHANNEL_ENTRIES; i++)
		guest_ring_submit(&channel.ring, &nop);
	while (__atomic_load_n(&last->sequence, __ATOMIC_ACQUIRE) !=
	       channel.ring.taken + CHANNEL_ENTRIES)
		usleep(100);
	channel_await_sleep(&channel);
	doorbells = channel.ring.doorbells;
	for (uint32_t i = 0; i < CHANNEL_ENTRIES; i++)
		assert_true(guest_ring_poll(&channel.ring, &completion));
	guest_ring_submit(&channel.ring, &nop);
	assert_true(channel.ring.doorbells == doorbells + 1);
	assert_int_equal(channel_wait(&channel).status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_worker_costs_nothing),
		cmocka_unit_test(the_doorbell_wakes_it),
		cmocka_unit_test(one_doorbell_for_a_batch),
		cmocka_unit_test(sides_that_poll_do_not_ring),
		cmocka_unit_test(a_guest_that_sleeps_is_woken),
		cmocka_unit_test(sleeping_against_each_other),
		cmocka_unit_test(doorbells_for_nothing),
		cmocka_unit_test(completions_that_nobody_took_do_not_deafen_it),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
