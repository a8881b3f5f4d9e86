# SPDX-License-Identifier: Apache-2.0
# Workers that outlive a mediator, and the next one that goes on with them.
mediatord_adopt_tests = \
	tests/mediatord/test-adopt-pages \
	tests/mediatord/test-adopt-quota \
	tests/mediatord/test-adopt-refuse \
	tests/mediatord/test-adopt-resume \
	tests/mediatord/test-adopt-serve \
	tests/mediatord/test-adopt-turns \
	tests/mediatord/test-adopt-version \
	tests/mediatord/test-quotas-change \
	tests/mediatord/test-ring-actions
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += $(mediatord_adopt_tests) tests/mediatord/next-mediatord
TESTS += $(mediatord_adopt_tests)
check_LTLIBRARIES += tests/mediatord/libadoptdriver.la
endif
endif

tests_mediatord_libadoptdriver_la_SOURCES = \
	tests/mediatord/adopt-driver.c \
	tests/mediatord/adopt-driver.h \
	tests/mediatord/guest-ring.h
tests_mediatord_libadoptdriver_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_libadoptdriver_la_LIBADD = tests/mediatord/libloopharness.la

tests_mediatord_test_adopt_serve_SOURCES = tests/mediatord/test-adopt-serve.c
tests_mediatord_test_adopt_serve_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_serve_LDADD = tests/mediatord/libadoptdriver.la

tests_mediatord_test_adopt_turns_SOURCES = tests/mediatord/test-adopt-turns.c
tests_mediatord_test_adopt_turns_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_turns_LDADD = tests/mediatord/libadoptdriver.la

tests_mediatord_test_quotas_change_SOURCES = tests/mediatord/test-quotas-change.c
tests_mediatord_test_quotas_change_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_quotas_change_LDADD = tests/mediatord/libadoptdriver.la

tests_mediatord_test_adopt_resume_SOURCES = tests/mediatord/test-adopt-resume.c
tests_mediatord_test_adopt_resume_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_resume_LDADD = tests/mediatord/libadoptdriver.la

tests_mediatord_test_adopt_quota_SOURCES = tests/mediatord/test-adopt-quota.c
tests_mediatord_test_adopt_quota_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_quota_LDADD = tests/mediatord/libadoptdriver.la

tests_mediatord_test_adopt_refuse_SOURCES = tests/mediatord/test-adopt-refuse.c
tests_mediatord_test_adopt_refuse_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_refuse_LDADD = tests/mediatord/libadoptdriver.la

tests_mediatord_test_adopt_pages_SOURCES = tests/mediatord/test-adopt-pages.c
tests_mediatord_test_adopt_pages_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_pages_LDADD = tests/mediatord/libadoptdriver.la

tests_mediatord_test_adopt_version_SOURCES = tests/mediatord/test-adopt-version.c
tests_mediatord_test_adopt_version_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_adopt_version_LDADD = tests/mediatord/libadoptdriver.la

# Not adoption, but the same driver: what an operator does to a ring that is busy.
tests_mediatord_test_ring_actions_SOURCES = tests/mediatord/test-ring-actions.c
tests_mediatord_test_ring_actions_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_ring_actions_LDADD = tests/mediatord/libadoptdriver.la

# The mediator of a release to come, in all that depends on the version of the worker's protocol.
tests_mediatord_next_mediatord_SOURCES = \
	mediatord/main.c \
	mediatord/record.c \
	mediatord/worker.c \
	mediatord/worker_start.c
tests_mediatord_next_mediatord_CPPFLAGS = $(AM_CPPFLAGS) $(mediatord_paths) \
	-DVGPU_WORKER_PROTOCOL_VERSION=3u
tests_mediatord_next_mediatord_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(JANSSON_CFLAGS)
tests_mediatord_next_mediatord_LDADD = $(mediatord_vgpu_mediatord_LDADD)

if FUZZING
noinst_PROGRAMS += tests/mediatord/fuzz-record
FUZZ_TARGETS += tests/mediatord/fuzz-record
endif
tests_mediatord_fuzz_record_SOURCES = tests/mediatord/fuzz-record.c
tests_mediatord_fuzz_record_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_record_LDADD = mediatord/libmediator.la
