/* SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0 */
/*
 * A hostile guest without a mediator: any sequence of accesses, resets and pauses. Input: records
 * of 12 bytes {what, size, offset (u16), value (u64)}.
 */
#include "tests/device/fixture.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORD 12

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* What holds at any time, whatever the guest does. */
static void check(struct fixture *fixture)
{
	uint32_t status = guest_read(fixture, VGPU_REG_STATUS);

	/* Without a mediator each request has failed by the time the doorbell's write returns. */
	require(status == VGPU_STATUS_IDLE || status == VGPU_STATUS_ERROR);
	require(guest_read(fixture, VGPU_REG_DOORBELL) == 0);
	require(guest_read(fixture, VGPU_REG_RESPONSE_LEN) == 0);
	require(guest_read(fixture, VGPU_REG_PROTOCOL_VER) == VGPU_PROTOCOL_VERSION);
	require(guest_read(fixture, VGPU_REG_LINK_STATE) == VGPU_LINK_DOWN);
	require(guest_read(fixture, VGPU_REG_INTERRUPT_CTRL) <= 1);
	require(guest_read(fixture, VGPU_REG_INTERRUPT_STATUS) <= 1);
	require(guest_read(fixture, VGPU_REG_PRIORITY) == VGPU_PRIORITY_MEDIUM);
	for (unsigned int n = 0; n < VGPU_CHANNELS_MAX; n++) {
		uint32_t state = guest_channel(fixture, n, VGPU_CHANNEL_STATE);
		uint32_t error = guest_channel(fixture, n, VGPU_CHANNEL_ERROR);

		/* And each open, too. */
		require(state == VGPU_CHANNEL_STATE_CLOSED || state == VGPU_CHANNEL_STATE_FAILED);
		require(error == VGPU_ERR_INVALID_REQUEST || error == VGPU_ERR_WINDOW_LIMIT ||
			error == VGPU_ERR_UNAVAILABLE ||
			(error == VGPU_ERR_NONE && state == VGPU_CHANNEL_STATE_CLOSED));
		require(guest_channel(fixture, n, VGPU_CHANNEL_OPENS) == 0);
		require(guest_channel(fixture, n, VGPU_CHANNEL_CONTROL) == 0);
		require(guest_channel(fixture, n, VGPU_CHANNEL_REGION_BYTES) == 0);
		require(guest_read(fixture, VGPU_REG_CHANNEL_DOORBELL(n)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *state;
	struct fixture *fixture;

	require(fixture_setup(&state) == 0);
	fixture = state;
	for (; size >= RECORD; data += RECORD, size -= RECORD) {
		unsigned int width = 1 + data[1] % 8;
		uint64_t offset = (data[2] | (uint64_t)data[3] << 8) % VGPU_BAR0_SIZE;
		uint64_t value = vgpu_load64(data + 4);

		switch (data[0] % 10) {
		case 0:
		case 1:
		case 2:
			offset &= ~UINT64_C(3);
			width = 4;
			/* fall through */
		case 3:
			vgpu_core_write(fixture->core, offset, value, width);
			break;
		case 4:
			offset &= ~UINT64_C(3);
			width = 4;
			/* fall through */
		case 5:
			value = vgpu_core_read(fixture->core, offset, width);
			require(value <= UINT32_MAX);
			require(value == 0 || (width == 4 && offset % 4 == 0));
			break;
		case 6:
			vgpu_core_reset(fixture->core);
			require(guest_read(fixture, VGPU_REG_STATUS) == VGPU_STATUS_IDLE);
			break;
		case 7:
			device_sleep(fixture, (int64_t)(value % 1000) * VGPU_NS_PER_MS);
			break;
		case 8:
			guest_control(fixture, data[1] % VGPU_CHANNELS_MAX, (uint32_t)value & 3);
			break;
		case 9:
			vgpu_core_completion(fixture->core, data[1]);
			break;
		}
		check(fixture);
	}
	fixture_teardown(&state);
	return 0;
}
