/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's side of the rings: indices that wrap, a ring that is full, who is to be woken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest-agent/ring.h"

#define ENTRIES 16u

static void *region;

static int set_up(void **state)
{
	(void)state;
	region = aligned_alloc(VGPU_RING_PAGE, vgpu_ring_window_offset(ENTRIES));
	if (!region)
		return -1;
	memset(region, 0, vgpu_ring_window_offset(ENTRIES));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(region);
	return 0;
}

/* A ring as it is after `index` submissions and completions. */
static struct ring ring_at(uint32_t index, bool combining)
{
	struct ring ring;

	ring_init(&ring, region, ENTRIES, combining);
	ring.submitted = ring.taken = ring.completed = index;
	ring.control->submission_head = index;
	ring.control->completion_head = index;
	for (uint32_t i = 0; i < ENTRIES; i++) {
		uint32_t before = index - ENTRIES + i;

		ring.submissions[before % ENTRIES].sequence = before + 1;
		ring.completions[before % ENTRIES].sequence = before + 1;
	}
	return ring;
}

/* The worker's side, by the words of the specification. */
static void answer(struct ring *ring, uint32_t index, uint32_t status)
{
	const struct vgpu_submission *submission = &ring->submissions[index % ENTRIES];
	struct vgpu_completion *completion = &ring->completions[index % ENTRIES];

	assert_int_equal(submission->sequence, index + 1);
	ring->control->submission_head = index + 1;
	completion->status = status;
	completion->tag = submission->tag;
	completion->result[0] = submission->argument[5];
	completion->sequence = index + 1;
}

static void round_trips(uint32_t from, unsigned int count, bool combining)
{
	struct ring ring = ring_at(from, combining);

	for (unsigned int i = 0; i < count; i++) {
		const struct vgpu_submission submission = { .opcode = VGPU_RING_MEM_SET,
							    .tag = UINT64_C(0x123456789) + i,
							    .argument = { 1, 2, 3, 4, 5, i } };
		struct vgpu_completion completion;
		uint32_t index = from + i;

		assert_int_equal(ring_room(&ring), ENTRIES);
		assert_false(ring_ready(&ring));
		ring_put(&ring, &submission);
		assert_int_equal(ring.submissions[index % ENTRIES].opcode, VGPU_RING_MEM_SET);
		assert_int_equal(ring_refresh(&ring), ENTRIES - 1);
		assert_false(ring_ready(&ring));
		answer(&ring, index, i);
		assert_true(ring_ready(&ring));
		ring_take(&ring, &completion);
		assert_int_equal(completion.status, i);
		assert_int_equal(completion.tag, submission.tag);
		assert_int_equal(completion.result[0], i);
		assert_int_equal(ring.control->completion_head, index + 1);
		assert_int_equal(ring_refresh(&ring), ENTRIES);
	}
}

static void test_indices_wrap(void **state)
{
	(void)state;
	round_trips(0, 5 * ENTRIES, false);
	round_trips(UINT32_MAX - 2 * ENTRIES + 1, 5 * ENTRIES, false);
	round_trips(UINT32_MAX - 2 * ENTRIES + 1, 5 * ENTRIES, true);
}

/* Zeroed memory must not look like an entry, whatever the index. */
static void test_new_ring_is_empty(void **state)
{
	struct ring ring;

	(void)state;
	ring_init(&ring, region, ENTRIES, false);
	assert_false(ring_ready(&ring));
	assert_int_equal(ring_room(&ring), ENTRIES);
	assert_int_equal(ring_failed(&ring), 0);
}

static void fill(uint32_t from)
{
	struct ring ring = ring_at(from, false);
	const struct vgpu_submission nop = { .opcode = VGPU_RING_NOP };

	for (uint32_t i = 0; i < ENTRIES; i++) {
		assert_true(ring_room(&ring) > 0);
		ring_put(&ring, &nop);
	}
	assert_int_equal(ring_room(&ring), 0);
	assert_false(ring_moved(&ring, from));
	ring.control->submission_head = from + 3;
	assert_true(ring_moved(&ring, from));
	assert_int_equal(ring_room(&ring), 3);
	for (uint32_t i = 0; i < 3; i++)
		ring_put(&ring, &nop);
	assert_int_equal(ring_room(&ring), 0);
}

static void test_full(void **state)
{
	(void)state;
	fill(0);
	fill(UINT32_MAX - 3);
}

static void test_head_beyond_what_was_submitted(void **state)
{
	struct ring ring = ring_at(100, false);
	const struct vgpu_submission nop = { .opcode = VGPU_RING_NOP };

	(void)state;
	ring_put(&ring, &nop);
	ring.control->submission_head = 102;
	assert_int_equal(ring_refresh(&ring), UINT32_MAX);
	ring.control->submission_head = 101 - ENTRIES - 1;
	assert_int_equal(ring_refresh(&ring), UINT32_MAX);
	ring.control->submission_head = 101 - ENTRIES;
	assert_int_equal(ring_refresh(&ring), 0);
}

static void test_who_sleeps_is_woken(void **state)
{
	struct ring ring = ring_at(7, false);
	const struct vgpu_submission nop = { .opcode = VGPU_RING_NOP };

	(void)state;
	ring_put(&ring, &nop);
	assert_false(ring_wants_doorbell(&ring));
	ring.control->worker_sleeps = 1;
	assert_true(ring_wants_doorbell(&ring));

	assert_false(ring_sleep(&ring));
	assert_int_equal(ring.control->guest_sleeps, 1);
	ring_awake(&ring);
	assert_int_equal(ring.control->guest_sleeps, 0);
	/* What came just before is found by the look after saying so. */
	answer(&ring, 7, 0);
	assert_true(ring_sleep(&ring));
}

static void test_layout(void **state)
{
	struct ring ring;

	(void)state;
	ring_init(&ring, region, ENTRIES, false);
	assert_ptr_equal(ring.submissions, (char *)region + 4096);
	assert_ptr_equal(ring.completions, (char *)region + 4096 + ENTRIES * 64);
	assert_int_equal(vgpu_ring_window_offset(ENTRIES), 8192);
	assert_int_equal(vgpu_ring_window_offset(VGPU_RING_ENTRIES), 4096 + 256 * 96);
	assert_int_equal(vgpu_ring_window_offset(4096), 4096 + 4096 * 96);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_indices_wrap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_new_ring_is_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_head_beyond_what_was_submitted, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_who_sleeps_is_woken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_layout, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
