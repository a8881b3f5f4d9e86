/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that do nothing wake the mediator together, however many VMs have them. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/mediatord/loop-harness.h"
#include "tests/mediatord/medchan-device.h"

#define VMS 16

/* In which each VM's channels are looked at twice. */
#define ROUND_US 1600000

/* How often the mediator's thread, the only one but this, has slept. */
static unsigned long sleeps(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned long count = 0;
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		char path[300], line[128];
		FILE *file;

		if (atoi(entry->d_name) <= 0 || atoi(entry->d_name) == (int)getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		file = fopen(path, "r");
		assert_non_null(file);
		while (fgets(line, sizeof(line), file))
			sscanf(line, "voluntary_ctxt_switches: %lu", &count);
		fclose(file);
	}
	closedir(dir);
	return count;
}

static void it_wakes_no_more_often_than_for_one(void **state)
{
	static struct device devices[VMS];
	struct harness *harness = *state;
	struct vm_config other = harness->vm;
	unsigned long seen = VMS;
	char path[VMS][128];

	for (int i = 0; i < VMS; i++) {
		VGPU_AUTO_ERROR struct vgpu_error *err = NULL;

		other.uuid[15]++;
		other.vm_id++;
		if (control_vm_put(harness->control, &other, &err) < 0)
			fail_msg("%s", err->message);
		snprintf(path[i], sizeof(path[i]), "%s/6f1d6c1e-0f5e-4c55-9d3a-0123456789%02x.sock",
			 harness->config->link_dir, other.uuid[15]);
		device_open(&devices[i], path[i]);
		device_open_channel(&devices[i], 0);
	}
	/* They come to that within two seconds or so, on a host that is not busy. */
	for (int i = 0; seen > VMS / 4; i++) {
		unsigned long before = sleeps();

		assert_true(i * (ROUND_US / 1000) < WAIT_MS);
		usleep(ROUND_US);
		seen = sleeps() - before;
	}
	for (int i = 0; i < VMS; i++)
		device_close(&devices[i]);
	for (int i = 0; i < VMS; i++, other.uuid[15]--)
		assert_int_equal(control_vm_delete(harness->control, other.uuid, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_wakes_no_more_often_than_for_one, harness_setup,
						harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
