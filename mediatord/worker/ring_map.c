/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memfd holds the whole BAR2, with the VM's other channels. Only this channel's region is
 * mapped, and the descriptor is closed before the first byte of the tenant's is read: a worker that
 * its tenant took over cannot reach the others' regions.
 */
#include "mediatord/worker/ring_map.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "common/ring.h"

static int check_fields(const struct vgpu_worker_start *start, struct vgpu_error **err)
{
	uint32_t entries = start->entries;

	if (entries < VGPU_RING_ENTRIES_MIN || entries > VGPU_RING_ENTRIES_MAX ||
	    (entries & (entries - 1)))
		return vgpu_error_set(err, EBADMSG,
				      "%" PRIu32 " ring entries are not a power of two from %u to "
				      "%u",
				      entries, VGPU_RING_ENTRIES_MIN, VGPU_RING_ENTRIES_MAX);
	if (start->region % VGPU_RING_PAGE || start->region_bytes % VGPU_RING_PAGE)
		return vgpu_error_set(err, EBADMSG, "the region is not made of whole pages");
	if (start->region_bytes <= vgpu_ring_window_offset(entries))
		return vgpu_error_set(err, EBADMSG,
				      "a region of %" PRIu64 " bytes has no room for a window",
				      start->region_bytes);
	if (!vgpu_range_ok(start->region, start->region_bytes, VGPU_WINDOW_SIZE_MAX))
		return vgpu_error_set(err, EBADMSG, "the region is beyond the largest BAR2");
	return 0;
}

/* A memfd that holds [offset, offset + bytes) for as long as it exists. */
static int check_memory(int fd, const char *name, uint64_t offset, uint64_t bytes,
			struct vgpu_error **err)
{
	struct stat status;
	int seals;

	if (fstat(fd, &status) < 0)
		return vgpu_error_errno(err, errno, "cannot look at the %s's descriptor", name);
	seals = S_ISREG(status.st_mode) ? fcntl(fd, F_GET_SEALS) : -1;
	if (seals < 0)
		return vgpu_error_set(err, EBADMSG, "the %s's descriptor is no memfd", name);
	/* Memory that is cut short under a mapping ends the process that touches it. */
	if (!(seals & F_SEAL_SHRINK))
		return vgpu_error_set(err, EBADMSG,
				      "the %s's memfd is not sealed against "
				      "shrinking",
				      name);
	if (!vgpu_range_ok(offset, bytes, (uint64_t)status.st_size))
		return vgpu_error_set(err, EBADMSG,
				      "the %s's memfd has %" PRIu64 " bytes, and [0x%" PRIx64
				      ", + 0x%" PRIx64 ") is not within them",
				      name, (uint64_t)status.st_size, offset, bytes);
	return 0;
}

static int check_eventfd(int fd, const char *name, struct vgpu_error **err)
{
	static const char expected[] = "anon_inode:[eventfd]";
	char path[64], link[64];
	ssize_t length;
	int flags;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link));
	if (length < 0)
		return vgpu_error_errno(err, errno, "cannot look at the %s's descriptor", name);
	if (length != sizeof(expected) - 1 || memcmp(link, expected, sizeof(expected) - 1) != 0)
		return vgpu_error_set(err, EBADMSG, "the %s's descriptor is no eventfd", name);
	/* Whoever else holds it could fill its counter, and so hold us up for ever. */
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return vgpu_error_errno(err, errno, "cannot make the %s's descriptor non-blocking",
					name);
	return 0;
}

static int map_shared(int fd, const char *name, uint64_t offset, uint64_t bytes, void **memory,
		      struct vgpu_error **err)
{
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	if (mapped == MAP_FAILED)
		return vgpu_error_errno(err, errno, "cannot map the %s", name);
	*memory = mapped;
	return 0;
}

static int open_all(struct ring_map *map, const struct vgpu_worker_start *start,
		    const int fds[RING_FDS], struct vgpu_error **err)
{
	const uint64_t window = vgpu_ring_window_offset(start->entries);
	void *region = NULL, *grant = NULL;

	if (check_fields(start, err) < 0 ||
	    check_memory(fds[RING_FD_BAR2], "region", start->region, start->region_bytes, err) <
		    0 ||
	    check_eventfd(fds[RING_FD_DOORBELL], "doorbell", err) < 0 ||
	    check_eventfd(fds[RING_FD_COMPLETION], "completion", err) < 0 ||
	    check_memory(fds[RING_FD_GRANT], "grant page", 0, VGPU_RING_PAGE, err) < 0)
		return -1;
	if (map_shared(fds[RING_FD_BAR2], "region", start->region, start->region_bytes, &region,
		       err) < 0)
		return -1;
	map->region = region;
	map->region_bytes = start->region_bytes;
	map->entries = start->entries;
	map->window = map->region + window;
	map->window_bytes = start->region_bytes - window;
	if (map_shared(fds[RING_FD_GRANT], "grant page", 0, VGPU_RING_PAGE, &grant, err) < 0)
		return -1;
	map->grant = grant;
	return ring_map_empty(map, err);
}

int ring_map_open(struct ring_map *map, const struct vgpu_worker_start *start, int fds[RING_FDS],
		  struct vgpu_error **err)
{
	int result;

	*map = (struct ring_map)RING_MAP_NONE;
	result = open_all(map, start, fds, err);
	map->doorbell = vgpu_steal_fd(&fds[RING_FD_DOORBELL]);
	map->completion = vgpu_steal_fd(&fds[RING_FD_COMPLETION]);
	for (int i = 0; i < RING_FDS; i++)
		if (fds[i] >= 0)
			close(vgpu_steal_fd(&fds[i]));
	if (result < 0)
		ring_map_close(map);
	return result;
}

int ring_map_empty(struct ring_map *map, struct vgpu_error **err)
{
	if (madvise(map->region, map->region_bytes, MADV_REMOVE) < 0)
		return vgpu_error_errno(err, errno, "cannot empty the region");
	return 0;
}

void ring_map_close(struct ring_map *map)
{
	if (map->region)
		munmap(map->region, map->region_bytes);
	if (map->grant)
		munmap(map->grant, VGPU_RING_PAGE);
	if (map->doorbell >= 0)
		close(map->doorbell);
	if (map->completion >= 0)
		close(map->completion);
	*map = (struct ring_map)RING_MAP_NONE;
}
