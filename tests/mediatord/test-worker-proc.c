/* SPDX-License-Identifier: Apache-2.0 */
/* A running worker is confined, and /proc shows it. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mediatord/worker/sandbox.h"
#include "tests/mediatord/worker-driver.h"

/* Its GPU is open, and it is nobody's. */
static void status_of_a_prepared_worker(void **state)
{
	const struct vgpu_worker_prepare prepare = driver_prepare();
	struct driver driver = driver_spawn(NULL);

	(void)state;
	driver_send(&driver, &prepare, sizeof(prepare));
	driver_receive_prepared(&driver);
	if (geteuid() != 0) {
		driver_assert_no_capabilities(driver.pid);
	} else {
		driver_assert_status(driver.pid, "Uid", "0\t0\t0\t0");
		/* CAP_SETUID and CAP_SETGID. */
		driver_assert_status(driver.pid, "CapEff", "00000000000000c0");
		driver_assert_status(driver.pid, "CapPrm", "00000000000000c0");
		driver_assert_status(driver.pid, "CapInh", "0000000000000000");
		driver_assert_status(driver.pid, "CapAmb", "0000000000000000");
		driver_assert_status(driver.pid, "CapBnd", "0000000000000000");
	}
	driver_stop(&driver);
}

static void status_of_a_running_worker(void **state)
{
	struct driver driver = driver_start(0, NULL);

	(void)state;
	driver_assert_no_capabilities(driver.pid);
	driver_assert_status(driver.pid, "NoNewPrivs", "1");
	driver_assert_status(driver.pid, "Seccomp", "2");
	driver_assert_status(driver.pid, "Threads", "1");
	if (geteuid() == 0) {
		char ids[128];

		snprintf(ids, sizeof(ids), "%u\t%u\t%u\t%u", DRIVER_UID, DRIVER_UID, DRIVER_UID,
			 DRIVER_UID);
		driver_assert_status(driver.pid, "Uid", ids);
		driver_assert_status(driver.pid, "Gid", ids);
		driver_assert_status(driver.pid, "Groups", "");
		driver_assert_status(driver.pid, "CapBnd", "0000000000000000");
	}
	driver_stop(&driver);
}

/* Where a link of /proc/PID points to, or "" where it cannot be read. */
static void read_link(pid_t pid, const char *name, char *target, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	length = readlink(path, target, size - 1);
	target[length < 0 ? 0 : length] = '\0';
}

/* The process that makes its root has gone when it is ready. */
static void processes_of_a_running_worker(void **state)
{
	struct driver driver = driver_start(0, NULL);
	char path[64], children[64] = "";
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", driver.pid, driver.pid);
	file = fopen(path, "r");
	if (!file) {
		driver_stop(&driver);
		skip(); /* a kernel without it */
	}
	assert_null(fgets(children, sizeof(children), file));
	fclose(file);
	driver_stop(&driver);
}

static void descriptors_of_a_running_worker(void **state)
{
	struct driver driver;
	char path[64], target[256];
	int extra, count = 0;
	struct dirent *entry;
	DIR *folder;

	(void)state;
	if (geteuid() != 0)
		skip(); /* it is not dumpable: only root may look */
	/* Inherited on purpose: not CLOEXEC. */
	extra = fcntl(STDERR_FILENO, F_DUPFD, 50);
	assert_true(extra >= 50);
	driver = driver_start(0, NULL);
	snprintf(path, sizeof(path), "/proc/%d/fd", driver.pid);
	folder = opendir(path);
	assert_non_null(folder);
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			count++;
	closedir(folder);
	assert_int_equal(count, 4);
	read_link(driver.pid, "fd/0", target, sizeof(target));
	assert_string_equal(target, "/dev/null");
	read_link(driver.pid, "fd/1", target, sizeof(target));
	assert_string_equal(target, "/dev/null");
	read_link(driver.pid, "fd/2", target, sizeof(target));
	assert_string_equal(target, driver.log);
	read_link(driver.pid, "fd/3", target, sizeof(target));
	assert_memory_equal(target, "socket:", 7);
	close(extra);
	driver_stop(&driver);
}

static void namespaces_of_a_running_worker(void **state)
{
	static const char *const names[] = { "ns/pid", "ns/net", "ns/ipc", "ns/uts", "ns/mnt" };
	struct driver driver;
	char own[256], its[256], path[64];
	struct dirent *entry;
	int count = 0;
	DIR *folder;

	(void)state;
	if (geteuid() != 0)
		skip();
	driver = driver_start(0, NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		read_link(getpid(), names[i], own, sizeof(own));
		read_link(driver.pid, names[i], its, sizeof(its));
		assert_true(own[0] && its[0]);
		assert_string_not_equal(own, its);
	}
	/* Its root is a folder with nothing in it, and its only mount. */
	snprintf(path, sizeof(path), "/proc/%d/root/", driver.pid);
	folder = opendir(path);
	assert_non_null(folder);
	while ((entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			count++;
	closedir(folder);
	assert_int_equal(count, 0);
	snprintf(path, sizeof(path), "/proc/%d/root/x", driver.pid);
	assert_int_equal(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), -1);
	driver_stop(&driver);
}

static void limits_of_a_running_worker(void **state)
{
	static const char *const zero[] = { "Max core file size", "Max processes",
					    "Max locked memory", "Max msgqueue size" };
	struct driver driver = driver_start(0, NULL);
	char path[64], line[256];
	size_t seen = 0;
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/limits", driver.pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long soft, hard;

		for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
			if (strncmp(line, zero[i], strlen(zero[i])) == 0) {
				assert_int_equal(sscanf(line + 26, "%lu %lu", &soft, &hard), 2);
				assert_int_equal(soft, 0);
				assert_int_equal(hard, 0);
				seen++;
			}
		if (strncmp(line, "Max open files", 14) == 0) {
			assert_int_equal(sscanf(line + 26, "%lu %lu", &soft, &hard), 2);
			assert_in_range(hard, 4, 64);
			seen++;
		}
		if (!SANDBOX_FOR_SANITIZERS && strncmp(line, "Max address space", 17) == 0) {
			assert_int_equal(sscanf(line + 26, "%lu %lu", &soft, &hard), 2);
			seen++;
		}
	}
	fclose(file);
	assert_int_equal(seen, SANDBOX_FOR_SANITIZERS ? 5 : 6);
	driver_stop(&driver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_of_a_prepared_worker),
		cmocka_unit_test(status_of_a_running_worker),
		cmocka_unit_test(processes_of_a_running_worker),
		cmocka_unit_test(descriptors_of_a_running_worker),
		cmocka_unit_test(namespaces_of_a_running_worker),
		cmocka_unit_test(limits_of_a_running_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
