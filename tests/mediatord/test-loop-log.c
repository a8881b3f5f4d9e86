/* SPDX-License-Identifier: Apache-2.0 */
/* The fields by which a mediator's lines are found in the journal, which is this test's socket. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "common/log.h"
#include "tests/mediatord/loop-harness.h"
#include "tests/mediatord/medchan-device.h"

#define JOURNAL "journal.sock" /* as common/log.c was built for this test */
#define CHANNEL 3u

static char folder[] = "/tmp/vgpu-log-XXXXXX";
static int journal;

/* Standard error is the journal's stream, and its socket is there, when the mediator starts. */
static int setup(void **state)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL };
	struct stat status;
	char stream[64], path[PATH_MAX];
	int rc;

	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	assert_non_null(mkdtemp(folder));
	assert_non_null(realpath(getenv("top_builddir") ? getenv("top_builddir") : ".", path));
	setenv("top_builddir", path, 1);
	assert_int_equal(chdir(folder), 0);
	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(journal, (const struct sockaddr *)&address, sizeof(address)), 0);
	vgpu_log_init("test", VGPU_LOG_INFO);
	vgpu_log_open_journal();
	rc = harness_setup(state);
	vgpu_log_set_level(VGPU_LOG_INFO);
	return rc;
}

static int teardown(void **state)
{
	int rc = harness_teardown(state);

	close(journal);
	unlink(JOURNAL);
	return rc < 0 ? rc : rmdir(folder);
}

/* Whether a line of this event has come; then it is in `text`, and those before it are gone. */
static bool heard(const char *event, char text[8192])
{
	char field[64];
	ssize_t length;

	snprintf(field, sizeof(field), "\nVGPU_EVENT=%s\n", event);
	while ((length = recv(journal, text, 8191, MSG_DONTWAIT)) > 0) {
		text[length] = '\0';
		if (strstr(text, field))
			return true;
	}
	return false;
}

static void expect(const char *event, const char *const fields[])
{
	char text[8192];

	wait_until(heard(event, text));
	assert_non_null(strstr(text, "\nSYSLOG_IDENTIFIER=test\n"));
	for (; *fields; fields++)
		if (!strstr(text, *fields))
			fail_msg("no %s in: %s", *fields, text);
}

#define EXPECT(event, ...) expect(event, (const char *const[]){ __VA_ARGS__, NULL })
#define THE_VM                                                                                     \
	"\nVGPU_VM=6f1d6c1e-0f5e-4c55-9d3a-0123456789ab\n", "\nVGPU_VM_ID=1\n",                    \
		"\nVGPU_VM_NAME=test\n"

static void lines_can_be_found_by_vm_channel_gpu_and_event(void **state)
{
	struct harness *harness = *state;
	struct gpu_report report = { .count = 1, .gpus = { { .state = GPU_LOST } } };
	struct vgpu_error *err = NULL;
	struct device device;

	device_open(&device, harness->link_path);
	EXPECT("link.up", THE_VM, "\nPRIORITY=6\n");
	device_open_channel(&device, CHANNEL);
	EXPECT("worker.started", THE_VM, "\nVGPU_CHANNEL=3\n", "\nVGPU_GPU=0\n", "\nVGPU_WORKER=");
	EXPECT("channel.opened", THE_VM, "\nVGPU_CHANNEL=3\n", "channel 3 is open");
	device_close(&device);
	EXPECT("link.down", THE_VM);
	/* It ends because the device went. */
	EXPECT("channel.closed", THE_VM, "\nVGPU_CHANNEL=3\n", "channel 3 is closed");
	strcpy(report.gpus[0].problem, "fell off");
	assert_int_equal(control_gpus(harness->control, &report, &err), 0);
	EXPECT("gpu.failed", "MESSAGE=GPU 0: fell off;", "\nPRIORITY=3\n", "\nVGPU_GPU=0\n");
	report.gpus[0].state = GPU_OK;
	assert_int_equal(control_gpus(harness->control, &report, &err), 0);
	EXPECT("gpu.restored", "MESSAGE=GPU 0 works again\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_can_be_found_by_vm_channel_gpu_and_event,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
