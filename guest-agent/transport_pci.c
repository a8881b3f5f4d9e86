/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vGPU through sysfs: BAR0 is the file resource0, mapped.
 *
 * Users of one device are told apart by locks on that file, which the kernel drops when a process
 * dies, however it dies:
 *  - A turn is an exclusive OFD lock on byte TURN. Whoever has had turns for a while first takes
 *    byte NEXT, which a waiter holds until it has the turn: so a busy process cannot starve others,
 *    and one that is alone pays for one lock only.
 *  - A channel is an exclusive OFD lock on byte CHANNELS + its number, for as long as it is open.
 *    The byte after them all is the watch of vgpu-agent's daemon over them.
 *  - Presence is a shared flock() for as long as the device is open. Whoever gets it exclusively
 *    knows that it is alone. flock() and OFD locks do not see each other.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "guest-agent/last_error.h"
#include "guest-agent/transport_pci.h"

#define LOCK_TURN     0
#define LOCK_NEXT     1
#define LOCK_CHANNELS 0x100

#define POLITE_EVERY_NS VGPU_NS_PER_MS

/* Spinning costs a guest its CPU time, sleeping at least 50 us of latency. */
#define SPIN_MIN_NS  (20 * VGPU_NS_PER_US)
#define SPIN_MAX_NS  (500 * VGPU_NS_PER_US)
#define SLEEP_MIN_NS (20 * VGPU_NS_PER_US)
#define SLEEP_MAX_NS VGPU_NS_PER_MS

struct pci {
	struct transport transport;
	int fd;
	char device[PATH_MAX]; /* its folder in sysfs */
	volatile uint32_t *registers;
	int64_t polite_ns;  /* when NEXT was last respected */
	int64_t average_ns; /* of the time to an answer, recent ones counting most */
	unsigned int spins;
};

static struct pci *pci_of(struct transport *transport)
{
	return (struct pci *)transport; /* its first member */
}

static uint32_t pci_read(struct transport *transport, uint32_t offset)
{
	return le32toh(pci_of(transport)->registers[offset / 4]);
}

static void pci_write(struct transport *transport, uint32_t offset, uint32_t value)
{
	pci_of(transport)->registers[offset / 4] = htole32(value);
}

static void sleep_ns(int64_t duration)
{
	struct timespec time = { .tv_sec = duration / VGPU_NS_PER_SECOND,
				 .tv_nsec = duration % VGPU_NS_PER_SECOND };

	nanosleep(&time, NULL);
}

/* A pause that grows with the time already spent, so that the wait is at most a quarter longer. */
static void back_off(int64_t since, int64_t now, int64_t deadline)
{
	int64_t pause = (now - since) / 4;

	pause = pause < SLEEP_MIN_NS ? SLEEP_MIN_NS : pause > SLEEP_MAX_NS ? SLEEP_MAX_NS : pause;
	if (pause > deadline - now)
		pause = deadline - now;
	if (pause > 0)
		sleep_ns(pause);
}

static int byte_lock(struct pci *pci, short type, off_t byte)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(pci->fd, F_OFD_SETLK, &lock);
}

/* Takes a byte's lock, trying until deadline. */
static enum vgpu_result byte_lock_wait(struct pci *pci, off_t byte, int64_t deadline)
{
	int64_t since = vgpu_now_ns();

	while (byte_lock(pci, F_WRLCK, byte) != 0) {
		int64_t now = vgpu_now_ns();

		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return last_error_errno(VGPU_E_IO, errno, "%s: locking the device",
						pci->transport.name);
		if (now >= deadline)
			return last_error_set(VGPU_E_TIMEOUT,
					      "other processes kept the vGPU busy: no turn within "
					      "the timeout");
		back_off(since, now, deadline);
	}
	return VGPU_OK;
}

static enum vgpu_result pci_lock(struct transport *transport, int64_t deadline)
{
	struct pci *pci = pci_of(transport);
	enum vgpu_result result;

	if (vgpu_now_ns() - pci->polite_ns < POLITE_EVERY_NS &&
	    byte_lock(pci, F_WRLCK, LOCK_TURN) == 0)
		return VGPU_OK;
	result = byte_lock_wait(pci, LOCK_NEXT, deadline);
	if (result != VGPU_OK)
		return result;
	result = byte_lock_wait(pci, LOCK_TURN, deadline);
	byte_lock(pci, F_UNLCK, LOCK_NEXT);
	pci->polite_ns = vgpu_now_ns();
	return result;
}

static void pci_unlock(struct transport *transport)
{
	byte_lock(pci_of(transport), F_UNLCK, LOCK_TURN);
}

static void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static void pci_wait(struct transport *transport, int64_t since, int64_t deadline)
{
	struct pci *pci = pci_of(transport);
	/* Answers that take long are not worth spinning for. */
	int64_t spin = pci->average_ns < SPIN_MAX_NS ? SPIN_MAX_NS : SPIN_MIN_NS, now;

	cpu_relax();
	/* A guest's clock can be as dear as a register. */
	if (++pci->spins % 4)
		return;
	now = vgpu_now_ns();
	if (now - since >= spin)
		back_off(since, now, deadline);
}

static void pci_answered(struct transport *transport, int64_t elapsed_ns)
{
	struct pci *pci = pci_of(transport);

	pci->average_ns += (elapsed_ns - pci->average_ns) / 8;
}

/* Takes the presence lock, trying until deadline. */
static enum vgpu_result presence_wait(struct pci *pci, int64_t deadline)
{
	int64_t since = vgpu_now_ns();

	while (flock(pci->fd, LOCK_SH | LOCK_NB) != 0) {
		int64_t now = vgpu_now_ns();

		if (errno != EWOULDBLOCK && errno != EINTR)
			return last_error_errno(VGPU_E_IO, errno, "%s: locking the device",
						pci->transport.name);
		if (now >= deadline)
			return last_error_set(VGPU_E_TIMEOUT,
					      "another process is opening the vGPU and has not "
					      "finished within the timeout");
		back_off(since, now, deadline);
	}
	return VGPU_OK;
}

static enum vgpu_result pci_enter(struct transport *transport, int64_t deadline, bool *alone)
{
	struct pci *pci = pci_of(transport);

	*alone = flock(pci->fd, LOCK_EX | LOCK_NB) == 0;
	return *alone ? VGPU_OK : presence_wait(pci, deadline);
}

/*
 * From exclusive to shared. flock() lets go in between, and another process can find itself alone
 * then; that is fine, since this one has nothing on the device yet.
 */
static enum vgpu_result pci_settle(struct transport *transport, int64_t deadline)
{
	return presence_wait(pci_of(transport), deadline);
}

static bool pci_claim(struct transport *transport, unsigned int channel)
{
	return byte_lock(pci_of(transport), F_WRLCK, LOCK_CHANNELS + (off_t)channel) == 0;
}

static void pci_unclaim(struct transport *transport, unsigned int channel)
{
	byte_lock(pci_of(transport), F_UNLCK, LOCK_CHANNELS + (off_t)channel);
}

static enum vgpu_result pci_map(struct transport *transport, uint64_t offset, uint64_t bytes,
				void **memory, bool *combining)
{
	struct pci *pci = pci_of(transport);
	VGPU_AUTO_CLOSE int fd = -1;
	char path[PATH_MAX + 16];
	void *mapped;

	snprintf(path, sizeof(path), "%s/resource%d_wc", pci->device, VGPU_BAR_WINDOW);
	fd = open(path, O_RDWR | O_CLOEXEC);
	*combining = fd >= 0;
	if (fd < 0) {
		snprintf(path, sizeof(path), "%s/resource%d", pci->device, VGPU_BAR_WINDOW);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (fd < 0)
		return last_error_errno(VGPU_E_IO, errno, "%s", path);
	mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (mapped == MAP_FAILED)
		return last_error_errno(VGPU_E_IO, errno, "%s: mapping a channel", path);
	*memory = mapped;
	return VGPU_OK;
}

static enum vgpu_result pci_eventfds(struct transport *transport, unsigned int channel,
				     int *doorbell, int *completion)
{
	(void)transport;
	(void)channel;
	*doorbell = -1;
	*completion = -1;
	return VGPU_OK;
}

static void pci_close(struct transport *transport)
{
	struct pci *pci = pci_of(transport);

	if (pci->registers)
		munmap((void *)pci->registers, VGPU_BAR0_SIZE);
	if (pci->fd >= 0)
		close(pci->fd); /* and with it all locks */
	free(pci);
}

static const struct transport_ops pci_ops = {
	.read = pci_read,
	.write = pci_write,
	.lock = pci_lock,
	.unlock = pci_unlock,
	.wait = pci_wait,
	.answered = pci_answered,
	.enter = pci_enter,
	.settle = pci_settle,
	.claim = pci_claim,
	.unclaim = pci_unclaim,
	.map = pci_map,
	.eventfds = pci_eventfds,
	.close = pci_close,
};

/* Whether the kernel keeps even root from mapping device memory. */
static bool locked_down(const char *sysfs)
{
	VGPU_AUTO_CLOSE int fd = -1;
	char path[PATH_MAX], text[128];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/kernel/security/lockdown", sysfs);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return false;
	text[length] = '\0';
	return strstr(text, "[integrity]") || strstr(text, "[confidentiality]");
}

static enum vgpu_result cannot(const char *sysfs, const char *path, int errnum)
{
	if (errnum == ENOENT)
		return last_error_errno(VGPU_E_NO_DEVICE, errnum, "%s", path);
	if (errnum != EACCES && errnum != EPERM)
		return last_error_errno(VGPU_E_IO, errnum, "%s", path);
	if (locked_down(sysfs))
		return last_error_errno(VGPU_E_PERMISSION, errnum,
					"%s: this kernel is locked down, which forbids using PCI "
					"devices from programs; switch Secure Boot off for this "
					"virtual machine",
					path);
	return last_error_errno(VGPU_E_PERMISSION, errnum, "%s: run this as root", path);
}

/* Reads a small file; `text` is "" where it cannot be read, and -1 with errno is returned. */
static int read_text(const char *path, char *text, size_t size)
{
	VGPU_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);

	text[length < 0 ? 0 : length] = '\0';
	return length < 0 ? -1 : 0;
}

static enum vgpu_result check_ids(const char *sysfs, const char *device)
{
	char path[PATH_MAX + 16], text[32];
	long vendor, id;

	snprintf(path, sizeof(path), "%s/vendor", device);
	if (read_text(path, text, sizeof(text)) != 0)
		return cannot(sysfs, path, errno);
	vendor = strtol(text, NULL, 16);
	snprintf(path, sizeof(path), "%s/device", device);
	if (read_text(path, text, sizeof(text)) != 0)
		return cannot(sysfs, path, errno);
	id = strtol(text, NULL, 16);
	if (vendor != VGPU_PCI_VENDOR_ID || id != VGPU_PCI_DEVICE_ID)
		return last_error_set(VGPU_E_INCOMPATIBLE,
				      "%s is not a vGPU: its PCI ids are %04lx:%04lx, not "
				      "%04x:%04x",
				      device, vendor & 0xffff, id & 0xffff, VGPU_PCI_VENDOR_ID,
				      VGPU_PCI_DEVICE_ID);
	return VGPU_OK;
}

/* Lets the device decode its BARs, where no driver has yet. */
static enum vgpu_result enable(const char *sysfs, const char *device)
{
	VGPU_AUTO_CLOSE int fd = -1;
	char path[PATH_MAX + 16], text[32];

	snprintf(path, sizeof(path), "%s/enable", device);
	if (read_text(path, text, sizeof(text)) != 0)
		return cannot(sysfs, path, errno);
	if (strtol(text, NULL, 10) > 0)
		return VGPU_OK;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		return cannot(sysfs, path, errno);
	return VGPU_OK;
}

static enum vgpu_result map(struct pci *pci, const char *sysfs, const char *device)
{
	char path[PATH_MAX + 16];
	struct stat status;
	void *mapped;

	snprintf(pci->device, sizeof(pci->device), "%s", device);
	snprintf(path, sizeof(path), "%s/resource%d", device, VGPU_BAR_REGISTERS);
	pci->fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (pci->fd < 0 || fstat(pci->fd, &status) != 0)
		return cannot(sysfs, path, errno);
	if (status.st_size < (off_t)VGPU_BAR0_SIZE)
		return last_error_set(VGPU_E_INCOMPATIBLE, "%s has %lld bytes, not %u", path,
				      (long long)status.st_size, VGPU_BAR0_SIZE);
	mapped = mmap(NULL, VGPU_BAR0_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, pci->fd, 0);
	if (mapped == MAP_FAILED)
		return cannot(sysfs, path, errno);
	pci->registers = mapped;
	return VGPU_OK;
}

static enum vgpu_result check_version(struct pci *pci)
{
	uint32_t version = pci_read(&pci->transport, VGPU_REG_PROTOCOL_VER);

	if (version == UINT32_MAX)
		return last_error_set(VGPU_E_GONE,
				      "%s does not answer: it was unplugged, or is switched off",
				      pci->transport.name);
	if (version >> 16 != VGPU_PROTOCOL_VERSION >> 16)
		return last_error_set(VGPU_E_INCOMPATIBLE,
				      "%s speaks protocol %u.%u, and this library %u.x: update "
				      "libvgpu",
				      pci->transport.name, version >> 16, version & 0xffff,
				      VGPU_PROTOCOL_VERSION >> 16);
	return VGPU_OK;
}

enum vgpu_result transport_pci_open(const char *sysfs, const char *address,
				    struct transport **transport)
{
	char found[PCI_ADDRESS_BYTES], device[PATH_MAX];
	enum vgpu_result result;
	struct pci *pci;

	if (!address) {
		result = pci_find(sysfs, found);
		if (result != VGPU_OK)
			return result;
		address = found;
	} else if (!pci_address_ok(address)) {
		return last_error_set(VGPU_E_ARGUMENT,
				      "'%s' is not a PCI address like 0000:00:05.0", address);
	}
	pci = calloc(1, sizeof(*pci));
	if (!pci)
		return last_error_set(VGPU_E_NO_MEMORY, "out of memory");
	pci->fd = -1;
	pci->transport.ops = &pci_ops;
	snprintf(pci->transport.name, sizeof(pci->transport.name), "pci:%s", address);
	snprintf(device, sizeof(device), "%s/bus/pci/devices/%s", sysfs, address);
	result = check_ids(sysfs, device);
	if (result == VGPU_OK)
		result = enable(sysfs, device);
	if (result == VGPU_OK)
		result = map(pci, sysfs, device);
	if (result == VGPU_OK)
		result = check_version(pci);
	if (result != VGPU_OK) {
		pci_close(&pci->transport);
		return result;
	}
	*transport = &pci->transport;
	return VGPU_OK;
}
