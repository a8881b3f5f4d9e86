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

static void a_new_page_grants_work_and_is_else_empty(void **state)
{
	const struct vgpu_grant_page expected = { .grant = VGPU_GRANT_RUN,
						  .tokens = VGPU_GRANT_NO_LIMIT };
	const uint8_t *bytes = (const uint8_t *)fixture.worker;

	(void)state;
	assert_memory_equal(bytes, &expected, sizeof(expected));
	for (size_t i = sizeof(expected); i < 4096; i++)
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
	assert_int_equal(fixture.worker->grant, VGPU_GRANT_RUN);
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
		TEST(a_new_page_grants_work_and_is_else_empty),
		TEST(nobody_can_change_its_size),
		TEST(the_worker_sees_what_is_published),
		TEST(what_is_new_is_returned_once),
		TEST(time_bounds_what_a_worker_can_claim),
		TEST(no_more_errors_than_submissions_are_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
