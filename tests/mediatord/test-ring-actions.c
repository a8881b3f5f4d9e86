/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator does to a VM whose ring a real worker serves, while another thread keeps that
 * ring full: each action is in force when it is answered, and nothing gets lost on the way.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/mediatord/adopt-driver.h"

#define CHANNEL 3u
#define CELLS	1024u /* of 4 bytes: what DEVICE_WINDOW holds */
/* Far more than ever is needed, so that only what hangs meets it. */
#define WAIT_NS (60 * VGPU_NS_PER_SECOND)
/* So long nothing may happen where nothing is to happen any more. */
#define QUIET_MS 200

/* A tenant that writes each of its numbers into the next of CELLS cells. */
struct load {
	struct device device;
	struct guest_ring ring;
	uint64_t memory;
	pthread_t thread;
	atomic_bool stop, wrong;
	atomic_ulong submitted, completed;
};

static void submit_next(struct load *load)
{
	unsigned long number = atomic_load(&load->submitted);
	const struct vgpu_submission submission = {
		.opcode = VGPU_RING_MEM_SET,
		.tag = number,
		.argument = { load->memory + number % CELLS * 4, number & UINT32_MAX, 1, 4 },
	};

	/* Counted first: what is submitted is never less than what the worker can see. */
	atomic_store(&load->submitted, number + 1);
	guest_ring_submit(&load->ring, &submission);
}

static void *feed(void *opaque)
{
	struct load *load = opaque;
	struct vgpu_completion completion;

	while (!atomic_load(&load->stop)) {
		while (atomic_load(&load->submitted) - atomic_load(&load->completed) <
		       DEVICE_ENTRIES)
			submit_next(load);
		guest_ring_sleep(&load->ring, 10);
		while (guest_ring_poll(&load->ring, &completion))
			if (completion.status ||
			    completion.tag != atomic_fetch_add(&load->completed, 1))
				atomic_store(&load->wrong, true);
	}
	return NULL;
}

/* Waits until so many are done. */
static void wait_for(const struct load *load, unsigned long completed)
{
	int64_t end = vgpu_now_ns() + WAIT_NS;

	while (atomic_load(&load->completed) < completed) {
		assert_true(vgpu_now_ns() < end);
		usleep(1000);
	}
}

static void begin(struct daemon *daemon, struct load *load)
{
	*load = (struct load){ .memory = 0 };
	device_open(&load->device, daemon->link);
	device_open_channel(&load->device, CHANNEL);
	load->ring = adopt_ring(&load->device, CHANNEL);
	load->memory = adopt_allocate(&load->ring, CELLS * 4);
	assert_int_equal(pthread_create(&load->thread, NULL, feed, load), 0);
	wait_for(load, 1000);
}

static void stop(struct load *load)
{
	atomic_store(&load->stop, true);
	assert_int_equal(pthread_join(load->thread, NULL), 0);
	assert_false(atomic_load(&load->wrong));
}

/* Everything that was submitted is done, in its order, and is in the memory. */
static void check_nothing_is_lost(struct load *load)
{
	unsigned long last;

	stop(load);
	while (atomic_load(&load->completed) < atomic_load(&load->submitted)) {
		struct vgpu_completion completion;

		assert_true(guest_ring_sleep(&load->ring, CLIENT_TIMEOUT_MS));
		assert_true(guest_ring_poll(&load->ring, &completion));
		assert_int_equal(completion.status, 0);
		assert_int_equal(completion.tag, atomic_fetch_add(&load->completed, 1));
	}
	last = atomic_load(&load->submitted) - 1;
	assert_int_equal(adopt_call(&load->ring, VGPU_RING_COPY_DTOH,
				    (uint64_t[4]){ 0, load->memory, CELLS * 4 })
				 .status,
			 0);
	for (unsigned long number = last - CELLS + 1; number <= last; number++) {
		uint32_t value;

		memcpy(&value, load->ring.window + number % CELLS * 4, sizeof(value));
		assert_int_equal(value, number & UINT32_MAX);
	}
}

/* Has it done, which is answered with the VM as it is then. */
static void act(struct daemon *daemon, const char *action, const char *hold)
{
	static char answer[65536];
	char path[96], text[64];

	snprintf(path, sizeof(path), "/v1/vms/" DAEMON_UUID "/%s", action);
	assert_int_equal(daemon_http(daemon, "POST", path, "", answer, sizeof(answer)), 200);
	snprintf(text, sizeof(text), "\"hold\":\"%s\"", hold);
	assert_non_null(strstr(answer, text));
}

static void wait_until_idle(struct daemon *daemon)
{
	int64_t end = vgpu_now_ns() + WAIT_NS;
	static char answer[65536];

	do {
		assert_true(vgpu_now_ns() < end);
		assert_int_equal(daemon_http(daemon, "GET", "/v1/vms/" DAEMON_UUID, "", answer,
					     sizeof(answer)),
				 200);
	} while (!strstr(answer, "\"idle\":true"));
}

/* What was on the GPU ends, and nothing of what was submitted after the answer is begun. */
static void check_it_stands_still(struct daemon *daemon, const struct load *load,
				  unsigned long before)
{
	int64_t end = vgpu_now_ns() + WAIT_NS;
	unsigned long long gpu_time;
	unsigned long completed;

	do {
		assert_true(vgpu_now_ns() < end);
		gpu_time = adopt_usage(daemon, "gpu_time_ns");
		completed = atomic_load(&load->completed);
		usleep(QUIET_MS * 1000);
	} while (atomic_load(&load->completed) != completed ||
		 adopt_usage(daemon, "gpu_time_ns") != gpu_time);
	assert_true(completed <= before);
}

static void a_pause_stops_the_ring_and_resume_lets_it_go_on(void **state)
{
	struct daemon *daemon = *state;
	struct load load;

	begin(daemon, &load);
	for (int round = 0; round < 3; round++) {
		unsigned long before;

		act(daemon, "pause", "paused");
		before = atomic_load(&load.submitted);
		check_it_stands_still(daemon, &load, before);
		act(daemon, "resume", "none");
		wait_for(&load, before + 1000);
	}
	check_nothing_is_lost(&load);
	device_close(&load.device);
}

static void a_drain_finishes_what_was_taken_and_takes_nothing_new(void **state)
{
	struct daemon *daemon = *state;
	unsigned long before;
	struct load load;

	begin(daemon, &load);
	act(daemon, "drain", "draining");
	before = atomic_load(&load.submitted);
	check_it_stands_still(daemon, &load, before);
	wait_until_idle(daemon);
	assert_int_equal(client_nop(&load.device.client), VGPU_ERR_UNAVAILABLE);
	device_send_open(&load.device, CHANNEL + 1, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(&load.device, CHANNEL + 1), VGPU_ERR_UNAVAILABLE);
	act(daemon, "resume", "none");
	wait_for(&load, before + 1000);
	device_open_channel(&load.device, CHANNEL + 1);
	assert_int_equal(client_nop(&load.device.client), VGPU_ERR_NONE);
	check_nothing_is_lost(&load);
	device_close(&load.device);
}

static void a_quarantine_ends_the_channel_until_the_release(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct load load;

	begin(daemon, &load);
	act(daemon, "quarantine", "quarantined");
	stop(&load);
	assert_int_equal(device_closed(&load.device, CHANNEL), VGPU_ERR_QUARANTINED);
	assert_int_equal(client_nop(&load.device.client), VGPU_ERR_QUARANTINED);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	adopt_wait_usage(daemon, "window_bytes", 0);
	device_send_open(&load.device, CHANNEL, DEVICE_ENTRIES, DEVICE_WINDOW);
	assert_int_equal(device_opened(&load.device, CHANNEL), VGPU_ERR_QUARANTINED);
	act(daemon, "release", "none");
	device_open_channel(&load.device, CHANNEL);
	ring = adopt_ring(&load.device, CHANNEL);
	adopt_allocate(&ring, 4096);
	device_close(&load.device);
}

static void a_reset_ends_the_channel_and_lets_the_next_one_open(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct load load;

	begin(daemon, &load);
	act(daemon, "reset", "none");
	stop(&load);
	assert_int_equal(device_closed(&load.device, CHANNEL), VGPU_ERR_CONTEXT_LOST);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	device_open_channel(&load.device, CHANNEL);
	ring = adopt_ring(&load.device, CHANNEL);
	adopt_allocate(&ring, 4096);
	assert_int_equal(client_nop(&load.device.client), VGPU_ERR_NONE);
	device_close(&load.device);
}

/* The value of a sample of the VM's in /metrics. */
static double metric(const char *text, const char *name)
{
	const char *sample = strstr(text, name);

	assert_non_null(sample);
	sample = strchr(sample, '}');
	assert_non_null(sample);
	return strtod(sample + 1, NULL);
}

static void the_histograms_sums_are_those_of_the_times(void **state)
{
	struct daemon *daemon = *state;
	static char text[1 << 17];
	double queued, ran, total, jobs;
	struct load load;

	begin(daemon, &load);
	check_nothing_is_lost(&load);
	assert_int_equal(daemon_http(daemon, "GET", "/metrics", "", text, sizeof(text)), 200);
	queued = metric(text, "\nvgpu_vm_job_queue_seconds_sum{");
	ran = metric(text, "\nvgpu_vm_job_run_seconds_sum{");
	total = metric(text, "\nvgpu_vm_job_total_seconds_sum{");
	jobs = metric(text, "\nvgpu_vm_job_run_seconds_count{");
	assert_true(jobs >= 1000);
	/* Though each of them is of the first bucket, which begins at 0. */
	assert_true(ran > 0);
	assert_true(total > queued + ran - 1e-6 && total < queued + ran + 1e-6);
	device_close(&load.device);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, daemon_setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_pause_stops_the_ring_and_resume_lets_it_go_on),
		TEST(a_drain_finishes_what_was_taken_and_takes_nothing_new),
		TEST(a_quarantine_ends_the_channel_until_the_release),
		TEST(a_reset_ends_the_channel_and_lets_the_next_one_open),
		TEST(the_histograms_sums_are_those_of_the_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
