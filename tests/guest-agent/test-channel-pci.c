/* SPDX-License-Identifier: Apache-2.0 */
/* Channels by the PCI transport, with several processes, some of which die; see pci-stand-in.h. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/protocol.h"
#include "guest-agent/handle.h"
#include "tests/guest-agent/channel-checks.h"
#include "tests/guest-agent/pci-stand-in.h"
#include "tests/wait.h"

#define WINDOW_BYTES (UINT64_C(64) << 20) /* a quarter for each channel */

static struct stand_in stand_in;

static int set_up(void **state)
{
	(void)state;
	stand_in_start(&stand_in, WINDOW_BYTES);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stand_in_stop(&stand_in);
	return 0;
}

static const struct transport_ops *pci_ops;

/* A device's registers do what they do while they are written; the stand-in's take a moment. */
static void write_and_wait(struct transport *transport, uint32_t offset, uint32_t value)
{
	pci_ops->write(transport, offset, value);
	while (offset >= VGPU_REG_CHANNEL_BLOCK(0) && offset < VGPU_REG_CHANNEL_DOORBELL(0) &&
	       offset % 0x40 == VGPU_CHANNEL_CONTROL && pci_ops->read(transport, offset) != 0)
		usleep(10);
}

/* Added to what the device says of its regions' size. */
static uint32_t region_lie;

static uint32_t read_and_lie(struct transport *transport, uint32_t offset)
{
	uint32_t value = pci_ops->read(transport, offset);

	if (offset >= VGPU_REG_CHANNEL_BLOCK(0) && offset < VGPU_REG_CHANNEL_DOORBELL(0) &&
	    offset % 0x40 == VGPU_CHANNEL_REGION_BYTES && value)
		value += region_lie;
	return value;
}

static struct vgpu *open_device(void)
{
	static struct transport_ops ops;
	struct vgpu *vgpu;

	MUST(handle_open(stand_in.sysfs, "pci", VGPU_OPEN_OBSERVE, 10000, &vgpu));
	pci_ops = vgpu->transport->ops;
	ops = *pci_ops;
	ops.read = read_and_lie;
	ops.write = write_and_wait;
	vgpu->transport->ops = &ops;
	return vgpu;
}

/* A process of its own, which runs the checks. */
static pid_t check_in_process(unsigned int seed)
{
	struct vgpu_channel *channel;
	struct vgpu *vgpu;
	pid_t pid = fork();

	if (pid)
		return pid;
	channel_check_seed(seed);
	vgpu = open_device();
	MUST(vgpu_channel_open(vgpu, 64, 2 << 20, 0, &channel));
	channel_check_all(channel);
	vgpu_channel_close(channel);
	vgpu_close(vgpu);
	_exit(EXIT_SUCCESS);
}

/* A process that has a channel, says its number, and waits to be killed. */
static pid_t hold_in_process(void)
{
	struct vgpu_channel *channel;
	vgpu_pointer pointer;
	struct vgpu *vgpu;
	int pipe_fds[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (pid) {
		close(pipe_fds[1]);
		assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
		close(pipe_fds[0]);
		return pid;
	}
	vgpu = open_device();
	MUST(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &channel));
	MUST(vgpu_channel_mem_alloc(channel, 1 << 20, &pointer));
	if (write(pipe_fds[1], "x", 1) != 1)
		_exit(EXIT_FAILURE);
	for (;;)
		pause();
}

static void ended_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

static void killed(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Whether no thread of it runs: each is in one of these states, or was reaped. */
static bool rests(pid_t pid, const char *states)
{
	char path[300], line[512];
	const struct dirent *entry;
	bool all = true;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		const char *name_end = NULL;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", (int)pid, entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (file && fgets(line, sizeof(line), file))
			name_end = strrchr(line, ')');
		all = all && (!name_end || strchr(states, name_end[2]));
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return all;
}

/* Sends SIGSTOP or SIGKILL, and waits until it has had its effect: a worker that polls on another
 * processor may go on a little, and answer what it is not to see. */
static void halt(pid_t pid, int number)
{
	kill(pid, number);
	wait_until(rests(pid, number == SIGSTOP ? "T" : "ZX"));
}

static uint32_t state_of(unsigned int channel)
{
	return stand_in.registers[(VGPU_REG_CHANNEL_BLOCK(channel) + VGPU_CHANNEL_STATE) / 4];
}

static void test_two_processes_at_once(void **state)
{
	pid_t first = check_in_process((unsigned int)time(NULL));
	pid_t second = check_in_process((unsigned int)time(NULL) + 1);

	(void)state;
	ended_well(first);
	ended_well(second);
	/* Each had its own. */
	assert_true(stand_in_opens(&stand_in, 0) > 0);
	assert_int_equal(state_of(0), VGPU_CHANNEL_STATE_CLOSED);
	assert_int_equal(state_of(1), VGPU_CHANNEL_STATE_CLOSED);
}

static void test_a_dead_owners_channel_is_closed_by_the_next_opener(void **state)
{
	uint32_t opens = stand_in_opens(&stand_in, 0);
	pid_t owner = hold_in_process(), worker;
	struct vgpu_channel *channel;
	struct vgpu *vgpu;

	(void)state;
	assert_int_equal(state_of(0), VGPU_CHANNEL_STATE_OPEN);
	worker = stand_in_worker(&stand_in, 0);
	killed(owner);
	/* Nobody has looked yet. */
	assert_int_equal(state_of(0), VGPU_CHANNEL_STATE_OPEN);
	vgpu = open_device();
	MUST(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &channel));
	assert_int_equal(stand_in_opens(&stand_in, 0), opens + 2);
	assert_int_not_equal(stand_in_worker(&stand_in, 0), worker);
	channel_check_kernels(channel);
	vgpu_channel_close(channel);
	vgpu_close(vgpu);
}

/* Not only the one that it takes: what the others held is to be free, too. */
static void test_the_next_opener_closes_what_all_dead_owners_left(void **state)
{
	pid_t owners[3] = { hold_in_process(), hold_in_process(), hold_in_process() };
	struct vgpu_channel *channel;
	struct vgpu *vgpu;

	(void)state;
	killed(owners[0]);
	killed(owners[2]);
	assert_int_equal(state_of(2), VGPU_CHANNEL_STATE_OPEN);
	vgpu = open_device();
	MUST(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &channel));
	assert_int_equal(state_of(0), VGPU_CHANNEL_STATE_OPEN);
	assert_int_equal(state_of(1), VGPU_CHANNEL_STATE_OPEN);
	assert_int_equal(state_of(2), VGPU_CHANNEL_STATE_CLOSED);
	assert_int_equal(stand_in_worker(&stand_in, 2), 0);
	channel_check_kernels(channel);
	vgpu_close(vgpu);
	killed(owners[1]);
}

static void test_a_stopped_owner_keeps_its_channel(void **state)
{
	pid_t owner = hold_in_process();
	struct vgpu_channel *channel;
	struct vgpu *vgpu = open_device();
	uint32_t opens = stand_in_opens(&stand_in, 0);

	(void)state;
	kill(owner, SIGSTOP);
	MUST(vgpu_channel_open(vgpu, 0, 1 << 20, 0, &channel));
	assert_int_equal(stand_in_opens(&stand_in, 0), opens);
	assert_int_equal(state_of(0), VGPU_CHANNEL_STATE_OPEN);
	assert_int_equal(state_of(1), VGPU_CHANNEL_STATE_OPEN);
	channel_check_kernels(channel);
	vgpu_close(vgpu); /* closes the channel, too */
	assert_int_equal(state_of(1), VGPU_CHANNEL_STATE_CLOSED);
	kill(owner, SIGCONT);
	killed(owner);
}

static void test_all_channels_in_use(void **state)
{
	struct vgpu_channel *channels[5];
	struct vgpu *vgpu = open_device();

	(void)state;
	for (int i = 0; i < 4; i++)
		MUST(vgpu_channel_open(vgpu, 16, 4096, 0, &channels[i]));
	MUST_FAIL(vgpu_channel_open(vgpu, 16, 4096, 0, &channels[4]), VGPU_E_CHANNEL_LIMIT, 0);
	vgpu_channel_close(channels[2]);
	MUST(vgpu_channel_open(vgpu, 16, 4096, 0, &channels[4]));
	vgpu_close(vgpu);
}

static void test_a_window_that_does_not_fit(void **state)
{
	struct vgpu_channel *channel;
	struct vgpu *vgpu = open_device();

	(void)state;
	MUST_FAIL(vgpu_channel_open(vgpu, 0, WINDOW_BYTES, 0, &channel), VGPU_E_WINDOW_LIMIT, 0);
	/* What failed is not in the next one's way. */
	MUST(vgpu_channel_open(vgpu, 0, 4096, 0, &channel));
	channel_check_set(channel);
	vgpu_close(vgpu);
}

/* Rings and window would lie elsewhere than the library thinks, or beyond the channel's memory. */
static void test_a_region_of_another_size(void **state)
{
	static const uint32_t lies[] = { (uint32_t)-4096, 4096, 1 };
	struct vgpu_channel *channel;
	struct vgpu *vgpu = open_device();

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		region_lie = lies[i];
		MUST_FAIL(vgpu_channel_open(vgpu, 0, 4096, 0, &channel), VGPU_E_PROTOCOL, 0);
		assert_null(channel);
		assert_int_equal(state_of(0), VGPU_CHANNEL_STATE_CLOSED);
	}
	region_lie = 0;
	MUST(vgpu_channel_open(vgpu, 0, 4096, 0, &channel));
	channel_check_set(channel);
	vgpu_close(vgpu);
}

static void test_a_worker_that_dies(void **state)
{
	struct vgpu_channel *channel;
	struct vgpu *vgpu = open_device();

	(void)state;
	MUST(vgpu_channel_open(vgpu, 0, 4096, 0, &channel));
	halt(stand_in_worker(&stand_in, 0), SIGKILL);
	MUST_FAIL(vgpu_channel_nop(channel), VGPU_E_CONTEXT_LOST, 0);
	MUST_FAIL(vgpu_channel_nop(channel), VGPU_E_CONTEXT_LOST, 0);
	vgpu_channel_close(channel);
	MUST(vgpu_channel_open(vgpu, 0, 4096, 0, &channel));
	MUST(vgpu_channel_nop(channel));
	vgpu_close(vgpu);
}

/* What is open goes on; to open or close, a mediator is needed, and not waited for. */
static void test_a_mediator_that_is_away(void **state)
{
	volatile uint32_t *link = &stand_in.registers[VGPU_REG_LINK_STATE / 4];
	struct vgpu_channel *channels[3];
	struct vgpu *vgpu = open_device();
	pid_t worker;

	(void)state;
	MUST(vgpu_channel_open(vgpu, 0, 4096, 0, &channels[0]));
	MUST(vgpu_channel_open(vgpu, 0, 4096, 0, &channels[1]));
	*link = VGPU_LINK_DOWN;
	MUST(vgpu_channel_nop(channels[0]));
	worker = stand_in_worker(&stand_in, 1);
	halt(worker, SIGSTOP); /* what is closing stays so */
	vgpu_channel_close(channels[1]);
	assert_int_equal(state_of(1), VGPU_CHANNEL_STATE_CLOSING);
	MUST_FAIL(vgpu_channel_open(vgpu, 0, 4096, 0, &channels[2]), VGPU_E_UNAVAILABLE, 0);
	kill(worker, SIGCONT);
	*link = VGPU_LINK_UP;
	MUST(vgpu_channel_open(vgpu, 0, 4096, 0, &channels[2]));
	channel_check_kernels(channels[0]);
	channel_check_kernels(channels[2]);
	vgpu_close(vgpu);
}

/* A worker that stands still: the call ends in time, and its late answer hurts nobody. */
static void test_a_worker_that_is_slow(void **state)
{
	struct vgpu_channel *channel;
	struct vgpu *vgpu = open_device();
	vgpu_pointer pointer;

	(void)state;
	MUST(vgpu_channel_open(vgpu, 0, 4096, 0, &channel));
	vgpu_set_timeout(vgpu, 200);
	halt(stand_in_worker(&stand_in, 0), SIGSTOP);
	MUST_FAIL(vgpu_channel_mem_alloc(channel, 4096, &pointer), VGPU_E_TIMEOUT, 0);
	MUST_FAIL(vgpu_channel_synchronize(channel), VGPU_E_TIMEOUT, 0);
	vgpu_set_timeout(vgpu, WAIT_MS);
	kill(stand_in_worker(&stand_in, 0), SIGCONT);
	MUST(vgpu_channel_nop(channel));
	channel_check_set(channel);
	channel_check_kernels(channel);
	vgpu_close(vgpu);
}

/* Answers that make no sense break the channel, and nothing else. */
static void test_a_worker_that_lies(void **state)
{
	/* No slot; the slot asked from, but an earlier question; a slot with no question. */
	static const uint64_t tags[] = { 0xdead0000beef, UINT64_C(1) << 32, 1 };
	struct vgpu_channel *channel;
	struct vgpu *vgpu = open_device();
	struct vgpu_completion *completions;
	uint64_t region;

	(void)state;
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		MUST(vgpu_channel_open(vgpu, 16, 4096, 0, &channel));
		/* It must not answer before the lie was read. */
		halt(stand_in_worker(&stand_in, 0), SIGSTOP);
		vgpu_set_timeout(vgpu, WAIT_MS);
		region = stand_in.registers[(VGPU_REG_CHANNEL_BLOCK(0) + VGPU_CHANNEL_REGION) / 4];
		completions = (void *)(stand_in.window + region + 4096 + 16 * 64);
		completions[0].tag = tags[i];
		__atomic_store_n(&completions[0].sequence, 1, __ATOMIC_RELEASE);
		MUST_FAIL(vgpu_channel_nop(channel), VGPU_E_PROTOCOL, 0);
		MUST_FAIL(vgpu_channel_synchronize(channel), VGPU_E_PROTOCOL, 0);
		kill(stand_in_worker(&stand_in, 0), SIGCONT);
		vgpu_set_timeout(vgpu, WAIT_MS);
		vgpu_channel_close(channel);
	}
	MUST(vgpu_channel_open(vgpu, 16, 4096, 0, &channel));
	MUST(vgpu_channel_nop(channel));
	vgpu_close(vgpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_processes_at_once),
		cmocka_unit_test(test_a_dead_owners_channel_is_closed_by_the_next_opener),
		cmocka_unit_test(test_the_next_opener_closes_what_all_dead_owners_left),
		cmocka_unit_test(test_a_stopped_owner_keeps_its_channel),
		cmocka_unit_test(test_all_channels_in_use),
		cmocka_unit_test(test_a_window_that_does_not_fit),
		cmocka_unit_test(test_a_region_of_another_size),
		cmocka_unit_test(test_a_worker_that_dies),
		cmocka_unit_test(test_a_mediator_that_is_away),
		cmocka_unit_test(test_a_worker_that_is_slow),
		cmocka_unit_test(test_a_worker_that_lies),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
