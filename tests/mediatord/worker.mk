# SPDX-License-Identifier: Apache-2.0
# The worker: the program itself, driven over its socket as the mediator does.
mediatord_worker_tests = \
	tests/mediatord/test-worker-errors \
	tests/mediatord/test-worker-memory \
	tests/mediatord/test-worker-operations \
	tests/mediatord/test-worker-protocol \
	tests/mediatord/test-worker-quota \
	tests/mediatord/test-worker-sandbox
if BUILD_TESTS
if BUILD_MEDIATORD
check_PROGRAMS += $(mediatord_worker_tests)
TESTS += $(mediatord_worker_tests)
check_LTLIBRARIES += tests/mediatord/libworkerdriver.la
endif
endif

TESTS += tests/mediatord/worker-help.sh
dist_check_SCRIPTS += tests/mediatord/worker-help.sh

tests_mediatord_libworkerdriver_la_SOURCES = \
	tests/mediatord/request-maker.h \
	tests/mediatord/worker-driver.c \
	tests/mediatord/worker-driver.h
tests_mediatord_libworkerdriver_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_libworkerdriver_la_LIBADD = $(CMOCKA_LIBS)

tests_mediatord_test_worker_operations_SOURCES = tests/mediatord/test-worker-operations.c
tests_mediatord_test_worker_operations_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_operations_LDADD = tests/mediatord/libworkerdriver.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_errors_SOURCES = tests/mediatord/test-worker-errors.c
tests_mediatord_test_worker_errors_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_errors_LDADD = tests/mediatord/libworkerdriver.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_protocol_SOURCES = tests/mediatord/test-worker-protocol.c
tests_mediatord_test_worker_protocol_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_protocol_LDADD = tests/mediatord/libworkerdriver.la common/libcommon.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_quota_SOURCES = tests/mediatord/test-worker-quota.c
tests_mediatord_test_worker_quota_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_quota_LDADD = tests/mediatord/libworkerdriver.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_sandbox_SOURCES = tests/mediatord/test-worker-sandbox.c
tests_mediatord_test_worker_sandbox_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_sandbox_LDADD = tests/mediatord/libworkerdriver.la mediatord/worker/libworker.la $(CMOCKA_LIBS)

tests_mediatord_test_worker_memory_SOURCES = tests/mediatord/test-worker-memory.c
tests_mediatord_test_worker_memory_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_mediatord_test_worker_memory_LDADD = mediatord/worker/libworker.la $(CMOCKA_LIBS)

if FUZZING
if BUILD_MEDIATORD
noinst_PROGRAMS += tests/mediatord/fuzz-execute
FUZZ_TARGETS += tests/mediatord/fuzz-execute
endif
endif
tests_mediatord_fuzz_execute_SOURCES = \
	tests/mediatord/fuzz-execute.c \
	tests/mediatord/request-maker.h
tests_mediatord_fuzz_execute_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_mediatord_fuzz_execute_LDADD = mediatord/worker/libworker.la
