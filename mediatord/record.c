/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/record.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/ring.h"
#include "mediatord/region.h"
#include "mediatord/worker_protocol.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int record_make(struct record **record, int *fd, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int made = memfd_create("vgpu-record", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct record *page;

	if (made < 0 || ftruncate(made, RECORD_BYTES) < 0 || fcntl(made, F_ADD_SEALS, SEALS) < 0)
		return vgpu_error_errno(err, errno, "cannot make a worker's record");
	page = mmap(NULL, RECORD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
	if (page == MAP_FAILED)
		return vgpu_error_errno(err, errno, "cannot map a worker's record");
	page->magic = RECORD_MAGIC;
	page->version = RECORD_VERSION;
	*record = page;
	*fd = vgpu_steal_fd(&made);
	return 0;
}

const char *record_map(int fd, struct record **record)
{
	struct stat status;
	struct record *page;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS) != SEALS)
		return "its record is no sealed memfd";
	if (fstat(fd, &status) < 0 || status.st_size != RECORD_BYTES)
		return "its record has another size than it must";
	page = mmap(NULL, RECORD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return "its record cannot be mapped";
	if (page->magic != RECORD_MAGIC || page->version < RECORD_OLDEST ||
	    page->version > RECORD_VERSION) {
		record_free(&page);
		return "its record has a version that this mediator does not know";
	}
	*record = page;
	return NULL;
}

void record_free(struct record **record)
{
	if (*record)
		munmap(*record, RECORD_BYTES);
	*record = NULL;
}

static const char *channel_fault(const struct record *record)
{
	uint32_t entries = record->entries;

	if (record->channel >= VGPU_CHANNELS_MAX || !record->serial)
		return "its record names no channel";
	if (entries < VGPU_RING_ENTRIES_MIN || entries > VGPU_RING_ENTRIES_MAX ||
	    (entries & (entries - 1)))
		return "its record has rings of no possible size";
	if (record->region % REGION_GRANULE || record->region_bytes % REGION_GRANULE ||
	    record->region_bytes <= vgpu_ring_window_offset(entries) ||
	    record->region_bytes > record->bar_bytes ||
	    record->region > record->bar_bytes - record->region_bytes)
		return "its record has a region outside BAR2";
	if (!record->opened)
		return "its device was not told of it yet";
	return NULL;
}

const char *record_fault(const struct record *record)
{
	if (record->kind != RECORD_MAILBOX && record->kind != RECORD_CHANNEL)
		return "it was no VM's";
	if (record->ending)
		return "it was about to end";
	if (!record->ready)
		return "it was not ready";
	if (record->worker_version < VGPU_WORKER_PROTOCOL_OLDEST ||
	    record->worker_version > VGPU_WORKER_PROTOCOL_VERSION)
		return "it speaks another version of the protocol";
	if (record->gpu_name[sizeof(record->gpu_name) - 1])
		return "its record has a GPU name without an end";
	if (record->device_pid <= 0)
		return "its device's process is not known";
	return record->kind == RECORD_CHANNEL ? channel_fault(record) : NULL;
}
