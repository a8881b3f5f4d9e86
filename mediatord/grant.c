/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/grant.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define GRANT_BYTES 4096u
#define SEALS	    (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

VGPU_STATIC_ASSERT(sizeof(struct vgpu_grant_page) <= GRANT_BYTES, "grant page");

int grant_make(struct grant *grant, int *fd, struct vgpu_error **err)
{
	VGPU_AUTO_CLOSE int made = memfd_create("vgpu-grant", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *page;

	/* Unsealed, a worker could cut it short, and our next look at it would end us. */
	if (made < 0 || ftruncate(made, GRANT_BYTES) < 0 || fcntl(made, F_ADD_SEALS, SEALS) < 0)
		return vgpu_error_errno(err, errno, "cannot make a grant page");
	page = mmap(NULL, GRANT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
	if (page == MAP_FAILED)
		return vgpu_error_errno(err, errno, "cannot map a grant page");
	*grant = (struct grant){ .page = page };
	grant->page->grant = VGPU_GRANT_RUN;
	grant->page->tokens = VGPU_GRANT_NO_LIMIT;
	*fd = vgpu_steal_fd(&made);
	return 0;
}

const char *grant_map(struct grant *grant, int fd, const struct grant_counters *seen)
{
	struct stat status;
	int seals = fcntl(fd, F_GET_SEALS);
	void *page;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return "its grant page is no sealed memfd";
	if (fstat(fd, &status) < 0 || status.st_size != GRANT_BYTES)
		return "its grant page has another size than it must";
	page = mmap(NULL, GRANT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return "its grant page cannot be mapped";
	*grant = (struct grant){ .page = page, .seen = *seen };
	return NULL;
}

void grant_free(struct grant *grant)
{
	if (grant->page)
		munmap(grant->page, GRANT_BYTES);
	grant->page = NULL;
}

void grant_publish(struct grant *grant, uint64_t quota, uint64_t used, uint64_t released)
{
	if (!grant->page)
		return;
	__atomic_store_n(&grant->page->quota_bytes, quota, __ATOMIC_RELAXED);
	__atomic_store_n(&grant->page->released_bytes, released, __ATOMIC_RELAXED);
	__atomic_store_n(&grant->page->used_bytes, used, __ATOMIC_RELEASE);
}

/* One counter: never less than before, never more than the limit. Returns what is new. */
static uint64_t advance(uint64_t *seen, const uint64_t *place, uint64_t limit)
{
	uint64_t value = __atomic_load_n(place, __ATOMIC_RELAXED);
	uint64_t before = *seen;

	if (value > limit)
		value = limit;
	if (value <= before)
		return 0;
	*seen = value;
	return value - before;
}

struct grant_counters grant_sample(struct grant *grant, uint64_t elapsed_ns)
{
	struct grant_counters fresh = { 0 };

	if (!grant->page)
		return fresh;
	/* No worker takes a submission in a nanosecond: time bounds their number too. */
	fresh.submissions =
		advance(&grant->seen.submissions, &grant->page->submissions, elapsed_ns);
	fresh.errors = advance(&grant->seen.errors, &grant->page->errors, grant->seen.submissions);
	fresh.gpu_time_ns =
		advance(&grant->seen.gpu_time_ns, &grant->page->gpu_time_ns, elapsed_ns);
	return fresh;
}
