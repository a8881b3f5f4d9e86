/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's side of the rings alone: indices that wrap at 2^32, and tables of handles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mediatord/worker/handles.h"
#include "mediatord/worker/ring.h"
#include "tests/mediatord/guest-ring.h"

#define ENTRIES 16u

/* Both sides as they are after `first` submissions, all answered and taken. */
static void *preset(struct ring *worker, struct guest_ring *guest, uint64_t first)
{
	void *region = calloc(1, vgpu_ring_window_offset(ENTRIES) + VGPU_RING_PAGE);

	assert_non_null(region);
	ring_init(worker, region, ENTRIES);
	guest_ring_init(guest, region, ENTRIES, -1, -1);
	for (uint64_t i = first < ENTRIES ? 0 : first - ENTRIES; i < first; i++) {
		guest->submissions[i % ENTRIES].sequence = (uint32_t)(i + 1);
		guest->completions[i % ENTRIES].sequence = (uint32_t)(i + 1);
	}
	worker->taken = worker->completed = worker->completion_head = first;
	guest->submitted = guest->taken = (uint32_t)first;
	ring_publish(worker);
	guest->control->completion_head = (uint32_t)first;
	return region;
}

static void wraps_at_2_to_the_32(void **state)
{
	static const uint64_t nothing[2];
	const uint64_t first = (UINT64_C(1) << 32) - 40;
	struct guest_ring guest;
	struct ring worker;
	void *region = preset(&worker, &guest, first);

	(void)state;
	for (uint64_t i = first; i < first + 80; i += 8) {
		struct vgpu_submission submission = { .opcode = VGPU_RING_NOP }, copy;
		struct vgpu_completion completion;

		assert_false(ring_waiting(&worker));
		assert_int_equal(ring_take(&worker, &copy), 0);
		for (uint64_t n = i; n < i + 8; n++) {
			submission.tag = n;
			assert_true(guest_ring_has_room(&guest));
			guest_ring_store(&guest, &submission);
		}
		for (uint64_t n = i; n < i + 8; n++) {
			assert_true(ring_waiting(&worker));
			assert_int_equal(ring_take(&worker, &copy), 1);
			assert_true(copy.tag == n);
			assert_int_equal(ring_room(&worker), 1);
			ring_complete(&worker, n, 0, nothing);
		}
		for (uint64_t n = i; n < i + 8; n++) {
			assert_true(guest_ring_poll(&guest, &completion));
			assert_true(completion.tag == n);
		}
		assert_int_equal(guest.control->submission_head, (uint32_t)(i + 8));
	}
	free(region);
}

/* Around the wrap a stale entry is no new one, and a wrong one is found out. */
static void stale_and_wrong_entries_at_the_wrap(void **state)
{
	(void)state;
	for (uint64_t first = (UINT64_C(1) << 32) - 20; first < (UINT64_C(1) << 32) + 20; first++) {
		struct vgpu_submission copy;
		struct guest_ring guest;
		struct ring worker;
		void *region = preset(&worker, &guest, first);
		uint32_t *sequence = &guest.submissions[first % ENTRIES].sequence;

		assert_int_equal(ring_take(&worker, &copy), 0);
		for (uint32_t wrong = 2; wrong < 40; wrong++) {
			*sequence = (uint32_t)first + wrong;
			assert_int_equal(ring_take(&worker, &copy), -1);
		}
		*sequence = (uint32_t)first;
		assert_int_equal(ring_take(&worker, &copy), -1);
		*sequence = (uint32_t)first + 1;
		assert_int_equal(ring_take(&worker, &copy), 1);
		free(region);
	}
}

static void full_at_the_wrap(void **state)
{
	static const uint64_t nothing[2];
	const uint64_t first = (UINT64_C(1) << 32) - 5;
	struct guest_ring guest;
	struct ring worker;
	void *region = preset(&worker, &guest, first);

	(void)state;
	for (uint32_t i = 0; i < ENTRIES; i++) {
		assert_int_equal(ring_room(&worker), 1);
		ring_complete(&worker, 0, 0, nothing);
	}
	assert_int_equal(ring_room(&worker), 0);
	/* Backwards, and beyond what there is. */
	guest.control->completion_head = (uint32_t)first - 1;
	assert_int_equal(ring_room(&worker), -1);
	guest.control->completion_head = (uint32_t)first + ENTRIES + 1;
	assert_int_equal(ring_room(&worker), -1);
	guest.control->completion_head = (uint32_t)first + ENTRIES;
	assert_int_equal(ring_room(&worker), 1);
	free(region);
}

/* submission_head moves at least once in a quarter of the ring, where nothing is answered. */
static void publishes_what_it_took(void **state)
{
	struct vgpu_submission submission = { .opcode = VGPU_RING_NOP }, copy;
	struct guest_ring guest;
	struct ring worker;
	void *region = preset(&worker, &guest, 0);

	(void)state;
	for (uint32_t i = 1; i <= 100; i++) {
		guest_ring_store(&guest, &submission);
		assert_int_equal(ring_take(&worker, &copy), 1);
		assert_in_range(i - guest.control->submission_head, 0, ENTRIES / 4 - 1);
	}
	ring_sleeps(&worker);
	assert_int_equal(guest.control->submission_head, 100);
	assert_int_equal(guest.control->worker_sleeps, 1);
	ring_awake(&worker);
	assert_int_equal(guest.control->worker_sleeps, 0);
	free(region);
}

static void handles_are_not_used_again_soon(void **state)
{
	struct handle_table table;
	uint32_t seen[3000];

	(void)state;
	assert_int_equal(handle_table_open(&table, HANDLE_EVENT), 0);
	for (uint32_t i = 0; i < 3000; i++) {
		seen[i] = handle_add(&table, 1);
		assert_int_not_equal(seen[i], 0);
		handle_remove(&table, handle_find(&table, seen[i]));
	}
	for (uint32_t i = 0; i < 3000; i++)
		assert_null(handle_find(&table, seen[i]));
	handle_table_close(&table);
}

static void handles_of_a_full_table(void **state)
{
	static uint32_t numbers[HANDLES_MAX];
	struct handle_table table;

	(void)state;
	assert_int_equal(handle_table_open(&table, HANDLE_MODULE), 0);
	for (uint32_t round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < HANDLES_MAX; i++) {
			numbers[i] = handle_add(&table, i + 1);
			assert_int_not_equal(numbers[i], 0);
		}
		assert_int_equal(handle_add(&table, 1), 0);
		for (uint32_t i = 0; i < HANDLES_MAX; i++) {
			/* In another order than they were added. */
			uint32_t n = i * 2731 % HANDLES_MAX;
			struct handle *handle = handle_find(&table, numbers[n]);

			assert_non_null(handle);
			assert_true(handle->object == n + 1);
			handle_remove(&table, handle);
			assert_null(handle_find(&table, numbers[n]));
		}
	}
	handle_table_close(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wraps_at_2_to_the_32),
		cmocka_unit_test(stale_and_wrong_entries_at_the_wrap),
		cmocka_unit_test(full_at_the_wrap),
		cmocka_unit_test(publishes_what_it_took),
		cmocka_unit_test(handles_are_not_used_again_soon),
		cmocka_unit_test(handles_of_a_full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
