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
	*fd = vgpu_steal_fd(&made);
	return 0;
}

static void count_times(uint32_t *seen, const uint32_t *place, uint64_t *sums)
{
	for (size_t i = 0; i < VGPU_HISTOGRAM_BUCKETS; i++) {
		uint32_t value = __atomic_load_n(&place[i], __ATOMIC_RELAXED);

		sums[i] += value - seen[i];
		seen[i] = value;
	}
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

void grant_times(struct grant *grant, uint64_t elapsed_ns, struct usage *usage)
{
	struct grant_times *seen = &grant->times;
	const struct vgpu_grant_page *page = grant->page;
	uint64_t limit, queue_ns, run_ns;

	if (!page)
		return;
	count_times(seen->queue, page->queue_times, usage->queue_times);
	count_times(seen->run, page->run_times, usage->run_times);
	count_times(seen->total, page->total_times, usage->total_times);
	/* None of its jobs can be older than the worker. */
	if (__builtin_mul_overflow(elapsed_ns, grant->seen.jobs, &limit))
		limit = UINT64_MAX;
	queue_ns = advance(&seen->queue_ns, &page->queue_ns, limit);
	run_ns = advance(&seen->run_ns, &page->run_ns, limit);
	usage->queue_ns += queue_ns;
	usage->run_ns += run_ns;
	usage->total_ns += queue_ns + run_ns;
}

const char *grant_map(struct grant *grant, int fd, const struct grant_counters *seen)
{
	static struct usage ignored;
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
	/* What the last mediator saw is not known: what came since it looked is not counted. */
	grant_times(grant, UINT64_MAX, &ignored);
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

void grant_bound(struct grant *grant, uint32_t queue_depth, uint64_t inflight_ns)
{
	if (!grant->page)
		return;
	__atomic_store_n(&grant->page->queue_depth, queue_depth, __ATOMIC_RELAXED);
	__atomic_store_n(&grant->page->inflight_ns, inflight_ns, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t *place)
{
	return __atomic_load_n(place, __ATOMIC_RELAXED);
}

void grant_allow(struct grant *grant, bool contended)
{
	uint32_t bits = VGPU_GRANT_RUN | (contended ? VGPU_GRANT_CONTENDED : 0);

	if (!grant_is_allowed(grant)) {
		grant->granted_jobs = load(&grant->page->jobs);
		grant->granted_ns = load(&grant->page->gpu_time_ns);
	}
	__atomic_store_n(&grant->page->grant, bits, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool grant_revoke(struct grant *grant)
{
	__atomic_store_n(&grant->page->grant, 0, __ATOMIC_RELEASE);
	/* Pairs with the worker's, between its storing `holding` and loading `grant`. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !grant_is_held(grant);
}

bool grant_is_fresh(const struct grant *grant)
{
	return !grant_is_held(grant) && load(&grant->page->jobs) == grant->granted_jobs &&
	       load(&grant->page->gpu_time_ns) == grant->granted_ns;
}

bool grant_is_allowed(const struct grant *grant)
{
	return grant->page && grant->page->grant & VGPU_GRANT_RUN;
}

bool grant_is_held(const struct grant *grant)
{
	return grant->page && __atomic_load_n(&grant->page->holding, __ATOMIC_ACQUIRE);
}

void grant_set_tokens(struct grant *grant, uint64_t tokens)
{
	__atomic_store_n(&grant->page->tokens, tokens, __ATOMIC_RELEASE);
}

int64_t grant_job_since(const struct grant *grant, int64_t now_ns)
{
	uint64_t since;

	if (!grant->page)
		return 0;
	since = __atomic_load_n(&grant->page->job_since_ns, __ATOMIC_RELAXED);
	return since > (uint64_t)now_ns ? now_ns : (int64_t)since;
}

struct grant_counters grant_sample(struct grant *grant, uint64_t elapsed_ns)
{
	struct grant_counters fresh = { 0 };
	uint64_t limit;

	if (!grant->page)
		return fresh;
	/* No worker takes a submission in a nanosecond: time bounds their number too. */
	fresh.submissions =
		advance(&grant->seen.submissions, &grant->page->submissions, elapsed_ns);
	fresh.errors = advance(&grant->seen.errors, &grant->page->errors, grant->seen.submissions);
	fresh.gpu_time_ns =
		advance(&grant->seen.gpu_time_ns, &grant->page->gpu_time_ns, elapsed_ns);
	fresh.jobs = advance(&grant->seen.jobs, &grant->page->jobs, grant->seen.submissions);
	/* No link to a GPU moves a thousand bytes in a nanosecond. */
	limit = elapsed_ns > UINT64_MAX / 1000 ? UINT64_MAX : elapsed_ns * 1000;
	fresh.bytes_in = advance(&grant->seen.bytes_in, &grant->page->bytes_in, limit);
	fresh.bytes_out = advance(&grant->seen.bytes_out, &grant->page->bytes_out, limit);
	return fresh;
}
