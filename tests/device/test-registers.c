/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/* BAR0: every word's reset value and access, illegal accesses, and what the mediator reports. */
#include "tests/device/fixture.h"

#include <stdio.h>
#include <string.h>

enum kind {
	RO,
	RW,
	OTHER
};

static const struct {
	uint32_t offset;
	uint32_t reset;
	enum kind kind;
	uint32_t writable; /* bits, for RW */
} registers[] = {
	{ 0x000, 0, OTHER, 0 }, /* DOORBELL */
	{ 0x004, 0, RO, 0 },	      { 0x008, 'A', RO, 0 },
	{ 0x00C, 1, RO, 0 },	      { 0x010, 0, RO, 0 },
	{ 0x014, 0, RO, 0 },	      { 0x018, 0, RW, 0xffffffff },
	{ 0x01C, 0, RO, 0 },	      { 0x020, 0x00010000, RO, 0 },
	{ 0x024, 0xf, RO, 0 }, /* mailbox, interrupt, window, channels */
	{ 0x028, 0, RW, 1 },	      { 0x02C, 0, OTHER, 0 }, /* INTERRUPT_STATUS */
	{ 0x030, 0, RW, 0xffffffff }, { 0x034, 0, RO, 0 },
	{ 0x038, 0, RO, 0 },	      { 0x03C, 0, RW, 0xffffffff },
	{ 0x840, 2, RO, 0 },	      { 0x854, 32, RO, 0 },
	{ 0x858, 0x00100000, RO, 0 }, /* the fixture's window: 1 MiB */
};

/* RING_ENTRIES, WINDOW_BYTES, OWNER and OWNER_START of the 32 channels, which are closed. */
static bool channel_register_writable(uint32_t offset)
{
	static const uint32_t writable[] = { 0x10, 0x18, 0x1C, 0x30, 0x38, 0x3C };

	for (size_t i = 0; i < sizeof(writable) / sizeof(writable[0]); i++)
		if (offset >= 0x1000 && offset < 0x1800 && offset % 0x40 == writable[i])
			return true;
	return false;
}

/* What the specification says of a word: its entry above, the buffers, or unassigned. */
static uint32_t expected_reset(uint32_t offset, enum kind *kind, uint32_t *writable)
{
	*kind = RO;
	*writable = 0;
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		if (registers[i].offset == offset) {
			*kind = registers[i].kind;
			*writable = registers[i].writable;
			return registers[i].reset;
		}
	}
	if ((offset >= 0x040 && offset < 0x440) || channel_register_writable(offset)) {
		*kind = RW;
		*writable = 0xffffffff;
	}
	return 0;
}

static void every_word_has_its_reset_value_and_access(void **state)
{
	static const uint32_t patterns[] = { 0xffffffff, 0xa5a5a5a5, 0x00000000 };
	struct fixture *fixture = *state;
	enum kind kind;
	uint32_t writable;

	for (uint32_t offset = 0; offset < VGPU_BAR0_SIZE; offset += 4) {
		uint32_t reset = expected_reset(offset, &kind, &writable);

		if (guest_read(fixture, offset) != reset)
			fail_msg("0x%03x: reads 0x%x after creation, not 0x%x", offset,
				 guest_read(fixture, offset), reset);
		for (size_t i = 0; kind != OTHER && i < 3; i++) {
			uint32_t want = kind == RW ? (patterns[i] & writable) : reset;

			guest_write(fixture, offset, patterns[i]);
			if (guest_read(fixture, offset) != want)
				fail_msg("0x%03x: reads 0x%x after a write of 0x%x, not 0x%x",
					 offset, guest_read(fixture, offset), patterns[i], want);
		}
	}
}

static void writes_change_no_other_word(void **state)
{
	struct fixture *fixture = *state;
	enum kind kind;
	uint32_t writable;

	for (uint32_t offset = 4; offset < VGPU_BAR0_SIZE; offset += 4)
		guest_write(fixture, offset, offset | 1);
	for (uint32_t offset = 0; offset < VGPU_BAR0_SIZE; offset += 4) {
		uint32_t want = expected_reset(offset, &kind, &writable);

		if (kind == RW)
			want = (offset | 1) & writable;
		if (guest_read(fixture, offset) != want)
			fail_msg("0x%03x: reads 0x%x, not 0x%x", offset,
				 guest_read(fixture, offset), want);
	}
}

static void other_sizes_and_alignments_do_nothing(void **state)
{
	struct fixture *fixture = *state;

	guest_write(fixture, VGPU_REG_SCRATCH, 0x12345678);
	guest_write(fixture, VGPU_REG_REQUEST_LEN, 4);
	for (uint64_t offset = 0; offset < VGPU_BAR0_SIZE; offset++) {
		for (unsigned int size = 1; size <= 8; size++) {
			if (size == 4 && offset % 4 == 0)
				continue;
			assert_int_equal(vgpu_core_read(fixture->core, offset, size), 0);
			vgpu_core_write(fixture->core, offset, UINT64_MAX, size);
		}
	}
	assert_int_equal(guest_read(fixture, VGPU_REG_SCRATCH), 0x12345678);
	assert_int_equal(guest_read(fixture, VGPU_REG_REQUEST_LEN), 4);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_CTRL), 0);
	/* The doorbell was not rung. */
	assert_int_equal(guest_read(fixture, VGPU_REG_STATUS), VGPU_STATUS_IDLE);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 0);
	for (uint32_t i = 0; i < VGPU_MAILBOX_BYTES; i += 4)
		assert_int_equal(guest_read(fixture, VGPU_REG_REQUEST_BUF + i), 0);
}

static void beyond_the_bar_is_nothing(void **state)
{
	static const uint64_t offsets[] = { VGPU_BAR0_SIZE, UINT64_C(0x100000000),
					    UINT64_C(0x10000003C), UINT64_MAX - 3 };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		vgpu_core_write(fixture->core, offsets[i], 1, 4);
		assert_int_equal(vgpu_core_read(fixture->core, offsets[i], 4), 0);
	}
	assert_int_equal(guest_read(fixture, VGPU_REG_SCRATCH), 0);
}

static void interrupt_status_is_cleared_by_ones(void **state)
{
	struct fixture *fixture = *state;

	guest_write(fixture, VGPU_REG_INTERRUPT_STATUS, 0xffffffff);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 0);
	guest_submit(fixture, "x", 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 1);
	guest_write(fixture, VGPU_REG_INTERRUPT_STATUS, 0xfffffffe);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 1);
	guest_write(fixture, VGPU_REG_INTERRUPT_STATUS, 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS), 0);
}

static void assert_text(struct fixture *fixture, uint32_t offset, uint32_t size, const char *text)
{
	char bytes[128], want[128] = { 0 };

	assert_true(size <= sizeof(bytes));
	memcpy(want, text, strlen(text));
	for (uint32_t i = 0; i < size; i += 4) {
		uint32_t word = guest_read(fixture, offset + i);

		memcpy(bytes + i, &word, 4);
	}
	assert_memory_equal(bytes, want, size);
}

static void the_configuration_is_shown(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_config config;
	uint32_t sequence;

	link_up(fixture);
	sequence = guest_read(fixture, VGPU_REG_CONFIG_SEQUENCE);
	assert_int_equal(guest_read(fixture, VGPU_REG_POOL_ID), 'B');
	assert_int_equal(guest_read(fixture, VGPU_REG_PRIORITY), VGPU_PRIORITY_HIGH);
	assert_int_equal(guest_read(fixture, VGPU_REG_VM_ID), 7);
	assert_int_equal(guest_read(fixture, VGPU_REG_WORKER_STATE), VGPU_WORKER_READY);
	assert_int_equal(guest_read64(fixture, VGPU_REG_QUOTA_MEMORY), 0x1122334455667788);
	assert_int_equal(guest_read64(fixture, VGPU_REG_QUOTA_WINDOW), 0x99aabbccddeeff00);
	assert_int_equal(guest_read(fixture, VGPU_REG_QUOTA_TIME_GUARANTEED), 10);
	assert_int_equal(guest_read(fixture, VGPU_REG_QUOTA_TIME_MAX), 50);
	assert_int_equal(guest_read(fixture, VGPU_REG_QUOTA_REQUESTS_PER_SEC), 1000);
	assert_int_equal(guest_read(fixture, VGPU_REG_QUOTA_BURST), 20);
	assert_int_equal(guest_read(fixture, VGPU_REG_QUOTA_QUEUE_DEPTH), 64);
	assert_int_equal(guest_read(fixture, VGPU_REG_QUOTA_CHANNELS), 32);
	assert_int_equal(guest_read(fixture, VGPU_REG_QUOTA_LONGEST_JOB), 10000);
	assert_int_equal(guest_read(fixture, VGPU_REG_QUARANTINED), 1);
	assert_int_equal(guest_read(fixture, VGPU_REG_QUARANTINED + 4), 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_VM_UUID), 0x33221100);
	assert_int_equal(guest_read(fixture, VGPU_REG_VM_UUID + 12), 0xffeeddcc);
	assert_text(fixture, VGPU_REG_GPU_NAME, VGPU_GPU_NAME_BYTES, "NVIDIA H100 80GB HBM3");
	assert_text(fixture, VGPU_REG_POOL_NAME, VGPU_POOL_NAME_BYTES, "B");
	assert_text(fixture, VGPU_REG_VM_NAME, VGPU_VM_NAME_BYTES, "i-2-7-VM");

	make_config(&config, 1);
	config.pool_id = 'C';
	mediator_send(fixture, &config, sizeof(config));
	device_run(fixture);
	assert_int_equal(guest_read(fixture, VGPU_REG_POOL_ID), 'C');
	assert_int_equal(guest_read(fixture, VGPU_REG_CONFIG_SEQUENCE), sequence + 1);
}

static void names_end_and_show_nothing_behind_it(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_config config;

	link_up(fixture);
	make_config(&config, 1);
	memset(config.vm_name, 'x', sizeof(config.vm_name));
	memcpy(config.vm_name, "a\nb\x1b[2J\x7f", 9);
	memset(config.gpu_name, 'y', sizeof(config.gpu_name) - 1);
	config.gpu_name[VGPU_GPU_NAME_BYTES - 1] = '\0';
	mediator_send(fixture, &config, sizeof(config));
	device_run(fixture);
	assert_text(fixture, VGPU_REG_VM_NAME, VGPU_VM_NAME_BYTES, "a?b?[2J?");
	assert_text(fixture, VGPU_REG_GPU_NAME, VGPU_GPU_NAME_BYTES,
		    "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
}

static void usage_is_shown(void **state)
{
	struct fixture *fixture = *state;
	struct vgpu_link_usage usage;
	uint32_t sequence;

	link_up(fixture);
	sequence = guest_read(fixture, VGPU_REG_CONFIG_SEQUENCE);
	make_usage(&usage);
	mediator_send(fixture, &usage, sizeof(usage));
	device_run(fixture);
	assert_int_equal(guest_read64(fixture, VGPU_REG_USED_MEMORY), 0x0102030405060708);
	assert_int_equal(guest_read64(fixture, VGPU_REG_USED_WINDOW), 0x1112131415161718);
	assert_int_equal(guest_read64(fixture, VGPU_REG_USED_TIME), 0x2122232425262728);
	assert_int_equal(guest_read64(fixture, VGPU_REG_JOBS_COMPLETED), 0x3132333435363738);
	assert_int_equal(guest_read64(fixture, VGPU_REG_JOBS_FAILED), 0x4142434445464748);
	assert_int_equal(guest_read(fixture, VGPU_REG_JOBS_FAILED + 8), 0);
	assert_int_equal(guest_read(fixture, VGPU_REG_CONFIG_SEQUENCE), sequence + 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_word_has_its_reset_value_and_access), TEST(writes_change_no_other_word),
		TEST(other_sizes_and_alignments_do_nothing),	 TEST(beyond_the_bar_is_nothing),
		TEST(interrupt_status_is_cleared_by_ones),	 TEST(the_configuration_is_shown),
		TEST(names_end_and_show_nothing_behind_it),	 TEST(usage_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
