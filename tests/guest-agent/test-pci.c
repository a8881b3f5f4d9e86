/* SPDX-License-Identifier: Apache-2.0 */
/* The PCI transport against a sysfs of the test's own: finding, refusing, locking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "guest-agent/mailbox.h"
#include "guest-agent/transport_pci.h"
#include "tests/wait.h"

#define FIRST  "0000:00:05.0"
#define SECOND "0000:01:00.0"

static char sysfs[64];

static void write_file(const char *device, const char *name, const void *bytes, size_t length)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sysfs, device, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

static void write_text(const char *device, const char *name, const char *text)
{
	write_file(device, name, text, strlen(text));
}

/* A device of these ids whose registers are memory, and hold a protocol version. */
static void make_device(const char *device, const char *vendor, const char *id, uint32_t version)
{
	uint8_t registers[VGPU_BAR0_SIZE] = { 0 };
	char path[256];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sysfs, device);
	assert_int_equal(mkdir(path, 0755), 0);
	write_text(device, "vendor", vendor);
	write_text(device, "device", id);
	write_text(device, "enable", "0\n");
	vgpu_store32(registers + VGPU_REG_PROTOCOL_VER, version);
	write_file(device, "resource0", registers, sizeof(registers));
}

static void make_vgpu(const char *device)
{
	make_device(device, "0x1af4\n", "0x10f0\n", VGPU_PROTOCOL_VERSION);
}

static int set_up(void **state)
{
	char path[256];

	(void)state;
	snprintf(sysfs, sizeof(sysfs), "/tmp/vgpu-test-pci.XXXXXX");
	if (!mkdtemp(sysfs))
		return -1;
	if (chmod(sysfs, 0755) != 0)
		return -1;
	snprintf(path, sizeof(path), "umask 022; mkdir -p %s/bus/pci/devices %s/kernel/security",
		 sysfs, sysfs);
	return system(path);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(sysfs, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void expect_refusal(const char *address, enum vgpu_result result, const char *text)
{
	struct transport *transport = NULL;

	assert_int_equal(transport_pci_open(sysfs, address, &transport), result);
	assert_null(transport);
	if (!strstr(vgpu_last_error(), text))
		fail_msg("\"%s\" does not say \"%s\"", vgpu_last_error(), text);
}

static struct transport *open_vgpu(const char *address)
{
	struct transport *transport = NULL;

	if (transport_pci_open(sysfs, address, &transport) != VGPU_OK)
		fail_msg("%s", vgpu_last_error());
	return transport;
}

static void the_first_vgpu_is_found(void **state)
{
	char address[PCI_ADDRESS_BYTES];
	struct transport *transport;

	(void)state;
	make_device("0000:00:01.0", "0x8086\n", "0x10f0\n", 0);
	make_device("0000:00:02.0", "0x1af4\n", "0x1000\n", 0);
	make_vgpu(SECOND);
	make_vgpu(FIRST);
	assert_int_equal(pci_find(sysfs, address), VGPU_OK);
	assert_string_equal(address, FIRST);
	transport = open_vgpu(NULL);
	assert_string_equal(transport->name, "pci:" FIRST);
	transport->ops->close(transport);
	transport = open_vgpu(SECOND);
	assert_string_equal(transport->name, "pci:" SECOND);
	transport->ops->close(transport);
}

static void no_vgpu_is_said_clearly(void **state)
{
	(void)state;
	expect_refusal(NULL, VGPU_E_NO_DEVICE, "no vGPU (1af4:10f0) on the PCI bus");
	expect_refusal(FIRST, VGPU_E_NO_DEVICE, "No such file or directory");
	make_device("0000:00:01.0", "0x8086\n", "0x10f0\n", 0);
	expect_refusal(NULL, VGPU_E_NO_DEVICE, "no vGPU");
}

static void an_address_must_be_one(void **state)
{
	static const char *const wrong[] = { "",
					     "5",
					     "00:05.0",
					     "0000:00:05.00",
					     "../../../etc",
					     "0000:00:05-0",
					     "0000:00:0G.0",
					     "0000:00:0A.0",
					     "0000:00:05.0/.." };

	(void)state;
	make_vgpu(FIRST);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_refusal(wrong[i], VGPU_E_ARGUMENT, "is not a PCI address");
}

static void other_devices_are_refused(void **state)
{
	(void)state;
	make_device(FIRST, "0x8086\n", "0x10f0\n", VGPU_PROTOCOL_VERSION);
	expect_refusal(FIRST, VGPU_E_INCOMPATIBLE, "its PCI ids are 8086:10f0, not 1af4:10f0");
}

static void another_protocol_is_refused(void **state)
{
	(void)state;
	make_device(FIRST, "0x1af4\n", "0x10f0\n", 0x00020001);
	expect_refusal(FIRST, VGPU_E_INCOMPATIBLE, "speaks protocol 2.1, and this library 1.x");
}

static void a_later_minor_version_is_taken(void **state)
{
	struct transport *transport;

	(void)state;
	make_device(FIRST, "0x1af4\n", "0x10f0\n", VGPU_PROTOCOL_VERSION + 7);
	transport = open_vgpu(FIRST);
	transport->ops->close(transport);
}

static void a_device_that_does_not_answer_is_noticed(void **state)
{
	(void)state;
	make_device(FIRST, "0x1af4\n", "0x10f0\n", UINT32_MAX);
	expect_refusal(FIRST, VGPU_E_GONE, "does not answer");
}

static void a_bar_too_small_is_refused(void **state)
{
	(void)state;
	make_vgpu(FIRST);
	write_text(FIRST, "resource0", "short");
	expect_refusal(FIRST, VGPU_E_INCOMPATIBLE, "has 5 bytes, not 16384");
}

static void the_device_is_enabled_if_it_is_not(void **state)
{
	struct transport *transport;
	char path[256], text[8] = "";
	int fd;

	(void)state;
	make_vgpu(FIRST);
	transport = open_vgpu(FIRST);
	transport->ops->close(transport);
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/enable", sysfs, FIRST);
	fd = open(path, O_RDONLY);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_int_equal(text[0], '1');
}

/* Root ignores file modes, so root tries it in a child that becomes nobody. */
static void permission_is_explained(void **state)
{
	char path[256];
	int status;
	pid_t child;

	(void)state;
	make_vgpu(FIRST);
	write_text(FIRST, "enable", "1\n");
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/resource0", sysfs, FIRST);
	assert_int_equal(chmod(path, 0), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct transport *transport;

		if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(2);
		if (transport_pci_open(sysfs, FIRST, &transport) != VGPU_E_PERMISSION)
			_exit(3);
		_exit(strstr(vgpu_last_error(), "run this as root") ? 0 : 4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void lockdown_is_explained(void **state)
{
	char path[256];
	int status, fd;
	pid_t child;

	(void)state;
	make_vgpu(FIRST);
	write_text(FIRST, "enable", "1\n");
	snprintf(path, sizeof(path), "%s/kernel/security/lockdown", sysfs);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(fd, "none [integrity] confidentiality\n", 33), 33);
	close(fd);
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/resource0", sysfs, FIRST);
	assert_int_equal(chmod(path, 0), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct transport *transport;

		if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(2);
		if (transport_pci_open(sysfs, FIRST, &transport) != VGPU_E_PERMISSION)
			_exit(3);
		_exit(strstr(vgpu_last_error(), "this kernel is locked down") ? 0 : 4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void turns_exclude_each_other(void **state)
{
	struct transport *first, *second;
	int64_t start;

	(void)state;
	make_vgpu(FIRST);
	first = open_vgpu(FIRST);
	second = open_vgpu(FIRST);
	assert_int_equal(first->ops->lock(first, vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS),
			 VGPU_OK);
	start = vgpu_now_ns();
	assert_int_equal(second->ops->lock(second, start + 20 * VGPU_NS_PER_MS), VGPU_E_TIMEOUT);
	assert_true(vgpu_now_ns() - start >= 20 * VGPU_NS_PER_MS);
	first->ops->unlock(first);
	assert_int_equal(second->ops->lock(second, vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS),
			 VGPU_OK);
	second->ops->unlock(second);
	/* A failed attempt leaves nothing locked. */
	assert_int_equal(first->ops->lock(first, vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS),
			 VGPU_OK);
	first->ops->unlock(first);
	first->ops->close(first);
	second->ops->close(second);
}

/* A process that takes turn after turn must let others have theirs. */
static void a_busy_process_starves_nobody(void **state)
{
	struct transport *mine;
	int status;
	pid_t child;

	(void)state;
	make_vgpu(FIRST);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct transport *transport;

		if (transport_pci_open(sysfs, FIRST, &transport) != VGPU_OK)
			_exit(1);
		for (;;) {
			if (transport->ops->lock(transport, INT64_MAX) != VGPU_OK)
				_exit(1);
			for (int64_t until = vgpu_now_ns() + 50 * VGPU_NS_PER_US;
			     vgpu_now_ns() < until;)
				;
			transport->ops->unlock(transport);
		}
	}
	mine = open_vgpu(FIRST);
	usleep(20000);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(mine->ops->lock(mine, vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS),
				 VGPU_OK);
		mine->ops->unlock(mine);
		usleep(1000);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	mine->ops->close(mine);
}

static void a_killed_process_holds_nothing(void **state)
{
	struct transport *mine;
	int status, ready[2];
	pid_t child;
	char byte;
	bool alone;

	(void)state;
	make_vgpu(FIRST);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct transport *transport;

		if (transport_pci_open(sysfs, FIRST, &transport) != VGPU_OK ||
		    transport->ops->enter(transport, INT64_MAX, &alone) != VGPU_OK || !alone ||
		    transport->ops->settle(transport, INT64_MAX) != VGPU_OK ||
		    transport->ops->lock(transport, INT64_MAX) != VGPU_OK ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	mine = open_vgpu(FIRST);
	assert_int_equal(mine->ops->enter(mine, INT64_MAX, &alone), VGPU_OK);
	assert_false(alone);
	assert_int_equal(mine->ops->lock(mine, vgpu_now_ns() + 10 * VGPU_NS_PER_MS),
			 VGPU_E_TIMEOUT);
	mine->ops->close(mine);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	mine = open_vgpu(FIRST);
	assert_int_equal(mine->ops->enter(mine, INT64_MAX, &alone), VGPU_OK);
	assert_true(alone);
	assert_int_equal(mine->ops->lock(mine, vgpu_now_ns() + WAIT_MS * VGPU_NS_PER_MS), VGPU_OK);
	mine->ops->close(mine);
	close(ready[0]);
	close(ready[1]);
}

static void only_the_first_user_is_alone(void **state)
{
	struct transport *first, *second;
	bool alone;

	(void)state;
	make_vgpu(FIRST);
	first = open_vgpu(FIRST);
	second = open_vgpu(FIRST);
	assert_int_equal(first->ops->enter(first, INT64_MAX, &alone), VGPU_OK);
	assert_true(alone);
	/* Nobody else comes in until the first has settled. */
	assert_int_equal(second->ops->enter(second, vgpu_now_ns() + 10 * VGPU_NS_PER_MS, &alone),
			 VGPU_E_TIMEOUT);
	assert_int_equal(first->ops->settle(first, INT64_MAX), VGPU_OK);
	assert_int_equal(second->ops->enter(second, INT64_MAX, &alone), VGPU_OK);
	assert_false(alone);
	first->ops->close(first);
	second->ops->close(second);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_vgpu_is_found),
		TEST(no_vgpu_is_said_clearly),
		TEST(an_address_must_be_one),
		TEST(other_devices_are_refused),
		TEST(another_protocol_is_refused),
		TEST(a_later_minor_version_is_taken),
		TEST(a_device_that_does_not_answer_is_noticed),
		TEST(a_bar_too_small_is_refused),
		TEST(the_device_is_enabled_if_it_is_not),
		TEST(permission_is_explained),
		TEST(lockdown_is_explained),
		TEST(turns_exclude_each_other),
		TEST(a_busy_process_starves_nobody),
		TEST(a_killed_process_holds_nothing),
		TEST(only_the_first_user_is_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
