/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each reason for which a mediator does not go on with a worker: two channels are open, the record
 * of one is changed while no mediator is there, and the next says why it killed a worker for it.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "mediatord/peer.h"
#include "mediatord/record.h"
#include "mediatord/worker_protocol.h"
#include "tests/mediatord/adopt-driver.h"

/* The records of all workers, as the next mediator is to find them; returns their number. */
static size_t take_records(const struct daemon *daemon, struct record *records[2])
{
	int fds[2][VGPU_KEEPER_FDS];
	size_t count = adopt_kept(daemon, fds, 2);

	for (size_t i = 0; i < count; i++) {
		assert_null(record_map(fds[i][VGPU_KEEPER_FD_RECORD], &records[i]));
		for (int fd = 0; fd < VGPU_KEEPER_FDS; fd++)
			close(fds[i][fd]);
	}
	return count;
}

/* What is done to the record of channel 1, that of channel 0 being there beside it. */

static void no_magic(struct record *record, const struct record *other)
{
	(void)other;
	record->magic++;
}

static void later_version(struct record *record, const struct record *other)
{
	(void)other;
	record->version = RECORD_VERSION + 1;
}

static void no_version(struct record *record, const struct record *other)
{
	(void)other;
	record->version = RECORD_OLDEST - 1;
}

static void warm(struct record *record, const struct record *other)
{
	(void)other;
	record->kind = RECORD_WARM;
}

static void no_kind(struct record *record, const struct record *other)
{
	(void)other;
	record->kind = 77;
}

static void ending(struct record *record, const struct record *other)
{
	(void)other;
	record->ending = 1;
}

static void not_ready(struct record *record, const struct record *other)
{
	(void)other;
	record->ready = 0;
}

static void old_worker(struct record *record, const struct record *other)
{
	(void)other;
	record->worker_version = VGPU_WORKER_PROTOCOL_OLDEST - 1;
}

static void newer_worker(struct record *record, const struct record *other)
{
	(void)other;
	record->worker_version = VGPU_WORKER_PROTOCOL_VERSION + 1;
}

static void endless_name(struct record *record, const struct record *other)
{
	(void)other;
	memset(record->gpu_name, 'x', sizeof(record->gpu_name));
}

static void no_device(struct record *record, const struct record *other)
{
	(void)other;
	record->device_pid = 0;
}

static void device_gone(struct record *record, const struct record *other)
{
	(void)other;
	record->device_start++;
}

static void other_device(struct record *record, const struct record *other)
{
	(void)other;
	record->device_pid = getppid();
	record->device_start = peer_start(getppid());
}

static void no_channel(struct record *record, const struct record *other)
{
	(void)other;
	record->channel = VGPU_CHANNELS_MAX;
}

static void no_serial(struct record *record, const struct record *other)
{
	(void)other;
	record->serial = 0;
}

static void odd_entries(struct record *record, const struct record *other)
{
	(void)other;
	record->entries = 17;
}

static void many_entries(struct record *record, const struct record *other)
{
	(void)other;
	record->entries = VGPU_RING_ENTRIES_MAX * 2;
}

static void unaligned(struct record *record, const struct record *other)
{
	(void)other;
	record->region++;
}

static void no_window(struct record *record, const struct record *other)
{
	(void)other;
	record->region_bytes = vgpu_ring_window_offset(record->entries);
}

static void outside(struct record *record, const struct record *other)
{
	(void)other;
	record->region = record->bar_bytes - record->region_bytes + 4096;
}

static void far_outside(struct record *record, const struct record *other)
{
	(void)other;
	record->region = UINT64_MAX - 4095;
}

static void untold(struct record *record, const struct record *other)
{
	(void)other;
	record->opened = 0;
}

static void unknown_vm(struct record *record, const struct record *other)
{
	(void)other;
	record->uuid[0]++;
}

static void other_id(struct record *record, const struct record *other)
{
	(void)other;
	record->vm_id++;
}

static void other_backend(struct record *record, const struct record *other)
{
	(void)other;
	record->backend++;
}

static void other_gpu(struct record *record, const struct record *other)
{
	(void)other;
	record->gpu = 900;
}

static void all_memory(struct record *record, const struct record *other)
{
	(void)other;
	record->memory_used = UINT64_MAX;
}

static void same_channel(struct record *record, const struct record *other)
{
	record->channel = other->channel;
}

static void same_region(struct record *record, const struct record *other)
{
	record->region = other->region;
}

static void inside_region(struct record *record, const struct record *other)
{
	record->region = other->region + 4096;
}

static void other_bar(struct record *record, const struct record *other)
{
	(void)other;
	record->bar_inode++;
}

static const struct refusal {
	void (*change)(struct record *record, const struct record *other);
	const char *why;
} refusals[] = {
	{ no_magic, "its record has a version that this mediator does not know" },
	{ later_version, "its record has a version that this mediator does not know" },
	{ no_version, "its record has a version that this mediator does not know" },
	{ warm, "it was no VM's" },
	{ no_kind, "it was no VM's" },
	{ ending, "it was about to end" },
	{ not_ready, "it was not ready" },
	{ old_worker, "it speaks another version of the protocol" },
	{ newer_worker, "it speaks another version of the protocol" },
	{ endless_name, "its record has a GPU name without an end" },
	{ no_device, "its device's process is not known" },
	{ device_gone, "its device is gone" },
	{ other_device, "it served another device than the VM's other workers" },
	{ no_channel, "its record names no channel" },
	{ no_serial, "its record names no channel" },
	{ odd_entries, "its record has rings of no possible size" },
	{ many_entries, "its record has rings of no possible size" },
	{ unaligned, "its record has a region outside BAR2" },
	{ no_window, "its record has a region outside BAR2" },
	{ outside, "its record has a region outside BAR2" },
	{ far_outside, "its record has a region outside BAR2" },
	{ untold, "its device was not told of it yet" },
	{ unknown_vm, "its VM is not there any more" },
	{ other_id, "its VM has another id now" },
	{ other_backend, "the host has another backend now" },
	{ other_gpu, "its GPU is in its VM's pool no more" },
	{ all_memory, "its record has more memory than there can be" },
	{ same_channel, "another worker serves its channel" },
	{ same_region, "its region overlaps another's" },
	{ inside_region, "its region overlaps another's" },
	{ other_bar, "its region is in another BAR2 than the VM's other channels" },
};

/* The records, that of channel 0 first. */
static void find_records(const struct daemon *daemon, struct record *records[2])
{
	struct record *first;

	assert_int_equal(take_records(daemon, records), 2);
	if (records[0]->channel == 0)
		return;
	first = records[1];
	records[1] = records[0];
	records[0] = first;
}

static void a_worker_whose_record_is_wrong_is_killed(void **state)
{
	struct daemon *daemon = *state;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct record *records[2];
		struct device device;

		device_open(&device, daemon->link);
		for (uint32_t channel = 0; channel < 2; channel++) {
			struct guest_ring ring;

			device_open_channel(&device, channel);
			ring = adopt_ring(&device, channel);
			adopt_allocate(&ring, 4096);
		}
		adopt_kill(daemon, &device);
		find_records(daemon, records);
		refusals[i].change(records[1], records[0]);
		record_free(&records[0]);
		record_free(&records[1]);
		daemon_start(daemon);
		/* Either may be the one that is believed, where they contradict each other. */
		adopt_wait_usage(daemon, "gpu_memory_bytes", 4096);
		if (!adopt_logged(daemon, refusals[i].why))
			fail_msg("not said: %s", refusals[i].why);
		adopt_wait_usage(daemon, "window_bytes", device.channels[0].region_bytes);
		device_greet(&device, daemon->link);
		device_close(&device);
		adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
		adopt_wait_usage(daemon, "window_bytes", 0);
	}
}

/* Until it was reaped it may still write there. */
static void what_a_refused_worker_held_stays_taken_until_it_is_gone(void **state)
{
	struct daemon *daemon = *state;
	char answer[8192], body[64];
	struct guest_ring ring;
	struct device device;
	pid_t worker;

	device_open(&device, daemon->link);
	assert_int_equal(client_memory(&device.client, VGPU_OP_MEMORY_ALLOC, 4096), VGPU_ERR_NONE);
	worker = daemon_worker_pid(daemon);
	device_open_channel(&device, 0);
	ring = adopt_ring(&device, 0);
	adopt_allocate(&ring, 4096);
	/* Deleted and registered again at once: the workers are not reaped yet, or just were. */
	assert_int_equal(
		daemon_http(daemon, "DELETE", "/v1/vms/" DAEMON_UUID, "", answer, sizeof(answer)),
		204);
	snprintf(body, sizeof(body), "{\"link_uid\": %u, \"vm_id\": %u}", (unsigned int)geteuid(),
		 DAEMON_VM_ID);
	assert_int_equal(
		daemon_http(daemon, "PUT", "/v1/vms/" DAEMON_UUID, body, answer, sizeof(answer)),
		201);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 0);
	adopt_wait_usage(daemon, "window_bytes", 0);
	daemon_wait_until_gone(worker);
	client_close(&device.client);
	device_connect(&device, daemon->link);
	assert_int_equal(client_nop(&device.client), VGPU_ERR_NONE);
	device_open_channel(&device, 0);
	device_close(&device);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, daemon_setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_worker_whose_record_is_wrong_is_killed),
		TEST(what_a_refused_worker_held_stays_taken_until_it_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
