/* SPDX-License-Identifier: Apache-2.0 */
/* A worker whose sandbox holds a GPU's driver: here the double, with VGPU_TEST_GPU=1 the real one.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/mediatord/channel-driver.h"

static int use_the_double(void **state)
{
	const char *build = getenv("top_builddir");
	char folder[4096];

	(void)state;
	setenv("VGPU_TEST_BACKEND", "cuda", 1);
	if (getenv("VGPU_TEST_GPU"))
		return 0;
	snprintf(folder, sizeof(folder), "%s/tests/mediatord/.libs", build ? build : ".");
	/* The loader finds libcuda.so.1 there; the mediator's workers have no environment. */
	return setenv("LD_LIBRARY_PATH", folder, 1);
}

static void it_is_confined(void **state)
{
	struct driver driver = driver_start(0, NULL);

	(void)state;
	driver_assert_no_capabilities(driver.pid);
	driver_assert_status(driver.pid, "NoNewPrivs", "1");
	driver_assert_status(driver.pid, "Seccomp", "2");
	driver_stop(&driver);
}

/* Whether a path is there in the worker's root. */
static bool in_root(pid_t pid, const char *path)
{
	char full[256];
	struct stat status;

	snprintf(full, sizeof(full), "/proc/%d/root%s", pid, path);
	return lstat(full, &status) == 0;
}

static void read_name(pid_t pid, const char *process, char name[64])
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s/comm", pid, process);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(name, 64, file));
	fclose(file);
}

/* What it has as its own folder of /proc is no other process's. */
static void assert_proc_is_its_own(pid_t pid)
{
	char its[64], seen[64];

	read_name(pid, ".", its);
	read_name(pid, "root/proc/self", seen);
	assert_string_equal(seen, its);
}

static void its_root_has_only_what_the_driver_opens(void **state)
{
	static const char *const absent[] = { "/etc",	   "/usr",	"/home",
					      "/tmp/vgpu", "/dev/null", "/dev/mem",
					      "/proc/1",   "/proc/sys", "/root" };
	struct driver driver = driver_start(0, NULL);
	char own[64], link[256];
	struct stat status;
	ssize_t length;

	(void)state;
	if (geteuid() != 0) {
		driver_stop(&driver);
		skip(); /* it is not dumpable: only root may look */
	}
	snprintf(own, sizeof(own), "/proc/%d/ns/mnt", driver.pid);
	length = readlink(own, link, sizeof(link) - 1);
	assert_true(length > 0);
	link[length] = '\0';
	length = readlink("/proc/self/ns/mnt", own, sizeof(own) - 1);
	assert_true(length > 0);
	own[length] = '\0';
	if (strcmp(own, link) == 0) {
		driver_stop(&driver);
		print_message("this host lets no namespaces be made\n");
		skip();
	}
	assert_true(in_root(driver.pid, "/proc/self/maps"));
	assert_proc_is_its_own(driver.pid);
	/* Its user, who did not make the folders, opens what is in them. */
	snprintf(own, sizeof(own), "/proc/%d/root/proc", driver.pid);
	assert_int_equal(stat(own, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0755);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		if (in_root(driver.pid, absent[i]))
			fail_msg("%s is in the worker's root", absent[i]);
	driver_stop(&driver);
}

/* A /dev of our own, with nothing but null in it. Returns false where that cannot be made. */
static bool hide_dev(void)
{
	char path[64];
	int null, file;
	bool hidden;

	if (unshare(CLONE_NEWNS) < 0)
		return false;
	null = open("/dev/null", O_PATH | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", null);
	hidden = mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
		 mount("none", "/dev", "tmpfs", 0, NULL) == 0;
	file = open("/dev/null", O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
	hidden = hidden && mount(path, "/dev/null", "none", MS_BIND, NULL) == 0;
	close(file);
	close(null);
	return hidden;
}

/* The one thing that the host lacks takes nothing else away. */
static void its_proc_is_its_own_without_shared_memory(void **state)
{
	int ours = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct driver driver;
	bool hidden;

	(void)state;
	if (getenv("VGPU_TEST_GPU"))
		skip(); /* the real driver's nodes are in /dev */
	hidden = hide_dev();
	if (hidden) {
		driver = driver_start(0, NULL);
		assert_proc_is_its_own(driver.pid);
		driver_stop(&driver);
	}
	assert_int_equal(setns(ours, CLONE_NEWNS), 0);
	assert_int_equal(fchdir(folder), 0);
	close(ours);
	close(folder);
	if (!hidden)
		skip();
}

/* Three of its threads may be the driver's; none keeps what the first gave up. */
static void every_thread_is_confined(void **state)
{
	struct driver driver = driver_start(0, NULL);
	char folder[64], path[160], line[512];
	struct dirent *entry;
	DIR *tasks;

	(void)state;
	snprintf(folder, sizeof(folder), "/proc/%d/task", driver.pid);
	tasks = opendir(folder);
	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		int found = 0;
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%.20s/status", folder, entry->d_name);
		file = fopen(path, "re");
		assert_non_null(file);
		while (fgets(line, sizeof(line), file))
			found += strcmp(line, "CapPrm:\t0000000000000000\n") == 0 ||
				 strcmp(line, "CapEff:\t0000000000000000\n") == 0 ||
				 strcmp(line, "NoNewPrivs:\t1\n") == 0 ||
				 strcmp(line, "Seccomp:\t2\n") == 0;
		fclose(file);
		assert_int_equal(found, 4);
	}
	closedir(tasks);
	driver_stop(&driver);
}

static void a_mailbox_adds_vectors(void **state)
{
	struct driver driver = driver_start(64u << 20, NULL);
	uint64_t a = driver_alloc(&driver, 400), b = driver_alloc(&driver, 400);
	uint64_t arguments[4] = { a, a, b, 100 };
	struct made_request made;
	float numbers[100], sums[100];
	struct vgpu_worker_done done;
	uint32_t length;

	(void)state;
	/* Both share a block. */
	assert_int_equal(driver.reserved, 2u << 20);
	for (int i = 0; i < 100; i++)
		numbers[i] = (float)i * 0.3f;
	made = make_htod(a, numbers, sizeof(numbers));
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	made = make_kernel("vadd_f32", arguments, sizeof(arguments), 1, 128);
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	made = make_dtoh(b, sizeof(sums));
	done = driver_expect(&driver, &made, VGPU_ERR_NONE);
	memcpy(sums, response_data(&done, &length), sizeof(sums));
	for (int i = 0; i < 100; i++)
		assert_true(sums[i] == numbers[i] + numbers[i]);
	made = make_free(a);
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	assert_int_equal(driver.reserved, 2u << 20);
	made = make_free(b);
	driver_expect(&driver, &made, VGPU_ERR_NONE);
	assert_int_equal(driver.reserved, 0);
	driver_stop(&driver);
}

static void a_channel_adds_vectors(void **state)
{
	struct channel_driver channel = channel_begin(CHANNEL_ENTRIES, CHANNEL_WINDOW, 64u << 20);
	uint64_t a = channel_must(&channel, VGPU_RING_MEM_ALLOC, 4000, 0, 0, 0, 0);
	uint64_t b = channel_must(&channel, VGPU_RING_MEM_ALLOC, 4000, 0, 0, 0, 0);
	const uint64_t arguments[4] = { a, a, b, 1000 };
	uint64_t function = channel_function(&channel, "vadd_i32");
	uint32_t *numbers = (uint32_t *)(channel.ring.window + 4096), *sums = numbers + 1000;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		numbers[i] = i * 0x01010101u;
	channel_must(&channel, VGPU_RING_COPY_HTOD, a, 4096, 4000, 0, 0);
	assert_int_equal(
		channel_run(&channel, channel_launch(&channel, function, 4, 256, arguments, 32))
			.status,
		0);
	channel_must(&channel, VGPU_RING_COPY_DTOH, 8096, b, 4000, 0, 0);
	channel_must(&channel, VGPU_RING_CONTEXT_SYNCHRONIZE, 0, 0, 0, 0, 0);
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(sums[i] == 2 * numbers[i]);
	channel_end(&channel);
}

/* The driver opens files for each context: also as the VM's user, in the root that is left. */
static void a_context_is_given_back_and_taken_again(void **state)
{
	struct vgpu_worker_start start;
	struct channel_driver channel = channel_make(CHANNEL_ENTRIES, CHANNEL_WINDOW, &start);

	(void)state;
	start.idle_ms = 20;
	channel_spawn(&channel, &start, channel.fds, 4);
	driver_receive_prepared(&channel.driver);
	driver_receive_ready(&channel.driver);
	for (uint32_t round = 1; round <= 2; round++) {
		uint64_t device;

		channel_await_context(&channel, false);
		device = channel_must(&channel, VGPU_RING_MEM_ALLOC, 4000, 0, 0, 0, 0);
		channel_must(&channel, VGPU_RING_MEM_FREE, device, 0, 0, 0, 0);
		assert_int_equal(channel.contexts_taken, round);
	}
	channel_end(&channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_confined),
		cmocka_unit_test(its_root_has_only_what_the_driver_opens),
		cmocka_unit_test(its_proc_is_its_own_without_shared_memory),
		cmocka_unit_test(every_thread_is_confined),
		cmocka_unit_test(a_mailbox_adds_vectors),
		cmocka_unit_test(a_channel_adds_vectors),
		cmocka_unit_test(a_context_is_given_back_and_taken_again),
	};

	return cmocka_run_group_tests(tests, use_the_double, NULL);
}
