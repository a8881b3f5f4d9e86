/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels through a real QEMU: the doorbell reaches the eventfd that went over the link, the
 * completion's eventfd becomes the channel's MSI-X message, guest and mediator share the region,
 * and nothing of a channel outlives it in QEMU.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ring.h"
#include "tests/qemu/mediator.h"
#include "tests/qemu/pci.h"

/* Guest memory that nothing else uses; vector v writes at MESSAGE + 4 * v. */
#define MESSAGE UINT64_C(0x200000)

#define ENTRIES 16u
#define WINDOW	4096u
#define REGION	(3u * 4096u) /* bytes of such a channel */

static const char *const arguments[] = { "-machine", "q35", "-device", "vgpu,link=@LINK@", NULL };

struct bench {
	struct vm vm;
	struct mediator mediator;
	struct pci_device device;
};

struct channel {
	unsigned int number;
	struct vgpu_link_open open;
	int doorbell, completion; /* the mediator's */
};

static void start_with(struct bench *bench, const char *const *with)
{
	vm_prepare(&bench->vm);
	mediator_listen(&bench->mediator, bench->vm.link);
	vm_start(&bench->vm, with);
	mediator_serve(&bench->mediator);
	pci_bring_up(&bench->vm, &bench->device);
	reg_wait(&bench->device, VGPU_REG_LINK_STATE, VGPU_LINK_UP);
}

static void start(struct bench *bench)
{
	start_with(bench, arguments);
}

static void stop(struct bench *bench)
{
	mediator_end(&bench->mediator, bench->vm.link);
	vm_stop(&bench->vm);
}

static void put(struct bench *bench, unsigned int channel, unsigned int offset, uint32_t value)
{
	reg_write(&bench->device, VGPU_REG_CHANNEL_BLOCK(channel) + offset, value);
}

static uint32_t get(struct bench *bench, unsigned int channel, unsigned int offset)
{
	return reg_read(&bench->device, VGPU_REG_CHANNEL_BLOCK(channel) + offset);
}

static uint64_t get64(struct bench *bench, unsigned int channel, unsigned int offset)
{
	return get(bench, channel, offset) | (uint64_t)get(bench, channel, offset + 4) << 32;
}

static void wait_state(struct bench *bench, unsigned int channel, uint32_t state)
{
	reg_wait(&bench->device, VGPU_REG_CHANNEL_BLOCK(channel) + VGPU_CHANNEL_STATE, state);
}

static void open_channel(struct bench *bench, struct channel *channel, unsigned int number,
			 uint64_t region, uint64_t window)
{
	int fds[2];

	put(bench, number, VGPU_CHANNEL_RING_ENTRIES, ENTRIES);
	put(bench, number, VGPU_CHANNEL_WINDOW_BYTES, (uint32_t)window);
	put(bench, number, VGPU_CHANNEL_WINDOW_BYTES + 4, (uint32_t)(window >> 32));
	put(bench, number, VGPU_CHANNEL_CONTROL, VGPU_CHANNEL_OPEN);
	mediator_receive_open(&bench->mediator, &channel->open, fds);
	assert_int_equal(channel->open.channel, number);
	assert_int_equal(channel->open.entries, ENTRIES);
	assert_int_equal(channel->open.window_bytes, window);
	mediator_opened(&bench->mediator, &channel->open, region);
	wait_state(bench, number, VGPU_CHANNEL_STATE_OPEN);
	assert_int_equal(get64(bench, number, VGPU_CHANNEL_REGION), region);
	channel->number = number;
	channel->doorbell = fds[0];
	channel->completion = fds[1];
}

static void forget(struct channel *channel)
{
	close(channel->doorbell);
	close(channel->completion);
}

static void ring(struct bench *bench, unsigned int channel, uint32_t value)
{
	reg_write(&bench->device, VGPU_REG_CHANNEL_DOORBELL(channel), value);
}

static void complete(struct channel *channel)
{
	const uint64_t one = 1;

	assert_int_equal(write(channel->completion, &one, sizeof(one)), sizeof(one));
}

/* The counter, which is 0 afterwards. */
static uint64_t take(int fd)
{
	uint64_t count = 0;

	if (read(fd, &count, sizeof(count)) < 0)
		assert_int_equal(errno, EAGAIN);
	return count;
}

static uint64_t message_of(unsigned int channel)
{
	return MESSAGE + 4 * (1 + channel);
}

static void aim(struct bench *bench, unsigned int channel, uint32_t data)
{
	vm_write(&bench->vm, 4, message_of(channel), 0);
	msix_aim(&bench->device, 1 + channel, message_of(channel), data);
}

/* The main loop has run: whatever was to happen before this was called has happened. */
static void settle(struct bench *bench)
{
	for (int i = 0; i < 10; i++)
		vm_qmp(&bench->vm, "{\"execute\": \"query-status\"}");
}

/* How many descriptors of this kind QEMU has. */
static unsigned int qemu_eventfds(const struct bench *bench)
{
	char path[64], target[64];
	struct dirent *entry;
	unsigned int count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)bench->vm.pid);
	folder = opendir(path);
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		ssize_t length =
			readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

		if (length < 0)
			continue;
		target[length] = '\0';
		count += strcmp(target, "anon_inode:[eventfd]") == 0;
	}
	closedir(folder);
	return count;
}

static void the_doorbell_reaches_the_eventfd(void **state)
{
	struct channel channel, other;
	struct bench bench;

	(void)state;
	start(&bench);
	open_channel(&bench, &channel, 3, 0, WINDOW);
	open_channel(&bench, &other, 4, REGION, WINDOW);
	assert_int_equal(take(channel.doorbell), 0);
	ring(&bench, 3, 1);
	assert_int_equal(take(channel.doorbell), 1);
	ring(&bench, 3, 0);
	ring(&bench, 3, 0xdeadbeef);
	assert_int_equal(take(channel.doorbell), 2);
	assert_int_equal(reg_read(&bench.device, VGPU_REG_CHANNEL_DOORBELL(3)), 0);
	/* Other sizes, other doorbells, and channels that are not open. */
	for (unsigned int size = 1; size <= 8; size *= 2)
		if (size != 4)
			vm_write(&bench.vm, size,
				 bench.device.registers + VGPU_REG_CHANNEL_DOORBELL(3), 1);
	ring(&bench, 2, 1);
	ring(&bench, 5, 1);
	assert_int_equal(take(channel.doorbell), 0);
	assert_int_equal(take(other.doorbell), 0);

	/* After CLOSE nothing rings it any more. */
	put(&bench, 3, VGPU_CHANNEL_CONTROL, VGPU_CHANNEL_CLOSE);
	ring(&bench, 3, 1);
	mediator_close_channel(&bench.mediator, &channel.open);
	wait_state(&bench, 3, VGPU_CHANNEL_STATE_CLOSED);
	ring(&bench, 3, 1);
	assert_int_equal(take(channel.doorbell), 0);
	forget(&channel);
	/* The next life has another eventfd. */
	open_channel(&bench, &channel, 3, 0, WINDOW);
	ring(&bench, 3, 1);
	assert_int_equal(take(channel.doorbell), 1);
	forget(&channel);
	forget(&other);
	stop(&bench);
}

static void trace_writes(struct bench *bench, bool on)
{
	vm_qmp(&bench->vm, on ? "{\"execute\": \"trace-event-set-state\", \"arguments\": {"
				"\"name\": \"memory_region_ops_write\", \"enable\": true}}"
			      : "{\"execute\": \"trace-event-set-state\", \"arguments\": {"
				"\"name\": \"memory_region_ops_write\", \"enable\": false}}");
}

/* Whether a doorbell of this channel comes to the device's own code: QEMU's trace shows it then. */
static bool traps(struct bench *bench, unsigned int channel)
{
	static char messages[65536];
	size_t before;

	vm_messages(&bench->vm, messages, sizeof(messages));
	before = strlen(messages);
	trace_writes(bench, true);
	ring(bench, channel, 1);
	trace_writes(bench, false);
	vm_messages(&bench->vm, messages, sizeof(messages));
	return strstr(messages + before, "vgpu-registers") != NULL;
}

/* So that with KVM a doorbell does not leave the kernel. */
static void an_open_channels_doorbell_is_an_ioeventfd(void **state)
{
	struct channel channel;
	struct bench bench;

	(void)state;
	start(&bench);
	assert_true(traps(&bench, 6));
	open_channel(&bench, &channel, 6, 0, WINDOW);
	assert_false(traps(&bench, 6));
	assert_int_equal(take(channel.doorbell), 1);
	assert_true(traps(&bench, 7));
	put(&bench, 6, VGPU_CHANNEL_CONTROL, VGPU_CHANNEL_CLOSE);
	assert_true(traps(&bench, 6));
	forget(&channel);
	stop(&bench);
}

static void a_completion_sends_the_channels_message(void **state)
{
	struct channel channel;
	struct bench bench;

	(void)state;
	start(&bench);
	msix_enable(&bench.device);
	aim(&bench, 0, 0x1000);
	aim(&bench, 31, 0x1031);
	open_channel(&bench, &channel, 31, 0, WINDOW);
	vm_wait(&bench.vm, message_of(31), 0x1031); /* it is open */
	vm_write(&bench.vm, 4, message_of(31), 0);
	for (int i = 0; i < 3; i++) {
		complete(&channel);
		vm_wait(&bench.vm, message_of(31), 0x1031);
		/* QEMU took it from the eventfd, and sends it once. */
		assert_int_equal(take(channel.completion), 0);
		vm_write(&bench.vm, 4, message_of(31), 0);
		settle(&bench);
		assert_int_equal(vm_read(&bench.vm, 4, message_of(31)), 0);
	}
	assert_int_equal(vm_read(&bench.vm, 4, message_of(0)), 0);

	/* A masked vector waits. */
	msix_mask(&bench.device, 32, true);
	complete(&channel);
	vm_wait(&bench.vm, bench.device.pending + 4, 1);
	assert_int_equal(vm_read(&bench.vm, 4, message_of(31)), 0);
	msix_mask(&bench.device, 32, false);
	vm_wait(&bench.vm, message_of(31), 0x1031);

	/* A channel that breaks wakes its guest. */
	vm_write(&bench.vm, 4, message_of(31), 0);
	mediator_break_channel(&bench.mediator, &channel.open, VGPU_ERR_CONTEXT_LOST);
	vm_wait(&bench.vm, message_of(31), 0x1031);
	assert_int_equal(get(&bench, 31, VGPU_CHANNEL_STATE), VGPU_CHANNEL_STATE_FAILED);
	assert_int_equal(get(&bench, 31, VGPU_CHANNEL_ERROR), VGPU_ERR_CONTEXT_LOST);
	/* And its worker, should it still be there, can wake nobody. */
	vm_write(&bench.vm, 4, message_of(31), 0);
	complete(&channel);
	settle(&bench);
	assert_int_equal(vm_read(&bench.vm, 4, message_of(31)), 0);
	forget(&channel);
	stop(&bench);
}

static void all_channels_at_once(void **state)
{
	struct channel channels[VGPU_CHANNELS_MAX];
	unsigned int before;
	struct bench bench;

	(void)state;
	start(&bench);
	msix_enable(&bench.device);
	before = qemu_eventfds(&bench);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		open_channel(&bench, &channels[n], n, n * REGION, WINDOW);
	assert_int_equal(qemu_eventfds(&bench), before + 2 * VGPU_CHANNELS_MAX);
	settle(&bench); /* what OPEN sent was for nobody: the vectors were masked */
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		aim(&bench, n, 0x100 + n);
		vm_wait(&bench.vm, message_of(n), 0x100 + n); /* the pending bit of OPEN */
		vm_write(&bench.vm, 4, message_of(n), 0);
	}
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		for (unsigned int i = 0; i <= n; i++)
			ring(&bench, n, i);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		assert_int_equal(take(channels[n].doorbell), n + 1);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n += 2)
		complete(&channels[n]);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n += 2)
		vm_wait(&bench.vm, message_of(n), 0x100 + n);
	for (unsigned int n = 1; n < VGPU_CHANNELS_MAX; n += 2)
		assert_int_equal(vm_read(&bench.vm, 4, message_of(n)), 0);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		put(&bench, n, VGPU_CHANNEL_CONTROL, VGPU_CHANNEL_CLOSE);
		mediator_close_channel(&bench.mediator, &channels[n].open);
		wait_state(&bench, n, VGPU_CHANNEL_STATE_CLOSED);
		forget(&channels[n]);
	}
	assert_int_equal(qemu_eventfds(&bench), before);
	stop(&bench);
}

static void reboot(struct pci_device *device)
{
	vm_qmp(device->vm, "{\"execute\": \"system_reset\"}");
	vm_wait_event(device->vm, "RESET");
}

static void function_level_reset(struct pci_device *device)
{
	unsigned int devctl = device->express + 8;

	pci_config_write(device->vm, 0, device->slot, devctl,
			 pci_config_read(device->vm, 0, device->slot, devctl) | 0x8000);
}

static void a_reset_closes(void **state)
{
	static void (*const resets[])(struct pci_device * device) = { reboot,
								      function_level_reset };
	struct channel channel, late;
	unsigned int before;
	struct bench bench;
	int fds[2];

	(void)state;
	start(&bench);
	mediator_receive_reset(&bench.mediator); /* the one that follows WELCOME */
	before = qemu_eventfds(&bench);
	for (size_t i = 0; i < 2; i++) {
		open_channel(&bench, &channel, 1, 0, WINDOW);
		put(&bench, 2, VGPU_CHANNEL_RING_ENTRIES, ENTRIES);
		put(&bench, 2, VGPU_CHANNEL_WINDOW_BYTES, WINDOW);
		put(&bench, 2, VGPU_CHANNEL_CONTROL, VGPU_CHANNEL_OPEN);
		mediator_receive_open(&bench.mediator, &late.open, fds);
		late.doorbell = fds[0];
		late.completion = fds[1];
		resets[i](&bench.device);
		mediator_receive_reset(&bench.mediator);
		/* What it had not heard of then. */
		mediator_opened(&bench.mediator, &late.open, REGION);
		pci_place(&bench.device, 0);
		settle(&bench);
		for (unsigned int n = 1; n <= 2; n++) {
			assert_int_equal(get(&bench, n, VGPU_CHANNEL_STATE),
					 VGPU_CHANNEL_STATE_CLOSED);
			assert_int_equal(get(&bench, n, VGPU_CHANNEL_RING_ENTRIES), 0);
			ring(&bench, n, 1);
		}
		assert_int_equal(get(&bench, 1, VGPU_CHANNEL_OPENS), i + 1);
		assert_int_equal(get(&bench, 2, VGPU_CHANNEL_OPENS), 0);
		assert_int_equal(take(channel.doorbell), 0);
		assert_int_equal(take(late.doorbell), 0);
		complete(&channel);
		complete(&late);
		settle(&bench);
		assert_int_equal(qemu_eventfds(&bench), before);
		assert_int_equal(reg_read(&bench.device, VGPU_REG_LINK_STATE), VGPU_LINK_UP);
		forget(&channel);
		forget(&late);
	}
	open_channel(&bench, &channel, 1, 0, WINDOW);
	ring(&bench, 1, 1);
	assert_int_equal(take(channel.doorbell), 1);
	forget(&channel);
	stop(&bench);
}

/* Rings and completions go on, through the same eventfds. */
static void assert_in_use(struct bench *bench, struct channel *channel)
{
	unsigned int n = channel->number;

	assert_int_equal(get(bench, n, VGPU_CHANNEL_STATE), VGPU_CHANNEL_STATE_OPEN);
	ring(bench, n, 1);
	assert_int_equal(take(channel->doorbell), 1);
	vm_write(&bench->vm, 4, message_of(n), 0);
	complete(channel);
	vm_wait(&bench->vm, message_of(n), 0x77 + n);
}

static void an_open_channel_outlives_the_link(void **state)
{
	struct channel channels[2];
	unsigned int before;
	struct bench bench;

	(void)state;
	start(&bench);
	msix_enable(&bench.device);
	before = qemu_eventfds(&bench);
	for (unsigned int n = 0; n < 2; n++) {
		aim(&bench, n, 0x77 + n);
		open_channel(&bench, &channels[n], n, n * REGION, WINDOW);
		vm_wait(&bench.vm, message_of(n), 0x77 + n);
	}
	vm_write(&bench.vm, 4, message_of(0), 0);
	mediator_drop(&bench.mediator);
	reg_wait(&bench.device, VGPU_REG_LINK_STATE, VGPU_LINK_CONNECTING); /* again */
	assert_int_equal(vm_read(&bench.vm, 4, message_of(0)), 0);
	assert_in_use(&bench, &channels[0]);

	/* One is closed meanwhile, which the mediator hears of when it is back. */
	put(&bench, 1, VGPU_CHANNEL_CONTROL, VGPU_CHANNEL_CLOSE);
	assert_int_equal(get(&bench, 1, VGPU_CHANNEL_STATE), VGPU_CHANNEL_STATE_CLOSING);
	assert_int_equal(qemu_eventfds(&bench), before + 2);
	mediator_serve(&bench.mediator);
	mediator_receive_resume(&bench.mediator, 2,
				(struct vgpu_link_open[]){ channels[0].open, channels[1].open });
	mediator_close_channel(&bench.mediator, &channels[1].open);
	wait_state(&bench, 1, VGPU_CHANNEL_STATE_CLOSED);
	assert_in_use(&bench, &channels[0]);

	/* One that its worker did not survive. */
	vm_write(&bench.vm, 4, message_of(0), 0);
	mediator_break_channel(&bench.mediator, &channels[0].open, VGPU_ERR_CONTEXT_LOST);
	vm_wait(&bench.vm, message_of(0), 0x77);
	assert_int_equal(get(&bench, 0, VGPU_CHANNEL_STATE), VGPU_CHANNEL_STATE_FAILED);
	ring(&bench, 0, 1);
	assert_int_equal(take(channels[0].doorbell), 0);
	assert_int_equal(qemu_eventfds(&bench), before);
	forget(&channels[0]);
	forget(&channels[1]);
	stop(&bench);
}

/* The BAR's address is the guest's to change while a channel is open. */
static void the_doorbell_moves_with_the_bar(void **state)
{
	struct channel channel;
	struct bench bench;

	(void)state;
	start(&bench);
	open_channel(&bench, &channel, 9, 0, WINDOW);
	for (unsigned int i = 1; i < 4; i++) {
		uint64_t old = bench.device.registers;

		pci_place(&bench.device, i);
		vm_write(&bench.vm, 4, old + VGPU_REG_CHANNEL_DOORBELL(9), 1);
		assert_int_equal(take(channel.doorbell), 0);
		ring(&bench, 9, 1);
		assert_int_equal(take(channel.doorbell), 1);
	}
	/* And it may be closed while the BAR is nowhere. */
	mediator_break_channel(&bench.mediator, &channel.open, VGPU_ERR_CONTEXT_LOST);
	pci_config_write(&bench.vm, 0, bench.device.slot, 4, 0);
	settle(&bench);
	pci_place(&bench.device, 0);
	wait_state(&bench, 9, VGPU_CHANNEL_STATE_FAILED);
	ring(&bench, 9, 1);
	assert_int_equal(take(channel.doorbell), 0);
	forget(&channel);
	stop(&bench);
}

static void guest_and_mediator_share_the_region(void **state)
{
	/* From 1 MiB to 16 GiB; sparse, so that only what is touched takes memory. */
	static const char *const sizes[] = { "1M", "256M", "16G" };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char device[64];
		const char *const with[] = { "-machine", "q35", "-device", device, NULL };
		uint64_t size, region, value;
		struct channel all, last;
		struct bench bench;

		snprintf(device, sizeof(device), "vgpu,window-size=%s,link=@LINK@", sizes[i]);
		start_with(&bench, with);
		size = reg_read(&bench.device, VGPU_REG_WINDOW_SIZE_LO) |
		       (uint64_t)reg_read(&bench.device, VGPU_REG_WINDOW_SIZE_HI) << 32;
		assert_int_equal(size, bench.mediator.hello.window_bytes);
		/* One channel that takes the whole of it. */
		open_channel(&bench, &all, 0, 0, size - 2 * 4096);
		assert_int_equal(get64(&bench, 0, VGPU_CHANNEL_REGION_BYTES), size);
		put(&bench, 0, VGPU_CHANNEL_CONTROL, VGPU_CHANNEL_CLOSE);
		mediator_close_channel(&bench.mediator, &all.open);
		wait_state(&bench, 0, VGPU_CHANNEL_STATE_CLOSED);
		/* And one at its end, whose memory both sides see. */
		region = size - REGION;
		open_channel(&bench, &last, 1, region, WINDOW);
		vm_write(&bench.vm, 8, bench.device.window + region, 0x1122334455667788);
		vm_write(&bench.vm, 8, bench.device.window + size - 8, 0x99aabbccddeeff00);
		assert_int_equal(pread(bench.mediator.window, &value, 8, (off_t)region), 8);
		assert_int_equal(value, 0x1122334455667788);
		assert_int_equal(pread(bench.mediator.window, &value, 8, (off_t)size - 8), 8);
		assert_int_equal(value, 0x99aabbccddeeff00);
		value = 0x0102030405060708;
		assert_int_equal(pwrite(bench.mediator.window, &value, 8, (off_t)size - 8), 8);
		assert_int_equal(vm_read(&bench.vm, 8, bench.device.window + size - 8), value);
		forget(&all);
		forget(&last);
		stop(&bench);
	}
}

/* Unplugged with everything open: QEMU goes on, and nothing of the device is left in it. */
static void unplugging_undoes_everything(void **state)
{
	static const char *const with[] = { "-machine", "pc", "-device", "vgpu,id=v,link=@LINK@",
					    NULL };
	struct channel channels[VGPU_CHANNELS_MAX];
	unsigned int before;
	struct bench bench;

	(void)state;
	start_with(&bench, with);
	before = qemu_eventfds(&bench);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++)
		open_channel(&bench, &channels[n], n, n * REGION, WINDOW);
	vm_qmp(&bench.vm, "{\"execute\": \"device_del\", \"arguments\": {\"id\": \"v\"}}");
	/* The guest agrees: the PIIX4 hotplug controller's eject register. */
	vm_out32(&bench.vm, 0xae08, 1u << bench.device.slot);
	vm_wait_event(&bench.vm, "DEVICE_DELETED");
	assert_true(mediator_sees_end(&bench.mediator));
	assert_int_equal(qemu_eventfds(&bench), before);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		complete(&channels[n]);
		vm_write(&bench.vm, 4, bench.device.registers + VGPU_REG_CHANNEL_DOORBELL(n), 1);
		assert_int_equal(take(channels[n].doorbell), 0);
		forget(&channels[n]);
	}
	settle(&bench);
	stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_doorbell_reaches_the_eventfd),
		cmocka_unit_test(an_open_channels_doorbell_is_an_ioeventfd),
		cmocka_unit_test(a_completion_sends_the_channels_message),
		cmocka_unit_test(all_channels_at_once),
		cmocka_unit_test(a_reset_closes),
		cmocka_unit_test(an_open_channel_outlives_the_link),
		cmocka_unit_test(the_doorbell_moves_with_the_bar),
		cmocka_unit_test(guest_and_mediator_share_the_region),
		cmocka_unit_test(unplugging_undoes_everything),
	};

	vm_prerequisites();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
