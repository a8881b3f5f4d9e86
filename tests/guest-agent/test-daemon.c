/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's loop with real processes and locks, and a vGPU whose registers are a file: the test
 * plays the device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/log.h"
#include "guest-agent/agent/daemon.h"
#include "guest-agent/process.h"
#include "guest-agent/transport.h"
#include "guest-agent/transport_pci.h"
#include "tests/wait.h"

#define ADDRESS "0000:00:05.0"
#define SECOND	"0000:00:06.0"

/* More than a scan's interval, during which nothing may happen. */
#define QUIET_MS 1400

/* A process that has a channel's lock, until it is killed. */
struct owner {
	pid_t pid;
	pid_t child; /* one that it forked, or 0 */
};

static char sysfs[64];
static volatile uint32_t *registers;
static pid_t daemon_pid;

static volatile uint32_t *reg(unsigned int channel, uint32_t offset)
{
	return &registers[(VGPU_REG_CHANNEL_BLOCK(channel) + offset) / 4];
}

static void write_file(const char *address, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sysfs, address, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void registers_path(const char *address, char *path, size_t size)
{
	snprintf(path, size, "%s/bus/pci/devices/%s/resource0", sysfs, address);
}

/* Also puts its registers in the place of those of the last one that was made. */
static void make_vgpu(const char *address)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sysfs, address);
	assert_int_equal(mkdir(path, 0755), 0);
	write_file(address, "enable", "1\n");
	write_file(address, "device", "0x10f0\n");
	registers_path(address, path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0644);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, VGPU_BAR0_SIZE), 0);
	if (registers)
		munmap((void *)registers, VGPU_BAR0_SIZE);
	registers = mmap(NULL, VGPU_BAR0_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(registers, MAP_FAILED);
	close(fd);
	registers[VGPU_REG_PROTOCOL_VER / 4] = VGPU_PROTOCOL_VERSION;
	registers[VGPU_REG_CAPABILITIES / 4] = VGPU_CAP_CHANNELS;
	registers[VGPU_REG_CHANNELS / 4] = VGPU_CHANNELS_MAX;
	/* Last: it is looked for by its ids. */
	write_file(address, "vendor", "0x1af4\n");
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

static void remove_vgpu(const char *address)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sysfs, address);
	assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static pid_t start_daemon(const char *address)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		enum vgpu_result result = daemon_watch(sysfs, address, 1000);

		if (result != VGPU_OK)
			fprintf(stderr, "daemon: %s\n", vgpu_last_error());
		_exit((int)result);
	}
	return pid;
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int end_daemon(int sig)
{
	pid_t pid = daemon_pid;

	daemon_pid = 0;
	kill(pid, sig);
	return end_of(pid);
}

static int set_up(void **state)
{
	char path[128];

	(void)state;
	snprintf(sysfs, sizeof(sysfs), "/tmp/vgpu-test-daemon.XXXXXX");
	if (!mkdtemp(sysfs))
		return -1;
	snprintf(path, sizeof(path), "mkdir -p %s/bus/pci/devices", sysfs);
	if (system(path) != 0)
		return -1;
	make_vgpu(ADDRESS);
	daemon_pid = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (daemon_pid)
		end_daemon(SIGKILL);
	munmap((void *)registers, VGPU_BAR0_SIZE);
	registers = NULL;
	return nftw(sysfs, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void take_lock(int fd, unsigned int channel)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	lock.l_start = 0x100 + (off_t)channel;
	if (fcntl(fd, F_OFD_SETLK, &lock) != 0)
		_exit(EXIT_FAILURE);
}

/* Whether somebody has the channel's lock. */
static bool is_locked(unsigned int channel)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	char path[256];
	int fd;

	registers_path(ADDRESS, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	lock.l_start = 0x100 + (off_t)channel;
	assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
	close(fd);
	return lock.l_type != F_UNLCK;
}

static void set_owner(unsigned int channel, uint32_t owner, uint64_t start)
{
	*reg(channel, VGPU_CHANNEL_OWNER) = owner;
	*reg(channel, VGPU_CHANNEL_OWNER_START) = (uint32_t)start;
	*reg(channel, VGPU_CHANNEL_OWNER_START + 4) = (uint32_t)(start >> 32);
}

/* A process that opens the channel as libvgpu does, and one that it forks where forks is true. */
static struct owner start_owner(unsigned int channel, bool forks)
{
	struct owner owner = { 0 };
	char path[256];
	int pipe_fds[2];

	registers_path(ADDRESS, path, sizeof(path));
	assert_int_equal(pipe(pipe_fds), 0);
	owner.pid = fork();
	assert_true(owner.pid >= 0);
	if (owner.pid == 0) {
		int fd = open(path, O_RDWR | O_CLOEXEC);
		pid_t child = 0;

		take_lock(fd, channel);
		if (forks) {
			child = fork();
			if (child == 0) {
				close(pipe_fds[1]);
				for (;;)
					pause();
			}
		}
		set_owner(channel, (uint32_t)getpid(), process_start_time(0));
		__atomic_store_n(reg(channel, VGPU_CHANNEL_STATE), VGPU_CHANNEL_STATE_OPEN,
				 __ATOMIC_RELEASE);
		if (write(pipe_fds[1], &child, sizeof(child)) != sizeof(child))
			_exit(EXIT_FAILURE);
		for (;;)
			pause();
	}
	close(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &owner.child, sizeof(owner.child)), sizeof(owner.child));
	close(pipe_fds[0]);
	return owner;
}

/* Old kernels and valgrind have none: then the lock alone tells, at the next scan. */
static bool has_pidfds(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void quiet(void)
{
	usleep(QUIET_MS * 1000);
}

static bool is_asked_to_close(unsigned int channel)
{
	return *reg(channel, VGPU_CHANNEL_CONTROL) == VGPU_CHANNEL_CLOSE;
}

/* Waits for CLOSE, and answers as a device does. */
static void expect_close(unsigned int channel)
{
	wait_until(is_asked_to_close(channel));
	assert_true(is_locked(channel));
	*reg(channel, VGPU_CHANNEL_STATE) = VGPU_CHANNEL_STATE_CLOSING;
	usleep(50000);
	/* Nobody may open it before it is closed. */
	assert_true(is_locked(channel));
	*reg(channel, VGPU_CHANNEL_STATE) = VGPU_CHANNEL_STATE_CLOSED;
	wait_until(!is_locked(channel));
	/* Not before: until it sees CLOSING it may ask again. */
	*reg(channel, VGPU_CHANNEL_CONTROL) = 0;
}

static void begin_watching(void)
{
	daemon_pid = start_daemon(NULL);
	/* It takes this lock before it looks for the first time. */
	wait_until(is_locked(TRANSPORT_CLAIM_WATCH));
}

static void a_killed_process_loses_its_channel_at_once(void **state)
{
	struct owner owner;

	(void)state;
	begin_watching();
	owner = start_owner(3, false);
	quiet();
	assert_false(is_asked_to_close(3));
	kill(owner.pid, SIGKILL);
	/* Not reaped yet: a zombie has nothing any more. */
	expect_close(3);
	end_of(owner.pid);
	/* And again, for the next life of the channel. */
	owner = start_owner(3, false);
	quiet();
	kill(owner.pid, SIGKILL);
	expect_close(3);
	end_of(owner.pid);
	assert_int_equal(end_daemon(SIGTERM), 0);
}

static void one_that_ended_before_it_was_seen_loses_its_channel(void **state)
{
	struct owner owner;

	(void)state;
	owner = start_owner(0, false);
	kill(owner.pid, SIGKILL);
	end_of(owner.pid);
	*reg(31, VGPU_CHANNEL_STATE) = VGPU_CHANNEL_STATE_FAILED; /* of nobody */
	begin_watching();
	expect_close(0);
	expect_close(31);
	owner = start_owner(1, false);
	kill(owner.pid, SIGKILL);
	end_of(owner.pid);
	expect_close(1);
	assert_int_equal(end_daemon(SIGINT), 0);
}

static void a_stopped_process_keeps_its_channel(void **state)
{
	struct owner owner;

	(void)state;
	begin_watching();
	owner = start_owner(2, false);
	kill(owner.pid, SIGSTOP);
	quiet();
	assert_false(is_asked_to_close(2));
	kill(owner.pid, SIGKILL);
	expect_close(2);
	end_of(owner.pid);
	assert_int_equal(end_daemon(SIGHUP), 0);
}

static void a_child_that_has_the_lock_keeps_the_channel(void **state)
{
	struct owner owner;

	(void)state;
	begin_watching();
	owner = start_owner(7, true);
	quiet();
	kill(owner.pid, SIGKILL);
	end_of(owner.pid);
	quiet();
	assert_false(is_asked_to_close(7));
	kill(owner.child, SIGKILL);
	expect_close(7);
	assert_int_equal(end_daemon(SIGTERM), 0);
}

/* As in a container: the number that the process knows itself by is another's here, or nobody's. */
static void a_process_that_cannot_be_seen_keeps_what_it_has_locked(void **state)
{
	struct owner owner, unseen;

	(void)state;
	owner = start_owner(4, false);
	set_owner(4, (uint32_t)getpid(), process_start_time(owner.pid) + 1);
	unseen = start_owner(5, false);
	set_owner(5, INT32_MAX, 5);
	begin_watching();
	quiet();
	assert_false(is_asked_to_close(4));
	assert_false(is_asked_to_close(5));
	kill(owner.pid, SIGKILL);
	kill(unseen.pid, SIGKILL);
	expect_close(4);
	expect_close(5);
	end_of(owner.pid);
	end_of(unseen.pid);
	assert_int_equal(end_daemon(SIGTERM), 0);
}

/* The pid is that of a living process, but the channel was opened by an earlier one. */
static void a_pid_that_was_used_again_is_seen_through(void **state)
{
	(void)state;
	set_owner(6, (uint32_t)getpid(), process_start_time(0) - 1);
	*reg(6, VGPU_CHANNEL_STATE) = VGPU_CHANNEL_STATE_OPEN;
	/* But this one lives, and what it does without a lock is its own business. */
	if (has_pidfds()) {
		set_owner(8, (uint32_t)getpid(), process_start_time(0));
		*reg(8, VGPU_CHANNEL_STATE) = VGPU_CHANNEL_STATE_OPEN;
	}
	begin_watching();
	expect_close(6);
	quiet();
	assert_false(is_asked_to_close(8));
	assert_int_equal(end_daemon(SIGTERM), 0);
}

static void many_at_once_are_all_closed(void **state)
{
	struct owner owners[VGPU_CHANNELS_MAX];

	(void)state;
	begin_watching();
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		owners[n] = start_owner(n, false);
	quiet();
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		kill(owners[n].pid, SIGKILL);
	/* All are asked for before any is closed: none waits for another. */
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		wait_until(is_asked_to_close(n));
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		*reg(n, VGPU_CHANNEL_CONTROL) = 0;
		*reg(n, VGPU_CHANNEL_STATE) = VGPU_CHANNEL_STATE_CLOSED;
		end_of(owners[n].pid);
	}
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		wait_until(!is_locked(n));
	assert_int_equal(end_daemon(SIGTERM), 0);
}

/* Also where the device is slow, a signal ends it at once. */
static void it_ends_while_the_device_is_closing(void **state)
{
	struct owner owner;

	(void)state;
	begin_watching();
	owner = start_owner(0, false);
	quiet();
	kill(owner.pid, SIGKILL);
	wait_until(is_asked_to_close(0));
	*reg(0, VGPU_CHANNEL_STATE) = VGPU_CHANNEL_STATE_CLOSING;
	assert_int_equal(end_daemon(SIGTERM), 0);
	assert_false(is_locked(0));
	end_of(owner.pid);
}

/* Whoever opens the vGPU while nobody else has it frees what dead processes left in the mailbox. */
static void it_does_not_count_as_a_user_of_the_vgpu(void **state)
{
	char path[256];
	int fd;

	(void)state;
	begin_watching();
	registers_path(ADDRESS, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
	assert_int_equal(end_daemon(SIGTERM), 0);
}

static void a_second_one_does_not_start(void **state)
{
	pid_t second;

	(void)state;
	begin_watching();
	second = start_daemon(NULL);
	assert_int_equal(WEXITSTATUS(end_of(second)), VGPU_E_TIMEOUT);
	second = start_daemon(ADDRESS);
	assert_int_equal(WEXITSTATUS(end_of(second)), VGPU_E_TIMEOUT);
	/* Once the first is gone, however it went, there is room. */
	end_daemon(SIGKILL);
	begin_watching();
	assert_int_equal(end_daemon(SIGTERM), 0);
}

static void where_it_cannot_watch_it_says_so(void **state)
{
	(void)state;
	assert_int_equal(WEXITSTATUS(end_of(start_daemon("0000:00:09.0"))), VGPU_E_NO_DEVICE);
	assert_int_equal(WEXITSTATUS(end_of(start_daemon("5"))), VGPU_E_ARGUMENT);
	registers[VGPU_REG_CAPABILITIES / 4] = 0;
	assert_int_equal(WEXITSTATUS(end_of(start_daemon(NULL))), VGPU_E_UNSUPPORTED);
	remove_vgpu(ADDRESS);
	assert_int_equal(WEXITSTATUS(end_of(start_daemon(NULL))), VGPU_E_NO_DEVICE);
}

static void unplugging_is_noticed_and_plugging_in_too(void **state)
{
	(void)state;
	begin_watching();
	remove_vgpu(ADDRESS);
	quiet();
	make_vgpu(SECOND);
	*reg(9, VGPU_CHANNEL_STATE) = VGPU_CHANNEL_STATE_OPEN;
	wait_until(is_asked_to_close(9));
	*reg(9, VGPU_CHANNEL_STATE) = UINT32_MAX;
	quiet();
	assert_int_equal(end_daemon(SIGTERM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_killed_process_loses_its_channel_at_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(one_that_ended_before_it_was_seen_loses_its_channel,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stopped_process_keeps_its_channel, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_child_that_has_the_lock_keeps_the_channel, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_process_that_cannot_be_seen_keeps_what_it_has_locked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_pid_that_was_used_again_is_seen_through, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(many_at_once_are_all_closed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_ends_while_the_device_is_closing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(it_does_not_count_as_a_user_of_the_vgpu, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_second_one_does_not_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(where_it_cannot_watch_it_says_so, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(unplugging_is_noticed_and_plugging_in_too, set_up,
						tear_down),
	};

	vgpu_log_init("test-daemon", VGPU_LOG_INFO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
