/* SPDX-License-Identifier: Apache-2.0 */
/* A mediator of the next release goes on with the workers of this one, and this one again after it.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/mediatord/adopt-driver.h"

static void use(struct daemon *daemon, const char *program)
{
	const char *builddir = getenv("top_builddir") ? getenv("top_builddir") : ".";

	snprintf(daemon->program, sizeof(daemon->program), "%s/%s", builddir, program);
}

static void an_upgrade_keeps_what_a_channel_has(void **state)
{
	struct daemon *daemon = *state;
	struct guest_ring ring;
	struct device device;
	uint64_t pointer;

	device_open(&device, daemon->link);
	device_open_channel(&device, 0);
	ring = adopt_ring(&device, 0);
	pointer = adopt_allocate(&ring, 8192);
	adopt_fill(&ring, pointer, 7);
	adopt_kill(daemon, &device);

	use(daemon, "tests/mediatord/next-mediatord");
	adopt_start(daemon, &device);
	adopt_check(&ring, pointer, 7);
	adopt_allocate(&ring, 4096);
	adopt_wait_usage(daemon, "gpu_memory_bytes", 8192 + 4096);

	/* And back again. */
	adopt_kill(daemon, &device);
	use(daemon, "mediatord/vgpu-mediatord");
	adopt_start(daemon, &device);
	adopt_check(&ring, pointer, 7);
	device_close_channel(&device, 0);
	device_close(&device);
	adopt_wait_usage(daemon, "window_bytes", 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, daemon_setup, daemon_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_upgrade_keeps_what_a_channel_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
