/* SPDX-License-Identifier: Apache-2.0 */
/* A grant page cannot be cut short, and its counters are believed within bounds only. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "mediatord/grant.h"

struct fixture {
	struct grant grant;
	int fd;
	struct vgpu_grant_page *worker; /* its mapping */
};

static struct fixture fixture;

static int setup(void **state)
{
	struct vgpu_error *err = NULL;

	(void)state;
	if (grant_make(&fixture.grant, &fixture.fd, &err) < 0)
		fail_msg("%s", err->message);
	fixture.worker = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fixture.fd, 0);
	assert_true(fixture.worker != MAP_FAILED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	grant_free(&fixture.grant);
	assert_null(fixture.grant.page);
	grant_free(&fixture.grant);
	munmap(fixture.worker, 4096);
	close(fixture.fd);
	return 0;
}

static void a_new_page_is_empty_and_grants_nothing(void **state)
{
	const uint8_t *bytes = (const uint8_t *)fixture.worker;

	(void)state;
	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(bytes[i], 0);
}

static void nobody_can_change_its_size(void **state)
{
	(void)state;
	assert_int_equal(ftruncate(fixture.fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fixture.fd, 8192), -1);
	assert_int_equal(fcntl(fixture.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void the_worker_sees_what_is_published(void **state)
{
	(void)state;
	grant_publish(&fixture.grant, 1000, 600, 50);
	assert_int_equal(fixture.worker->quota_bytes, 1000);
	assert_int_equal(fixture.worker->used_bytes, 600);
	assert_int_equal(fixture.worker->released_bytes, 50);
	assert_int_equal(fixture.worker->grant, 0);
	grant_bound(&fixture.grant, 7, 1000000);
	assert_int_equal(fixture.worker->queue_depth, 7);
	assert_int_equal(fixture.worker->inflight_ns, 1000000);
	grant_set_tokens(&fixture.grant, 12);
	assert_int_equal(fixture.worker->tokens, 12);
}

static void a_grant_is_fresh_until_something_was_started_under_it(void **state)
{
	(void)state;
	fixture.worker->jobs = 5;
	grant_allow(&fixture.grant, false);
	assert_true(grant_is_fresh(&fixture.grant));
	fixture.worker->holding = 1;
	assert_false(grant_is_fresh(&fixture.grant));
	fixture.worker->jobs = 6;
	fixture.worker->holding = 0;
	assert_false(grant_is_fresh(&fixture.grant));
	/* Others wait now: that is no new grant. */
	grant_allow(&fixture.grant, true);
	assert_false(grant_is_fresh(&fixture.grant));
	assert_true(grant_revoke(&fixture.grant));
	grant_allow(&fixture.grant, true);
	assert_true(grant_is_fresh(&fixture.grant));
	fixture.worker->gpu_time_ns = 1;
	assert_false(grant_is_fresh(&fixture.grant));
}

static void who_holds_the_gpu_keeps_it_after_a_revocation(void **state)
{
	(void)state;
	assert_false(grant_is_allowed(&fixture.grant));
	grant_allow(&fixture.grant, false);
	assert_int_equal(fixture.worker->grant, VGPU_GRANT_RUN);
	assert_true(grant_is_allowed(&fixture.grant));
	grant_allow(&fixture.grant, true);
	assert_int_equal(fixture.worker->grant, VGPU_GRANT_RUN | VGPU_GRANT_CONTENDED);
	fixture.worker->holding = 1;
	assert_false(grant_revoke(&fixture.grant));
	assert_int_equal(fixture.worker->grant, 0);
	fixture.worker->holding = 0;
	assert_true(grant_revoke(&fixture.grant));
	assert_false(grant_is_allowed(&fixture.grant));
}

static void a_job_cannot_have_begun_in_the_future(void **state)
{
	(void)state;
	assert_int_equal(grant_job_since(&fixture.grant, 1000), 0);
	fixture.worker->job_since_ns = 400;
	assert_int_equal(grant_job_since(&fixture.grant, 1000), 400);
	fixture.worker->job_since_ns = UINT64_MAX;
	assert_int_equal(grant_job_since(&fixture.grant, 1000), 1000);
}

static void times_are_counted_once_and_over_a_wrap(void **state)
{
	struct usage usage = { 0 };

	(void)state;
	fixture.worker->queue_times[0] = 3;
	fixture.worker->run_times[5] = UINT32_MAX;
	grant_times(&fixture.grant, 1000, &usage);
	assert_int_equal(usage.queue_times[0], 3);
	assert_int_equal(usage.run_times[5], UINT32_MAX);
	fixture.worker->queue_times[0] = 4;
	fixture.worker->run_times[5] = 1;
	fixture.worker->total_times[VGPU_HISTOGRAM_BUCKETS - 1] = 9;
	grant_times(&fixture.grant, 1000, &usage);
	assert_int_equal(usage.queue_times[0], 4);
	assert_int_equal(usage.run_times[5], (uint64_t)UINT32_MAX + 2);
	assert_int_equal(usage.total_times[VGPU_HISTOGRAM_BUCKETS - 1], 9);
}

static void the_sums_of_times_grow_no_faster_than_time(void **state)
{
	struct usage usage = { 0 };

	(void)state;
	fixture.worker->submissions = 2;
	fixture.worker->jobs = 2;
	grant_sample(&fixture.grant, 1000);
	fixture.worker->queue_ns = 300;
	fixture.worker->run_ns = 40;
	grant_times(&fixture.grant, 1000, &usage);
	assert_int_equal(usage.queue_ns, 300);
	assert_int_equal(usage.run_ns, 40);
	assert_int_equal(usage.total_ns, 340);
	/* Two jobs within 1000 ns; and nothing goes back. */
	fixture.worker->queue_ns = UINT64_MAX;
	fixture.worker->run_ns = 0;
	grant_times(&fixture.grant, 1000, &usage);
	assert_int_equal(usage.queue_ns, 2000);
	assert_int_equal(usage.run_ns, 40);
	assert_int_equal(usage.total_ns, 2040);
	grant_times(&fixture.grant, UINT64_MAX, &usage);
	assert_true(usage.queue_ns == UINT64_MAX);
}

static void what_is_new_is_returned_once(void **state)
{
	struct grant_counters fresh;

	(void)state;
	fixture.worker->submissions = 10;
	fixture.worker->errors = 3;
	fixture.worker->gpu_time_ns = 500;
	fresh = grant_sample(&fixture.grant, 1000);
	assert_int_equal(fresh.submissions, 10);
	assert_int_equal(fresh.errors, 3);
	assert_int_equal(fresh.gpu_time_ns, 500);
	fresh = grant_sample(&fixture.grant, 2000);
	assert_int_equal(fresh.submissions + fresh.errors + fresh.gpu_time_ns, 0);
	fixture.worker->gpu_time_ns = 700;
	fresh = grant_sample(&fixture.grant, 3000);
	assert_int_equal(fresh.gpu_time_ns, 200);
	assert_int_equal(fixture.grant.seen.gpu_time_ns, 700);
}

static void time_bounds_what_a_worker_can_claim(void **state)
{
	struct grant_counters fresh;

	(void)state;
	fixture.worker->submissions = UINT64_MAX;
	fixture.worker->errors = UINT64_MAX;
	fixture.worker->gpu_time_ns = UINT64_MAX;
	fresh = grant_sample(&fixture.grant, 1000);
	assert_int_equal(fresh.submissions, 1000);
	assert_int_equal(fresh.errors, 1000);
	assert_int_equal(fresh.gpu_time_ns, 1000);
	/* It cannot take back what it said. */
	fixture.worker->submissions = 0;
	fixture.worker->errors = 0;
	fixture.worker->gpu_time_ns = 0;
	fresh = grant_sample(&fixture.grant, 2000);
	assert_int_equal(fresh.submissions + fresh.errors + fresh.gpu_time_ns, 0);
	assert_int_equal(fixture.grant.seen.gpu_time_ns, 1000);
}

static void no_more_errors_than_submissions_are_believed(void **state)
{
	(void)state;
	fixture.worker->submissions = 5;
	fixture.worker->errors = 9;
	assert_int_equal(grant_sample(&fixture.grant, 1000).errors, 5);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_new_page_is_empty_and_grants_nothing),
		TEST(times_are_counted_once_and_over_a_wrap),
		TEST(the_sums_of_times_grow_no_faster_than_time),
		TEST(a_job_cannot_have_begun_in_the_future),
		TEST(a_grant_is_fresh_until_something_was_started_under_it),
		TEST(who_holds_the_gpu_keeps_it_after_a_revocation),
		TEST(nobody_can_change_its_size),
		TEST(the_worker_sees_what_is_published),
		TEST(what_is_new_is_returned_once),
		TEST(time_bounds_what_a_worker_can_claim),
		TEST(no_more_errors_than_submissions_are_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
