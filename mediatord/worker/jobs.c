/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/jobs.h"

#include "mediatord/histogram.h"

void jobs_init(struct jobs *jobs, struct vgpu_grant_page *page)
{
	jobs->page = page;
	inflight_init(&jobs->inflight);
	jobs->current = (struct job){ 0 };
	jobs->started_count = 0;
	jobs->idle_ns = 0;
}

bool jobs_admit(const struct jobs *jobs, const struct inflight_work *piece, int64_t now_ns)
{
	const struct vgpu_grant_page *page = jobs->page;

	return inflight_admits(&jobs->inflight, piece,
			       __atomic_load_n(&page->inflight_ns, __ATOMIC_RELAXED),
			       __atomic_load_n(&page->queue_depth, __ATOMIC_RELAXED), now_ns);
}

/* An interval that two looks at the clock bound. */
static uint64_t between(int64_t from_ns, int64_t to_ns)
{
	return to_ns > from_ns ? (uint64_t)(to_ns - from_ns) : 0;
}

void jobs_wait(struct jobs *jobs, int64_t now_ns)
{
	if (!jobs->current.waiting_since_ns)
		jobs->current.waiting_since_ns = now_ns;
}

static void store_since(const struct jobs *jobs, int64_t since_ns)
{
	__atomic_store_n(&jobs->page->job_since_ns, (uint64_t)since_ns, __ATOMIC_RELAXED);
}

/* The pieces before this one have ended, or this one joins them. */
static void account_pieces(struct jobs *jobs, int64_t now_ns)
{
	struct job *job = &jobs->current;

	if (job->started_ns && !jobs_on_gpu(jobs)) {
		job->ran_ns += between(job->started_ns, jobs->idle_ns);
		job->waiting_since_ns = jobs->idle_ns;
		job->started_ns = 0;
	}
	if (job->waiting_since_ns)
		job->queued_ns += between(job->waiting_since_ns, now_ns);
	job->waiting_since_ns = 0;
	if (!job->started_ns)
		job->started_ns = now_ns;
}

void jobs_begin(struct jobs *jobs, int64_t now_ns)
{
	if (!jobs_on_gpu(jobs))
		store_since(jobs, now_ns);
}

void jobs_failed(struct jobs *jobs)
{
	if (!jobs_on_gpu(jobs))
		store_since(jobs, 0);
}

void jobs_started(struct jobs *jobs, const struct inflight_work *piece, bool last, int64_t now_ns)
{
	struct job *job = &jobs->current;

	if (piece->kind <= INFLIGHT_LAUNCH) {
		account_pieces(jobs, now_ns);
		if (!job->counted)
			jobs_count(&jobs->page->jobs, 1);
		job->counted = true;
		if (last)
			jobs->started[jobs->started_count++] = *job;
	}
	inflight_add(&jobs->inflight, piece, now_ns);
}

static void count_time(uint32_t times[VGPU_HISTOGRAM_BUCKETS], uint64_t ns)
{
	uint32_t *counter = &times[histogram_bucket(ns)];

	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

void jobs_idle(struct jobs *jobs, int64_t now_ns)
{
	struct vgpu_grant_page *page = jobs->page;

	if (!jobs_on_gpu(jobs))
		return;
	jobs_count(&page->gpu_time_ns, between(jobs->inflight.since_ns, now_ns));
	for (uint32_t i = 0; i < jobs->started_count; i++) {
		const struct job *job = &jobs->started[i];
		uint64_t ran_ns = job->ran_ns + between(job->started_ns, now_ns);

		count_time(page->queue_times, job->queued_ns);
		count_time(page->run_times, ran_ns);
		count_time(page->total_times, job->queued_ns + ran_ns);
		jobs_count(&page->queue_ns, job->queued_ns);
		jobs_count(&page->run_ns, ran_ns);
	}
	jobs->started_count = 0;
	jobs->idle_ns = now_ns;
	inflight_idle(&jobs->inflight, now_ns);
	store_since(jobs, 0);
}
