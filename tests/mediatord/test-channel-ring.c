/* SPDX-License-Identifier: Apache-2.0 */
/* The rings themselves: going round, filling up, and being broken by the guest. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <sysexits.h>

#include <cmocka.h>

#include "mediatord/worker/cuda_error.h"
#include "tests/mediatord/channel-driver.h"

static const struct vgpu_submission nop = { .opcode = VGPU_RING_NOP };

static void goes_round_many_times(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	struct vgpu_submission submission = nop;
	uint64_t sent = 0;

	(void)state;
	for (uint64_t taken = 0; taken < 70000; taken++) {
		struct vgpu_completion completion;

		while (sent < 70000 && sent - taken < CHANNEL_ENTRIES) {
			submission.tag = ~sent;
			guest_ring_submit(&channel.ring, &submission);
			sent++;
		}
		while (!guest_ring_poll(&channel.ring, &completion))
			sched_yield();
		assert_true(completion.tag == ~taken);
		assert_int_equal(completion.status, 0);
	}
	assert_int_equal(channel.ring.control->submission_head, 70000);
	channel_end(&channel);
}

/* Parameters may be overwritten when the submission after theirs was taken. */
static void what_was_read_may_be_overwritten(void **state)
{
	enum {
		LAUNCHES = 2000,
		PLACES = 2
	};
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	uint64_t function = channel_function(&channel, "saxpy_f32"), x, y;
	float one = 1, *made = (float *)(void *)channel.ring.window;
	uint32_t before;

	(void)state;
	x = channel_must(&channel, VGPU_RING_MEM_ALLOC, sizeof(one), 0, 0, 0, 0);
	y = channel_must(&channel, VGPU_RING_MEM_ALLOC, LAUNCHES * sizeof(one), 0, 0, 0, 0);
	memcpy(channel.ring.window, &one, sizeof(one));
	channel_must(&channel, VGPU_RING_COPY_HTOD, x, 0, sizeof(one), 0, 0);
	channel_must(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
	before = channel.ring.submitted;
	for (uint32_t i = 0; i < LAUNCHES; i++) {
		const struct {
			uint64_t x, y;
			float a, unused;
			uint64_t n;
		} parameters = { x, y + i * sizeof(float), (float)(i + 1), 0, 1 };
		const struct vgpu_launch launch = {
			.function = (uint32_t)function,
			.grid = { 1, 1, 1 },
			.block = { 1, 1, 1 },
			.parameter_bytes = sizeof(parameters),
			.parameters = i % PLACES * sizeof(parameters),
		};
		struct vgpu_submission submission = { .opcode = VGPU_RING_LAUNCH,
						      .flags = VGPU_SUBMIT_NO_REPLY };

		/* Launch i - PLACES was here, and the one after it is i - PLACES + 1. */
		while (i >= PLACES &&
		       __atomic_load_n(&channel.ring.control->submission_head, __ATOMIC_ACQUIRE) -
				       before <
			       i - PLACES + 2)
			sched_yield();
		memcpy(channel.ring.window + launch.parameters, &parameters, sizeof(parameters));
		memcpy(submission.argument, &launch, sizeof(launch));
		guest_ring_submit(&channel.ring, &submission);
	}
	channel_must(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
	channel_must(&channel, VGPU_RING_COPY_DTOH, 0, y, LAUNCHES * sizeof(float), 0, 0);
	channel_must(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
	for (int i = 0; i < LAUNCHES; i++)
		assert_true(made[i] == (float)(i + 1));
	channel_end(&channel);
}

static void largest_and_smallest_ring(void **state)
{
	static const uint32_t entries[] = { VGPU_RING_ENTRIES_MIN, VGPU_RING_ENTRIES_MAX };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct channel_driver channel = channel_begin(entries[i], VGPU_RING_PAGE, 0);

		for (uint32_t n = 0; n < entries[i]; n++)
			guest_ring_submit(&channel.ring, &nop);
		for (uint32_t n = 0; n < entries[i]; n++)
			assert_int_equal(channel_wait(&channel).status, 0);
		channel_end(&channel);
	}
}

/* Submissions without a reply give no completion, and their room comes back all the same. */
static void room_without_replies(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	const struct vgpu_submission silent = { .opcode = VGPU_RING_NOP,
						.flags = VGPU_SUBMIT_NO_REPLY };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		while (!guest_ring_has_room(&channel.ring))
			sched_yield();
		guest_ring_submit(&channel.ring, &silent);
	}
	assert_int_equal(channel_run(&channel, nop).status, 0);
	assert_true(channel.grant->submissions == 1001);
	channel_end(&channel);
}

/* A guest that has not taken its completions gets no more, and loses none. */
static void completion_ring_is_full(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	struct vgpu_submission submission = nop;

	(void)state;
	for (uint64_t i = 0; i < 2 * CHANNEL_ENTRIES; i++) {
		submission.tag = i;
		while (!guest_ring_has_room(&channel.ring))
			sched_yield();
		guest_ring_submit(&channel.ring, &submission);
	}
	usleep(50000);
	assert_int_equal(channel.ring.control->submission_head, CHANNEL_ENTRIES);
	assert_int_equal(channel.ring.control->failed, 0);
	for (uint64_t i = 0; i < 2 * CHANNEL_ENTRIES; i++)
		assert_true(channel_wait(&channel).tag == i);
	channel_end(&channel);
}

/* The worker says so to its guest and to the mediator, and ends. */
static void expect_broken(struct channel_driver *channel)
{
	union vgpu_worker_message message;
	int status;

	assert_int_equal(driver_receive(&channel->driver, &message), sizeof(message.failed));
	assert_int_equal(message.header.type, VGPU_WORKER_FAILED_MESSAGE);
	assert_non_null(strstr(message.failed.text, "the guest broke its ring"));
	status = driver_wait(&channel->driver);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EX_DATAERR);
	assert_int_equal(channel->ring.control->failed, VGPU_ERR_INVALID_REQUEST);
	/* A guest that sleeps is woken. */
	channel->ring.control->guest_sleeps = 1;
	assert_int_equal(poll(&(struct pollfd){ .fd = channel->fds[2], .events = POLLIN }, 1, 0),
			 1);
	channel_forget(channel);
}

static void sequences_that_jump(void **state)
{
	static const uint32_t wrong[] = { 2, 17, 0x80000001, UINT32_MAX, 18, 33 };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);

		__atomic_store_n(&channel.ring.submissions[0].sequence, wrong[i], __ATOMIC_RELEASE);
		guest_ring_doorbell(&channel.ring);
		expect_broken(&channel);
	}
}

static void sequences_that_go_back(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);

	(void)state;
	for (uint32_t i = 0; i < CHANNEL_ENTRIES + 3; i++)
		channel_run(&channel, nop);
	/* Entry 3 of the second round: what stands there is 4. Before it was 0. */
	__atomic_store_n(&channel.ring.submissions[3].sequence, 0, __ATOMIC_RELEASE);
	guest_ring_doorbell(&channel.ring);
	expect_broken(&channel);
}

/* The entry behind the next one does not matter yet. */
static void an_entry_too_early_is_not_looked_at(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);

	(void)state;
	channel.ring.submissions[1].sequence = 2;
	guest_ring_doorbell(&channel.ring);
	usleep(20000);
	assert_int_equal(channel.ring.control->submission_head, 0);
	assert_int_equal(channel_run(&channel, nop).status, 0);
	assert_int_equal(channel_wait(&channel).status, 0);
	channel.ring.submitted++;
	assert_int_equal(channel_run(&channel, nop).status, 0);
	channel_end(&channel);
}

static void completion_head_out_of_range(void **state)
{
	static const uint32_t wrong[] = { CHANNEL_ENTRIES + 1, 0x80000000, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);

		channel.ring.control->completion_head = wrong[i];
		for (uint32_t n = 0; n < CHANNEL_ENTRIES; n++)
			guest_ring_submit(&channel.ring, &nop);
		while (channel.ring.control->submission_head != CHANNEL_ENTRIES &&
		       !channel.ring.control->failed)
			usleep(100);
		guest_ring_submit(&channel.ring, &nop);
		guest_ring_doorbell(&channel.ring);
		expect_broken(&channel);
	}
}

/* What the guest writes into the worker's words is not believed. */
static void the_workers_words_are_its_own(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);

	(void)state;
	for (int i = 0; i < 100; i++) {
		channel.ring.control->submission_head = 0xdeadbeef;
		memset(channel.ring.completions, 0xff,
		       CHANNEL_ENTRIES * sizeof(*channel.ring.completions));
		guest_ring_store(&channel.ring, &nop);
		guest_ring_doorbell(&channel.ring);
		assert_int_equal(channel_wait(&channel).status, 0);
	}
	channel_end(&channel);
}

struct scribbler {
	struct channel_driver *channel;
	uint64_t other;
	bool stop;
};

/* Changes every field of the entries but the sequence, as fast as it can. */
static void *scribble(void *opaque)
{
	struct scribbler *scribbler = opaque;
	struct vgpu_submission *submissions = scribbler->channel->ring.submissions;
	uint64_t n = 0;

	while (!__atomic_load_n(&scribbler->stop, __ATOMIC_RELAXED)) {
		volatile struct vgpu_submission *entry = &submissions[n++ % CHANNEL_ENTRIES];

		entry->argument[2] = n % 3 ? 1000 : UINT64_MAX;
		entry->argument[1] = n % 5 ? 0 : CHANNEL_WINDOW - 1;
		entry->argument[0] = n % 2 ? scribbler->other : scribbler->other + 990;
		entry->opcode = n % 7 ? VGPU_RING_COPY_HTOD : VGPU_RING_NOP;
	}
	return NULL;
}

/*
 * The worker must act on the copy that it validated: it answers every time, with success or
 * INVALID_VALUE, and what lies beside the allocation stays as it is.
 */
static void descriptors_that_change_while_they_are_read(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 0);
	struct scribbler scribbler = { .channel = &channel };
	uint64_t guard;
	pthread_t thread;
	int good = 0, refused = 0;

	(void)state;
	scribbler.other = channel_must(&channel, VGPU_RING_MEM_ALLOC, 1000, 0, 0, 0, 0);
	guard = channel_must(&channel, VGPU_RING_MEM_ALLOC, 100000, 0, 0, 0, 0);
	memset(channel.ring.window, 0x77, CHANNEL_WINDOW);
	assert_int_equal(pthread_create(&thread, NULL, scribble, &scribbler), 0);
	for (int i = 0; i < 20000; i++) {
		const struct vgpu_submission copy = { .opcode = VGPU_RING_COPY_HTOD,
						      .argument = { scribbler.other, 0, 1000 } };
		struct vgpu_completion completion;

		guest_ring_submit(&channel.ring, &copy);
		while (!guest_ring_poll(&channel.ring, &completion))
			assert_int_equal(channel.ring.control->failed, 0);
		if (completion.status == 0)
			good++;
		else if (completion.status == CUDA_ERROR_INVALID_VALUE)
			refused++;
		else
			fail_msg("status %u", completion.status);
	}
	__atomic_store_n(&scribbler.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(good + refused, 20000);
	channel_must(&channel, VGPU_RING_COPY_DTOH, 0, guard, 100000, 0, 0);
	channel_must(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(channel.ring.window[i], 0);
	channel_end(&channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_round_many_times),
		cmocka_unit_test(what_was_read_may_be_overwritten),
		cmocka_unit_test(largest_and_smallest_ring),
		cmocka_unit_test(room_without_replies),
		cmocka_unit_test(completion_ring_is_full),
		cmocka_unit_test(sequences_that_jump),
		cmocka_unit_test(sequences_that_go_back),
		cmocka_unit_test(an_entry_too_early_is_not_looked_at),
		cmocka_unit_test(completion_head_out_of_range),
		cmocka_unit_test(the_workers_words_are_its_own),
		cmocka_unit_test(descriptors_that_change_while_they_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
