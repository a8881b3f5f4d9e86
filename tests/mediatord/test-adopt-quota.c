/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mediator is killed at random instants while guests allocate and free up to their quota: it is
 * exceeded by no byte, and no byte is lost.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/mediatord/adopt-driver.h"

#define QUOTA	 (UINT64_C(1) << 20)
#define CHANNELS 3
#define BLOCKS	 64
#define ROUNDS	 25

/* A guest's program: what it has, and whether an answer is still to come. */
struct program {
	struct guest_ring ring;
	struct block {
		uint64_t pointer;
		uint64_t bytes;
	} blocks[BLOCKS];
	size_t count;
	uint64_t asked; /* bytes of an allocation that is under way */
	bool frees;	/* a block is being freed */
};

static void submit_one(struct program *program)
{
	if (program->count < BLOCKS && (program->count == 0 || rand() % 5 < 3)) {
		/* Whole pages: what is counted is what was asked for. */
		program->asked = (uint64_t)(1 + rand() % 40) * 4096;
		adopt_submit(&program->ring, VGPU_RING_MEM_ALLOC, (uint64_t[4]){ program->asked });
	} else {
		/* From now on it may be anybody's. */
		program->frees = true;
		program->count--;
		adopt_submit(&program->ring, VGPU_RING_MEM_FREE,
			     (uint64_t[4]){ program->blocks[program->count].pointer });
	}
}

/* Takes the answer, if there is one. */
static void take_one(struct program *program)
{
	struct vgpu_completion completion;

	if (!guest_ring_poll(&program->ring, &completion))
		return;
	if (program->frees) {
		assert_int_equal(completion.status, 0);
	} else if (completion.status == 0) {
		program->blocks[program->count++] = (struct block){
			.pointer = completion.result[0],
			.bytes = program->asked,
		};
	} else {
		assert_int_equal(completion.status, 2); /* out of memory */
	}
	program->frees = false;
	program->asked = 0;
}

static uint64_t held(const struct program programs[CHANNELS])
{
	uint64_t sum = 0;

	for (int i = 0; i < CHANNELS; i++)
		for (size_t n = 0; n < programs[i].count; n++)
			sum += programs[i].blocks[n].bytes;
	return sum;
}

/* All programs go on for so long; the quota holds at every step. */
static void go_on(struct program programs[CHANNELS], int64_t duration_ns)
{
	int64_t end = vgpu_now_ns() + duration_ns;

	while (vgpu_now_ns() < end)
		for (int i = 0; i < CHANNELS; i++) {
			if (programs[i].asked || programs[i].frees)
				take_one(&programs[i]);
			else
				submit_one(&programs[i]);
			assert_true(held(programs) <= QUOTA);
		}
}

static void settle(struct program programs[CHANNELS])
{
	for (int i = 0; i < CHANNELS; i++) {
		if (!programs[i].asked && !programs[i].frees)
			continue;
		assert_true(guest_ring_sleep(&programs[i].ring, CLIENT_TIMEOUT_MS));
		take_one(&programs[i]);
	}
}

/* The rest of the quota to the byte, and then not one page more. */
static void fill_up(struct daemon *daemon, struct program programs[CHANNELS])
{
	uint64_t rest = QUOTA - held(programs);
	uint64_t pointer;

	adopt_wait_usage(daemon, "gpu_memory_bytes", held(programs));
	if (!rest)
		return;
	pointer = adopt_allocate(&programs[0].ring, rest);
	adopt_wait_usage(daemon, "gpu_memory_bytes", QUOTA);
	assert_int_equal(
		adopt_call(&programs[1].ring, VGPU_RING_MEM_ALLOC, (uint64_t[4]){ 1 }).status, 2);
	assert_int_equal(
		adopt_call(&programs[0].ring, VGPU_RING_MEM_FREE, (uint64_t[4]){ pointer }).status,
		0);
}

static void the_quota_holds_to_the_byte_whenever_it_is_killed(void **state)
{
	static struct program programs[CHANNELS];
	struct daemon *daemon = *state;
	char answer[8192], body[128];
	struct device device;
	unsigned int seed = (unsigned int)vgpu_now_ns();

	print_message("seed %u\n", seed);
	srand(seed);
	snprintf(body, sizeof(body),
		 "{\"link_uid\": %u, \"vm_id\": %u, \"quotas\": {\"gpu_memory_bytes\": %llu}}",
		 (unsigned int)geteuid(), DAEMON_VM_ID, (unsigned long long)QUOTA);
	assert_int_equal(
		daemon_http(daemon, "PUT", "/v1/vms/" DAEMON_UUID, body, answer, sizeof(answer)),
		200);
	device_open(&device, daemon->link);
	for (uint32_t i = 0; i < CHANNELS; i++) {
		device_open_channel(&device, i);
		programs[i].ring = adopt_ring(&device, i);
	}
	for (int round = 0; round < ROUNDS; round++) {
		go_on(programs, rand() % 20000 * VGPU_NS_PER_US);
		adopt_kill(daemon, &device);
		go_on(programs, 5 * VGPU_NS_PER_MS);
		adopt_start(daemon, &device);
		if (round % 5 == 4) {
			settle(programs);
			fill_up(daemon, programs);
		}
	}
	settle(programs);
	for (uint32_t i = 0; i < CHANNELS; i++)
		while (programs[i].count)
			assert_int_equal(
				adopt_call(
					&programs[i].ring, VGPU_RING_MEM_FREE,
					(uint64_t[4]){
						programs[i].blocks[--programs[i].count].pointer })
					.status,
				0);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	device_close(&device);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, daemon_setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_quota_holds_to_the_byte_whenever_it_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
