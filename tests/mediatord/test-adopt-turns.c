/* SPDX-License-Identifier: Apache-2.0 */
/* Turns on a GPU that were under way when the mediator was killed. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "mediatord/record.h"
#include "mediatord/worker_protocol.h"
#include "tests/mediatord/adopt-driver.h"

#define OTHER_UUID  "6f1d6c1e-0f5e-4c55-9d3a-0123456789ac"
#define OTHER_VM_ID (DAEMON_VM_ID + 1)

static int put(struct daemon *daemon, const char *uuid, uint32_t vm_id, const char *quotas)
{
	char path[64], body[128], answer[8192];

	snprintf(path, sizeof(path), "/v1/vms/%s", uuid);
	snprintf(body, sizeof(body), "{\"link_uid\": %u, \"vm_id\": %u, \"quotas\": {%s}}",
		 (unsigned int)geteuid(), vm_id, quotas);
	return daemon_http(daemon, "PUT", path, body, answer, sizeof(answer));
}

/* As if this VM's worker had been revoked, and were busy with what it had started before. */
static void revoke_one_that_holds(const struct daemon *daemon, uint32_t vm_id)
{
	int fds[2][VGPU_KEEPER_FDS];

	assert_int_equal(adopt_kept(daemon, fds, 2), 2);
	for (int i = 0; i < 2; i++) {
		struct vgpu_grant_page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
						    MAP_SHARED, fds[i][VGPU_KEEPER_FD_GRANT], 0);
		struct record *record = NULL;

		assert_true(page != MAP_FAILED);
		assert_null(record_map(fds[i][VGPU_KEEPER_FD_RECORD], &record));
		page->grant = 0;
		page->holding = record->vm_id == vm_id;
		record_free(&record);
		munmap(page, sizeof(*page));
		for (int fd = 0; fd < VGPU_KEEPER_FDS; fd++)
			close(fds[i][fd]);
	}
}

static void who_was_revoked_and_holds_the_gpu_is_waited_for(void **state)
{
	struct daemon *daemon = *state;
	struct device device, other;
	struct guest_ring ring;
	char link[128];
	uint64_t pointer;

	/* Of the one that is waited for: the other's jobs may take long on a busy host. */
	assert_int_equal(put(daemon, DAEMON_UUID, DAEMON_VM_ID, "\"longest_job_ms\": 100"), 200);
	assert_int_equal(put(daemon, OTHER_UUID, OTHER_VM_ID, ""), 201);
	snprintf(link, sizeof(link), "%s/run/link/" OTHER_UUID ".sock", daemon->dir);
	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	device_open(&other, link);
	device_open_channel(&other, 0);
	ring = adopt_ring(&other, 0);
	pointer = adopt_allocate(&ring, 65536);

	adopt_kill(daemon, &device);
	assert_true(client_sees_end(&other.client, CLIENT_TIMEOUT_MS));
	client_close(&other.client);
	revoke_one_that_holds(daemon, DAEMON_VM_ID);
	adopt_start(daemon, &device);
	device_greet(&other, link);
	device_resume(&other);

	/* It says nothing within its time, which it is killed for; the other has the GPU then. */
	adopt_fill(&ring, pointer, 1);
	assert_int_equal(device_closed(&device, 0), VGPU_ERR_TIMEOUT);
	device_close(&device);
	device_close(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_was_revoked_and_holds_the_gpu_is_waited_for,
						daemon_setup, daemon_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
