/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the record of a worker that was found: what is believed of one names a channel and
 * a region that there can be.
 */
#include <stdlib.h>
#include <string.h>

#include "common/ring.h"
#include "mediatord/record.h"
#include "mediatord/worker_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record record = { .kind = 0 };

	memcpy(&record, data, size < sizeof(record) ? size : sizeof(record));
	if (record_fault(&record))
		return 0;
	if (!memchr(record.gpu_name, '\0', sizeof(record.gpu_name)) || record.device_pid <= 0)
		abort();
	if (record.kind == RECORD_CHANNEL &&
	    (record.channel >= VGPU_CHANNELS_MAX || !record.serial || record.region % 4096 ||
	     record.region > record.bar_bytes ||
	     record.region_bytes > record.bar_bytes - record.region ||
	     record.region_bytes <= vgpu_ring_window_offset(record.entries)))
		abort();
	return 0;
}
